/* SPDX-License-Identifier: BSD-3-Clause */
#include "xdp/counters.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "xdp/pins.h"
#include "xdp/under_way.h"

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

/* One number of an entry, by its name as a reason. */
struct drop {
	const char *name;
	enum weir_reason reason;
	size_t at; /* in the entry, bytes */
};

#define STREAM(field)   offsetof(struct weir_xdp_stream_counters, field)
#define GROUP(field)    offsetof(struct weir_xdp_group_counters, field)
#define CONSUMER(field) offsetof(struct weir_xdp_consumer_counters, field)

static const struct drop stream_drops[] = {
	{"key_truncated", WEIR_REASON_KEY_TRUNCATED, STREAM(key_truncated)},
	{"key_version", WEIR_REASON_KEY_VERSION, STREAM(key_version)},
	{"key_malformed", WEIR_REASON_KEY_MALFORMED, STREAM(key_malformed)},
	{"no_group", WEIR_REASON_NO_GROUP, STREAM(no_group)},
	{"refused", WEIR_REASON_NONE, STREAM(refused)}, /* the groups know why */
};

static const struct drop group_drops[] = {
	{"no_consumer", WEIR_REASON_NO_CONSUMER, GROUP(no_consumer)},
	{"closed", WEIR_REASON_CLOSED, GROUP(closed)},
	{"rate", WEIR_REASON_RATE, GROUP(rate)},
	{"too_big", WEIR_REASON_TOO_BIG, GROUP(too_big)},
	{"family", WEIR_REASON_FAMILY, GROUP(family)},
	{"sampled", WEIR_REASON_SAMPLED, GROUP(sampled)},
	{"filtered", WEIR_REASON_FILTERED, GROUP(filtered)},
	{"checksum", WEIR_REASON_CHECKSUM, GROUP(checksum)},
	{"failed", WEIR_REASON_TX_FAILED, GROUP(failed)},
	{"native", WEIR_REASON_FAILOVER, GROUP(native)},
	{"copies", WEIR_REASON_COPIES, GROUP(copies)},
	{"credit", WEIR_REASON_FAILOVER, GROUP(credit)},
};

static const struct drop consumer_drops[] = {
	{"closed", WEIR_REASON_CLOSED, CONSUMER(closed)},
	{"rate", WEIR_REASON_RATE, CONSUMER(rate)},
	{"too_big", WEIR_REASON_TOO_BIG, CONSUMER(too_big)},
	{"family", WEIR_REASON_FAMILY, CONSUMER(family)},
	{"checksum", WEIR_REASON_CHECKSUM, CONSUMER(checksum)},
	{"failed", WEIR_REASON_TX_FAILED, CONSUMER(failed)},
};

_Static_assert(sizeof(stream_drops) / sizeof(stream_drops[0]) <= WEIR_FAILOVER_DROPS, "room");
_Static_assert(sizeof(group_drops) / sizeof(group_drops[0]) <= WEIR_FAILOVER_DROPS, "room");

static void fill_drops(const void *counters, const struct drop *drops, size_t count,
	struct weir_failover_flow *flow)
{
	flow->drop_count = (uint32_t)count;
	for (size_t i = 0; i < count; i++) {
		flow->drops[i] = (struct weir_failover_drop){drops[i].name, drops[i].reason, 0};
		memcpy(&flow->drops[i].count, (const uint8_t *)counters + drops[i].at,
			sizeof(flow->drops[i].count));
	}
}

void weir_xdp_stream_flow(
	const struct weir_xdp_stream_counters *counters, struct weir_failover_flow *flow)
{
	flow->received = counters->received;
	flow->delivered = counters->forwarded;
	flow->bytes = counters->received_bytes;
	fill_drops(counters, stream_drops, sizeof(stream_drops) / sizeof(stream_drops[0]), flow);
}

void weir_xdp_group_flow(
	const struct weir_xdp_group_counters *counters, struct weir_failover_flow *flow)
{
	flow->received = counters->received;
	flow->delivered = counters->delivered;
	flow->bytes = counters->delivered_bytes;
	fill_drops(counters, group_drops, sizeof(group_drops) / sizeof(group_drops[0]), flow);
}

void weir_xdp_consumer_flow(
	const struct weir_xdp_consumer_counters *counters, struct weir_failover_flow *flow)
{
	flow->delivered = counters->delivered;
	flow->bytes = counters->delivered_bytes;
	fill_drops(
		counters, consumer_drops, sizeof(consumer_drops) / sizeof(consumer_drops[0]), flow);
}

static int visit_stream(const struct weir_xdp_counters *counters, uint32_t slot,
	weir_failover_visit visit, void *context)
{
	struct weir_failover_flow flow = {.stream = counters->stream_labels[slot].stream};
	struct weir_xdp_stream_counters sums;
	int result = weir_xdp_counters_sum(counters->streams_fd, slot, (uint64_t *)(void *)&sums,
		sizeof(sums) / sizeof(uint64_t));

	if (result < 0)
		return result;
	weir_xdp_stream_flow(&sums, &flow);
	visit(context, &flow);
	return 0;
}

static int visit_group(const struct weir_xdp_counters *counters, uint32_t slot, uint32_t lost,
	weir_failover_visit visit, void *context)
{
	struct weir_failover_flow flow = {.stream = counters->group_labels[slot].stream,
		.group = counters->group_labels[slot].group};
	struct weir_xdp_group_counters sums;
	int result = weir_xdp_counters_sum(counters->groups_fd, slot, (uint64_t *)(void *)&sums,
		sizeof(sums) / sizeof(uint64_t));

	if (result < 0)
		return result;
	sums.copies += lost;
	weir_xdp_group_flow(&sums, &flow);
	visit(context, &flow);
	return 0;
}

static size_t under_way_count(void)
{
	int cpus = libbpf_num_possible_cpus();

	return cpus > 0 ? (size_t)cpus * WEIR_XDP_UNDER_WAY : 0;
}

/* Slots are taken in order: behind a free one there are none. */
static int visit_groups(
	const struct weir_xdp_counters *counters, weir_failover_visit visit, void *context)
{
	uint32_t *lost = calloc(WEIR_XDP_ATTACHMENTS, sizeof(*lost));
	int first = 0;

	if (lost == NULL)
		return -ENOMEM;
	weir_xdp_under_way_lost(
		counters->under_way, (uint32_t)under_way_count(), weir_xdp_under_way_clock(), lost);
	for (uint32_t slot = 0;
		slot < WEIR_XDP_ATTACHMENTS && counters->group_labels[slot].stream[0] != '\0';
		slot++) {
		int result = visit_group(counters, slot, lost[slot], visit, context);

		first = first == 0 ? result : first;
	}
	free(lost);
	return first;
}

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
	result = visit_groups(counters, visit, context);
	return first == 0 ? result : first;
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
		counters->under_way = weir_pinned_map(folder, WEIR_XDP_SHARED, "under_way",
			under_way_count() * sizeof(*counters->under_way), false, &result);
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
	if (counters->under_way != NULL)
		munmap((void *)(uintptr_t)counters->under_way,
			under_way_count() * sizeof(*counters->under_way));
	if (counters->streams_fd >= 0)
		close(counters->streams_fd);
	if (counters->groups_fd >= 0)
		close(counters->groups_fd);
	*counters = (struct weir_xdp_counters){.streams_fd = -1, .groups_fd = -1};
}
