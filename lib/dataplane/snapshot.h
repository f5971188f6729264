/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>

#include "dataplane/agent.h"
#include "dataplane/consumer.h"
#include "dataplane/dataplane.h"
#include "dataplane/producer.h"
#include "dataplane/stream.h"
#include "wire/match.h"

/*
 * A snapshot: the configuration as workers use it. The control thread builds it, publishes it
 * by one store, and frees it when every worker has gone on to a newer one. Immutable, and so is
 * all that it points to, except for the objects' own documented fields.
 */

struct weir_attachment_view {
	struct weir_attachment *attachment;
	const char *group; /* name; the model's, while the snapshot is the published one */
	uint32_t sample;
	struct weir_prefix_set *filter;   /* NULL: all sources; owned by the snapshot */
	struct weir_config_window window; /* native: in flight on each lane */
	uint64_t drain_us; /* longest that a lane is drained before it changes hands */
	struct weir_delivery_rules rules; /* native */
	/* Control thread's own: the plan that was made with the snapshot, and for whom. */
	struct weir_consumer **consumers; /* of each partition; NULL entries: nobody */
	bool *at_once;                    /* of each partition: it moves with the snapshot */
	uint64_t *members;                /* identities; NULL once the plan holds */
	uint32_t member_count;
	/* The same group's, of the stream that this one took the place of; NULL: of none. */
	const struct weir_attachment *predecessor;
};

struct weir_stream_view {
	struct weir_stream *stream;
	uint16_t *owners;  /* worker of each partition: where messages are sent; see transit.h */
	uint8_t *features; /* of each partition; see feature.h */
	bool in_kernel;    /* ports that can deliver it themselves do */
	bool is_draining;  /* no packet matches it any more; what it holds is delivered */
	struct weir_stream *predecessor; /* while that is draining, or NULL; see succession.h */
	uint8_t tier;
	uint64_t succeeded_at; /* first generation in which another has its place; 0: none has */
	uint64_t drain_until;  /* TSC; then the rest goes, with succeeded_at */
	uint64_t wait_until;   /* TSC; of a successor: a worker that is stalled is not waited for */
	uint64_t age_limit;    /* TSC cycles; 0: none */
	uint64_t deadline;     /* likewise */
	uint64_t retain;       /* likewise; 0: nothing is kept for replay */
	uint64_t template_lifetime; /* likewise; 0: without end */
	struct weir_attachment_view *attachments;
	uint32_t attachment_count;
};

struct weir_snapshot {
	uint64_t generation;
	uint64_t
		move_generation; /* first that moved the partitions on their way now; 0: none are */
	struct weir_match *match; /* rule r is streams[r]; shared by generations */
	uint16_t native_port;     /* of the stream protocol; 0: not spoken */
	uint32_t address_count;
	struct weir_address addresses[WEIR_MAX_ADDRESSES]; /* the gateway's own */
	struct weir_stream_view *streams; /* active ones first, in rule order, then draining */
	uint32_t stream_count;
	struct weir_stream *by_slot[WEIR_MAX_STREAMS];
	struct weir_consumer *consumers[WEIR_MAX_CONSUMERS];     /* by slot; NULL: free */
	struct weir_agent *agents[WEIR_MAX_AGENTS];              /* likewise */
	uint32_t agent_top;                                      /* none is at or above */
	struct weir_producer_view producers[WEIR_MAX_PRODUCERS]; /* by index */
	uint32_t standard_quantum;                               /* bytes a turn */
	uint32_t bulk_quantum;
	struct weir_config_rate critical; /* meter of the critical tier, per worker */
	uint64_t heartbeat_cycles;
	uint64_t catch_up_cycles;
	uint32_t
		pace_ms; /* how long what a consumer holds should take it; 0: as long as it likes */
	uint32_t epoch;  /* of this run of the gateway; base of the lanes' epochs */
};
