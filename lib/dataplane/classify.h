/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "dataplane/worker.h"
#include "wire/match.h"
#include "wire/parse_four.h"

/*
 * What a burst is taken apart with: burst.c does what nearly all packets are, four at a time, and
 * hands any other to classify.c, which knows every case. Private to both.
 */

#define WEIR_INTAKE_NO_PORT UINT32_MAX
#define WEIR_CARRIED        (WEIR_PORT_STALE | WEIR_PORT_TRACED) /* over to a message's flags */

/* Packets of a burst, one after another, for the same stream: counted once. */
struct weir_intake {
	const struct weir_stream_view *view; /* NULL: none yet */
	uint32_t port;                       /* whose datagrams are all for it, or NO_PORT */
	bool is_shed;                        /* some of its packets are */
	struct weir_stream_local *local;     /* its, this worker's */
	uint64_t bytes;                      /* of payload */
	uint32_t packets;
};

static inline void weir_intake_count(struct weir_intake *intake)
{
	if (intake->view == NULL)
		return;
	intake->local->stats.received += intake->packets;
	intake->local->stats.received_bytes += intake->bytes;
}

static inline void weir_intake_take(struct weir_intake *intake, uint32_t packets, uint64_t bytes)
{
	intake->packets += packets;
	intake->bytes += bytes;
}

/* The next packets are for that stream. */
static inline void weir_intake_change(
	struct weir_worker *worker, struct weir_intake *intake, const struct weir_stream_view *view)
{
	if (view == intake->view)
		return;
	weir_intake_count(intake);
	*intake = (struct weir_intake){
		.view = view,
		.port = WEIR_INTAKE_NO_PORT,
		.is_shed = worker->shed.share[view->tier] != 0,
		.local = &view->stream->local[worker->id],
	};
}

/* Whether all datagrams to that port are for one stream: then `intake` has it. */
static inline bool weir_intake_find(
	struct weir_worker *worker, struct weir_intake *intake, uint32_t port)
{
	const struct weir_snapshot *snapshot = worker->snapshot;
	uint16_t rule;

	if (likely(port == intake->port))
		return true;
	rule = snapshot->match->port_rules[port];
	if (port == snapshot->native_port || rule == WEIR_MATCH_MORE || rule == WEIR_MATCH_NONE)
		return false;
	weir_intake_change(worker, intake, &snapshot->streams[rule]);
	intake->port = port;
	return true;
}

/* What parsing four has shown of one. */
static __rte_always_inline struct weir_packet weir_four_headers(
	const struct weir_four *four, uint32_t lane, const uint8_t *frame)
{
	return (struct weir_packet){
		.l3_offset = WEIR_ETHER_SIZE,
		.l4_offset = WEIR_ETHER_SIZE + WEIR_IPV4_SIZE,
		.payload_length = (uint16_t)four->payload_length[lane],
		.source_port = weir_load16be(frame + WEIR_ETHER_SIZE + WEIR_IPV4_SIZE),
		.destination_port = (uint16_t)four->destination_port[lane],
		.ip_version = 4,
	};
}

/* One packet, of any kind or parsed already. Return 1 when it is a stream's. */
uint32_t weir_classify_any(struct weir_worker *worker, struct weir_intake *intake,
	struct weir_port *port, struct rte_mbuf *packet);
uint32_t weir_classify_parsed(struct weir_worker *worker, struct weir_intake *intake,
	struct weir_port *port, struct rte_mbuf *packet, const struct weir_packet *headers);
/* One of the stream of `intake`, without templates, that is not to pass its ring. */
void weir_classify_ring(struct weir_worker *worker, struct weir_intake *intake,
	struct rte_mbuf *packet, const struct weir_packet *headers, uint16_t partition);
