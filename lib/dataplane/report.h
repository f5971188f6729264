/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/cycles.h"
#include "dataplane/dataplane.h"
#include "dataplane/latency.h"
#include "dataplane/port.h"
#include "dataplane/shed.h"
#include "dataplane/stats.h"

/*
 * What the data plane says of itself: counters summed over workers, and the state of what they
 * belong to. Control thread only.
 *
 * Streams, groups and ports are reported from the newest census, so that numbers of one stream
 * belong together; consumers, partitions and workers are read while they run, each number right
 * for itself. Names in reports are lent until the next configuration is applied.
 */

/*
 * Ask every worker to copy its counters between two loops, and wait for it, 100 ms at most for
 * all of them together. 0, or -ETIMEDOUT when a worker did not: then weir_census_missing() has
 * its number, and the old census is not whole. Workers that have ended left their final one.
 */
int weir_census_take(struct weir_dataplane *dataplane);
/* The first worker that owes a census, or -1. */
int weir_census_missing(const struct weir_dataplane *dataplane);

struct weir_stream_report {
	const char *name;
	uint16_t slot;
	bool is_draining; /* no longer configured; delivers what it holds */
	bool in_kernel;   /* see model.h */
	uint8_t tier;     /* enum weir_tier */
	uint8_t key;      /* enum weir_key_kind */
	uint16_t partitions;
	uint32_t groups;
	uint32_t ring_messages;
	uint64_t ring_bytes;
	uint32_t age_ms;
	uint32_t buffers;      /* budget */
	uint32_t buffers_used; /* of it */
	struct weir_stream_stats stats;
	uint64_t by_program; /* of `received`: given to its groups by the ports' program */
	uint64_t in_program; /* likewise: in its hands just now */
	uint64_t under_way;  /* between workers; 0 when a census cut through it */
	uint64_t templates;  /* in force; as its workers run, as the next */
	uint64_t templates_expired;
	uint64_t option_records; /* in force */
};

/* One group's view of one stream. */
struct weir_group_report {
	const char *stream;
	bool is_draining;
	const struct weir_config_group *group;
	uint32_t consumers;
	uint32_t reachable;
	struct weir_group_stats stats;
	uint64_t held;   /* between its cursors and the heads */
	uint32_t moving; /* partitions that are to change hands */
};

struct weir_lane_report {
	const char *group;
	const char *consumer; /* NULL: nobody, messages wait */
	const char *next;     /* who is to have it instead; NULL: it stays */
	bool is_draining;     /* its consumer is sent nothing new */
	uint64_t cursor;
	uint64_t lag;       /* messages it has yet to take */
	uint64_t done;      /* everything below is settled; the cursor without acknowledgement */
	uint64_t in_flight; /* sent, not acknowledged */
	uint32_t epoch;
};

struct weir_partition_report {
	const char *stream;
	uint16_t index;
	uint16_t owner; /* worker */
	bool is_last;   /* of its stream */
	uint64_t head;
	uint64_t tail;
	uint64_t messages; /* that ever came in */
	double messages_per_s;
	double bytes_per_s;
	double share_percent; /* of the stream's messages a second */
	bool is_alone;        /* has its worker to itself */
	uint8_t features;     /* WEIR_FEATURE_BIT of those that are on */
	uint64_t held;
	uint64_t bytes;
	uint32_t lane_count;
	struct weir_lane_report lanes[WEIR_STREAM_GROUPS];
};

struct weir_consumer_report {
	struct weir_consumer_stats stats;
	uint64_t dropped[WEIR_REASON_COUNT]; /* by the ports' program, which does not wait */
	uint32_t closed;                     /* WEIR_CLOSED_ bits */
	uint8_t gate; /* enum weir_gate of the first worker that is stopped; OPEN: none is */
	struct weir_config_rate rate;
	/* Native. */
	uint64_t limit_messages;
	uint64_t used_messages; /* sent, with what workers have leased for this moment */
	uint64_t limit_bytes;
	uint64_t used_bytes;
};

struct weir_port_report {
	const struct weir_port *port;
	bool is_up;
	struct weir_port_stats stats;
	struct weir_port_counters counters; /* the driver's */
};

struct weir_worker_report {
	uint16_t id;
	uint16_t cpu;
	bool is_running;
	bool is_stalled; /* no loop for workers.stall_ms */
	bool is_leaving;
	bool is_parked; /* has no partitions, or they are about to leave */
	bool may_sleep;
	int thread;            /* the kernel's number of it; 0: it has not begun */
	uint32_t partitions;   /* that it has, or that are on their way to it */
	double load_percent;   /* share of the last seconds that it was busy */
	uint64_t generation;   /* applied */
	uint64_t heartbeat_us; /* since its newest loop */
	uint64_t busy_us;
	uint64_t asleep_us;
	uint64_t longest_loop_us;
	uint64_t cycles_per_us; /* unit of `stats` */
	uint32_t receive_queues;
	uint32_t waiting;          /* outlets on the timer wheel */
	uint32_t shed[WEIR_TIERS]; /* share that is dropped, of WEIR_SHED_ALL */
	struct weir_worker_stats stats;
#ifdef WEIR_CYCLES
	struct weir_cycles cycles;
#endif
};

struct weir_pool_report {
	const char *name;
	uint32_t size;
	uint32_t available;
};

typedef void (*weir_stream_visit)(void *context, const struct weir_stream_report *stream);
typedef void (*weir_group_visit)(void *context, const struct weir_group_report *group);
typedef void (*weir_partition_visit)(void *context, const struct weir_partition_report *partition);
typedef void (*weir_port_visit)(void *context, const struct weir_port_report *port);
typedef void (*weir_worker_visit)(void *context, const struct weir_worker_report *worker);
typedef void (*weir_pool_visit)(void *context, const struct weir_pool_report *pool);

void weir_streams_report(
	const struct weir_dataplane *dataplane, weir_stream_visit visit, void *context);
/* Every group of every stream. */
void weir_groups_report(
	const struct weir_dataplane *dataplane, weir_group_visit visit, void *context);
/* -ENOENT: no such stream. */
int weir_partitions_report(const struct weir_dataplane *dataplane, const char *stream,
	weir_partition_visit visit, void *context);
/* Every partition of every stream, stream by stream. */
void weir_partitions_report_all(
	const struct weir_dataplane *dataplane, weir_partition_visit visit, void *context);
void weir_consumer_report(const struct weir_dataplane *dataplane,
	const struct weir_consumer *consumer, struct weir_consumer_report *report);
/* How many partitions each consumer has; `by_slot` has room for WEIR_MAX_CONSUMERS. */
void weir_placement_count(const struct weir_dataplane *dataplane, uint32_t *by_slot);
void weir_ports_report(
	const struct weir_dataplane *dataplane, weir_port_visit visit, void *context);
void weir_workers_report(
	const struct weir_dataplane *dataplane, weir_worker_visit visit, void *context);
void weir_pools_report(
	const struct weir_dataplane *dataplane, weir_pool_visit visit, void *context);
/* The stages' histograms, WEIR_LATENCY_COUNT of them, summed over workers as they run. */
void weir_latencies_report(const struct weir_dataplane *dataplane, struct weir_latency *latencies);
/* Stream-protocol frames refused, by reason; WEIR_REASON_COUNT numbers, as they run. */
void weir_native_dropped(const struct weir_dataplane *dataplane, uint64_t *dropped);

/*
 * The law, on the newest census:
 *
 *   port:            received = matched + kernel + native + dropped{PORT}
 *   stream:          received + requeued + missed = appended + dropped{STREAM}
 *                                                   + (handed - taken over)
 *                                                   + by program + in program
 *   stream x group:  received = delivered + dropped{GROUP} + held
 *
 * What the ports' program did with a stream on the kernel's path is in all of them, read when the
 * report is made: a group holds what is in the program's hands, or was lost there for want of
 * memory. Each equation that does not hold is visited; returns how many.
 */
struct weir_violation {
	const char *port;   /* NULL unless the port's */
	const char *stream; /* NULL for a port's */
	const char *group;  /* NULL unless a group's */
	uint64_t received;
	uint64_t accounted; /* the other side */
};
typedef void (*weir_violation_visit)(void *context, const struct weir_violation *violation);
uint32_t weir_law_check(
	const struct weir_dataplane *dataplane, weir_violation_visit visit, void *context);

/* What the ports' program in the kernel delivered, by stream and by group: they have one. */
void weir_dataplane_flows(
	const struct weir_dataplane *dataplane, weir_failover_visit visit, void *context);
