/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/failover.h"
#include "xdp/bpf/tables.h"

/* What the program has counted, for each stream and group that it ever knew. */

struct weir_xdp_counters {
	const struct weir_xdp_label *stream_labels; /* WEIR_XDP_STREAMS; mapped */
	const struct weir_xdp_label *group_labels;  /* WEIR_XDP_ATTACHMENTS; mapped */
	int streams_fd;
	int groups_fd;
	const struct weir_xdp_under_way *under_way; /* WEIR_XDP_UNDER_WAY for each CPU; mapped */
};

/* What the numbers of an entry say; the names are the caller's to fill in. */
void weir_xdp_stream_flow(
	const struct weir_xdp_stream_counters *counters, struct weir_failover_flow *flow);
void weir_xdp_group_flow(
	const struct weir_xdp_group_counters *counters, struct weir_failover_flow *flow);
void weir_xdp_consumer_flow(
	const struct weir_xdp_consumer_counters *counters, struct weir_failover_flow *flow);

/* An entry of `words` numbers, summed over the CPUs. 0 or -errno. */
int weir_xdp_counters_sum(int fd, uint32_t slot, uint64_t *sums, size_t words);

/* Streams, then groups. 0, or the first -errno: that one is left out. */
int weir_xdp_counters_visit(
	const struct weir_xdp_counters *counters, weir_failover_visit visit, void *context);

/* Those that are pinned below the folder, for reading. 0 or -errno; then nothing is open. */
int weir_pinned_counters_open(const char *folder, struct weir_xdp_counters *counters);
void weir_pinned_counters_close(struct weir_xdp_counters *counters);
