/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "xdp/queue.h"

/*
 * Datagrams to one consumer, one behind the other, as one packet that the kernel cuts where it has
 * to (UDP segmentation offload): by a packet socket, as AF_XDP has no such thing where it copies.
 * Of the sending worker.
 */

/* -1 when the kernel has none for the interface; then all go by AF_XDP. */
int weir_xdp_segments_open(const char *interface);
/* How many from the first on may go as one; 1: it goes alone. */
uint16_t weir_xdp_segments_count(struct rte_mbuf *const *packets, uint16_t count);
/*
 * Send so many as one; the packets stay the caller's. False: nothing was sent. After an error that
 * the next packet would meet as well the queue joins no more.
 */
bool weir_xdp_segments_send(
	struct weir_xdp_queue *queue, struct rte_mbuf *const *packets, uint16_t count);
