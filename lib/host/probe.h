/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>

#include "base/address.h"

/*
 * Is a blind receiver that refused datagrams by ICMP back? One empty datagram is sent through the
 * kernel, by its routes and from its address; a refusal that comes back within WEIR_PROBE_WAIT_MS
 * says no, silence says yes. UDP has no better answer: silence is also what an absent host or a
 * firewall gives, so the neighbour's state must be judged beside it.
 *
 * Hosts limit how many ICMP errors they send (Linux: about one a second to one peer once a
 * burst of six is used up), so a probe means something only when no datagram has gone to that
 * receiver for a second, and must not be repeated faster.
 *
 * One thread. Nothing blocks. The clock is the caller's.
 */

#define WEIR_PROBE_WAIT_MS 200

enum weir_probe_result {
	WEIR_PROBE_PENDING,
	WEIR_PROBE_REFUSED,
	WEIR_PROBE_ALIVE,
};

struct weir_probe {
	int fd;    /* for epoll: EPOLLIN or EPOLLERR means ask for the result; -1: closed */
	int error; /* REFUSED: the errno it was refused with, ECONNREFUSED, EHOSTUNREACH... */
	enum weir_probe_result result; /* once it is not PENDING it stays */
};

/*
 * Send the datagram to a UDP port. 0: `probe` is open and PENDING, until weir_probe_close(). On
 * -errno (-ENETUNREACH: no route) it is closed.
 */
int weir_probe_start(const struct weir_address *address, uint16_t port, struct weir_probe *probe);
/* Call when the fd is ready, and when WEIR_PROBE_WAIT_MS have gone by. */
enum weir_probe_result weir_probe_result(struct weir_probe *probe, uint64_t elapsed_ms);
/* A closed one is fine. */
void weir_probe_close(struct weir_probe *probe);
