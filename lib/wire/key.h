/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>

#include "wire/hash.h"
#include "wire/packet.h"
#include "wire/parse_headers.h"

/*
 * Keys: the bytes of a datagram that decide its partition. Freestanding, see parse.h. What is
 * read to find the key is checked; what follows it is the consumer's business.
 *
 * The hash depends on the key's bytes alone: not on ports, tags or the kind that found them, so
 * WEIR_KEY_FLOW and WEIR_KEY_IPFIX agree on the partition of an IPFIX message.
 */

enum weir_key_kind {
	WEIR_KEY_FLOW,  /* NetFlow v5, v9 or IPFIX, by the version field */
	WEIR_KEY_IPFIX, /* IPFIX (RFC 7011 3.1) and NetFlow v9 (RFC 3954 5.1): exporter, domain */
	WEIR_KEY_NETFLOW5,  /* exporter, engine type and id */
	WEIR_KEY_SFLOW5,    /* agent address, sub-agent id */
	WEIR_KEY_GTPU,      /* destination address, TEID (3GPP TS 29.281 5.1) */
	WEIR_KEY_UDP_NOTIF, /* exporter, publisher id (draft-ietf-netconf-udp-notif 3.2) */
	WEIR_KEY_SYSLOG,    /* source address */
	WEIR_KEY_RTP,       /* SSRC (RFC 3550 5.1) */
	WEIR_KEY_5TUPLE,    /* addresses, ports; the protocol is always UDP */
	WEIR_KEY_SOURCE,    /* source address */
	WEIR_KEY_BYTES,     /* `length` payload bytes at `offset` */
	WEIR_KEY_KINDS,
};

struct weir_key_spec {
	uint8_t kind;    /* enum weir_key_kind */
	uint8_t length;  /* WEIR_KEY_BYTES: 1..WEIR_KEY_BYTES_MAX */
	uint16_t offset; /* WEIR_KEY_BYTES: from the start of the UDP payload */
};

#define WEIR_KEY_BYTES_MAX 32

#define WEIR_IPFIX_SIZE           16
#define WEIR_NETFLOW9_SIZE        20
#define WEIR_NETFLOW5_SIZE        24
#define WEIR_NETFLOW5_RECORD      48
#define WEIR_SFLOW5_SIZE          28 /* with an IPv4 agent; 12 more with an IPv6 one */
#define WEIR_GTPU_SIZE            8
#define WEIR_GTPU_OPTIONAL_SIZE   4
#define WEIR_GTPU_EXTENSION_MAX   8
#define WEIR_UDP_NOTIF_SIZE       12
#define WEIR_RTP_SIZE             12
#define WEIR_RTP_EXTENSION_HEADER 4

/* A datagram's payload, as the finders of keys see it. */
struct weir_key_view {
	const uint8_t *payload;
	const uint8_t *end; /* of the readable bytes */
	const uint8_t *ip;  /* IP header, readable */
	uint32_t length;    /* of the payload */
	uint8_t ip_version;
};

/* Whether the payload's first `size` bytes are there to be read. */
WEIR_INLINE int weir_key_has(const struct weir_key_view *view, uint32_t size)
{
	return size <= view->length && view->payload + size <= view->end;
}

/* An address of the IP version `six` ? 6 : 4, and an identifier, as one or three words. */
WEIR_INLINE uint64_t weir_key_hash_address(const uint8_t *address, int six, uint32_t id)
{
	uint64_t hash = WEIR_HASH_START;

	if (!six) {
		hash = weir_hash_word(hash, (uint64_t)weir_load32be(address) << 32 | id);
		return weir_hash_finish(hash);
	}
	hash = weir_hash_word(hash, weir_load64be(address));
	hash = weir_hash_word(hash, weir_load64be(address + 8));
	hash = weir_hash_word(hash, id);
	return weir_hash_finish(hash);
}

WEIR_INLINE uint64_t weir_key_hash_source(const struct weir_key_view *view, uint32_t id)
{
	int six = view->ip_version == 6;

	return weir_key_hash_address(view->ip + (six ? 8 : 12), six, id);
}

WEIR_INLINE uint64_t weir_key_hash_destination(const struct weir_key_view *view, uint32_t id)
{
	int six = view->ip_version == 6;

	return weir_key_hash_address(view->ip + (six ? 24 : 16), six, id);
}

WEIR_INLINE enum weir_reason weir_key_netflow5(const struct weir_key_view *view, uint64_t *hash)
{
	const uint8_t *header = view->payload;

	if (!weir_key_has(view, WEIR_NETFLOW5_SIZE))
		return WEIR_REASON_KEY_TRUNCATED;
	if (weir_load16be(header) != 5)
		return WEIR_REASON_KEY_VERSION;
	if (WEIR_NETFLOW5_SIZE + weir_load16be(header + 2) * (uint32_t)WEIR_NETFLOW5_RECORD >
		view->length)
		return WEIR_REASON_KEY_MALFORMED;
	*hash = weir_key_hash_source(view, weir_load16be(header + 20));
	return WEIR_REASON_NONE;
}

WEIR_INLINE enum weir_reason weir_key_ipfix(const struct weir_key_view *view, uint64_t *hash)
{
	const uint8_t *header = view->payload;
	uint16_t version, length;

	if (!weir_key_has(view, WEIR_IPFIX_SIZE))
		return WEIR_REASON_KEY_TRUNCATED;
	version = weir_load16be(header);
	if (version == 10) {
		length = weir_load16be(header + 2);
		if (length < WEIR_IPFIX_SIZE || length > view->length)
			return WEIR_REASON_KEY_MALFORMED;
		*hash = weir_key_hash_source(view, weir_load32be(header + 12));
		return WEIR_REASON_NONE;
	}
	if (version != 9)
		return WEIR_REASON_KEY_VERSION;
	if (!weir_key_has(view, WEIR_NETFLOW9_SIZE))
		return WEIR_REASON_KEY_TRUNCATED;
	*hash = weir_key_hash_source(view, weir_load32be(header + 16));
	return WEIR_REASON_NONE;
}

WEIR_INLINE enum weir_reason weir_key_flow(const struct weir_key_view *view, uint64_t *hash)
{
	if (weir_key_has(view, 2) && weir_load16be(view->payload) == 5)
		return weir_key_netflow5(view, hash);
	return weir_key_ipfix(view, hash);
}

WEIR_INLINE enum weir_reason weir_key_sflow5(const struct weir_key_view *view, uint64_t *hash)
{
	const uint8_t *header = view->payload;
	uint32_t type;

	if (!weir_key_has(view, WEIR_SFLOW5_SIZE))
		return WEIR_REASON_KEY_TRUNCATED;
	if (weir_load32be(header) != 5)
		return WEIR_REASON_KEY_VERSION;
	type = weir_load32be(header + 4);
	if (type == 1) {
		*hash = weir_key_hash_address(header + 8, 0, weir_load32be(header + 12));
		return WEIR_REASON_NONE;
	}
	if (type != 2)
		return WEIR_REASON_KEY_MALFORMED;
	if (!weir_key_has(view, WEIR_SFLOW5_SIZE + 12))
		return WEIR_REASON_KEY_TRUNCATED;
	*hash = weir_key_hash_address(header + 8, 1, weir_load32be(header + 24));
	return WEIR_REASON_NONE;
}

/*
 * Walk the extension headers: each says its size in words first, the next one's type last. The
 * type is read as the byte before the next header, whose bound the BPF verifier has seen.
 */
WEIR_INLINE enum weir_reason weir_key_gtpu_extensions(
	const struct weir_key_view *view, uint32_t limit)
{
	const uint8_t *next = view->payload + WEIR_GTPU_SIZE + WEIR_GTPU_OPTIONAL_SIZE;
	uint32_t room = limit - WEIR_GTPU_SIZE - WEIR_GTPU_OPTIONAL_SIZE;
	uint8_t type = next[-1];

	for (unsigned int count = 0; count < WEIR_GTPU_EXTENSION_MAX; count++) {
		uint32_t size;

		if (type == 0)
			return WEIR_REASON_NONE;
		if (room < 4)
			return WEIR_REASON_KEY_MALFORMED;
		if (next + 4 > view->end)
			return WEIR_REASON_KEY_TRUNCATED;
		size = next[0] * 4u;
		if (size == 0 || size > room)
			return WEIR_REASON_KEY_MALFORMED;
		next += size;
		room -= size;
		WEIR_STEPPING(next);
		if (next > view->end)
			return WEIR_REASON_KEY_TRUNCATED;
		type = next[-1];
	}
	return type == 0 ? WEIR_REASON_NONE : WEIR_REASON_KEY_MALFORMED;
}

WEIR_INLINE enum weir_reason weir_key_gtpu(const struct weir_key_view *view, uint64_t *hash)
{
	const uint8_t *header = view->payload;
	uint32_t limit;

	if (!weir_key_has(view, WEIR_GTPU_SIZE))
		return WEIR_REASON_KEY_TRUNCATED;
	if ((header[0] & 0xf0) != 0x30) /* version 1, and GTP rather than GTP' */
		return WEIR_REASON_KEY_VERSION;
	limit = WEIR_GTPU_SIZE + weir_load16be(header + 2);
	if (limit > view->length)
		return WEIR_REASON_KEY_MALFORMED;
	if (header[0] & 0x07) { /* E, S or PN: the optional word is there */
		enum weir_reason fault;

		if (limit < WEIR_GTPU_SIZE + WEIR_GTPU_OPTIONAL_SIZE)
			return WEIR_REASON_KEY_MALFORMED;
		if (!weir_key_has(view, WEIR_GTPU_SIZE + WEIR_GTPU_OPTIONAL_SIZE))
			return WEIR_REASON_KEY_TRUNCATED;
		fault = header[0] & 0x04 ? weir_key_gtpu_extensions(view, limit) : WEIR_REASON_NONE;
		if (fault != WEIR_REASON_NONE)
			return fault;
	}
	*hash = weir_key_hash_destination(view, weir_load32be(header + 4));
	return WEIR_REASON_NONE;
}

/* Version 0 is that of the first drafts, with the same layout. */
WEIR_INLINE enum weir_reason weir_key_udp_notif(const struct weir_key_view *view, uint64_t *hash)
{
	const uint8_t *header = view->payload;
	uint16_t length;

	if (!weir_key_has(view, WEIR_UDP_NOTIF_SIZE))
		return WEIR_REASON_KEY_TRUNCATED;
	if (header[0] >> 5 > 1)
		return WEIR_REASON_KEY_VERSION;
	length = weir_load16be(header + 2);
	if (header[1] < WEIR_UDP_NOTIF_SIZE || header[1] > length || length > view->length)
		return WEIR_REASON_KEY_MALFORMED;
	*hash = weir_key_hash_source(view, weir_load32be(header + 4));
	return WEIR_REASON_NONE;
}

WEIR_INLINE enum weir_reason weir_key_rtp(const struct weir_key_view *view, uint64_t *hash)
{
	const uint8_t *header = view->payload;
	uint32_t size;

	if (!weir_key_has(view, WEIR_RTP_SIZE))
		return WEIR_REASON_KEY_TRUNCATED;
	if (header[0] >> 6 != 2)
		return WEIR_REASON_KEY_VERSION;
	size = WEIR_RTP_SIZE + (header[0] & 0xf) * 4u; /* contributing sources */
	if (header[0] & 0x10)
		size += WEIR_RTP_EXTENSION_HEADER;
	if (size > view->length)
		return WEIR_REASON_KEY_MALFORMED;
	*hash = weir_hash_finish(weir_hash_word(WEIR_HASH_START, weir_load32be(header + 8)));
	return WEIR_REASON_NONE;
}

WEIR_INLINE enum weir_reason weir_key_5tuple(
	const struct weir_key_view *view, const struct weir_packet *packet, uint64_t *hash)
{
	uint64_t ports = (uint64_t)packet->source_port << 16 | packet->destination_port;
	uint64_t value = WEIR_HASH_START;

	if (view->ip_version == 4) {
		value = weir_hash_word(value, weir_load64be(view->ip + 12));
	} else {
		for (unsigned int word = 0; word < 4; word++)
			value = weir_hash_word(value, weir_load64be(view->ip + 8 + word * 8));
	}
	*hash = weir_hash_finish(weir_hash_word(value, ports));
	return WEIR_REASON_NONE;
}

/* Words of the chosen bytes, the last one filled up with zeroes. */
WEIR_INLINE enum weir_reason weir_key_bytes(
	const struct weir_key_view *view, const struct weir_key_spec *spec, uint64_t *hash)
{
	const uint8_t *bytes = view->payload + WEIR_BOUND(spec->offset);
	uint64_t value = WEIR_HASH_START, word = 0;

	if (WEIR_BOUND(spec->offset) != spec->offset ||
		(uint32_t)spec->offset + spec->length > view->length)
		return WEIR_REASON_KEY_TRUNCATED;
	for (unsigned int i = 0; i < WEIR_KEY_BYTES_MAX && i < spec->length; i++) {
		WEIR_STEPPING(bytes);
		if (bytes + 1 > view->end)
			return WEIR_REASON_KEY_TRUNCATED;
		word |= (uint64_t)*bytes++ << (56 - i % 8 * 8);
		if (i % 8 == 7) {
			value = weir_hash_word(value, word);
			word = 0;
		}
	}
	*hash = weir_hash_finish(spec->length % 8 == 0 ? value : weir_hash_word(value, word));
	return WEIR_REASON_NONE;
}

/*
 * The hash of the datagram's key. `packet` is what the parser filled in for [data, end). NONE
 * and *hash is set, or why there is no key: KEY_TRUNCATED, KEY_VERSION, KEY_MALFORMED.
 */
WEIR_INLINE enum weir_reason weir_key_hash(const struct weir_key_spec *spec, const uint8_t *data,
	const uint8_t *end, const struct weir_packet *packet, uint64_t *hash)
{
	const uint8_t *ip = data + WEIR_BOUND(packet->l3_offset);
	const uint8_t *payload = data + WEIR_BOUND(packet->l4_offset) + WEIR_UDP_SIZE;
	struct weir_key_view view = {payload, end, ip, packet->payload_length, packet->ip_version};

	WEIR_STEPPING(view.payload); /* computed once, so that a bound holds for all its reads */
	/* Always so after the parser; the BPF verifier wants it here. */
	if (ip + (packet->ip_version == 6 ? WEIR_IPV6_SIZE : WEIR_IPV4_SIZE) > end)
		return WEIR_REASON_KEY_TRUNCATED;
	if (spec->kind == WEIR_KEY_IPFIX) /* where packets are most */
		return weir_key_ipfix(&view, hash);
	switch (spec->kind) {
	case WEIR_KEY_FLOW:
		return weir_key_flow(&view, hash);
	case WEIR_KEY_NETFLOW5:
		return weir_key_netflow5(&view, hash);
	case WEIR_KEY_SFLOW5:
		return weir_key_sflow5(&view, hash);
	case WEIR_KEY_GTPU:
		return weir_key_gtpu(&view, hash);
	case WEIR_KEY_UDP_NOTIF:
		return weir_key_udp_notif(&view, hash);
	case WEIR_KEY_RTP:
		return weir_key_rtp(&view, hash);
	case WEIR_KEY_5TUPLE:
		return weir_key_5tuple(&view, packet, hash);
	case WEIR_KEY_BYTES:
		return weir_key_bytes(&view, spec, hash);
	default: /* WEIR_KEY_SYSLOG, WEIR_KEY_SOURCE */
		*hash = weir_key_hash_source(&view, 0);
		return WEIR_REASON_NONE;
	}
}

/* The partition of a key: its hash's upper half scaled to [0, partitions), without dividing. */
static inline uint16_t weir_key_partition(uint64_t hash, uint16_t partitions)
{
	return (uint16_t)((hash >> 32) * partitions >> 32);
}
