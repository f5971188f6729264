/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "wire/bytes.h"

/*
 * Templates in IPFIX messages (RFC 7011 3) and NetFlow v9 packets (RFC 3954 5): which sets hold
 * some, and where each begins and ends; for what the data of options means see template_options.h.
 * Everything is checked against the message's end; what precedes a fault is good. Freestanding, see
 * parse.h.
 */

#define WEIR_TEMPLATE_IPFIX    10
#define WEIR_TEMPLATE_NETFLOW9 9

#define WEIR_TEMPLATE_SET_HEADER 4   /* of a set or FlowSet: id, length */
#define WEIR_TEMPLATE_ID_LEAST   256 /* below are the sets' own ids */

/* Bytes in front of the sets; 0: neither protocol. */
static inline uint32_t weir_template_header(uint8_t version)
{
	return version == WEIR_TEMPLATE_IPFIX ? 16 : version == WEIR_TEMPLATE_NETFLOW9 ? 20 : 0;
}

/* The version that a payload shows, or 0 when it is neither or ends inside the header. */
static inline uint8_t weir_template_version(const uint8_t *payload, uint32_t length)
{
	uint16_t version = length >= 16 ? weir_load16be(payload) : 0;

	if (version == WEIR_TEMPLATE_IPFIX)
		return WEIR_TEMPLATE_IPFIX;
	return version == WEIR_TEMPLATE_NETFLOW9 && length >= 20 ? WEIR_TEMPLATE_NETFLOW9 : 0;
}

/* Where the sets end: IPFIX says so, NetFlow v9 means the whole payload. */
static inline uint32_t weir_template_end(uint8_t version, const uint8_t *payload, uint32_t length)
{
	uint32_t stated = weir_load16be(payload + 2);

	return version == WEIR_TEMPLATE_IPFIX && stated < length ? stated : length;
}

/* Ids of the sets: 0 and 1 in NetFlow v9, 2 and 3 in IPFIX; the odd ones hold options templates. */
static inline bool weir_template_is_set(uint8_t version, uint16_t id)
{
	return (id & ~1u) == (version == WEIR_TEMPLATE_IPFIX ? 2u : 0u);
}

/*
 * Marks: a filter over the sets that are of options templates of one partition's exporters, by the
 * hash of exporter and domain and the set's id. A mark too many costs a look at the message.
 */
#define WEIR_TEMPLATE_MARKS 64 /* words */

static inline uint32_t weir_template_mark(uint64_t hash, uint16_t id)
{
	return ((uint32_t)hash + id * 0x9e3779b1u) >> 20;
}

static inline bool weir_template_is_marked(const uint64_t *marks, uint64_t hash, uint16_t id)
{
	uint32_t mark = weir_template_mark(hash, id);

	return __atomic_load_n(&marks[mark / 64], __ATOMIC_RELAXED) >> (mark % 64) & 1;
}

/*
 * Whether the message has a set with templates, or one that is marked; `hash` is
 * weir_key_hash_address of its exporter. Looks at the headers of sets alone.
 */
static inline bool weir_template_is_present(
	const uint8_t *payload, uint32_t length, const uint64_t *marks, uint64_t hash)
{
	uint8_t version = weir_template_version(payload, length);
	const uint8_t *at, *end;

	if (version == 0)
		return false;
	at = payload + weir_template_header(version);
	end = payload + weir_template_end(version, payload, length);
	while (end - at >= WEIR_TEMPLATE_SET_HEADER) {
		uint16_t id = weir_load16be(at), size = weir_load16be(at + 2);

		if (weir_template_is_set(version, id) || weir_template_is_marked(marks, hash, id))
			return true;
		if (size < WEIR_TEMPLATE_SET_HEADER)
			return false;
		at += size;
	}
	return false;
}

/*
 * Whether an IPFIX message, of as many bytes as its header says, has no set, or a single one that
 * is neither of templates nor marked, as nearly all have: found out without a walk. If not, it may
 * have any.
 */
static inline bool weir_template_is_single(
	const uint8_t *message, uint32_t length, const uint64_t *marks, uint64_t hash)
{
	uint32_t set; /* id, length */

	if (length < 16 + WEIR_TEMPLATE_SET_HEADER)
		return true;
	set = weir_load32be(message + 16);
	return !weir_template_is_set(WEIR_TEMPLATE_IPFIX, (uint16_t)(set >> 16)) &&
	       16 + (set & 0xffff) >= length &&
	       !weir_template_is_marked(marks, hash, (uint16_t)(set >> 16));
}

/* One template, options template or withdrawal, as it stands in its set. */
struct weir_template_record {
	const uint8_t *bytes;
	uint32_t length;
	uint16_t id;
	uint16_t fields; /* 0: a withdrawal (RFC 7011 8.1); of id 2 or 3: of all of that kind */
	bool is_options;
};

struct weir_template_walk {
	const uint8_t *at;  /* next record */
	const uint8_t *end; /* of its set */
	const uint8_t *message_end;
	uint8_t version;
	bool is_options;
	bool wants_data; /* data sets as well, each as a whole */
};

static inline void weir_template_begin(
	struct weir_template_walk *walk, const uint8_t *payload, uint32_t length)
{
	walk->version = weir_template_version(payload, length);
	walk->message_end =
		payload +
		(walk->version != 0 ? weir_template_end(walk->version, payload, length) : 0);
	walk->at = payload + weir_template_header(walk->version);
	walk->end = walk->at;
	walk->is_options = false;
	walk->wants_data = false;
}

enum weir_template_step {
	WEIR_TEMPLATE_END,
	WEIR_TEMPLATE_RECORD,
	WEIR_TEMPLATE_DATA,      /* the content of a data set, under its id */
	WEIR_TEMPLATE_MALFORMED, /* what follows cannot be told apart */
};

/* The next record of the message. */
enum weir_template_step weir_template_next(
	struct weir_template_walk *walk, struct weir_template_record *record);
