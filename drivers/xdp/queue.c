/* SPDX-License-Identifier: BSD-3-Clause */
#include "xdp/queue.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_common.h>
#include <rte_memcpy.h>
#include <rte_prefetch.h>

#include "xdp/program.h"
#include "xdp/segments.h"

/* Of kernels since 6.6; the headers here may be older. */
#ifndef XDP_USE_SG
#define XDP_USE_SG (1 << 4)
#endif
#ifndef XDP_PKT_CONTD
#define XDP_PKT_CONTD (1 << 0)
#endif

#define BURST         64
#define SMALL_FRAME   2048
#define LARGE_FRAME   4096
#define HEADROOM      256 /* what the kernel keeps in front of a packet it receives */
#define LINK_OVERHEAD 22  /* Ethernet with two tags */
#define SEND_BUFFER   (16 << 20)
#define RECONCILE_MS  1
#define TELL_PACKETS  64 /* far fewer than any gate */

static uint32_t frame_bytes_for(uint16_t mtu)
{
	return mtu + LINK_OVERHEAD + HEADROOM <= SMALL_FRAME ? SMALL_FRAME : LARGE_FRAME;
}

uint64_t weir_xdp_memory(const struct weir_config_port *port, uint16_t queues, uint16_t mtu)
{
	return (uint64_t)queues * 3 * rte_align32pow2(port->descriptors) * frame_bytes_for(mtu);
}

static void give_back(struct weir_xdp_queue *queue, const uint64_t *frames, uint32_t count)
{
	uint32_t index = 0;

	/* The ring has a place for each frame that there is. */
	xsk_ring_prod__reserve(&queue->fill, count, &index);
	for (uint32_t i = 0; i < count; i++)
		*xsk_ring_prod__fill_addr(&queue->fill, index + i) =
			frames[i] & ~(uint64_t)(queue->frame_bytes - 1);
	xsk_ring_prod__submit(&queue->fill, count);
}

/* Only a driver that has run out of frames asks for it. */
static void wake_driver(struct weir_xdp_queue *queue)
{
	if (xsk_ring_prod__needs_wakeup(&queue->fill))
		(void)recvfrom(queue->fd, NULL, 0, MSG_DONTWAIT, NULL, NULL);
}

static void drop_packet(struct weir_xdp_queue *queue, struct rte_mbuf *packet, uint64_t *counter)
{
	(*counter)++;
	rte_pktmbuf_free(packet);
	queue->is_skipping = true;
}

/* One frame of a packet into its mbuf; the mbuf when the packet is whole, else NULL. */
static struct rte_mbuf *take_frame(
	struct weir_xdp_queue *queue, const struct xdp_desc *frame, struct rte_mbuf *fresh)
{
	bool is_last = !(frame->options & XDP_PKT_CONTD);
	struct rte_mbuf *packet = queue->partial != NULL ? queue->partial : fresh;
	char *room = NULL;

	if (!queue->is_skipping && packet == NULL)
		drop_packet(queue, NULL, &queue->rx_no_buffer);
	else if (!queue->is_skipping) {
		room = rte_pktmbuf_append(packet, (uint16_t)frame->len);
		if (room == NULL)
			drop_packet(queue, packet, &queue->rx_errors);
		else
			rte_memcpy(room, queue->memory + frame->addr, frame->len);
	}
	queue->partial = is_last || room == NULL ? NULL : packet;
	if (is_last) {
		queue->taken++;
		queue->is_skipping = false;
	}
	return is_last && room != NULL ? packet : NULL;
}

/* What was in the socket when the program took over. */
static void mark_stale(struct weir_xdp_queue *queue, struct rte_mbuf **packets, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		packets[i]->ol_flags |= WEIR_PORT_STALE;
	queue->guard.state->handover_lost += count;
	weir_guard_consumed(&queue->guard, queue->taken);
}

/* In front of the program's eyes, which reads it for each packet: as seldom as the gate allows. */
static void tell(struct weir_xdp_queue *queue)
{
	if (queue->taken == queue->told || !weir_guard_may_tell(&queue->guard))
		return;
	queue->told = queue->taken;
	weir_guard_consumed(&queue->guard, queue->taken);
}

/*
 * The kernel may drop what the program has handed to the socket. Where the two differ for that
 * reason the backlog would look longer than it is. Seldom: to read the program's line takes it away
 * from the CPU that writes it for each packet.
 */
static void reconcile(struct weir_xdp_queue *queue)
{
	volatile struct weir_xdp_queue_state *state = queue->guard.state;
	uint64_t now = rte_rdtsc();

	if ((int64_t)(now - queue->next_reconcile) < 0)
		return;
	queue->next_reconcile = now + rte_get_tsc_hz() / 1000 * RECONCILE_MS;
	if (state->redirected == state->consumed || !weir_guard_may_tell(&queue->guard))
		return;
	queue->guard.lost = weir_xdp_queue_missed(queue);
	weir_guard_consumed(&queue->guard, queue->taken);
}

static uint32_t fill_mbufs(struct weir_xdp_queue *queue, uint32_t index, uint32_t count,
	struct rte_mbuf **fresh, struct rte_mbuf **packets)
{
	uint64_t frames[BURST];
	uint64_t bytes = 0;
	uint32_t used = 0, whole = 0;

	for (uint32_t i = 0; i < count; i++) {
		const struct xdp_desc *frame = xsk_ring_cons__rx_desc(&queue->rx, index + i);
		struct rte_mbuf *first = fresh != NULL ? fresh[used] : NULL;
		bool begins = queue->partial == NULL && !queue->is_skipping;
		struct rte_mbuf *packet;

		if (i + 1 < count)
			rte_prefetch0(queue->memory +
				      xsk_ring_cons__rx_desc(&queue->rx, index + i + 1)->addr);
		packet = take_frame(queue, frame, first);
		used += begins && fresh != NULL;
		frames[i] = frame->addr;
		if (packet == NULL)
			continue;
		bytes += packet->pkt_len;
		packets[whole++] = packet;
	}
	for (uint32_t i = used; fresh != NULL && i < count; i++)
		rte_pktmbuf_free(fresh[i]);
	give_back(queue, frames, count);
	xsk_ring_cons__release(&queue->rx, count);
	queue->rx_packets += whole;
	queue->rx_bytes += bytes;
	return whole;
}

uint16_t weir_xdp_receive(void *handle, struct rte_mbuf **packets, uint16_t count)
{
	struct weir_xdp_queue *queue = handle;
	struct rte_mbuf *fresh[BURST];
	uint32_t index = 0;
	uint32_t found = xsk_ring_cons__peek(&queue->rx, RTE_MIN(count, BURST), &index);
	bool is_stale;

	if (unlikely(weir_guard_is_due(&queue->guard))) {
		weir_xdp_transmit_rest(queue);
		tell(queue);
		weir_guard_beat_now(&queue->guard, rte_rdtsc(), found == 0);
	}
	if (found == 0) {
		wake_driver(queue);
		reconcile(queue);
		return 0;
	}
	is_stale = weir_guard_is_tripped(&queue->guard);
	found = fill_mbufs(queue, index, found,
		rte_pktmbuf_alloc_bulk(queue->pool, fresh, found) == 0 ? fresh : NULL, packets);
	if (unlikely(is_stale))
		mark_stale(queue, packets, found);
	else if (queue->taken - queue->told >= TELL_PACKETS && queue->guard.disarm_by == 0)
		tell(queue);
	return (uint16_t)found;
}

uint64_t weir_xdp_queue_missed(const struct weir_xdp_queue *queue)
{
	struct xdp_statistics statistics = {0};
	socklen_t length = sizeof(statistics);

	if (getsockopt(queue->fd, SOL_XDP, XDP_STATISTICS, &statistics, &length) < 0)
		return 0;
	return statistics.rx_dropped + statistics.rx_ring_full;
}

static int make_memory(struct weir_xdp_queue *queue, uint32_t frames, uint32_t ring)
{
	struct xsk_umem_config umem = {
		.fill_size = 2 * ring,
		.comp_size = ring,
		.frame_size = queue->frame_bytes,
	};
	int result;

	queue->memory_bytes = (size_t)frames * queue->frame_bytes;
	queue->memory = mmap(NULL, queue->memory_bytes, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (queue->memory == MAP_FAILED) {
		queue->memory = NULL;
		return -errno;
	}
	result = xsk_umem__create(&queue->umem, queue->memory, queue->memory_bytes, &queue->fill,
		&queue->completion, &umem);
	return result;
}

static int bind_socket(
	struct weir_xdp_queue *queue, const struct weir_config_port *config, uint32_t ring)
{
	struct xsk_socket_config socket = {
		.rx_size = ring,
		.tx_size = ring,
		.libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
		.bind_flags = XDP_USE_NEED_WAKEUP,
	};
	struct xdp_options options = {0};
	socklen_t length = sizeof(options);
	int size = SEND_BUFFER;
	int result;

	if (config->xdp_mode == WEIR_XDP_ZERO_COPY)
		socket.bind_flags |= XDP_ZEROCOPY;
	else if (config->xdp_mode != WEIR_XDP_AUTO)
		socket.bind_flags |= XDP_COPY;
	if (queue->has_fragments)
		socket.bind_flags |= XDP_USE_SG;
	result = xsk_socket__create(&queue->socket, config->interface, queue->number, queue->umem,
		&queue->rx, &queue->tx, &socket);
	if (result < 0)
		return result;
	queue->fd = xsk_socket__fd(queue->socket);
	(void)setsockopt(queue->fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	if (getsockopt(queue->fd, SOL_XDP, XDP_OPTIONS, &options, &length) == 0)
		queue->is_zero_copy = options.flags & XDP_OPTIONS_ZEROCOPY;
	return 0;
}

/*
 * Frames to receive into, then those to send from. As many as the ring of received ones holds, for
 * that is the most that the kernel copies into; a NIC keeps as many besides in its own ring. More
 * would only take longer to come round, out of the caches.
 */
static int share_frames(struct weir_xdp_queue *queue, uint32_t ring)
{
	uint32_t index = 0, count = queue->is_zero_copy ? 2 * ring : ring;
	uint64_t address = 0;

	queue->free_frames = calloc(ring, sizeof(*queue->free_frames));
	if (queue->free_frames == NULL)
		return -ENOMEM;
	xsk_ring_prod__reserve(&queue->fill, count, &index);
	for (uint32_t i = 0; i < count; i++, address += queue->frame_bytes)
		*xsk_ring_prod__fill_addr(&queue->fill, index + i) = address;
	xsk_ring_prod__submit(&queue->fill, count);
	for (uint32_t i = 0; i < ring; i++, address += queue->frame_bytes)
		queue->free_frames[queue->free_count++] = address;
	return 0;
}

static int explain(const struct weir_port *port, const struct weir_config_port *config,
	uint16_t number, int code, struct weir_error *error)
{
	const char *hint = "see the lines above";
	char path[64];

	snprintf(path, sizeof(path), "$.ports[%u]", port->index);
	if (code == -EBUSY)
		hint = "another AF_XDP socket has the queue: is another gateway running?";
	else if (code == -EPERM || code == -ENOBUFS || code == -ENOMEM)
		hint = "raise the limit of locked memory (ulimit -l, LimitMEMLOCK=), or give it "
		       "CAP_IPC_LOCK; lower descriptors";
	else if (config->xdp_mode == WEIR_XDP_ZERO_COPY)
		hint = "the driver may have no zero copy: mode \"native\" copies";
	else if (code == -EINVAL)
		hint = "lower queues to those of the interface (ethtool -l), or the MTU to 3800";
	return weir_error_set(error, code, path, hint, "no AF_XDP socket on queue %u of %s: %s",
		number, config->interface, strerror(-code));
}

int weir_xdp_queue_open(const struct weir_config_port *config, const struct weir_port *port,
	uint16_t number, struct rte_mempool *pool, struct weir_xdp_queue_state *state,
	struct weir_xdp_queue **out, struct weir_error *error)
{
	struct weir_xdp_queue *queue = NULL;
	uint32_t ring = rte_align32pow2(config->descriptors);
	int result = -ENOMEM;

	*out = NULL;
	if (posix_memalign((void **)&queue, RTE_CACHE_LINE_SIZE, sizeof(*queue)) != 0)
		return explain(port, config, number, -ENOMEM, error);
	memset(queue, 0, sizeof(*queue));
	queue->pool = pool;
	queue->port = port->index;
	queue->number = number;
	queue->fd = -1;
	queue->segments_fd = -1;
	queue->frame_bytes = frame_bytes_for(port->mtu);
	queue->has_fragments = port->mtu + LINK_OVERHEAD + HEADROOM > LARGE_FRAME;
	queue->frame_room = queue->frame_bytes - HEADROOM;
	result = make_memory(queue, 3 * ring, ring);
	if (result == 0)
		result = bind_socket(queue, config, ring);
	/* Not before the queue is ours: another gateway's state is not touched. */
	if (result == 0)
		result = weir_guard_open(&queue->guard, state);
	if (result == 0) {
		queue->guard.tx_given = queue->tx.producer;
		queue->guard.tx_left = queue->completion.producer;
	}
	if (result == 0)
		result = share_frames(queue, ring);
	/* A NIC that takes packets where they lie is faster without. */
	if (result == 0 && !queue->is_zero_copy)
		queue->segments_fd = weir_xdp_segments_open(config->interface);
	queue->joins = queue->segments_fd >= 0;
	if (result < 0) {
		weir_xdp_queue_close(queue);
		return explain(port, config, number, result, error);
	}
	*out = queue;
	return 0;
}

void weir_xdp_queue_close(struct weir_xdp_queue *queue)
{
	if (queue == NULL)
		return;
	weir_guard_close(&queue->guard);
	rte_pktmbuf_free(queue->partial);
	if (queue->segments_fd >= 0)
		close(queue->segments_fd);
	if (queue->socket != NULL)
		xsk_socket__delete(queue->socket);
	if (queue->umem != NULL)
		(void)xsk_umem__delete(queue->umem);
	if (queue->memory != NULL)
		munmap(queue->memory, queue->memory_bytes);
	free(queue->free_frames);
	free(queue);
}
