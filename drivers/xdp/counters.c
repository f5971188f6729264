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
	size_t at; /* in the entry, bytes */
};

#define STREAM(field) offsetof(struct weir_xdp_stream_counters, field)
#define GROUP(field)  offsetof(struct weir_xdp_group_counters, field)

static const struct drop stream_drops[] = {
	{"key_truncated", STREAM(key_truncated)},
	{"key_version", STREAM(key_version)},
	{"key_malformed", STREAM(key_malformed)},
	{"no_group", STREAM(no_group)},
	{"refused", STREAM(refused)},
};

static const struct drop group_drops[] = {
	{"no_consumer", GROUP(no_consumer)},
	{"closed", GROUP(closed)},
	{"rate", GROUP(rate)},
	{"too_big", GROUP(too_big)},
	{"family", GROUP(family)},
	{"sampled", GROUP(sampled)},
	{"filtered", GROUP(filtered)},
	{"checksum", GROUP(checksum)},
	{"failed", GROUP(failed)},
	{"native", GROUP(native)},
	{"copies", GROUP(copies)},
};

/* Entries of one kind. */
struct kind {
	uint32_t slots;
	size_t bytes; /* of an entry */
	size_t received;
	size_t delivered;
	const struct drop *drops;
	uint32_t drop_count;
};

static const struct kind streams = {WEIR_XDP_STREAMS, sizeof(struct weir_xdp_stream_counters),
	STREAM(received), STREAM(forwarded), stream_drops,
	sizeof(stream_drops) / sizeof(stream_drops[0])};
static const struct kind groups = {WEIR_XDP_ATTACHMENTS, sizeof(struct weir_xdp_group_counters),
	GROUP(received), GROUP(delivered), group_drops,
	sizeof(group_drops) / sizeof(group_drops[0])};

_Static_assert(sizeof(struct weir_xdp_stream_counters) <= sizeof(struct weir_xdp_group_counters),
	"what holds the one holds the other");
_Static_assert(sizeof(stream_drops) / sizeof(stream_drops[0]) <= WEIR_FAILOVER_DROPS, "room");
_Static_assert(sizeof(group_drops) / sizeof(group_drops[0]) <= WEIR_FAILOVER_DROPS, "room");

static int visit_one(const struct kind *kind, const struct weir_xdp_label *label, int fd,
	uint32_t slot, weir_failover_visit visit, void *context)
{
	uint64_t sums[sizeof(struct weir_xdp_group_counters) / sizeof(uint64_t)];
	struct weir_failover_flow flow = {.stream = label->stream,
		.group = label->group[0] != '\0' ? label->group : NULL,
		.drop_count = kind->drop_count};
	int result = weir_xdp_counters_sum(fd, slot, sums, kind->bytes / sizeof(uint64_t));

	if (result < 0)
		return result;
	flow.received = sums[kind->received / sizeof(uint64_t)];
	flow.delivered = sums[kind->delivered / sizeof(uint64_t)];
	for (uint32_t i = 0; i < kind->drop_count; i++)
		flow.drops[i] = (struct weir_failover_drop){
			kind->drops[i].name, sums[kind->drops[i].at / sizeof(uint64_t)]};
	visit(context, &flow);
	return 0;
}

/* Slots are taken in order: behind a free one there are none. */
static int visit_kind(const struct kind *kind, const struct weir_xdp_label *labels, int fd,
	weir_failover_visit visit, void *context)
{
	int first = 0;

	for (uint32_t slot = 0; slot < kind->slots && labels[slot].stream[0] != '\0'; slot++) {
		int result = visit_one(kind, &labels[slot], fd, slot, visit, context);

		first = first == 0 ? result : first;
	}
	return first;
}

int weir_xdp_counters_visit(
	const struct weir_xdp_counters *counters, weir_failover_visit visit, void *context)
{
	int result =
		visit_kind(&streams, counters->stream_labels, counters->streams_fd, visit, context);
	int other =
		visit_kind(&groups, counters->group_labels, counters->groups_fd, visit, context);

	return result < 0 ? result : other;
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
