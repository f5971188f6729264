/* SPDX-License-Identifier: BSD-3-Clause */
#include "xdp/since.h"

#include <stdlib.h>
#include <string.h>

#include "xdp/counters.h"
#include "xdp/under_way.h"

#define LOST_NS 20000000 /* so old may be what is known of lost copies */

struct weir_xdp_since {
	const struct weir_xdp_shared *shared;
	uint32_t next_stream; /* where the one that is asked for next likely is */
	uint32_t next_group;
	uint64_t lost_at_ns;
	uint32_t lost[WEIR_XDP_ATTACHMENTS]; /* copies that the program has not counted yet */
	bool has_stream[WEIR_XDP_STREAMS];
	bool has_group[WEIR_XDP_ATTACHMENTS];
	/* What the counters said when it began. */
	struct weir_xdp_stream_counters streams[WEIR_XDP_STREAMS];
	struct weir_xdp_group_counters groups[WEIR_XDP_ATTACHMENTS];
	struct weir_xdp_consumer_counters consumers[WEIR_XDP_CONSUMERS];
};

struct weir_xdp_since *weir_xdp_since_create(const struct weir_xdp_shared *shared)
{
	struct weir_xdp_since *since = calloc(1, sizeof(*since));

	if (since != NULL)
		since->shared = shared;
	return since;
}

void weir_xdp_since_free(struct weir_xdp_since *since)
{
	free(since);
}

void weir_xdp_since_stream(struct weir_xdp_since *since, uint32_t slot)
{
	if (!since->has_stream[slot])
		since->has_stream[slot] =
			weir_xdp_shared_stream(since->shared, slot, &since->streams[slot]) == 0;
}

static int read_group(
	struct weir_xdp_since *since, uint32_t slot, struct weir_xdp_group_counters *counters)
{
	int result = weir_xdp_shared_group(since->shared, slot, counters);
	uint64_t now_ns = weir_xdp_under_way_clock();

	if (since->lost_at_ns == 0 || now_ns - since->lost_at_ns >= LOST_NS) {
		memset(since->lost, 0, sizeof(since->lost));
		weir_xdp_under_way_lost(since->shared->under_way,
			since->shared->cpus * WEIR_XDP_UNDER_WAY, now_ns, since->lost);
		since->lost_at_ns = now_ns;
	}
	counters->copies += since->lost[slot];
	return result;
}

void weir_xdp_since_group(struct weir_xdp_since *since, uint32_t slot)
{
	if (!since->has_group[slot])
		since->has_group[slot] = read_group(since, slot, &since->groups[slot]) == 0;
}

void weir_xdp_since_consumer(struct weir_xdp_since *since, uint16_t slot)
{
	if (slot < WEIR_XDP_CONSUMERS)
		weir_xdp_shared_consumer(since->shared, slot, &since->consumers[slot]);
}

/* Blocks of counters are nothing but 64-bit numbers. */
static void subtract(void *block, const void *before, size_t size)
{
	uint64_t *from = block;
	const uint64_t *less = before;

	for (size_t i = 0; i < size / sizeof(*from); i++)
		from[i] -= less[i];
}

static bool fill_stream(
	struct weir_xdp_since *since, const char *stream, struct weir_failover_flow *flow)
{
	int slot = weir_xdp_shared_find(since->shared, stream, "", since->next_stream);
	struct weir_xdp_stream_counters counters;

	if (slot < 0 || !since->has_stream[slot] ||
		weir_xdp_shared_stream(since->shared, (uint32_t)slot, &counters) < 0)
		return false;
	since->next_stream = (uint32_t)slot + 1;
	subtract(&counters, &since->streams[slot], sizeof(counters));
	weir_xdp_stream_flow(&counters, flow);
	return true;
}

static bool fill_group(struct weir_xdp_since *since, const char *stream, const char *group,
	struct weir_failover_flow *flow)
{
	int slot = weir_xdp_shared_find(since->shared, stream, group, since->next_group);
	struct weir_xdp_group_counters counters;

	if (slot < 0 || !since->has_group[slot] || read_group(since, (uint32_t)slot, &counters) < 0)
		return false;
	since->next_group = (uint32_t)slot + 1;
	subtract(&counters, &since->groups[slot], sizeof(counters));
	weir_xdp_group_flow(&counters, flow);
	return true;
}

bool weir_xdp_since_flow(struct weir_xdp_since *since, const char *stream, const char *group,
	struct weir_failover_flow *flow)
{
	*flow = (struct weir_failover_flow){.stream = stream, .group = group};
	return group == NULL ? fill_stream(since, stream, flow)
			     : fill_group(since, stream, group, flow);
}

void weir_xdp_since_consumer_flow(
	const struct weir_xdp_since *since, uint16_t slot, struct weir_failover_flow *flow)
{
	struct weir_xdp_consumer_counters counters;

	*flow = (struct weir_failover_flow){0};
	if (slot >= WEIR_XDP_CONSUMERS)
		return;
	weir_xdp_shared_consumer(since->shared, slot, &counters);
	subtract(&counters, &since->consumers[slot], sizeof(counters));
	weir_xdp_consumer_flow(&counters, flow);
}
