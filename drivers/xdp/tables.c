/* SPDX-License-Identifier: BSD-3-Clause */
#include "xdp/tables.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/log.h"
#include "dataplane/missed.h"
#include "dataplane/worker.h"
#include "xdp/copies.h"
#include "xdp/missed.h"
#include "xdp/plan.h"
#include "xdp/since.h"
#include "xdp/wills.h"

_Static_assert(sizeof(struct weir_xdp_bucket) == sizeof(struct weir_bucket), "one memory");

struct weir_xdp_tables {
	struct weir_xdp_tables *next;
	uint32_t users;
	uint32_t map_id;  /* of `generations`: who shares it shares these tables */
	uint64_t changes; /* of the data plane, that were followed */
	uint64_t planned; /* generation of the plan in use */
	uint64_t handed;  /* the data plane's partitions that had changed hands by then */
	bool has_failed;  /* was logged */
	bool is_stale;    /* another consumer can be reached, or by another port */
	uint32_t ifindex[WEIR_MAX_PORTS];
	struct weir_xdp_shared shared;
	struct weir_xdp_since *since;
	uint64_t used[WEIR_XDP_CONSUMERS / 64]; /* bit a slot that has a route in the maps */
	struct weir_token_store store;
	struct weir_will_store wills;
	struct weir_xdp_buckets *before; /* the buckets as an earlier gateway has left them */
	uint32_t before_hint;
};

static struct weir_xdp_tables *all_tables;

static uint32_t map_id_of(const struct bpf_object *object)
{
	struct bpf_map_info info = {0};
	uint32_t size = sizeof(info);
	int fd = bpf_object__find_map_fd_by_name(object, "generations");

	return fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &size) == 0 ? info.id : 0;
}

static uint64_t monotonic_ticks(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return ((uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec) * WEIR_TICKS_PER_NS;
}

/* The tokens that the consumer had in an earlier gateway, wherever its slot was; NULL: none. */
static const struct weir_xdp_buckets *find_before(struct weir_xdp_tables *tables, const char *name)
{
	for (uint32_t i = 0; tables->before != NULL && i < WEIR_XDP_CONSUMERS; i++) {
		uint32_t slot = (tables->before_hint + i) % WEIR_XDP_CONSUMERS;
		struct weir_xdp_buckets *entry = &tables->before[slot];

		if (strncmp(entry->name, name, sizeof(entry->name)) != 0)
			continue;
		tables->before_hint = slot + 1;
		entry->name[0] = '\0'; /* once: later it is a new consumer of this name */
		return entry;
	}
	return NULL;
}

/* A bucket that was filled by a clock of before the last boot, or is absurdly in debt, is no one's.
 */
static bool is_sane(const struct weir_xdp_bucket *bucket, uint64_t now)
{
	return bucket->cost == 0 || (int64_t)(bucket->paid_until - now) <= (int64_t)bucket->burst;
}

static bool take_bucket(void *context, uint16_t slot, const char *name,
	struct weir_bucket **packets, struct weir_bucket **bits)
{
	struct weir_xdp_tables *tables = context;
	const struct weir_xdp_buckets *before = find_before(tables, name);
	struct weir_xdp_buckets *entry = &tables->shared.buckets[slot];
	uint64_t now = monotonic_ticks() + (uint64_t)tables->shared.current->ticks_offset;
	bool goes_on = before != NULL && (before->packets.cost | before->bits.cost) != 0 &&
		       is_sane(&before->packets, now) && is_sane(&before->bits, now);

	entry->packets = goes_on ? before->packets : (struct weir_xdp_bucket){0};
	entry->bits = goes_on ? before->bits : (struct weir_xdp_bucket){0};
	snprintf(entry->name, sizeof(entry->name), "%s", name);
	weir_xdp_since_consumer(tables->since, slot);
	*packets = (struct weir_bucket *)(void *)&entry->packets;
	*bits = (struct weir_bucket *)(void *)&entry->bits;
	return goes_on;
}

int weir_xdp_tables_open(const struct bpf_object *object, struct weir_xdp_tables **out)
{
	uint32_t id = map_id_of(object);
	struct weir_xdp_tables *tables;
	int result;

	*out = NULL;
	if (id == 0)
		return -ENOENT;
	for (tables = all_tables; tables != NULL; tables = tables->next)
		if (tables->map_id == id) {
			tables->users++;
			*out = tables;
			return 0;
		}
	tables = calloc(1, sizeof(*tables));
	if (tables == NULL)
		return -ENOMEM;
	result = weir_xdp_shared_open(&tables->shared, object);
	tables->since = result == 0 ? weir_xdp_since_create(&tables->shared) : NULL;
	if (result == 0 && tables->since == NULL)
		result = -ENOMEM;
	if (result < 0) {
		weir_xdp_shared_close(&tables->shared);
		free(tables);
		return result;
	}
	tables->before = malloc(WEIR_XDP_CONSUMERS * sizeof(*tables->before));
	if (tables->before != NULL)
		memcpy(tables->before, tables->shared.buckets,
			WEIR_XDP_CONSUMERS * sizeof(*tables->before));
	tables->store = (struct weir_token_store){.context = tables, .take = take_bucket};
	tables->wills = weir_xdp_wills_begin(&tables->shared);
	/* What an earlier gateway has left there is looked at anew. */
	memset(tables->used, 0xff, sizeof(tables->used));
	tables->map_id = id;
	tables->users = 1;
	tables->is_stale = true;
	tables->next = all_tables;
	all_tables = tables;
	*out = tables;
	return 0;
}

void weir_xdp_tables_close(struct weir_xdp_tables *tables)
{
	struct weir_xdp_tables **link = &all_tables;

	if (tables == NULL || --tables->users != 0)
		return;
	while (*link != tables)
		link = &(*link)->next;
	*link = tables->next;
	weir_xdp_since_free(tables->since);
	weir_xdp_shared_close(&tables->shared);
	free(tables->before);
	free(tables);
}

const struct weir_token_store *weir_xdp_tables_tokens(const struct weir_xdp_tables *tables)
{
	return &tables->store;
}

const struct weir_will_store *weir_xdp_tables_wills(const struct weir_xdp_tables *tables)
{
	return &tables->wills;
}

const struct weir_xdp_shared *weir_xdp_tables_shared(const struct weir_xdp_tables *tables)
{
	return &tables->shared;
}

struct weir_xdp_since *weir_xdp_tables_since(const struct weir_xdp_tables *tables)
{
	return tables->since;
}

static int follow_ports(struct weir_xdp_tables *tables, const struct weir_dataplane *dataplane)
{
	for (uint32_t i = 0; i < dataplane->port_count; i++) {
		uint32_t ifindex = (uint32_t)dataplane->ports[i]->kernel_ifindex;
		int result;

		if (ifindex == 0 || ifindex == tables->ifindex[i])
			continue;
		result = weir_xdp_shared_port(&tables->shared, i, ifindex);
		if (result < 0)
			return result;
		tables->ifindex[i] = ifindex;
	}
	return 0;
}

/* How far the tokens' clock, the TSC, is before the program's. Both go on over our death. */
static void follow_clock(struct weir_xdp_tables *tables, const struct weir_dataplane *dataplane)
{
	uint64_t ticks = weir_dataplane_ticks(dataplane);
	struct timespec wall;

	tables->shared.current->ticks_offset = (int64_t)(ticks - monotonic_ticks());
	clock_gettime(CLOCK_REALTIME, &wall);
	tables->shared.current->wall_offset =
		(int64_t)((uint64_t)wall.tv_sec * 1000000000u + (uint64_t)wall.tv_nsec -
			  monotonic_ticks() / WEIR_TICKS_PER_NS);
}

static bool is_used(const struct weir_xdp_tables *tables, uint32_t slot)
{
	return tables->used[slot / 64] >> (slot % 64) & 1;
}

/* True when the entry says all this already. */
static bool is_same(const struct weir_xdp_consumer *entry, const struct weir_route *route,
	uint32_t ifindex, uint8_t class)
{
	return entry->class == class && entry->header_length == route->header_length &&
	       entry->ip_version == route->ip_version && entry->ifindex == ifindex &&
	       entry->port == route->port && entry->keeps_source == route->keep_source &&
	       entry->max_payload == route->max_payload &&
	       entry->ip_sum == weir_xdp_ip_sum(route) &&
	       entry->address_sum == route->address_sum && !(entry->version & 1) &&
	       memcmp(entry->header, route->header + WEIR_ROUTE_HEADER - route->header_length,
		       route->header_length) == 0;
}

static void follow_consumer(
	struct weir_xdp_tables *tables, uint32_t slot, const struct weir_consumer *consumer)
{
	struct weir_xdp_consumer *entry = &tables->shared.consumers[slot];
	const struct weir_route *route = consumer != NULL ? atomic_load(&consumer->route) : NULL;
	uint32_t closed = consumer != NULL ? atomic_load(&consumer->closed) : 0;
	uint32_t ifindex = route != NULL ? tables->ifindex[route->port] : 0;
	uint32_t before = entry->ifindex;
	uint8_t class = consumer != NULL ? consumer->class : 0;

	if (route == NULL && !is_used(tables, slot))
		return;
	if (route == NULL || ifindex == 0) {
		weir_xdp_shared_route(&tables->shared, (uint16_t)slot, NULL, 0, class, closed);
		tables->used[slot / 64] &= ~(UINT64_C(1) << (slot % 64));
	} else if (!is_same(entry, route, ifindex, class)) {
		weir_xdp_shared_route(
			&tables->shared, (uint16_t)slot, route, ifindex, class, closed);
		tables->used[slot / 64] |= UINT64_C(1) << (slot % 64);
	}
	if (entry->closed != closed)
		weir_xdp_shared_closed(&tables->shared, (uint16_t)slot, closed);
	tables->is_stale |= entry->ifindex != before;
}

/* What is needed while a plan is made. */
struct making {
	struct weir_xdp_tables *tables;
	struct weir_xdp_plan plan;
	struct weir_xdp_copies copies;
	uint32_t next_stream; /* where the slot of the next one's counters likely is */
	uint32_t next_group;
	uint64_t missed[WEIR_XDP_STREAMS / 64];    /* bit a slot of a stream with native groups */
	uint64_t wills[WEIR_XDP_ATTACHMENTS / 64]; /* likewise, of a native group in a stream */
};

/* Who gets each partition for a group, as far as a packet can be sent there from the kernel. */
static uint16_t *list_consumers(const struct weir_xdp_tables *tables,
	const struct weir_attachment_view *view, uint16_t count)
{
	uint16_t *slots = malloc((count + 1u) * sizeof(*slots));

	for (uint32_t p = 0; slots != NULL && p < count; p++) {
		const struct weir_consumer *consumer = atomic_load(&view->attachment->owners[p]);

		slots[p] = WEIR_XDP_NOBODY;
		if (consumer != NULL && tables->shared.consumers[consumer->slot].ifindex != 0)
			slots[p] = consumer->slot;
	}
	return slots;
}

/* The fan-out of each partition; NULL without memory. */
static uint8_t *choose_copies(struct making *making, const struct weir_xdp_plan_stream *stream)
{
	uint8_t *maps = calloc(stream->partitions + 1u, sizeof(*maps));
	uint32_t groups = RTE_MIN(stream->group_count, (uint32_t)WEIR_XDP_MAX_COPIES);

	for (uint32_t p = 0; maps != NULL && p < stream->partitions; p++) {
		uint8_t counts[WEIR_MAX_PORTS] = {0};
		uint32_t live = 0;

		for (uint32_t g = 0; g < groups; g++) {
			uint16_t slot = stream->groups[g].consumers[p];

			if (slot == WEIR_XDP_NOBODY)
				continue;
			counts[making->tables->shared.consumers[slot].port]++;
			live++;
		}
		if (live > 1)
			maps[p] = weir_xdp_copies_find(&making->copies, counts);
	}
	return maps;
}

/* Where what native consumers do not get of the stream is counted: for the program, and for us. */
static uint32_t share_missed(
	struct making *making, const struct weir_stream_view *view, uint16_t slot)
{
	struct weir_xdp_shared *shared = &making->tables->shared;
	bool is_native = false;
	uint32_t place;

	for (uint32_t i = 0; i < view->attachment_count; i++)
		is_native |= view->attachments[i].attachment->history != NULL;
	place = is_native ? weir_xdp_missed_share(shared, slot, view->stream->partition_count) : 0;
	if (place != 0)
		making->missed[slot / 64] |= UINT64_C(1) << (slot % 64);
	return place;
}

/*
 * To the workers, when they know the places of its native groups' lanes: without them what the
 * program sent of the numbers that it gave out would count as missed.
 */
static void show_missed(
	const struct making *making, const struct weir_stream_view *view, uint32_t place)
{
	struct weir_xdp_missed *first = making->tables->shared.missed;
	struct weir_missed *cells =
		place != 0 ? (struct weir_missed *)(void *)&first[place - 1] : NULL;

	if (atomic_exchange(&view->stream->missed, cells) != cells)
		atomic_fetch_add(&weir_missed_changes, 1);
}

/* The place of a native group's lanes, + 1; 0: it has none. */
static uint32_t share_wills(
	struct making *making, const struct weir_attachment *attachment, uint16_t slot)
{
	struct weir_xdp_shared *shared = &making->tables->shared;
	uint32_t place = 0;

	if (attachment->history == NULL)
		return 0;
	place = weir_xdp_wills_share(shared, slot, attachment->stream->partition_count);
	if (place != 0)
		making->wills[slot / 64] |= UINT64_C(1) << (slot % 64);
	weir_xdp_wills_set(attachment, place != 0 ? &shared->will_lanes[place - 1] : NULL);
	return place;
}

static void plan_stream(struct making *making, const struct weir_stream_view *view)
{
	struct weir_xdp_plan_group *groups = calloc(view->attachment_count + 1u, sizeof(*groups));
	struct weir_xdp_plan_stream stream = {
		.key = view->stream->key,
		.slot = weir_xdp_shared_label(
			&making->tables->shared, view->stream->name, "", making->next_stream),
		.partitions = view->stream->partition_count,
		.in_kernel = view->in_kernel,
		.groups = groups,
	};
	uint8_t *maps = NULL;
	bool is_whole = groups != NULL;

	making->next_stream = stream.slot + 1u;
	weir_xdp_since_stream(making->tables->since, stream.slot);
	stream.missed = share_missed(making, view, stream.slot);
	for (uint32_t i = 0; is_whole && i < view->attachment_count; i++) {
		const struct weir_attachment_view *attachment = &view->attachments[i];

		groups[i] = (struct weir_xdp_plan_group){
			.class = attachment->attachment->history != NULL ? WEIR_CLASS_NATIVE
									 : WEIR_CLASS_BLIND,
			.filter = attachment->filter,
			.sample = attachment->sample,
			.consumers = list_consumers(making->tables, attachment, stream.partitions),
			.slot = weir_xdp_shared_label(&making->tables->shared, view->stream->name,
				attachment->group, making->next_group),
		};
		groups[i].will = share_wills(making, attachment->attachment, groups[i].slot);
		making->next_group = groups[i].slot + 1u;
		weir_xdp_since_group(making->tables->since, groups[i].slot);
		is_whole = groups[i].consumers != NULL;
		stream.group_count++;
	}
	show_missed(making, view, stream.missed);
	if (is_whole)
		maps = choose_copies(making, &stream);
	stream.copy_maps = maps;
	if (maps != NULL)
		weir_xdp_plan_add(&making->plan, &stream);
	else
		making->plan.status = -ENOMEM;
	free(maps);
	for (uint32_t i = 0; groups != NULL && i < stream.group_count; i++)
		free((void *)(uintptr_t)groups[i].consumers);
	free(groups);
}

static struct weir_prefix_set *own_addresses(const struct weir_snapshot *snapshot)
{
	struct weir_prefix prefixes[WEIR_MAX_ADDRESSES];
	struct weir_prefix_set *set = NULL;

	for (uint32_t i = 0; i < snapshot->address_count; i++)
		prefixes[i] = (struct weir_prefix){.address = snapshot->addresses[i],
			.length = snapshot->addresses[i].family == 6 ? 128 : 32};
	(void)weir_prefix_set_build(prefixes, snapshot->address_count, &set);
	return set;
}

static int make_plan(struct weir_xdp_tables *tables, const struct weir_dataplane *dataplane)
{
	const struct weir_snapshot *snapshot = dataplane->published;
	struct weir_prefix_set *own = own_addresses(snapshot);
	struct making making = {.tables = tables};
	struct weir_xdp_current *current = tables->shared.current;
	uint32_t streams = 0;
	int result = own != NULL ? 0 : -ENOMEM;

	while (streams < snapshot->stream_count && !snapshot->streams[streams].is_draining)
		streams++;
	if (result == 0)
		weir_xdp_plan_begin(&making.plan, snapshot->generation, snapshot->match, streams,
			own, snapshot->native_port);
	/* Lanes that are worked off: their places are for those that come after them. */
	for (uint32_t i = streams; i < snapshot->stream_count; i++)
		for (uint32_t j = 0; j < snapshot->streams[i].attachment_count; j++)
			weir_xdp_wills_set(snapshot->streams[i].attachments[j].attachment, NULL);
	for (uint32_t i = 0; result == 0 && i < streams; i++)
		plan_stream(&making, &snapshot->streams[i]);
	if (result == 0)
		result = weir_xdp_copies_write(&making.copies, &tables->shared,
			weir_xdp_plan_bank(current), tables->ifindex);
	if (result == 0)
		result = weir_xdp_plan_publish(
			&making.plan, tables->shared.generations_fd, tables->shared.front, current);
	if (result == 0)
		weir_xdp_missed_keep(&tables->shared, making.missed);
	if (result == 0)
		weir_xdp_wills_keep(&tables->shared, making.wills);
	weir_xdp_plan_free(&making.plan);
	weir_prefix_set_free(own);
	return result;
}

/* Until its first generation holds, the slots were those of an earlier gateway's consumers. */
static void begin_consumers(
	const struct weir_xdp_tables *tables, const struct weir_snapshot *snapshot)
{
	for (uint32_t slot = 0; tables->planned == 0 && slot < WEIR_XDP_CONSUMERS; slot++)
		if (snapshot->consumers[slot] != NULL)
			weir_xdp_since_consumer(tables->since, (uint16_t)slot);
}

int weir_xdp_tables_follow(struct weir_xdp_tables *tables, struct weir_dataplane *dataplane)
{
	const struct weir_snapshot *snapshot = dataplane->published;
	int result;

	if (snapshot == NULL)
		return 0;
	follow_clock(tables, dataplane);
	if (tables->changes == dataplane->changes && !tables->is_stale)
		return 0;
	result = follow_ports(tables, dataplane);
	for (uint32_t slot = 0; result == 0 && slot < WEIR_XDP_CONSUMERS; slot++)
		follow_consumer(tables, slot, snapshot->consumers[slot]);
	if (result == 0 && (tables->is_stale || tables->planned != snapshot->generation ||
				   tables->handed != dataplane->handed)) {
		result = make_plan(tables, dataplane);
		if (result == 0) {
			begin_consumers(tables, snapshot);
			tables->planned = snapshot->generation;
			tables->handed = dataplane->handed;
			tables->is_stale = false;
		}
	}
	if (result < 0 && !tables->has_failed)
		weir_log_warning(
			"xdp", "the program's tables stay as they were: %s", strerror(-result));
	if (result == 0)
		tables->changes = dataplane->changes;
	tables->has_failed = result < 0;
	return result;
}
