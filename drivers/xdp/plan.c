/* SPDX-License-Identifier: BSD-3-Clause */
#include "xdp/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "base/error.h"
#include "config/config.h"

#define LINES_MAX (16u << 20)

_Static_assert(sizeof(union weir_xdp_line) == WEIR_XDP_LINE, "a line is a cache line");
_Static_assert(WEIR_XDP_MAX_COPIES == WEIR_KERNEL_GROUPS, "all are served");
_Static_assert(WEIR_XDP_LEAF == WEIR_TRIE_LEAF, "tries are copied entry by entry");
_Static_assert(WEIR_XDP_MAX_STEPS == WEIR_MATCH_PLANES_MAX * WEIR_MATCH_FIELDS, "all steps fit");

/* Room for `count` more lines, zeroed; the first one's number, 0 on failure. */
static uint32_t add_lines(struct weir_xdp_plan *plan, uint32_t count)
{
	uint32_t first = plan->count;

	if (plan->status == 0 && count > LINES_MAX - plan->count)
		plan->status = -E2BIG;
	if (plan->status == 0 && plan->count + count > plan->capacity) {
		uint32_t capacity = plan->capacity != 0 ? plan->capacity : 64;
		void *lines;

		while (capacity < plan->count + count)
			capacity *= 2;
		lines = realloc(plan->lines, capacity * sizeof(*plan->lines));
		if (lines == NULL) {
			plan->status = -ENOMEM;
		} else {
			plan->lines = lines;
			plan->capacity = capacity;
		}
	}
	if (plan->status != 0)
		return 0;
	memset(&plan->lines[first], 0, count * sizeof(*plan->lines));
	plan->count += count;
	return first;
}

static uint32_t add_cells(struct weir_xdp_plan *plan, const uint16_t *cells, uint64_t count)
{
	uint64_t lines = (count + WEIR_XDP_LINE_CELLS - 1) / WEIR_XDP_LINE_CELLS;
	uint32_t first = add_lines(plan, lines < LINES_MAX ? (uint32_t)lines : LINES_MAX);

	if (first != 0)
		memcpy(plan->lines[first].cells, cells, count * sizeof(*cells));
	return first;
}

static uint32_t move_entry(uint32_t entry, uint32_t first)
{
	return entry & WEIR_TRIE_LEAF ? entry : first + entry * WEIR_XDP_NODE_LINES;
}

/* A trie's nodes; its roots as entries that name lines. */
static void add_trie(struct weir_xdp_plan *plan, const struct weir_trie *trie, uint32_t *entry4,
	uint32_t *entry6)
{
	uint32_t first = trie->count != 0 ? add_lines(plan, trie->count * WEIR_XDP_NODE_LINES) : 0;

	*entry4 = *entry6 = WEIR_XDP_LEAF;
	if (plan->status != 0)
		return;
	for (uint32_t i = 0; i < trie->count; i++)
		for (uint32_t byte = 0; byte < 256; byte++)
			plan->lines[first + i * WEIR_XDP_NODE_LINES + byte / WEIR_XDP_LINE_WORDS]
				.words[byte % WEIR_XDP_LINE_WORDS] =
				move_entry(trie->nodes[i][byte], first);
	*entry4 = move_entry(trie->root4, first);
	*entry6 = move_entry(trie->root6, first);
}

static uint32_t highest_cell(const uint16_t *cells, uint64_t count)
{
	uint32_t highest = 0;

	for (uint64_t i = 0; cells != NULL && i < count; i++)
		highest = cells[i] > highest ? cells[i] : highest;
	return highest;
}

static uint32_t highest_leaf(const struct weir_trie *trie)
{
	uint32_t highest = 0;

	for (uint32_t i = 0; i < trie->count * 256 + 2; i++) {
		uint32_t entry = i == 0   ? trie->root4
				 : i == 1 ? trie->root6
					  : trie->nodes[(i - 2) / 256][(i - 2) % 256];

		if ((entry & WEIR_TRIE_LEAF) && (entry & ~WEIR_TRIE_LEAF) > highest)
			highest = entry & ~WEIR_TRIE_LEAF;
	}
	return highest;
}

/* How many classes each field has: a step's map has so many entries. */
static void count_classes(const struct weir_match *match, uint32_t counts[WEIR_MATCH_FIELDS])
{
	counts[WEIR_MATCH_PORT] = highest_cell(match->port_classes, 65536) + 1;
	counts[WEIR_MATCH_VLAN] = highest_cell(match->vlan_classes, 4096) + 1;
	counts[WEIR_MATCH_OUTER_VLAN] = highest_cell(match->outer_vlan_classes, 4096) + 1;
	counts[WEIR_MATCH_DESTINATION] = highest_leaf(&match->destinations) + 1;
	counts[WEIR_MATCH_SOURCE] = highest_leaf(&match->sources) + 1;
}

/*
 * A plane's steps. A table has a row for each result that the step before it can have, which its
 * own values tell.
 */
static void add_plane(struct weir_xdp_plan *plan, const struct weir_match_plane *plane,
	const uint32_t classes[WEIR_MATCH_FIELDS], uint32_t first, uint32_t *index)
{
	uint32_t rows = 1;

	for (uint32_t i = 0; i < plane->step_count; i++, (*index)++) {
		const struct weir_match_step *from = &plane->steps[i];
		uint64_t cells = (uint64_t)rows * from->width;
		struct weir_xdp_step step = {
			.width = from->width,
			.field = (uint8_t)from->field,
			.is_last = i + 1 == plane->step_count,
		};

		if (from->map != NULL)
			step.map = add_cells(plan, from->map, classes[from->field]);
		if (from->table != NULL)
			step.table = add_cells(plan, from->table, cells);
		if (plan->status != 0)
			return;
		if (from->table != NULL)
			rows = highest_cell(from->table, cells) + 1;
		else if (from->map != NULL)
			rows = highest_cell(from->map, classes[from->field]) + 1;
		else
			rows = classes[from->field];
		plan->lines[first + *index / WEIR_XDP_LINE_STEPS]
			.steps[*index % WEIR_XDP_LINE_STEPS] = step;
	}
}

static void add_match(struct weir_xdp_plan *plan, const struct weir_match *match)
{
	struct weir_xdp_head head = {.always = WEIR_MATCH_NONE};
	uint32_t counts[WEIR_MATCH_FIELDS], index = 0, steps = 0;

	count_classes(match, counts);
	if (match->port_classes != NULL)
		head.port_classes = add_cells(plan, match->port_classes, 65536);
	if (match->vlan_classes != NULL)
		head.vlan_classes = add_cells(plan, match->vlan_classes, 4096);
	if (match->outer_vlan_classes != NULL)
		head.outer_vlan_classes = add_cells(plan, match->outer_vlan_classes, 4096);
	add_trie(plan, &match->destinations, &head.destination4, &head.destination6);
	add_trie(plan, &match->sources, &head.source4, &head.source6);
	for (uint32_t i = 0; i < match->plane_count; i++) {
		steps += match->planes[i].step_count;
		if (match->planes[i].step_count == 0 && match->planes[i].rule < head.always)
			head.always = match->planes[i].rule;
	}
	if (steps != 0)
		head.steps =
			add_lines(plan, (steps + WEIR_XDP_LINE_STEPS - 1) / WEIR_XDP_LINE_STEPS);
	for (uint32_t i = 0; i < match->plane_count && plan->status == 0; i++)
		add_plane(plan, &match->planes[i], counts, head.steps, &index);
	head.step_count = (uint16_t)steps;
	if (plan->status != 0)
		return;
	plan->front[WEIR_XDP_FRONT_HEAD].head = head;
	memcpy(plan->front[WEIR_XDP_FRONT_PORTS].cells, match->port_rules,
		65536 * sizeof(*match->port_rules));
}

void weir_xdp_plan_begin(struct weir_xdp_plan *plan, uint64_t generation,
	const struct weir_match *match, uint32_t stream_count, const struct weir_prefix_set *own,
	uint16_t native_port)
{
	uint32_t own4 = WEIR_XDP_LEAF, own6 = WEIR_XDP_LEAF;

	struct weir_xdp_head *head;

	*plan = (struct weir_xdp_plan){
		.expected = stream_count, .front = calloc(WEIR_XDP_FRONT, sizeof(*plan->front))};
	if (plan->front == NULL)
		plan->status = -ENOMEM;
	else if (stream_count > WEIR_XDP_STREAMS)
		plan->status = -E2BIG;
	add_lines(plan, 1);
	add_match(plan, match);
	if (own != NULL)
		add_trie(plan, &own->trie, &own4, &own6);
	if (plan->status != 0)
		return;
	head = &plan->front[WEIR_XDP_FRONT_HEAD].head;
	head->generation = generation;
	head->native_port = native_port;
	head->own4 = own4;
	head->own6 = own6;
	head->stream_count = (uint16_t)stream_count;
}

static void add_groups(
	struct weir_xdp_plan *plan, const struct weir_xdp_plan_stream *stream, uint32_t first)
{
	for (uint32_t i = 0; i < stream->group_count && plan->status == 0; i++) {
		const struct weir_xdp_plan_group *group = &stream->groups[i];
		uint32_t filter4 = WEIR_XDP_LEAF | 1, filter6 = WEIR_XDP_LEAF | 1;

		if (group->filter != NULL)
			add_trie(plan, &group->filter->trie, &filter4, &filter6);
		if (plan->status != 0)
			return;
		plan->lines[first + i].attachment = (struct weir_xdp_attachment){
			.filter4 = filter4,
			.filter6 = filter6,
			.sample = group->sample,
			.slot = group->slot,
			.class = group->class,
			.will = group->will,
		};
	}
}

static uint32_t add_lanes(
	struct weir_xdp_plan *plan, const struct weir_xdp_plan_stream *stream, uint32_t groups)
{
	uint32_t width = groups + 1, words = width * stream->partitions;
	uint32_t first = add_lines(plan, (words + WEIR_XDP_LINE_WORDS - 1) / WEIR_XDP_LINE_WORDS);

	for (uint32_t i = 0; i < words && plan->status == 0; i++) {
		uint32_t partition = i / width, group = i % width, word;

		if (group == 0)
			word = stream->copy_maps != NULL ? stream->copy_maps[partition] : 0;
		else
			word = stream->groups[group - 1].consumers[partition];
		plan->lines[first + i / WEIR_XDP_LINE_WORDS].words[i % WEIR_XDP_LINE_WORDS] = word;
	}
	return first;
}

void weir_xdp_plan_add(struct weir_xdp_plan *plan, const struct weir_xdp_plan_stream *stream)
{
	struct weir_xdp_plan_stream served = *stream;
	uint32_t attachments, lanes;

	if (served.group_count > WEIR_XDP_MAX_COPIES)
		served.group_count = WEIR_XDP_MAX_COPIES;
	attachments = served.group_count != 0 ? add_lines(plan, served.group_count) : 0;
	add_groups(plan, &served, attachments);
	lanes = add_lanes(plan, &served, served.group_count);
	if (plan->status != 0 || plan->added == plan->expected)
		return;
	plan->front[WEIR_XDP_FRONT_STREAMS + plan->added++].stream = (struct weir_xdp_stream){
		.key_kind = stream->key.kind,
		.key_length = stream->key.length,
		.key_offset = stream->key.offset,
		.partitions = stream->partitions,
		.slot = stream->slot,
		.attachments = attachments,
		.lanes = lanes,
		.missed = stream->missed,
		.in_kernel = stream->in_kernel,
		.attachment_count = (uint16_t)served.group_count,
		.unserved = (uint16_t)(stream->group_count - served.group_count),
		.first = attachments != 0 ? plan->lines[attachments].attachment
					  : (struct weir_xdp_attachment){0},
	};
}

/* A map with the plan's lines: its file descriptor, or -errno. */
static int make_map(const struct weir_xdp_plan *plan)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_INNER_MAP | BPF_F_MMAPABLE);
	size_t size = plan->count * sizeof(*plan->lines);
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "weir_lines", sizeof(uint32_t),
		sizeof(*plan->lines), plan->count, &options);
	void *memory;

	if (fd < 0)
		return -errno;
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED) {
		int result = -errno;

		close(fd);
		return result;
	}
	memcpy(memory, plan->lines, size);
	munmap(memory, size);
	return fd;
}

/* The kernel waits, when a map inside another is changed, for packets that still see this bank. */
int weir_xdp_plan_publish(struct weir_xdp_plan *plan, int generations_fd,
	union weir_xdp_line *front, struct weir_xdp_current *current)
{
	uint32_t bank = weir_xdp_plan_bank(current);
	int fd, result = 0;

	if (plan->status == 0 && plan->added != plan->expected)
		plan->status = -EINVAL;
	if (plan->status != 0)
		return plan->status;
	fd = make_map(plan);
	if (fd < 0)
		return fd;
	if (bpf_map_update_elem(generations_fd, &bank, &fd, BPF_ANY) < 0)
		result = -errno;
	close(fd);
	if (result < 0)
		return result;
	memcpy(&front[bank * WEIR_XDP_FRONT], plan->front,
		(WEIR_XDP_FRONT_STREAMS + plan->added) * sizeof(*front));
	current->generation = plan->front[WEIR_XDP_FRONT_HEAD].head.generation;
	__atomic_store_n(&current->bank, bank, __ATOMIC_RELEASE);
	return 0;
}

void weir_xdp_plan_free(struct weir_xdp_plan *plan)
{
	free(plan->front);
	free(plan->lines);
	*plan = (struct weir_xdp_plan){0};
}
