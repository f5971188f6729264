/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/classify.h"
#include "dataplane/direct.h"
#include "dataplane/hot.h"
#include "dataplane/templates.h"

#include <rte_prefetch.h>

#include "wire/key.h"
#include "wire/template.h"

/*
 * A received burst, four packets at a time. What nearly all are goes stage by stage through short
 * loops over all four, and out by the way past the ring; a packet that is unlike the three beside
 * it in any way is classify.c's, and so are they then.
 */

#define PREFETCH_AHEAD (2 * WEIR_FOUR)

/* Four packets on their way. */
struct quartet {
	struct rte_mbuf *const *packets;
	uint8_t *frames[WEIR_FOUR];
	struct weir_four headers;
	uint64_t hashes[WEIR_FOUR];
	bool has_sets; /* an IPFIX or NetFlow v9 message among them may have some */
};

/*
 * Whether all are of one buffer and long enough, and nobody has said anything about them that
 * matters: found bad by the NIC, stale, or followed.
 */
static __rte_always_inline bool are_sound(
	struct rte_mbuf *const *packets, uint64_t suspicious, weir_words *lengths)
{
	uint64_t flags = 0;
	uint32_t segments = 0;

	for (uint32_t i = 0; i < WEIR_FOUR; i++) {
		flags |= packets[i]->ol_flags;
		segments |= packets[i]->nb_segs;
	}
	*lengths = (weir_words){
		packets[0]->pkt_len, packets[1]->pkt_len, packets[2]->pkt_len, packets[3]->pkt_len};
	return (flags & suspicious) == 0 && segments == 1 &&
	       weir_four_is_zero(weir_four_less(*lengths, weir_four_all(WEIR_FOUR_BYTES)));
}

/* As weir_key_ipfix of IPFIX; false: not all of them have such a key. */
static __rte_always_inline bool hash_ipfix(struct quartet *four)
{
	const uint32_t *lengths = four->headers.payload_length;
	weir_words payload = {lengths[0], lengths[1], lengths[2], lengths[3]};
	weir_words header[4], length;

	if (unlikely(!weir_four_is_zero(weir_four_less(payload, weir_four_all(WEIR_IPFIX_SIZE)))))
		return false;
	weir_four_load((const uint8_t *const *)four->frames, WEIR_PLAIN_PAYLOAD, header);
	header[0] = weir_four_swap(header[0]);
	length = header[0] >> 16;
	if (unlikely(!weir_four_is_zero(((header[0] & 0xffff) ^ 10) |
					weir_four_less(payload, length) |
					weir_four_less(length, weir_four_all(WEIR_IPFIX_SIZE)))))
		return false;
	four->has_sets = !weir_four_is_zero((length - WEIR_IPFIX_SIZE) / WEIR_TEMPLATE_SET_HEADER);
#pragma GCC unroll 4
	for (uint32_t i = 0; i < WEIR_FOUR; i++)
		four->hashes[i] = weir_key_hash_address(four->frames[i] + WEIR_ETHER_SIZE + 12, 0,
			weir_load32be(four->frames[i] + WEIR_PLAIN_PAYLOAD + 12));
	return true;
}

/* False: not all of them have a key. */
static __rte_noinline bool hash_any(const struct weir_key_spec *key, struct quartet *four)
{
	four->has_sets = true;
	for (uint32_t i = 0; i < WEIR_FOUR; i++) {
		const uint8_t *frame = four->frames[i];
		struct weir_packet headers = weir_four_headers(&four->headers, i, frame);

		if (weir_key_hash(key, frame, frame + WEIR_PLAIN_PAYLOAD + headers.payload_length,
			    &headers, &four->hashes[i]) != WEIR_REASON_NONE)
			return false;
	}
	return true;
}

static __rte_noinline bool have_templates(
	const struct weir_stream *stream, const struct quartet *four)
{
	bool found = false;

	for (uint32_t i = 0; i < WEIR_FOUR; i++)
		found |= weir_templates_are_in(stream,
			weir_key_partition(four->hashes[i], stream->partition_count),
			four->hashes[i], four->frames[i] + WEIR_PLAIN_PAYLOAD,
			four->headers.payload_length[i]);
	return found;
}

/* The same of IPFIX messages, of which nearly all have one set of data and nothing else. */
static __rte_always_inline bool have_templates_ipfix(
	const struct weir_stream *stream, const struct quartet *four)
{
	bool is_plain = true;

	for (uint32_t i = 0; i < WEIR_FOUR; i++) {
		const uint8_t *message = four->frames[i] + WEIR_PLAIN_PAYLOAD;
		uint16_t partition = weir_key_partition(four->hashes[i], stream->partition_count);

		is_plain &= weir_template_is_single(message, weir_load16be(message + 2),
			weir_templates_of(stream, partition)->marks, four->hashes[i]);
	}
	return !is_plain && have_templates(stream, four);
}

/* Whether what four->has_sets says is worth a look. */
static __rte_always_inline bool are_learned_from(
	const struct weir_stream *stream, const struct quartet *four)
{
	if (stream->template_bytes == 0 || !four->has_sets)
		return false;
	return stream->key.kind == WEIR_KEY_IPFIX ? have_templates_ipfix(stream, four)
						  : have_templates(stream, four);
}

/* Those whose turn it is to be looked at; see hot.h. */
static __rte_always_inline void sample(struct weir_worker *worker, const struct weir_stream *stream,
	struct weir_stream_local *local, const struct quartet *four)
{
	uint32_t done = 0;

	while (unlikely(local->sample_left <= WEIR_FOUR - done)) {
		struct weir_packet headers;
		uint32_t i;

		done += local->sample_left;
		i = done - 1;
		headers = weir_four_headers(&four->headers, i, four->frames[i]);
		local->sample_left =
			weir_hot_sample(worker, stream, four->hashes[i], four->frames[i], &headers);
	}
	local->sample_left -= WEIR_FOUR - done;
}

/* What does not go past the ring of an only lane. */
static __rte_noinline void to_others(struct weir_worker *worker, struct weir_intake *intake,
	const struct quartet *four, uint32_t lane, uint16_t index)
{
	const struct weir_stream *stream = intake->view->stream;
	struct rte_mbuf *packet = four->packets[lane];
	struct weir_packet headers;

	if (weir_stream_owner(stream, index) == worker->id &&
		weir_direct_fan_out(
			worker, &stream->partitions[index], packet, &four->headers, lane))
		return;
	headers = weir_four_headers(&four->headers, lane, four->frames[lane]);
	WEIR_CYCLES_IS_RING(worker);
	weir_classify_ring(worker, intake, packet, &headers, index);
}

/* All are for the stream of `intake`. False: nothing has been done. */
static __rte_always_inline bool take(
	struct weir_worker *worker, struct weir_intake *intake, struct quartet *four)
{
	const struct weir_stream *stream = intake->view->stream;
	const uint32_t *lengths = four->headers.payload_length;

	WEIR_CYCLES_LAP(worker, MATCH);
	if (intake->is_shed ||
		!(stream->key.kind == WEIR_KEY_IPFIX ? hash_ipfix(four)
						     : hash_any(&stream->key, four)) ||
		are_learned_from(stream, four))
		return false;
	sample(worker, stream, intake->local, four);
	weir_intake_take(
		intake, WEIR_FOUR, (uint64_t)lengths[0] + lengths[1] + lengths[2] + lengths[3]);
	WEIR_CYCLES_LAP(worker, KEY);
#pragma GCC unroll 1
	for (uint32_t i = 0; i < WEIR_FOUR; i++) {
		uint16_t index = weir_key_partition(four->hashes[i], stream->partition_count);

		if (unlikely(weir_stream_owner(stream, index) != worker->id) ||
			!weir_direct_send_plain(worker, &stream->partitions[index],
				four->packets[i], four->frames[i], (uint16_t)lengths[i],
				four->headers.ip_sum[i], four->headers.udp_sum[i]))
			to_others(worker, intake, four, i, index);
	}
	WEIR_CYCLES_LAP(worker, REWRITE);
	return true;
}

/* Returns how many are streams'. */
static uint32_t take_each(struct weir_worker *worker, struct weir_intake *intake,
	struct weir_port *port, struct quartet *four, uint32_t count)
{
	uint32_t matched = 0;

	for (uint32_t i = 0; i < count; i++) {
		struct weir_packet headers;

		if (four->headers.faults[i] != 0) {
			matched += weir_classify_any(worker, intake, port, four->packets[i]);
			continue;
		}
		headers = weir_four_headers(&four->headers, i, four->frames[i]);
		matched += weir_classify_parsed(worker, intake, port, four->packets[i], &headers);
	}
	WEIR_CYCLES_LAP(worker, SINGLE);
	return matched;
}

/* Returns how many are streams'; adds the bytes of all, by lanes. */
static __rte_always_inline uint32_t classify(struct weir_worker *worker, struct weir_intake *intake,
	struct weir_port *port, struct rte_mbuf *const *packets, uint32_t count,
	uint64_t suspicious, weir_words *bytes)
{
	struct quartet four; /* much of it is not used for many packets */
	bool is_same = false;
	weir_words lengths;

	four.packets = packets;
	if (likely(are_sound(packets, suspicious, &lengths))) {
		for (uint32_t i = 0; i < WEIR_FOUR; i++)
			four.frames[i] = rte_pktmbuf_mtod(packets[i], uint8_t *);
		is_same = weir_parse_four(
			(const uint8_t *const *)four.frames, lengths, &four.headers);
	} else {
		memset(four.headers.faults, 0xff, sizeof(four.headers.faults));
	}
	if (unlikely(count < WEIR_FOUR)) {
		is_same = false;
		for (uint32_t i = count; i < WEIR_FOUR; i++)
			lengths[i] = 0;
	}
	*bytes += lengths;
	WEIR_CYCLES_LAP(worker, PARSE);
	if (likely(is_same) &&
		likely(weir_intake_find(worker, intake, four.headers.destination_port[0])) &&
		likely(take(worker, intake, &four)))
		return WEIR_FOUR;
	return take_each(worker, intake, port, &four, count);
}

static inline void prefetch(struct rte_mbuf *const *packets, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		rte_prefetch0(rte_pktmbuf_mtod(packets[i], void *));
}

void weir_classify(struct weir_worker *worker, struct weir_port *port, struct rte_mbuf **packets,
	uint32_t count)
{
	struct weir_port_stats *stats = &worker->port_stats[port->index];
	uint64_t suspicious = WEIR_CARRIED |
			      (port->can_ip_checksum ? RTE_MBUF_F_RX_IP_CKSUM_BAD : 0) |
			      (port->can_udp_checksum ? RTE_MBUF_F_RX_L4_CKSUM_BAD : 0);
	struct weir_intake intake = {.port = WEIR_INTAKE_NO_PORT};
	weir_words bytes = {0};
	uint32_t matched = 0;

	weir_direct_begin(worker);
	prefetch(packets, RTE_MIN(count, (uint32_t)PREFETCH_AHEAD));
	for (uint32_t i = 0; i < count; i += WEIR_FOUR) {
		struct rte_mbuf *const *next = packets + i;
		struct rte_mbuf *last[WEIR_FOUR];

		if (i + PREFETCH_AHEAD + WEIR_FOUR <= count)
			prefetch(next + PREFETCH_AHEAD, WEIR_FOUR);
		if (unlikely(count - i < WEIR_FOUR)) { /* filled up with one that does not count */
			for (uint32_t j = 0; j < WEIR_FOUR; j++)
				last[j] = packets[RTE_MIN(i + j, count - 1)];
			next = last;
		}
		matched += classify(worker, &intake, port, next,
			RTE_MIN(count - i, (uint32_t)WEIR_FOUR), suspicious, &bytes);
	}
	weir_direct_end(worker);
	weir_intake_count(&intake);
	stats->matched += matched;
	weir_latency_note(worker, 0, WEIR_LATENCY_RING, worker->now, matched);
	stats->received += count;
	stats->received_bytes += (uint64_t)bytes[0] + bytes[1] + bytes[2] + bytes[3];
	WEIR_CYCLES_LAP(worker, SETTLE);
}
