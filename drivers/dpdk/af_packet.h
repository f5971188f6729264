/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * What net_af_packet does not tell or do, asked of its sockets, which are this process's own:
 * packets that the kernel dropped because a receive ring was full, frames left in a transmit ring,
 * and whether the interface has its link.
 */

/* The process's packet sockets bound to an interface; returns how many, at most `most`. */
unsigned int weir_af_packet_sockets(int ifindex, int *fds, unsigned int most);
/* Packets dropped since the last call. */
uint64_t weir_af_packet_drops(const int *fds, unsigned int count);
/* Whether the interface that a socket is bound to is up and has its carrier. */
bool weir_af_packet_is_running(int fd);
/*
 * Send what is still in the transmit rings. The device asks the kernel to send without waiting;
 * what does not fit the socket's buffer then stays in the ring until it sends again, which it does
 * not when it closes.
 */
void weir_af_packet_flush(const int *fds, unsigned int count);
