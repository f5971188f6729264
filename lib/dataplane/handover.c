/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/handover.h"

#include "dataplane/reliable.h"

static bool is_known(const struct weir_worker *worker, const struct weir_consumer *consumer)
{
	return worker->snapshot->consumers[consumer->slot] == consumer;
}

/*
 * Whoever is to have the lane. One that this snapshot does not know comes with the next, which is
 * on its way: until then the lane stays where it is. Nobody has it while it waits for the stream
 * before its own, or, acknowledged, when it is one of that stream's and over.
 */
static struct weir_outlet *wanted_outlet(
	const struct weir_worker *worker, const struct weir_lane *lane)
{
	struct weir_consumer *owner = atomic_load_explicit(lane->owner, memory_order_acquire);

	if (owner == NULL || lane->is_following || (lane->is_over && lane->delivery != NULL))
		return NULL;
	if (is_known(worker, owner))
		return &owner->outlets[worker->id];
	return lane->outlet != NULL && is_known(worker, lane->outlet->consumer) ? lane->outlet
										: NULL;
}

/* Something is under way to a consumer that may still finish it. */
static bool has_to_drain(const struct weir_worker *worker, const struct weir_lane *lane)
{
	const struct weir_consumer *consumer;

	if (lane->outlet == NULL || lane->delivery == NULL || lane->drain_us == 0 ||
		lane->delivery->done == lane->delivery->next)
		return false;
	if (lane->is_draining && lane->is_released)
		return false;
	consumer = lane->outlet->consumer;
	return is_known(worker, consumer) && consumer->is_reliable &&
	       !(atomic_load_explicit(&consumer->closed, memory_order_relaxed) &
		       WEIR_CLOSED_UNREACHABLE);
}

static void begin(struct weir_worker *worker, struct weir_lane *lane)
{
	if (lane->is_draining)
		return;
	if (lane->is_queued)
		weir_lane_idle(lane);
	lane->is_draining = true;
	weir_will_write(worker, lane);
	lane->is_released = false;
	lane->drain_since_us = worker->now_us;
	lane->revoked_us = 0;
	weir_list_add_tail(&worker->draining, &lane->drain);
	weir_native_revoke(worker, lane);
}

static void count(struct weir_lane *lane, bool was_draining)
{
	bool is_done = lane->delivery == NULL || lane->delivery->done == lane->delivery->next;

	lane->stats->moves++;
	lane->stats->moves_drained += was_draining && is_done;
	lane->stats->moves_overdue += was_draining && !is_done;
}

/* Also back to the consumer that has it, when it was drained: that may have let it go already. */
static void go(struct weir_worker *worker, struct weir_lane *lane, struct weir_outlet *outlet)
{
	bool was_draining = lane->is_draining;

	if (lane->is_queued)
		weir_lane_idle(lane);
	if (lane->outlet != NULL && lane->outlet != outlet)
		count(lane, was_draining);
	weir_handover_end(lane);
	weir_lane_set_consumer(worker, lane, outlet);
	if (outlet != NULL && outlet->consumer->is_reliable)
		weir_native_assign(worker, lane);
	if (lane->cursor != lane->partition->head)
		weir_lane_ready(worker, lane);
}

void weir_handover_end(struct weir_lane *lane)
{
	lane->is_draining = false;
	weir_list_remove(&lane->drain);
}

void weir_handover_look(struct weir_worker *worker, struct weir_lane *lane)
{
	if (!has_to_drain(worker, lane) || worker->now_us - lane->drain_since_us >= lane->drain_us)
		go(worker, lane, wanted_outlet(worker, lane));
	else
		weir_native_revoke(worker, lane);
}

void weir_handover_follow(struct weir_worker *worker, struct weir_lane *lane)
{
	struct weir_outlet *outlet = wanted_outlet(worker, lane);

	if (lane->is_draining)
		weir_handover_look(worker, lane);
	else if (outlet != lane->outlet && has_to_drain(worker, lane))
		begin(worker, lane);
	else if (outlet != lane->outlet)
		go(worker, lane, outlet);
}

void weir_handover_detach(struct weir_lane *lane)
{
	weir_list_remove(&lane->drain);
}

void weir_handover_attach(struct weir_worker *worker, struct weir_lane *lane)
{
	if (lane->is_draining)
		weir_list_add_tail(&worker->draining, &lane->drain);
}

void weir_handover_tick(struct weir_worker *worker)
{
	struct weir_list *node = worker->draining.next;

	while (node != &worker->draining) {
		struct weir_lane *lane = weir_list_entry(node, struct weir_lane, drain);

		node = node->next;
		weir_handover_look(worker, lane);
	}
}

static void follow_order(struct weir_worker *worker, const struct weir_order *order)
{
	const struct weir_stream *stream = worker->snapshot->by_slot[order->stream];
	const struct weir_partition *partition;

	if (stream == NULL || order->partition >= stream->partition_count ||
		weir_stream_owner(stream, order->partition) != worker->id)
		return;
	partition = &stream->partitions[order->partition];
	for (uint32_t i = 0; i < partition->lane_count; i++)
		if (partition->lanes[i]->group == order->group)
			weir_handover_follow(worker, partition->lanes[i]);
}

uint32_t weir_orders_poll(struct weir_worker *worker)
{
	struct weir_order orders[WEIR_BURST];
	uint32_t count = rte_ring_sc_dequeue_burst_elem(
		worker->orders, orders, sizeof(orders[0]), WEIR_BURST, NULL);

	for (uint32_t i = 0; i < count; i++)
		follow_order(worker, &orders[i]);
	return count;
}
