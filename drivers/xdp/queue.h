/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>
#include <xdp/xsk.h>

#include "base/error.h"
#include "config/config.h"
#include "dataplane/port.h"
#include "xdp/guard.h"

/*
 * One queue of an interface as an AF_XDP socket with memory of its own. Packets are copied between
 * that memory and mbufs: what streams hold for replay never keeps a frame from the NIC, and the
 * little memory is torn down at once when the process dies. The frames of receive and transmit
 * are apart, so one worker may receive while another sends.
 */

struct weir_xdp_queue {
	/* Written once. */
	struct xsk_socket *socket;
	struct xsk_umem *umem;
	uint8_t *memory;
	size_t memory_bytes;
	struct rte_mempool *pool;
	uint32_t frame_bytes;
	uint32_t frame_room; /* of packet in a frame that is received */
	uint16_t port;       /* position in the configuration */
	uint16_t number;
	int fd;
	bool has_fragments; /* a packet may be in several frames */
	bool is_zero_copy;
	/* The receiving worker's. */
	struct xsk_ring_cons rx __rte_cache_aligned;
	struct xsk_ring_prod fill;
	struct weir_guard guard;
	struct rte_mbuf *partial; /* the beginning of a packet whose rest is to come */
	bool is_skipping;         /* the rest of a packet that is dropped */
	uint64_t taken;           /* packets, of any fate */
	uint64_t told;            /* of them, the program knows */
	uint64_t next_reconcile;  /* TSC */
	uint64_t rx_packets;
	uint64_t rx_bytes;
	uint64_t rx_errors;
	uint64_t rx_no_buffer;
	/* The sending worker's. */
	struct xsk_ring_prod tx __rte_cache_aligned;
	struct xsk_ring_cons completion;
	uint64_t *free_frames;
	uint32_t free_count;
	uint64_t tx_packets;
	uint64_t tx_bytes;
	uint64_t tx_errors;
	int segments_fd;     /* -1: none; see segments.h */
	bool joins;          /* datagrams that may be joined are */
	uint64_t tx_refused; /* by the interface, of what was sent; whoever makes it send */
};

/* Make and bind the socket; `state` is the queue's in the pinned map. */
int weir_xdp_queue_open(const struct weir_config_port *config, const struct weir_port *port,
	uint16_t number, struct rte_mempool *pool, struct weir_xdp_queue_state *state,
	struct weir_xdp_queue **queue, struct weir_error *error);
/* NULL is fine. */
void weir_xdp_queue_close(struct weir_xdp_queue *queue);

/* Packets that the kernel dropped in front of the socket; any thread. */
uint64_t weir_xdp_queue_missed(const struct weir_xdp_queue *queue);

/* Of struct weir_port_ops; the handle is the queue. transmit.c has the second. */
uint16_t weir_xdp_receive(void *handle, struct rte_mbuf **packets, uint16_t count);
uint16_t weir_xdp_transmit(void *handle, struct rte_mbuf **packets, uint16_t count);
/* Any worker, now and then: what the interface had no room for when it was sent. */
void weir_xdp_transmit_rest(struct weir_xdp_queue *queue);
