/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/route.h"
#include "xdp/bpf/tables.h"

struct bpf_object;

/*
 * The maps that the programs of all ports share, opened and mapped: see bpf/tables.h for what is in
 * them. Control thread only, but for the buckets, which workers draw from.
 */
struct weir_xdp_shared {
	int generations_fd;
	int tx_ports_fd;
	int copies_fd[2 * WEIR_XDP_COPY_MAPS]; /* of bank 0, then of bank 1 */
	int egress_program;                    /* runs at each egress device */
	int stream_counters_fd;
	int group_counters_fd;
	int drop_counters_fd;
	uint32_t cpus;                        /* that have entries of their own */
	union weir_xdp_line *front;           /* WEIR_XDP_FRONT for each bank; mapped */
	struct weir_xdp_current *current;     /* mapped */
	struct weir_xdp_consumer *consumers;  /* WEIR_XDP_CONSUMERS; mapped */
	struct weir_xdp_buckets *buckets;     /* likewise */
	struct weir_xdp_label *stream_labels; /* WEIR_XDP_STREAMS; mapped */
	struct weir_xdp_label *group_labels;  /* WEIR_XDP_ATTACHMENTS; mapped */
	struct weir_xdp_consumer_counters *consumer_counters; /* for each CPU; mapped */
	struct weir_xdp_under_way *under_way;        /* WEIR_XDP_UNDER_WAY for each CPU; mapped */
	struct weir_xdp_missed *missed;              /* WEIR_XDP_MISSED; mapped */
	struct weir_xdp_missed_range *missed_ranges; /* WEIR_XDP_STREAMS; mapped */
	/*
	 * Mapped for as long as the process lives: consumers may outlive the ports.
	 */
	struct weir_xdp_will_session *will_sessions; /* WEIR_XDP_CONSUMERS */
	struct weir_xdp_will_lane *will_lanes;       /* WEIR_XDP_WILLS */
	struct weir_xdp_missed_range *will_ranges;   /* WEIR_XDP_ATTACHMENTS */
};

/* Before the object is loaded: maps as large as the machine has CPUs. 0 or -errno. */
int weir_xdp_shared_size(struct bpf_object *object);
/* Descriptors stay the object's: it must outlive this. 0 or -errno; close it in any case. */
int weir_xdp_shared_open(struct weir_xdp_shared *shared, const struct bpf_object *object);
void weir_xdp_shared_close(struct weir_xdp_shared *shared);

/* The way to a consumer; NULL: none. `closed`: WEIR_CLOSED_ bits. */
void weir_xdp_shared_route(struct weir_xdp_shared *shared, uint16_t slot,
	const struct weir_route *route, uint32_t ifindex, uint8_t class, uint32_t closed);
void weir_xdp_shared_closed(struct weir_xdp_shared *shared, uint16_t slot, uint32_t closed);
/* Packets for port `index` leave by this interface. */
int weir_xdp_shared_port(struct weir_xdp_shared *shared, uint32_t index, uint32_t ifindex);

/*
 * The slot of the counters of a stream (`group` is "") or of one of its groups, which has it for
 * ever; looked for from `hint` on. When all are taken, the last one, which is then everybody's.
 */
uint16_t weir_xdp_shared_label(
	struct weir_xdp_shared *shared, const char *stream, const char *group, uint32_t hint);

/* The same slot, if it was ever given away; else -1. */
int weir_xdp_shared_find(
	const struct weir_xdp_shared *shared, const char *stream, const char *group, uint32_t hint);

/* Counters, summed over the CPUs. 0 or -errno. */
int weir_xdp_shared_stream(const struct weir_xdp_shared *shared, uint32_t slot,
	struct weir_xdp_stream_counters *counters);
int weir_xdp_shared_group(const struct weir_xdp_shared *shared, uint32_t slot,
	struct weir_xdp_group_counters *counters);
void weir_xdp_shared_consumer(const struct weir_xdp_shared *shared, uint16_t slot,
	struct weir_xdp_consumer_counters *counters);
int weir_xdp_shared_drops(const struct weir_xdp_shared *shared, uint32_t reason, uint64_t *count);

/* The program's sum of constant header words has the version and header length too. */
static inline uint32_t weir_xdp_ip_sum(const struct weir_route *route)
{
	return route->ip_sum + (route->ip_version == 4 ? RTE_BE16(0x4500) : 0);
}
