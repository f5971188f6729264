/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/ahead.h"

#include "wire/key.h"
#include "wire/match.h"
#include "wire/parse.h"

bool weir_look_ahead(
	const struct weir_worker *worker, const struct rte_mbuf *packet, struct weir_ahead *ahead)
{
	const struct weir_snapshot *snapshot = worker->snapshot;
	const uint8_t *frame = rte_pktmbuf_mtod(packet, const uint8_t *);
	const uint8_t *end = frame + packet->data_len;
	enum weir_reason reason = WEIR_REASON_NONE;
	const struct weir_stream *stream;
	uint64_t hash = 0;
	uint16_t rule;

	if (weir_parse_frame(frame, end, packet->pkt_len, WEIR_PARSE_IP_CHECKSUM_DONE,
		    &ahead->headers, &reason) != WEIR_PARSE_UDP)
		return false;
	rule = weir_match_lookup(snapshot->match, frame, &ahead->headers);
	if (rule == WEIR_MATCH_NONE)
		return false;
	ahead->view = &snapshot->streams[rule];
	stream = ahead->view->stream;
	ahead->partition = WEIR_CAPTURE_NO_PARTITION;
	if (weir_key_hash(&stream->key, frame, end, &ahead->headers, &hash) == WEIR_REASON_NONE)
		ahead->partition = weir_key_partition(hash, stream->partition_count);
	return true;
}
