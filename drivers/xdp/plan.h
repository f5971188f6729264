/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "wire/key.h"
#include "wire/match.h"
#include "wire/prefix_set.h"
#include "xdp/bpf/layout.h"
#include "xdp/bpf/tables.h"

/*
 * A generation of the program's tables in the making: begin, then each stream in rule order, then
 * publish. Memory that is short, or more than a table can hold, is remembered and told at the end.
 * Control thread only.
 */
struct weir_xdp_plan {
	union weir_xdp_line *front; /* WEIR_XDP_FRONT */
	union weir_xdp_line *lines;
	uint32_t count;
	uint32_t capacity;
	uint32_t expected; /* how many there will be */
	uint32_t added;
	int status; /* 0, or the first -errno */
};

/* One group of a stream. */
struct weir_xdp_plan_group {
	const struct weir_prefix_set *filter; /* NULL: all sources */
	uint32_t sample;                      /* 1 in N */
	uint16_t slot;                        /* of its counters */
	uint8_t class;                        /* enum weir_class */
	const uint16_t *consumers;            /* slots, by partition; or WEIR_XDP_NOBODY */
	uint32_t will;                        /* place of its lanes in that map, + 1; 0: none */
};

struct weir_xdp_plan_stream {
	struct weir_key_spec key;
	uint16_t slot; /* of its counters */
	uint16_t partitions;
	bool in_kernel;                           /* also while the gateway lives */
	const struct weir_xdp_plan_group *groups; /* the first WEIR_XDP_MAX_COPIES are served */
	uint32_t group_count;
	uint32_t missed;          /* of its part of that map, + 1; 0: no native group */
	const uint8_t *copy_maps; /* by partition: map + 1, or 0 for none; NULL: none at all */
};

/* `own`: the gateway's addresses. The plan is freed by weir_xdp_plan_free() in any case. */
void weir_xdp_plan_begin(struct weir_xdp_plan *plan, uint64_t generation,
	const struct weir_match *match, uint32_t stream_count, const struct weir_prefix_set *own,
	uint16_t native_port);
void weir_xdp_plan_add(struct weir_xdp_plan *plan, const struct weir_xdp_plan_stream *stream);
/*
 * Put it into the bank that is not in use and go over to it. `front` and `current` are those maps'
 * memory. 0 or -errno; then the old tables hold.
 */
static inline uint32_t weir_xdp_plan_bank(const struct weir_xdp_current *current)
{
	return current->bank == 0 ? 1 : 0; /* the one that is not in use */
}
int weir_xdp_plan_publish(struct weir_xdp_plan *plan, int generations_fd,
	union weir_xdp_line *front, struct weir_xdp_current *current);
void weir_xdp_plan_free(struct weir_xdp_plan *plan);
