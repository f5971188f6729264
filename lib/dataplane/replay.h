/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "dataplane/worker.h"

/*
 * Templates, and records of options data behind them, for a consumer that has not had them, before
 * the message that may need them.
 *
 * Where they fit into the message's datagram they go in front of its sets: so no collector sees a
 * datagram or a sequence number more, and nothing comes between the two. Where they don't, they
 * get datagrams of their own, to blind consumers: of the message's exporter, domain and export
 * time. An IPFIX sequence number counts data records (RFC 7011 3.1), so what goes has the message's
 * less the records of options data that have still to go before the message's own; one of NetFlow
 * v9 counts packets, so they have those before it, which the consumer was not sent
 * (RFC 3954 5.1). To a native consumer only what fits goes; the rest goes with the next message.
 *
 * They are charged to rates, credit and windows as what they are, and counted beside the law.
 * Private to lib/dataplane.
 */

enum weir_replay {
	WEIR_REPLAY_NOTHING, /* the consumer has all */
	WEIR_REPLAY_SENT,    /* templates, perhaps with the lane's next message; look again */
	WEIR_REPLAY_WAIT,    /* the lane's turn is over */
};

/* The lane's next message, which has passed all checks and no gate yet. */
enum weir_replay weir_replay_turn(struct weir_worker *worker, struct weir_queue *queue,
	struct weir_lane *lane, const struct weir_route *route, struct weir_message_slot *slot);

/* A message that was sent with templates in front is sent again: so are they. */
bool weir_replay_again(struct weir_worker *worker, struct weir_outlet *outlet,
	const struct weir_route *route, const struct weir_lane *lane, uint64_t seq,
	const struct weir_message_slot *slot);

/* Templates and records for one datagram. */
#define WEIR_REPLAY_MOST 256

struct weir_replay_pick {
	const struct weir_template_cache *cache;
	uint8_t version;
	uint32_t count;
	uint32_t bytes;
	uint32_t pending; /* records of options data in it, and to come, before the message's own */
	uint32_t entries[WEIR_REPLAY_MOST];
};

/*
 * replay_packet.c: what stands for `slot` when it is sent, with a buffer of its own, which the
 * caller frees: the message with what was picked in front of its sets, or that alone, as if from
 * the same exporter, `before` packets earlier. False without a buffer.
 */
bool weir_replay_with(struct weir_worker *worker, const struct weir_message_slot *slot,
	const struct weir_replay_pick *pick, struct weir_message_slot *stand_in);
bool weir_replay_alone(struct weir_worker *worker, const struct weir_message_slot *slot,
	const struct weir_replay_pick *pick, uint32_t before, struct weir_message_slot *stand_in);
