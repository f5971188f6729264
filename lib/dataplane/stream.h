/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "config/config.h"
#include "dataplane/feature.h"
#include "dataplane/load.h"
#include "dataplane/message.h"
#include "dataplane/stats.h"
#include "dataplane/tx_owner.h"
#include "flow/wheel.h"
#include "lane/delivery.h"
#include "wire/frame_data.h"
#include "wire/template_cache.h"

/*
 * Streams, their partitions and what each group sees of them. The control thread makes and frees
 * these objects; between the two they are reached only through a snapshot. The fields of a
 * partition and of its lanes belong to the worker that owns the partition; which one that is may
 * change (transit.h).
 */

struct weir_hot;
struct weir_missed;
struct weir_outlet;
struct weir_partition;
struct weir_partition_load;
struct weir_prefix_set;
struct weir_consumer;
struct weir_placement;
struct weir_route;
struct weir_tx;
struct weir_will_lane;

/* What a native session had been sent on a lane when the lane went to another consumer. */
struct weir_position {
	uint64_t session; /* 0: unused */
	uint64_t messages;
	uint64_t bytes;
};

/* How a lane's messages may be sent without passing the ring, in one burst; see direct.h. */
struct weir_direct_way {
	const struct weir_route *route;
	struct weir_tx *tx;
	struct weir_tx_owner owner; /* but for the bytes */
} __rte_aligned(32);

/* One partition as one group's consumer sees it. All fields: the partition's owner. */
struct weir_lane {
	struct weir_list link; /* in its outlet's queue while it has data */
	uint64_t cursor;       /* sequence of the next message to take */
	struct weir_partition *partition;
	struct weir_outlet *outlet;           /* NULL: nobody to deliver to, messages wait */
	struct weir_group_stats *stats;       /* this worker's block, of the partition's features */
	const struct weir_prefix_set *filter; /* NULL: all sources */
	uint32_t sample;                      /* 1 in N; 1: all */
	uint32_t sample_left;                 /* messages until the next one is let through */
	bool is_queued;
	bool is_news;         /* sent on since the last heartbeat that told of it */
	bool is_full;         /* its window is: waits for an acknowledgement */
	bool is_reported;     /* while its partition moves: it was in outlet->reports */
	bool is_draining;     /* nothing new is sent: see handover.h */
	bool wants_templates; /* its consumer may not have had all that are in force */
	bool is_following;    /* waits for lanes of the stream before; see succession.h */
	bool is_ending;       /* of a stream before: what was sent of it is to leave yet */
	_Atomic bool is_over; /* of a stream before: nothing of it is left; all workers read it */
	uint16_t group;       /* slot number */
	/* Stream protocol: what this consumer was told since it has the lane. */
	uint64_t told;                 /* sequence up to which frames have covered */
	struct weir_data_lane wire;    /* its epoch is raised whenever the consumer changes */
	struct weir_list report;       /* in outlet->reports once it was sent on */
	struct weir_position *history; /* native groups; of sessions that may come back */
	uint8_t *tells; /* by place in it: heartbeats that are still to tell where it ended */
	uint16_t history_size;
	/* At least once; NULL: at most once, and a message is passed when it is sent. */
	struct weir_delivery *delivery;
	struct weir_list again;  /* in outlet->again while something is to be sent again, or told */
	struct weir_timer timer; /* in worker->lane_wheel while something is in flight */
	uint64_t tell_from;      /* gaps at or above were not told yet; UINT64_MAX: none */
	uint32_t seek_counter;   /* of the newest SEEK; of this session */
	uint64_t seek_at;        /* TSC of it */
	uint64_t end;            /* where its group stood when the gateway ended; 0: it runs */
	const struct weir_config_window *window; /* of the snapshot; NULL: blind */
	uint8_t template_lane;                   /* its bit in the partition's templates */
	/* Who is to have it, in its attachment; control thread. */
	_Atomic(struct weir_consumer *) *owner;
	struct weir_list drain; /* in worker->draining while it is drained */
	uint64_t drain_since_us;
	uint64_t revoked_us;                   /* its consumer was told last; 0: not yet */
	bool is_released;                      /* its consumer takes nothing more of it */
	uint64_t drain_us;                     /* longest */
	uint64_t full_at;                      /* TSC since which `is_full` */
	uint64_t full_cycles;                  /* that it was before */
	struct weir_direct_way direct;         /* of a partition with several lanes */
	_Atomic(struct weir_will_lane *) will; /* control thread; NULL: it leaves nothing */
	const struct weir_will_lane *written;  /* which it was when it was last looked at */
} __rte_cache_aligned;

/* Where the lane's hold on the ring begins: for it, everything below is settled. */
static inline uint64_t weir_lane_base(const struct weir_lane *lane)
{
	return lane->delivery != NULL ? lane->delivery->done : lane->cursor;
}

/* The same of a partition. */
struct weir_direct {
	uint64_t burst;              /* that the rest holds in */
	struct weir_direct_way way;  /* of its only lane */
	struct weir_partition *next; /* in worker->direct */
	uint64_t bytes;              /* of payload, of those taken */
	uint32_t payload_bound;      /* payloads below, for the only lane; 0: none */
	uint16_t fan_bound;          /* likewise, for all of several lanes */
	uint16_t taken;              /* sent, and not settled yet */
} __rte_cache_aligned;

/* One ordered lane of a stream. All fields: its owner, but those marked immutable. */
struct weir_partition {
	struct weir_message_slot *slots; /* immutable pointer; mask + 1 of them */
	uint64_t head;                   /* sequence of the next message to come */
	uint64_t tail;                   /* oldest sequence still in the ring */
	uint64_t base;                   /* sequence that slots[0] stands for; see weir_slot */
	uint64_t bytes;                  /* payload held */
	uint64_t max_bytes;              /* immutable */
	struct weir_stream *stream;      /* immutable */
	uint32_t mask;                   /* immutable */
	uint8_t lane_count;
	uint8_t tier;
	bool is_swept;    /* in the worker's list of partitions that hold messages */
	uint8_t features; /* WEIR_FEATURE_BIT of those that are on; from the snapshot */
	/* End of the first cache line. */
	bool retains;            /* messages are kept after all groups have passed */
	uint16_t index;          /* immutable; within the stream */
	uint16_t to;             /* worker that it is on its way to */
	uint32_t buffers;        /* messages that it holds */
	uint64_t received_bytes; /* payload that ever came in */
	uint64_t limit;          /* the lower of age_limit and deadline, 0: neither */
	uint64_t retained;       /* retention has let go of everything below */
	struct weir_lane *lanes[WEIR_STREAM_GROUPS]; /* one a group, in the snapshot's order */
	struct weir_list sweep;                      /* in worker->holding, or worker->leaving */
	struct weir_template_cache *templates;       /* immutable pointer; NULL: none are kept */
	uint64_t template_lanes;                     /* bit a lane that is one of its lanes */
	/* Of a predecessor: none comes or goes any more. Owner writes, the successor's read. */
	_Atomic bool has_final_templates;
	bool has_caught_up; /* of a successor: with the templates of its predecessor */
	uint64_t first;     /* immutable; sequence that it began with */
	uint64_t age_limit; /* TSC cycles; 0: none */
	uint64_t deadline;  /* TSC cycles from receiving to delivery; 0: none */
	uint64_t retain;    /* TSC cycles */
	struct weir_direct direct;
} __rte_cache_aligned;

/*
 * The slot of a sequence between tail and head. Whenever the ring is empty its base moves up, so
 * that a ring that is kept short goes on using the same few slots, which stay in cache.
 */
static inline struct weir_message_slot *weir_slot(
	const struct weir_partition *partition, uint64_t sequence)
{
	return &partition->slots[(sequence - partition->base) & partition->mask];
}

/* One worker's part of a stream. */
struct weir_stream_local {
	struct weir_stream_stats stats;
	struct weir_stream_stats census; /* copied by the worker on request, read by control */
	_Atomic uint32_t limit; /* mbufs that its partitions on this worker may hold; control */
	uint32_t held;          /* of them in use */
	uint32_t probe;         /* where the search for a partition to lap goes on */
	uint32_t sample_left;   /* packets until the next one whose key is counted; see hot.h */
} __rte_cache_aligned;

struct weir_stream {
	char name[WEIR_NAME_SIZE];
	uint16_t slot; /* stable number */
	uint16_t partition_count;
	struct weir_key_spec key;
	uint32_t ring_messages;
	uint64_t ring_bytes;
	uint32_t template_bytes; /* of each partition; 0: none are kept */
	uint8_t *templates;      /* of all partitions, one allocation */
	size_t template_size;    /* memory of each partition's */
	/* What each partition of the predecessor had as `changes` when its templates were carried
	   over; immutable once published, NULL: that is not known */
	uint32_t *carried;
	struct weir_partition *partitions;
	struct weir_message_slot *slots; /* of all partitions, one allocation */
	uint16_t *owners; /* worker that has each partition, WEIR_NO_WORKER: it is on its way. Who
			     has it writes, any thread reads */
	uint16_t *routed; /* worker that the published snapshot sends to; control thread */
	uint16_t *wanted; /* worker that it is to go to; control thread */
	struct weir_partition_load *loads; /* of each partition; control thread */
	struct weir_hot *hot;              /* one a worker */
	struct weir_stream_local *local;   /* one a worker */
	/* Of each partition, in a port's memory; NULL: no native group, or no such port. Control.
	 */
	_Atomic(struct weir_missed *) missed;
	bool has_program; /* once it was in_kernel: see model.h; control thread */
	struct weir_partition_load
		programs; /* what the ports' program took of it; control thread */
};

#define WEIR_NO_WORKER UINT16_MAX

static inline uint16_t weir_stream_owner(const struct weir_stream *stream, uint16_t partition)
{
	return __atomic_load_n(&stream->owners[partition], __ATOMIC_RELAXED);
}

/* All that was done to the partition before is seen by who finds the new owner. */
static inline void weir_stream_set_owner(
	struct weir_stream *stream, uint16_t partition, uint16_t worker)
{
	__atomic_store_n(&stream->owners[partition], worker, __ATOMIC_RELEASE);
}

/* What one group sees of one stream: a lane a partition. */
struct weir_attachment {
	struct weir_stream *stream;
	uint16_t group;                          /* slot number */
	uint64_t since;                          /* the first generation that has it; immutable */
	struct weir_lane *lanes;                 /* partition_count of them */
	_Atomic(struct weir_consumer *) *owners; /* who is to have each partition, NULL: nobody;
						    control thread */
	struct weir_placement *placement;        /* the plan behind it; control thread's own */
	struct weir_position *history;    /* of all lanes, one allocation; NULL: blind group */
	uint8_t *tells;                   /* beside it, likewise */
	struct weir_delivery *deliveries; /* of all lanes; NULL: at most once */
	struct weir_delivery_record *records;
	uint64_t *starts; /* where each lane goes on after a restart; NULL: nothing is known */
	uint32_t worker_count;
	struct weir_group_stats *stats;  /* WEIR_FEATURE_WORDS a worker, by the features' word */
	struct weir_group_stats *census; /* copied by the worker on request */
	/* Control thread's own, see feature.h. */
	struct weir_feature_counts *sums;                      /* of the data plane, by word */
	struct weir_feature_counts folded[WEIR_FEATURE_WORDS]; /* into them so far */
};

/* The first of a worker's blocks: what is counted of the group as a whole is there. */
static inline struct weir_group_stats *weir_attachment_stats(
	const struct weir_attachment *attachment, uint16_t worker)
{
	return attachment->stats + (size_t)worker * WEIR_FEATURE_WORDS;
}
