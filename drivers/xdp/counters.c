/* SPDX-License-Identifier: BSD-3-Clause */
#include "xdp/counters.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "xdp/pins.h"

int weir_xdp_counters_sum(int fd, uint32_t slot, uint64_t *sums, size_t words)
{
	int cpus = libbpf_num_possible_cpus(), result = 0;
	uint64_t *values = cpus > 0 ? calloc((size_t)cpus, words * sizeof(*values)) : NULL;

	memset(sums, 0, words * sizeof(*sums));
	if (values == NULL)
		return -ENOMEM;
	if (bpf_map_lookup_elem(fd, &slot, values) < 0)
		result = -errno;
	for (size_t i = 0; result == 0 && i < (size_t)cpus * words; i++)
		sums[i % words] += values[i];
	free(values);
	return result;
}

static void add_drop(struct weir_failover_flow *flow, const char *name, uint64_t count)
{
	flow->drops[flow->drop_count++] = (struct weir_failover_drop){name, count};
}

static int visit_stream(const struct weir_xdp_counters *counters, uint32_t slot,
	weir_failover_visit visit, void *context)
{
	struct weir_failover_flow flow = {.stream = counters->stream_labels[slot].stream};
	struct weir_xdp_stream_counters sums;
	int result = weir_xdp_counters_sum(
		counters->streams_fd, slot, (uint64_t *)&sums, sizeof(sums) / sizeof(uint64_t));

	if (result < 0)
		return result;
	flow.received = sums.received;
	flow.delivered = sums.forwarded;
	add_drop(&flow, "key_truncated", sums.key_truncated);
	add_drop(&flow, "key_version", sums.key_version);
	add_drop(&flow, "key_malformed", sums.key_malformed);
	add_drop(&flow, "no_group", sums.no_group);
	add_drop(&flow, "refused", sums.refused);
	visit(context, &flow);
	return 0;
}

static int visit_group(const struct weir_xdp_counters *counters, uint32_t slot,
	weir_failover_visit visit, void *context)
{
	struct weir_failover_flow flow = {.stream = counters->group_labels[slot].stream,
		.group = counters->group_labels[slot].group};
	struct weir_xdp_group_counters sums;
	int result = weir_xdp_counters_sum(
		counters->groups_fd, slot, (uint64_t *)&sums, sizeof(sums) / sizeof(uint64_t));

	if (result < 0)
		return result;
	flow.received = sums.received;
	flow.delivered = sums.delivered;
	add_drop(&flow, "no_consumer", sums.no_consumer);
	add_drop(&flow, "closed", sums.closed);
	add_drop(&flow, "rate", sums.rate);
	add_drop(&flow, "too_big", sums.too_big);
	add_drop(&flow, "family", sums.family);
	add_drop(&flow, "sampled", sums.sampled);
	add_drop(&flow, "filtered", sums.filtered);
	add_drop(&flow, "checksum", sums.checksum);
	add_drop(&flow, "failed", sums.failed);
	add_drop(&flow, "native", sums.native);
	add_drop(&flow, "copies", sums.copies);
	visit(context, &flow);
	return 0;
}

/* Slots are taken in order: behind a free one there are none. */
int weir_xdp_counters_visit(
	const struct weir_xdp_counters *counters, weir_failover_visit visit, void *context)
{
	int first = 0, result;

	for (uint32_t slot = 0;
		slot < WEIR_XDP_STREAMS && counters->stream_labels[slot].stream[0] != '\0';
		slot++) {
		result = visit_stream(counters, slot, visit, context);
		first = first == 0 ? result : first;
	}
	for (uint32_t slot = 0;
		slot < WEIR_XDP_ATTACHMENTS && counters->group_labels[slot].stream[0] != '\0';
		slot++) {
		result = visit_group(counters, slot, visit, context);
		first = first == 0 ? result : first;
	}
	return first;
}

static int open_pinned(const char *folder, const char *name)
{
	char path[PATH_MAX];
	int result = weir_pin_path(path, sizeof(path), folder, WEIR_XDP_SHARED, name);

	if (result < 0)
		return result;
	result = bpf_obj_get(path);
	return result < 0 ? -errno : result;
}

int weir_pinned_counters_open(const char *folder, struct weir_xdp_counters *counters)
{
	int result;

	*counters = (struct weir_xdp_counters){.streams_fd = -1, .groups_fd = -1};
	counters->stream_labels = weir_pinned_map(folder, WEIR_XDP_SHARED, "stream_labels",
		WEIR_XDP_STREAMS * sizeof(*counters->stream_labels), false, &result);
	if (result == 0)
		counters->group_labels = weir_pinned_map(folder, WEIR_XDP_SHARED, "group_labels",
			WEIR_XDP_ATTACHMENTS * sizeof(*counters->group_labels), false, &result);
	if (result == 0)
		result = counters->streams_fd = open_pinned(folder, "stream_counters");
	if (result >= 0)
		result = counters->groups_fd = open_pinned(folder, "group_counters");
	if (result >= 0)
		return 0;
	weir_pinned_counters_close(counters);
	return result;
}

void weir_pinned_counters_close(struct weir_xdp_counters *counters)
{
	if (counters->stream_labels != NULL)
		munmap((void *)(uintptr_t)counters->stream_labels,
			WEIR_XDP_STREAMS * sizeof(*counters->stream_labels));
	if (counters->group_labels != NULL)
		munmap((void *)(uintptr_t)counters->group_labels,
			WEIR_XDP_ATTACHMENTS * sizeof(*counters->group_labels));
	if (counters->streams_fd >= 0)
		close(counters->streams_fd);
	if (counters->groups_fd >= 0)
		close(counters->groups_fd);
	*counters = (struct weir_xdp_counters){.streams_fd = -1, .groups_fd = -1};
}
