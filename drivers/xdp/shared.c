/* SPDX-License-Identifier: BSD-3-Clause */
#include "xdp/shared.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "xdp/counters.h"

_Static_assert(sizeof(struct weir_xdp_group_counters) % sizeof(uint64_t) == 0, "summed as words");
_Static_assert(WEIR_XDP_HEADER == WEIR_ROUTE_HEADER, "a route's headers fit");

/* Array maps round what is mapped up to whole pages. */
static void *map_memory(int fd, size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *memory = mmap(
		NULL, (size + page - 1) / page * page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static void unmap_memory(void *memory, size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (memory != NULL)
		munmap(memory, (size + page - 1) / page * page);
}

static int find_map(const struct bpf_object *object, const char *name, int *fd)
{
	*fd = bpf_object__find_map_fd_by_name(object, name);
	return *fd < 0 ? *fd : 0;
}

static int find_numbered(const struct bpf_object *object, struct weir_xdp_shared *shared)
{
	const struct bpf_program *egress;
	char name[24];
	int result = 0;

	for (int i = 0; i < 2 * WEIR_XDP_COPY_MAPS && result == 0; i++) {
		snprintf(name, sizeof(name), "copies_%d", i);
		result = find_map(object, name, &shared->copies_fd[i]);
	}
	egress = bpf_object__find_program_by_name(object, "weir_egress");
	if (egress == NULL)
		return -ENOENT;
	shared->egress_program = bpf_program__fd(egress);
	return result;
}

int weir_xdp_shared_size(struct bpf_object *object)
{
	struct bpf_map *counters = bpf_object__find_map_by_name(object, "consumer_counters");
	struct bpf_map *places = bpf_object__find_map_by_name(object, "under_way");
	int cpus = libbpf_num_possible_cpus(), result;

	if (counters == NULL || places == NULL)
		return -ENOENT;
	if (cpus < 0)
		return cpus;
	result = bpf_map__set_max_entries(counters, WEIR_XDP_CONSUMERS * (uint32_t)cpus);
	return result < 0 ? result
			  : bpf_map__set_max_entries(places, WEIR_XDP_UNDER_WAY * (uint32_t)cpus);
}

static size_t under_way_size(const struct weir_xdp_shared *shared)
{
	return (size_t)shared->cpus * WEIR_XDP_UNDER_WAY * sizeof(*shared->under_way);
}

static size_t consumer_counters_size(const struct weir_xdp_shared *shared)
{
	return (size_t)shared->cpus * WEIR_XDP_CONSUMERS * sizeof(*shared->consumer_counters);
}

int weir_xdp_shared_open(struct weir_xdp_shared *shared, const struct bpf_object *object)
{
	int current = -1, consumers = -1, buckets = -1, streams = -1, groups = -1, missed = -1,
	    ranges = -1, front = -1, counted = -1, places = -1, cpus = libbpf_num_possible_cpus(),
	    sessions = -1, lanes = -1, wills = -1, result;

	*shared = (struct weir_xdp_shared){.cpus = cpus > 0 ? (uint32_t)cpus : 0};
	result = cpus > 0 ? find_numbered(object, shared) : cpus;
	if (result < 0 || (result = find_map(object, "generations", &shared->generations_fd)) < 0 ||
		(result = find_map(object, "tx_ports", &shared->tx_ports_fd)) < 0 ||
		(result = find_map(object, "stream_counters", &shared->stream_counters_fd)) < 0 ||
		(result = find_map(object, "group_counters", &shared->group_counters_fd)) < 0 ||
		(result = find_map(object, "drop_counters", &shared->drop_counters_fd)) < 0 ||
		(result = find_map(object, "front", &front)) < 0 ||
		(result = find_map(object, "current", &current)) < 0 ||
		(result = find_map(object, "consumers", &consumers)) < 0 ||
		(result = find_map(object, "consumer_counters", &counted)) < 0 ||
		(result = find_map(object, "under_way", &places)) < 0 ||
		(result = find_map(object, "stream_labels", &streams)) < 0 ||
		(result = find_map(object, "group_labels", &groups)) < 0 ||
		(result = find_map(object, "missed", &missed)) < 0 ||
		(result = find_map(object, "missed_ranges", &ranges)) < 0 ||
		(result = find_map(object, "will_sessions", &sessions)) < 0 ||
		(result = find_map(object, "will_lanes", &lanes)) < 0 ||
		(result = find_map(object, "will_ranges", &wills)) < 0 ||
		(result = find_map(object, "buckets", &buckets)) < 0)
		return result;
	shared->front = map_memory(front, 2 * WEIR_XDP_FRONT * sizeof(*shared->front));
	shared->current = map_memory(current, sizeof(*shared->current));
	shared->consumers = map_memory(consumers, WEIR_XDP_CONSUMERS * sizeof(*shared->consumers));
	shared->buckets = map_memory(buckets, WEIR_XDP_CONSUMERS * sizeof(*shared->buckets));
	shared->consumer_counters = map_memory(counted, consumer_counters_size(shared));
	shared->under_way = map_memory(places, under_way_size(shared));
	shared->stream_labels =
		map_memory(streams, WEIR_XDP_STREAMS * sizeof(*shared->stream_labels));
	shared->group_labels =
		map_memory(groups, WEIR_XDP_ATTACHMENTS * sizeof(*shared->group_labels));
	shared->missed = map_memory(missed, WEIR_XDP_MISSED * sizeof(*shared->missed));
	shared->missed_ranges =
		map_memory(ranges, WEIR_XDP_STREAMS * sizeof(*shared->missed_ranges));
	shared->will_sessions =
		map_memory(sessions, WEIR_XDP_CONSUMERS * sizeof(*shared->will_sessions));
	shared->will_lanes = map_memory(lanes, WEIR_XDP_WILLS * sizeof(*shared->will_lanes));
	shared->will_ranges =
		map_memory(wills, WEIR_XDP_ATTACHMENTS * sizeof(*shared->will_ranges));
	if (shared->will_sessions == NULL || shared->will_lanes == NULL ||
		shared->will_ranges == NULL || shared->missed == NULL ||
		shared->missed_ranges == NULL || shared->front == NULL || shared->current == NULL ||
		shared->consumers == NULL || shared->buckets == NULL ||
		shared->consumer_counters == NULL || shared->stream_labels == NULL ||
		shared->group_labels == NULL || shared->under_way == NULL)
		return -ENOMEM;
	return 0;
}

void weir_xdp_shared_close(struct weir_xdp_shared *shared)
{
	unmap_memory(shared->front, 2 * WEIR_XDP_FRONT * sizeof(*shared->front));
	unmap_memory(shared->current, sizeof(*shared->current));
	unmap_memory(shared->consumers, WEIR_XDP_CONSUMERS * sizeof(*shared->consumers));
	unmap_memory(shared->buckets, WEIR_XDP_CONSUMERS * sizeof(*shared->buckets));
	unmap_memory(shared->consumer_counters, consumer_counters_size(shared));
	unmap_memory(shared->under_way, under_way_size(shared));
	unmap_memory(shared->stream_labels, WEIR_XDP_STREAMS * sizeof(*shared->stream_labels));
	unmap_memory(shared->group_labels, WEIR_XDP_ATTACHMENTS * sizeof(*shared->group_labels));
	unmap_memory(shared->missed, WEIR_XDP_MISSED * sizeof(*shared->missed));
	unmap_memory(shared->missed_ranges, WEIR_XDP_STREAMS * sizeof(*shared->missed_ranges));
	*shared = (struct weir_xdp_shared){0};
}

/* Odd while it is being written. A version that was left odd by a death becomes even again. */
static void begin(struct weir_xdp_consumer *entry)
{
	__atomic_store_n(&entry->version, entry->version | 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static void end(struct weir_xdp_consumer *entry)
{
	__atomic_store_n(&entry->version, entry->version + 1, __ATOMIC_RELEASE);
}

void weir_xdp_shared_route(struct weir_xdp_shared *shared, uint16_t slot,
	const struct weir_route *route, uint32_t ifindex, uint8_t class, uint32_t closed)
{
	struct weir_xdp_consumer *entry;

	if (slot >= WEIR_XDP_CONSUMERS)
		return;
	entry = &shared->consumers[slot];
	begin(entry);
	entry->header_length = 0;
	entry->class = class;
	entry->closed = closed;
	entry->ifindex = route != NULL ? ifindex : 0;
	if (route != NULL && ifindex != 0) {
		memset(entry->header, 0, sizeof(entry->header));
		memcpy(entry->header, route->header + WEIR_ROUTE_HEADER - route->header_length,
			route->header_length);
		entry->header_length = route->header_length;
		entry->ip_version = route->ip_version;
		entry->keeps_source = route->keep_source;
		entry->port = route->port;
		entry->max_payload = route->max_payload;
		entry->ip_sum = weir_xdp_ip_sum(route);
		entry->address_sum = route->address_sum;
	}
	end(entry);
}

void weir_xdp_shared_closed(struct weir_xdp_shared *shared, uint16_t slot, uint32_t closed)
{
	if (slot < WEIR_XDP_CONSUMERS)
		__atomic_store_n(&shared->consumers[slot].closed, closed, __ATOMIC_RELAXED);
}

int weir_xdp_shared_port(struct weir_xdp_shared *shared, uint32_t index, uint32_t ifindex)
{
	struct bpf_devmap_val value = {.ifindex = ifindex, .bpf_prog.fd = shared->egress_program};

	return bpf_map_update_elem(shared->tx_ports_fd, &index, &value, BPF_ANY) < 0 ? -errno : 0;
}

/* The slot of these names or, when there is none, -1 and the first that is free. */
static int find_label(struct weir_xdp_label *labels, uint32_t count, const char *stream,
	const char *group, uint32_t hint, uint32_t *free_slot)
{
	*free_slot = count - 1;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t slot = (hint + i) % count;
		struct weir_xdp_label *label = &labels[slot];

		if (label->stream[0] == '\0')
			*free_slot = slot < *free_slot ? slot : *free_slot;
		else if (strncmp(label->stream, stream, sizeof(label->stream)) == 0 &&
			 strncmp(label->group, group, sizeof(label->group)) == 0)
			return (int)slot;
		/* Slots are taken in order: behind a free one there are none, but before `hint`. */
		if (label->stream[0] == '\0' && slot >= hint % count)
			i += count - slot - 1;
	}
	return -1;
}

uint16_t weir_xdp_shared_label(
	struct weir_xdp_shared *shared, const char *stream, const char *group, uint32_t hint)
{
	struct weir_xdp_label *labels =
		group[0] == '\0' ? shared->stream_labels : shared->group_labels;
	uint32_t count = group[0] == '\0' ? WEIR_XDP_STREAMS : WEIR_XDP_ATTACHMENTS, free_slot;
	int slot = find_label(labels, count, stream, group, hint, &free_slot);

	if (slot >= 0)
		return (uint16_t)slot;
	snprintf(labels[free_slot].group, sizeof(labels->group), "%s", group);
	snprintf(labels[free_slot].stream, sizeof(labels->stream), "%s", stream);
	return (uint16_t)free_slot;
}

int weir_xdp_shared_find(
	const struct weir_xdp_shared *shared, const char *stream, const char *group, uint32_t hint)
{
	bool is_stream = group[0] == '\0';
	uint32_t unused;

	return find_label(is_stream ? shared->stream_labels : shared->group_labels,
		is_stream ? WEIR_XDP_STREAMS : WEIR_XDP_ATTACHMENTS, stream, group, hint, &unused);
}

int weir_xdp_shared_stream(const struct weir_xdp_shared *shared, uint32_t slot,
	struct weir_xdp_stream_counters *counters)
{
	return weir_xdp_counters_sum(shared->stream_counters_fd, slot, (uint64_t *)counters,
		sizeof(*counters) / sizeof(uint64_t));
}

int weir_xdp_shared_group(const struct weir_xdp_shared *shared, uint32_t slot,
	struct weir_xdp_group_counters *counters)
{
	return weir_xdp_counters_sum(shared->group_counters_fd, slot, (uint64_t *)counters,
		sizeof(*counters) / sizeof(uint64_t));
}

void weir_xdp_shared_consumer(const struct weir_xdp_shared *shared, uint16_t slot,
	struct weir_xdp_consumer_counters *counters)
{
	uint64_t *sums = (uint64_t *)(void *)counters;

	*counters = (struct weir_xdp_consumer_counters){0};
	for (uint32_t cpu = 0; slot < WEIR_XDP_CONSUMERS && cpu < shared->cpus; cpu++) {
		const volatile uint64_t *from =
			(const volatile uint64_t *)(const volatile void *)&shared
				->consumer_counters[cpu * WEIR_XDP_CONSUMERS + slot];

		for (size_t i = 0; i < sizeof(*counters) / sizeof(*sums); i++)
			sums[i] += from[i];
	}
}

int weir_xdp_shared_drops(const struct weir_xdp_shared *shared, uint32_t reason, uint64_t *count)
{
	return weir_xdp_counters_sum(shared->drop_counters_fd, reason, count, 1);
}
