/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>

/*
 * Silence for the UDP ports that Weir takes from an interface which the kernel keeps (af_packet).
 * The kernel sees those datagrams too, finds no socket and answers ICMP port unreachable; an
 * exporter with a connected socket then gets ECONNREFUSED and loses its next datagram (softflowd
 * does). A sink holds a socket for each port, bound to the interface, whose filter drops everything
 * before it is queued: no answer, no memory, nothing to read. The kernel counts what is dropped as
 * UDP InErrors.
 *
 * While the sink holds a port no other process can bind it on this interface or on all. A port
 * that somebody else already holds is left to them: there is a socket, so there is no ICMP.
 * An interface that was deleted and made again needs a new sink: the old one's sockets stay bound
 * to what is gone.
 *
 * One thread.
 */
struct weir_sink;

#define WEIR_SINK_MAX_PORTS 256

struct weir_sink_range {
	uint16_t first;
	uint16_t last; /* inclusive; port 0 is passed over */
};

/* An empty sink for this interface, which need not exist before the first set. 0 or -errno. */
int weir_sink_open(const char *interface, struct weir_sink **sink);
/*
 * Hold these ports and no others. Ranges may overlap; count 0 releases all. What is held already
 * stays untouched. -E2BIG when they are more than WEIR_SINK_MAX_PORTS: nothing is changed. Any
 * other -errno (-ENODEV: no such interface; -EACCES: port below 1024 without
 * CAP_NET_BIND_SERVICE) is the first failure; every port that could be held is held.
 */
int weir_sink_set(struct weir_sink *sink, const struct weir_sink_range *ranges, unsigned int count);
/* How many ports it holds itself, those of other processes not counted. */
unsigned int weir_sink_count(const struct weir_sink *sink);
/* Releases all. NULL is fine. */
void weir_sink_close(struct weir_sink *sink);
