/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "config/config.h"
#include "xdp/bpf/layout.h"

/*
 * The XDP program on one interface. With fail-over it is held by a link pinned in a BPF file
 * system, and so are its maps: both outlive this process, and the next one adopts them, puts its
 * own program in the place of the old in one step, and never takes it off. Control thread only.
 */

struct bpf_object;

struct weir_xdp_program {
	struct bpf_object *object;
	struct weir_xdp_queue_state *queues; /* WEIR_XDP_MAX_QUEUES; mapped */
	struct weir_xdp_settings *settings;  /* mapped */
	int link_fd;
	int xsks_fd;
	bool is_pinned;
	bool is_generic; /* not in the interface's driver */
	char link_path[160];
	void *skeleton; /* struct weir_xdp */
};

/*
 * Pins of another format, of any port of the configuration, are removed, all together: their maps
 * are shared. Before the first program is opened.
 */
int weir_xdp_pins_prepare(const struct weir_config *config, struct weir_error *error);

/* Whether failover.pins is in a BPF file system. */
bool weir_xdp_pins_are_possible(const struct weir_config *config);
/* Bytes of memory that the sockets of a port lock. */
uint64_t weir_xdp_memory(const struct weir_config_port *port, uint16_t queues, uint16_t mtu);

/* Load and attach for port `index`, whose interface is there. Queues stay disarmed. */
int weir_xdp_program_open(const struct weir_config *config, unsigned int index, int ifindex,
	struct weir_xdp_program **program, struct weir_error *error);
/* What is pinned stays. NULL is fine. */
void weir_xdp_program_close(struct weir_xdp_program *program);

/* File descriptor of a map by its name, or -ENOENT. It is the program's. */
int weir_xdp_map_fd(const struct weir_xdp_program *program, const char *map);
