/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>

#include <libmnl/libmnl.h>

#include "host/udp_queue.h"

/* Inside lib/host: what the udp_queue files share. */

/* One of the host's sockets. */
struct weir_udp_socket {
	struct weir_address local; /* all zeros with its family: any */
	bool is_connected;         /* only gets what comes from its peer */
	uint64_t inode;
	uint32_t queue_bytes;
	uint32_t limit_bytes;
	uint64_t drops;
};

/* The sockets seen so far that get datagrams to `wanted`, as one. */
struct weir_udp_choice {
	struct weir_address wanted;
	bool is_specific; /* bound to that address: they go before those bound to any */
	uint64_t inode;   /* of the fullest */
	struct weir_udp_queue queue;
};

void weir_udp_choose(struct weir_udp_choice *choice, const struct weir_udp_socket *socket);

/* udp_queue_diag.c: 0 or -errno of the kernel's. */
struct weir_udp_diag {
	struct mnl_socket *socket;
	uint32_t sequence;
	char *buffer;
};

int weir_udp_diag_open(struct weir_udp_diag *diag);
void weir_udp_diag_close(struct weir_udp_diag *diag);
/* The socket that the kernel would give a datagram to; -ENOENT: none. */
int weir_udp_diag_one(struct weir_udp_diag *diag, const struct weir_address *address, uint16_t port,
	struct weir_udp_socket *socket);
/* All sockets with that port. */
int weir_udp_diag_all(struct weir_udp_diag *diag, uint16_t port, struct weir_udp_choice *choice);

/* udp_queue_proc.c: false when the line is no socket with that port. */
bool weir_udp_proc_line(
	const char *line, uint8_t family, uint16_t port, struct weir_udp_socket *socket);
int weir_udp_proc_all(uint16_t port, struct weir_udp_choice *choice);
