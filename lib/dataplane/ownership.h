/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "dataplane/dataplane.h"

/*
 * Partitions on their way between the consumers of a group: what is planned is carried out a few
 * at a time (the group's `moves`), by orders to the workers that own the lanes. Control thread.
 */

/* Note what has arrived, tell workers of what comes next. Returns how many are still to do. */
uint32_t weir_ownership_step(struct weir_dataplane *dataplane, uint64_t now_ns);

/* Something is planned that has not been done. */
bool weir_ownership_is_due(const struct weir_dataplane *dataplane);

struct weir_owner_change {
	const char *stream;
	const char *group;
	uint16_t partition;
	const char *from; /* NULL: nobody */
	const char *to;
};
typedef void (*weir_owner_visit)(void *context, const struct weir_owner_change *move);

/* What would move if the group's partitions were shared out anew, or its loads bounded. */
int weir_ownership_preview(struct weir_dataplane *dataplane, const char *group, bool is_even,
	weir_owner_visit visit, void *context);
/* Do it; *moves is how many. -ENOENT: no such group. */
int weir_ownership_rebalance(
	struct weir_dataplane *dataplane, const char *group, bool is_even, uint32_t *moves);
/*
 * One partition to a consumer of the group. -ENOENT: no such stream, partition or group; -ESRCH:
 * no such consumer in it; -EHOSTUNREACH: it cannot take it now.
 */
int weir_ownership_move(struct weir_dataplane *dataplane, const char *stream, uint16_t partition,
	const char *group, const char *consumer);
/* Weight for plans, until the next configuration. */
int weir_consumer_set_weight(
	struct weir_dataplane *dataplane, struct weir_consumer *consumer, uint32_t weight);
/* Its partitions go to others, and it gets none; or it takes part again. */
int weir_consumer_drain(struct weir_dataplane *dataplane, struct weir_consumer *consumer, bool on);
/* Once a second: how much partitions carry and consumers work. */
void weir_ownership_measure(struct weir_dataplane *dataplane, double interval_s);

struct weir_consumer_place {
	uint32_t weight;     /* configured or set */
	uint32_t effective;  /* that plans use: as it reports to work */
	uint32_t partitions; /* that it has */
	uint32_t leaving;    /* of them to go elsewhere */
	uint32_t coming;
	bool is_drained;
};
bool weir_consumer_place(const struct weir_dataplane *dataplane,
	const struct weir_consumer *consumer, struct weir_consumer_place *place);
