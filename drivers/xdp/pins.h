/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/failover.h"
#include "xdp/bpf/layout.h"

/*
 * The pinned state of XDP ports as files below one folder of a BPF file system:
 *
 *     <folder>/shared/<map>         what the program instances of all ports share
 *     <folder>/<interface>/<map>    what belongs to one port
 *     <folder>/<interface>/link     what holds the program on the interface
 *
 * No DPDK and no gateway is needed to read it.
 */

#define WEIR_XDP_SHARED "shared"
#define WEIR_XDP_LINK   "link"

/* "<folder>/<part>" or, with a name, "<folder>/<part>/<name>"; -ENAMETOOLONG. */
int weir_pin_path(char *path, size_t size, const char *folder, const char *part, const char *name);
/* Whether the map belongs to one port. */
bool weir_pin_is_of_port(const char *map);

/* A map's memory; NULL with *result -errno, -EPROTO when it is smaller than `size`. */
void *weir_pinned_map(const char *folder, const char *part, const char *name, size_t size,
	bool for_writing, int *result);

/* The pinned state of one port, mapped for reading, or for writing too. */
struct weir_pinned_port {
	struct weir_xdp_queue_state *queues; /* WEIR_XDP_MAX_QUEUES */
	struct weir_xdp_settings *settings;
};

/* -ENOENT when nothing is pinned, -EPROTO when another format is. */
int weir_pinned_open(
	const char *folder, const char *interface, bool for_writing, struct weir_pinned_port *port);
void weir_pinned_close(struct weir_pinned_port *port);

/* What a queue's state says now. */
void weir_pinned_read(const struct weir_xdp_queue_state *state, struct weir_failover_queue *queue);

/* Interfaces with pins; `next` is called with each name. Returns their number, or -errno. */
int weir_pins_list(
	const char *folder, void (*next)(void *context, const char *interface), void *context);
/* Remove the pins of maps, of a port or of `shared`; the link stays. 0 or the first -errno. */
int weir_pins_remove_maps(const char *folder, const char *part);
/* Remove all pins of a port, the link first: the program leaves its interface. 0 or -errno. */
int weir_pins_remove_port(const char *folder, const char *interface);
/* Remove all: the links first, so that the programs leave the interfaces. 0 or the first -errno. */
int weir_pins_remove_all(const char *folder);
