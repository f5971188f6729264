/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>

#include "wire/key.h"
#include "wire/key_show.h"
#include "wire/key_text.h"
#include "wire/parse.h"
#include "wire/template_cache.h"

/*
 * What a port does with a frame: headers, keys of all kinds, and the templates of an exporter. The
 * input is messages, each behind its length of two bytes; the first byte of a frame's MAC chooses
 * what else is asked.
 */

#define CACHE_BYTES (64 << 10)
#define FRAME_MOST  2048

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void try_keys(const uint8_t *frame, const uint8_t *end, const struct weir_packet *packet)
{
	for (int kind = 0; weir_key_kind_name((enum weir_key_kind)kind) != NULL; kind++) {
		struct weir_key_spec spec = {
			.kind = (uint8_t)kind, .offset = frame[0], .length = 1 + frame[1] % 16};
		struct weir_key_value value = {0};
		uint64_t hash = 0, again = 0;
		char text[WEIR_KEY_TEXT];

		if (weir_key_hash(&spec, frame, end, packet, &hash) != WEIR_REASON_NONE)
			continue;
		require(weir_key_hash(&spec, frame, end, packet, &again) == WEIR_REASON_NONE &&
			hash == again);
		require(weir_key_partition(hash, 4096) < 4096);
		weir_key_keep(&spec, frame, packet, &value);
		(void)weir_key_show(&value, text, sizeof(text));
	}
}

static void visit(void *context, const struct weir_template_cache *cache,
	const struct weir_template_domain *domain, uint32_t entry)
{
	const struct weir_template_entry *at = weir_template_entry_at(cache, entry);
	uint8_t set[WEIR_TEMPLATE_LARGEST];

	require(at->length <= sizeof(set));
	weir_template_write(cache, entry, set);
	if (at->kind != WEIR_TEMPLATE_OPTION_RECORD)
		(void)weir_template_restore(
			context, &domain->exporter, set, at->length, at->since, at->heard);
}

static void learn(struct weir_template_cache *cache, const uint8_t *payload, uint32_t length,
	uint64_t seq, struct weir_template_counts *counts)
{
	struct weir_template_exporter exporter = {
		.family = 4, .version = weir_template_version(payload, length)};
	struct weir_template_moment moment = {
		.seq = seq, .tail = seq > 4 ? seq - 4 : 0, .now = seq * 1000};
	uint64_t hash = 7;

	if (exporter.version == 0)
		return;
	(void)weir_template_is_present(payload, length, cache->marks, hash);
	weir_template_mark_message(cache, hash, payload, length);
	weir_template_learn(cache, &exporter, payload, length, &moment, counts);
	weir_template_note(cache, &exporter, payload, length, seq, (uint8_t)(seq % 3), seq % 2);
	weir_template_purge(cache, &moment);
	if (seq % 5 == 0)
		weir_template_forget(cache, (uint8_t)(seq % 3), seq);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = data + size;
	struct weir_template_cache *cache = calloc(1, weir_template_cache_size(CACHE_BYTES));
	struct weir_template_cache *copy = calloc(1, weir_template_cache_size(CACHE_BYTES));
	struct weir_template_counts counts = {0};

	weir_template_cache_init(cache, CACHE_BYTES, 1, 1);
	weir_template_cache_init(copy, CACHE_BYTES, 2, 1);
	for (uint64_t seq = 1; end - data >= 2; seq++) {
		uint32_t length = weir_load16be(data) % FRAME_MOST;
		enum weir_reason reason = WEIR_REASON_NONE;
		struct weir_packet packet = {0};
		uint8_t *frame;

		data += 2;
		length = length < end - data ? length : (uint32_t)(end - data);
		/* Of exactly that size, so that a byte too many is seen. */
		frame = malloc(length + 1);
		memcpy(frame, data, length);
		data += length;
		if (length >= 14 && weir_parse_frame(frame, frame + length, length, 0, &packet,
					    &reason) == WEIR_PARSE_UDP) {
			uint32_t payload = packet.l4_offset + 8u;

			require(payload + packet.payload_length <= length);
			try_keys(frame, frame + length, &packet);
			learn(cache, frame + payload, packet.payload_length, seq, &counts);
		} else {
			learn(cache, frame, length, seq, &counts);
		}
		free(frame);
	}
	weir_template_visit_all(cache, visit, copy);
	free(copy);
	free(cache);
	return 0;
}
