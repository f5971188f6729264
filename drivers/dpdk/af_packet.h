/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>

/*
 * What net_af_packet does not tell: packets that the kernel dropped because the receive ring of its
 * socket was full. The sockets are this process's own, so they can be asked all the same.
 */

/* The process's packet sockets bound to an interface; returns how many, at most `most`. */
unsigned int weir_af_packet_sockets(int ifindex, int *fds, unsigned int most);
/* Packets dropped since the last call. */
uint64_t weir_af_packet_drops(const int *fds, unsigned int count);
