/* SPDX-License-Identifier: BSD-3-Clause */
#include "xdp/segments.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <rte_memcpy.h>

#ifndef XDP_PKT_CONTD
#define XDP_PKT_CONTD (1 << 0)
#endif

#define KERNEL_BATCH 32 /* packets that the kernel sends in one call, when it copies */
#define SPARE_CALLS  8
#define CLEAN_BURST  64

/* Frames whose packets the kernel is done with. */
static void reclaim(struct weir_xdp_queue *queue)
{
	uint32_t index = 0, count;

	while ((count = xsk_ring_cons__peek(&queue->completion, CLEAN_BURST, &index)) != 0) {
		for (uint32_t i = 0; i < count; i++)
			queue->free_frames[queue->free_count++] =
				*xsk_ring_cons__comp_addr(&queue->completion, index + i);
		xsk_ring_cons__release(&queue->completion, count);
	}
}

/* Reads a packet's bytes across its segments. */
struct reader {
	const struct rte_mbuf *segment;
	uint32_t offset;
};

static void copy_out(struct reader *reader, uint8_t *to, uint32_t length)
{
	while (length != 0) {
		uint32_t left = reader->segment->data_len - reader->offset;
		uint32_t part = RTE_MIN(left, length);

		rte_memcpy(
			to, rte_pktmbuf_mtod_offset(reader->segment, void *, reader->offset), part);
		to += part;
		length -= part;
		reader->offset += part;
		if (reader->offset == reader->segment->data_len) {
			reader->segment = reader->segment->next;
			reader->offset = 0;
		}
	}
}

static uint32_t frames_of(const struct weir_xdp_queue *queue, const struct rte_mbuf *packet)
{
	return (packet->pkt_len + queue->frame_bytes - 1) / queue->frame_bytes;
}

static void put(struct weir_xdp_queue *queue, const struct rte_mbuf *packet, uint32_t index)
{
	struct reader reader = {.segment = packet};
	uint32_t left = packet->pkt_len;

	while (left != 0) {
		struct xdp_desc *frame = xsk_ring_prod__tx_desc(&queue->tx, index++);
		uint32_t part = RTE_MIN(left, queue->frame_bytes);

		frame->addr = queue->free_frames[--queue->free_count];
		frame->len = part;
		copy_out(&reader, queue->memory + frame->addr, part);
		left -= part;
		frame->options = left != 0 ? XDP_PKT_CONTD : 0;
	}
}

/* Frames that the kernel has not taken out of the ring. */
static uint32_t in_ring(const struct weir_xdp_queue *queue)
{
	return __atomic_load_n(queue->tx.producer, __ATOMIC_RELAXED) -
	       __atomic_load_n(queue->tx.consumer, __ATOMIC_ACQUIRE);
}

/* False: it makes no sense to ask again. */
static bool ask_kernel(struct weir_xdp_queue *queue)
{
	if (sendto(queue->fd, NULL, 0, MSG_DONTWAIT, NULL, 0) >= 0)
		return !queue->is_zero_copy;
	/* Where the kernel copies, the interface had no room for a packet, and it is gone. */
	if (errno == EBUSY && !queue->is_zero_copy)
		__atomic_fetch_add(&queue->tx_refused, 1, __ATOMIC_RELAXED);
	return !queue->is_zero_copy && (errno == EAGAIN || errno == EBUSY || errno == ENOBUFS);
}

/*
 * Where the kernel copies, it sends in the call, some packets at a time; a driver only has to be
 * told when it sleeps. It is asked until all is taken, and, while nothing moves, a few times.
 */
static void kick(struct weir_xdp_queue *queue)
{
	uint32_t left = in_ring(queue), spare = SPARE_CALLS;

	while (left != 0 && spare != 0 && xsk_ring_prod__needs_wakeup(&queue->tx) &&
		ask_kernel(queue)) {
		uint32_t rest = in_ring(queue);

		spare -= rest == left;
		left = rest;
	}
}

void weir_xdp_transmit_rest(struct weir_xdp_queue *queue)
{
	if (unlikely(in_ring(queue) != 0))
		kick(queue);
}

/* A packet that can never leave is taken all the same, or it would stop those behind it. */
static bool is_possible(const struct weir_xdp_queue *queue, const struct rte_mbuf *packet)
{
	return packet->pkt_len != 0 &&
	       (packet->pkt_len <= queue->frame_bytes || queue->has_fragments);
}

/*
 * What was put into so many frames is not sent: the program has taken over since it was received,
 * and it would come behind what the program has delivered.
 */
static void take_back(struct weir_xdp_queue *queue, uint32_t frames)
{
	queue->tx.cached_prod -= frames;
	queue->free_count += frames;
}

/*
 * Where the kernel copies, as many at a time as it sends in one call, what is left of earlier ones
 * included: of a worker that is halted no more than these come behind what the program has
 * delivered meanwhile.
 */
static uint32_t places(const struct weir_xdp_queue *queue)
{
	uint32_t taken;

	if (queue->is_zero_copy)
		return UINT32_MAX;
	taken = in_ring(queue);
	return taken < KERNEL_BATCH ? KERNEL_BATCH - taken : 0;
}

/* What fits of so many packets goes into the ring; returns how many were taken. */
static uint16_t submit(struct weir_xdp_queue *queue, struct rte_mbuf **packets, uint16_t count)
{
	uint32_t frames = 0, put_count = 0, room = places(queue);
	uint64_t bytes = 0;
	uint16_t sent;

	reclaim(queue);
	for (sent = 0; sent < count; sent++) {
		struct rte_mbuf *packet = packets[sent];
		uint32_t needed = frames_of(queue, packet), index;

		if (unlikely(!is_possible(queue, packet))) {
			queue->tx_errors++;
			continue;
		}
		if (frames + needed > room || needed > queue->free_count ||
			xsk_ring_prod__reserve(&queue->tx, needed, &index) == 0)
			break;
		put(queue, packet, index);
		frames += needed;
		bytes += packet->pkt_len;
		put_count++;
	}
	rte_pktmbuf_free_bulk(packets, sent);
	/* As late as can be: the worker may have been halted for any time until here. */
	if (unlikely(weir_guard_has_stale())) {
		take_back(queue, frames);
		queue->tx_errors += put_count;
		return sent;
	}
	queue->tx_packets += put_count;
	queue->tx_bytes += bytes;
	if (frames != 0)
		xsk_ring_prod__submit(&queue->tx, frames);
	/* What an earlier call left in the ring needs one too. */
	kick(queue);
	return sent;
}

/* So many as one packet, behind all that was sent before; false: they go each by itself. */
static bool submit_joined(struct weir_xdp_queue *queue, struct rte_mbuf **packets, uint16_t count)
{
	weir_xdp_transmit_rest(queue);
	if (in_ring(queue) != 0)
		return false;
	if (unlikely(weir_guard_has_stale())) {
		queue->tx_errors += count;
	} else {
		if (!weir_xdp_segments_send(queue, packets, count))
			return false;
		queue->tx_packets += count;
		for (uint16_t i = 0; i < count; i++)
			queue->tx_bytes += packets[i]->pkt_len;
	}
	rte_pktmbuf_free_bulk(packets, count);
	return true;
}

/* How many from the first on are not to be joined with the next. */
static uint16_t count_apart(struct rte_mbuf **packets, uint16_t count)
{
	uint16_t apart = 1;

	while (apart < count &&
		weir_xdp_segments_count(packets + apart, RTE_MIN(count - apart, 2)) == 1)
		apart++;
	return apart;
}

uint16_t weir_xdp_transmit(void *handle, struct rte_mbuf **packets, uint16_t count)
{
	struct weir_xdp_queue *queue = handle;
	uint16_t sent = 0;

	while (sent < count) {
		uint16_t part = (uint16_t)(count - sent), joined = 1, taken;

		if (queue->joins)
			joined = weir_xdp_segments_count(packets + sent, part);
		if (joined > 1 && submit_joined(queue, packets + sent, joined)) {
			sent += joined;
			continue;
		}
		/* No further than where the next that may be joined begin. */
		part = RTE_MIN(joined > 1 ? joined : part, (uint16_t)KERNEL_BATCH);
		if (queue->joins && joined == 1)
			part = count_apart(packets + sent, part);
		taken = submit(queue, packets + sent, part);
		sent += taken;
		if (taken < part)
			break;
	}
	return sent;
}
