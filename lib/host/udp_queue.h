/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>

#include "base/address.h"

/*
 * How full a UDP socket of this host is, that is somebody else's: the one that a datagram to an
 * address and port would come into. What counts is what the kernel decides by: the memory that its
 * queue takes, which for small datagrams is many times their length.
 *
 * The kernel is asked by sock_diag(7), for just that socket, which takes it a few microseconds;
 * where that is refused, /proc/net/udp and udp6 are read. When several sockets share the port
 * (SO_REUSEPORT) it is the fullest that is told: any datagram might be for it. One thread.
 */
struct weir_udp_watch;

struct weir_udp_queue {
	uint32_t queue_bytes; /* taken now */
	uint32_t limit_bytes; /* that it may take: sk_rcvbuf */
	uint64_t drops;       /* of all its sockets; less than before when one was closed */
	uint32_t sockets;
};

/* 0 and *watch is the caller's, or -ENOMEM. The socket need not be there yet. */
int weir_udp_watch_open(
	const struct weir_address *address, uint16_t port, struct weir_udp_watch **watch);
/* NULL is fine. */
void weir_udp_watch_close(struct weir_udp_watch *watch);
/* 0; -ENOENT: nobody has that socket now; or another -errno: the kernel could not be asked. */
int weir_udp_watch_look(struct weir_udp_watch *watch, struct weir_udp_queue *queue);
/* What is asked, for people: "sock_diag" or "/proc/net/udp". */
const char *weir_udp_watch_source(const struct weir_udp_watch *watch);
