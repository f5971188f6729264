/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/worker.h"

static uint32_t transmit(struct weir_tx *tx)
{
	uint32_t sent = 0;

	if (tx->queue == NULL)
		return rte_ring_sp_enqueue_burst(
			tx->handoff, (void **)tx->packets, tx->count, NULL);
	while (sent < tx->count) {
		uint16_t accepted = tx->port->ops->tx(
			tx->queue, tx->packets + sent, (uint16_t)(tx->count - sent));

		if (accepted == 0)
			break;
		sent += accepted;
	}
	return sent;
}

static void open_waiting(struct weir_worker *worker, struct weir_tx *tx)
{
	while (!weir_list_is_empty(&tx->waiting))
		weir_outlet_open(
			worker, weir_list_entry(tx->waiting.next, struct weir_outlet, blocked));
}

void weir_tx_flush(struct weir_worker *worker, struct weir_tx *tx)
{
	uint64_t bytes = 0;
	uint32_t sent;

	if (tx->count == 0) {
		/* An outlet may wait for room that datagrams begun for another port took. */
		open_waiting(worker, tx);
		return;
	}
	if (unlikely(worker->chaos != NULL))
		weir_chaos_send(worker, tx);
	for (uint32_t i = 0; i < tx->count; i++)
		bytes += tx->packets[i]->pkt_len;
	if (weir_captures(worker, WEIR_CAPTURE_TX))
		weir_capture_tx_begin(worker, tx);
	WEIR_CYCLES_LAP(worker, SEND);
	sent = transmit(tx);
	WEIR_CYCLES_LAP(worker, TX);
	if (weir_captures(worker, WEIR_CAPTURE_TX))
		weir_capture_tx_end(worker, sent);
	if (unlikely(sent != tx->count)) {
		tx->stats->tx_full++;
		for (uint32_t i = sent; i < tx->count; i++) {
			bytes -= tx->packets[i]->pkt_len;
			tx->packets[i - sent] = tx->packets[i];
			tx->owners[i - sent] = tx->owners[i];
		}
	}
	tx->count -= sent;
	tx->passed += sent;
	/* Handed over is not sent: the worker with the queue counts. */
	if (tx->queue != NULL) {
		tx->stats->sent += sent;
		tx->stats->sent_bytes += bytes;
	}
	if (sent != 0 && !weir_list_is_empty(&tx->waiting))
		open_waiting(worker, tx);
}

void weir_tx_flush_all(struct weir_worker *worker)
{
	bool is_traced = unlikely(worker->trace.send_count != 0);

	if (is_traced)
		weir_trace_mark_sends(worker);
	for (uint32_t i = 0; i < worker->dataplane->port_count; i++)
		weir_tx_flush(worker, &worker->tx[i]);
	if (is_traced)
		weir_trace_end_sends(worker);
}

uint32_t weir_tx_poll_handoffs(struct weir_worker *worker)
{
	uint32_t moved = 0;

	for (uint32_t i = 0; i < worker->handoff_count; i++) {
		struct weir_tx *tx = &worker->tx[worker->handoff_ports[i]];
		struct rte_mbuf *packets[WEIR_BURST];
		uint32_t room = RTE_MIN(weir_tx_room(tx), (uint32_t)WEIR_BURST);
		uint32_t count = rte_ring_sc_dequeue_burst(
			worker->handoffs[i], (void **)packets, room, NULL);

		for (uint32_t j = 0; j < count; j++)
			weir_tx_add_for(tx, packets[j], NULL, 0,
				(struct weir_capture_tag){.consumer = WEIR_CAPTURE_HANDED});
		moved += count;
	}
	return moved;
}

void weir_tx_discard(struct weir_worker *worker)
{
	for (uint32_t i = 0; i < worker->dataplane->port_count; i++) {
		struct weir_tx *tx = &worker->tx[i];

		for (uint32_t j = 0; j < tx->count; j++) {
			struct weir_group_stats *stats = tx->owners[j].stats;

			if (weir_captures(worker, WEIR_CAPTURE_DROP))
				weir_capture_drop(worker, tx->packets[j], tx->port->index, NULL,
					WEIR_CAPTURE_NO_PARTITION, WEIR_REASON_TX_FAILED);
			if (stats != NULL) {
				stats->delivered--;
				stats->delivered_bytes -= tx->owners[j].bytes;
				stats->dropped[WEIR_REASON_TX_FAILED]++;
			}
			rte_pktmbuf_free(tx->packets[j]);
		}
		tx->count = 0;
	}
}

void weir_tx_forget(struct weir_worker *worker, const struct weir_group_stats *stats)
{
	for (uint32_t i = 0; i < worker->dataplane->port_count; i++)
		for (uint32_t j = 0; j < worker->tx[i].count; j++)
			if (worker->tx[i].owners[j].stats >= stats &&
				worker->tx[i].owners[j].stats < stats + WEIR_FEATURE_WORDS)
				worker->tx[i].owners[j].stats = NULL;
}
