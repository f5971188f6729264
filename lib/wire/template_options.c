/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/template_options.h"

#include "wire/hash.h"

#define ENTERPRISE 0x8000

/* Scopes that are the whole exporter. NetFlow v9 has numbers of its own: system and cache. */
static bool is_whole_exporter(uint8_t version, uint16_t element)
{
	if (version == WEIR_TEMPLATE_NETFLOW9)
		return element == 1 || element == 4;
	switch (element) {
	case 130: /* exporterIPv4Address */
	case 131: /* exporterIPv6Address */
	case 143: /* meteringProcessId */
	case 144: /* exportingProcessId */
	case 149: /* observationDomainId */
		return true;
	default:
		return false;
	}
}

/* Elements that say of what a row of a table is; the same numbers in both protocols. */
static bool is_identifier(uint16_t element)
{
	switch (element) {
	case 10:  /* ingressInterface */
	case 14:  /* egressInterface */
	case 48:  /* samplerId */
	case 95:  /* applicationId */
	case 138: /* observationPointId */
	case 141: /* lineCardId */
	case 142: /* portId */
	case 145: /* templateId */
	case 234: /* ingressVRFID */
	case 235: /* egressVRFID */
	case 252: /* ingressPhysicalInterface */
	case 253: /* egressPhysicalInterface */
	case 301: /* selectionSequenceId */
	case 302: /* selectorId */
	case 303: /* informationElementId */
	case 346: /* privateEnterpriseNumber */
		return true;
	default:
		return false;
	}
}

/* What goes in front of the fields says how many there are, and of them how many are scopes. */
static const uint8_t *read_counts(
	uint8_t version, const uint8_t *bytes, uint32_t *count, uint32_t *scopes)
{
	uint32_t first = weir_load16be(bytes + 2), second = weir_load16be(bytes + 4);

	if (version == WEIR_TEMPLATE_IPFIX) {
		*count = first;
		*scopes = second;
	} else {
		*count = (first + second) / 4;
		*scopes = first / 4;
	}
	return bytes + 6;
}

bool weir_options_read(struct weir_options_layout *layout, uint8_t version, const uint8_t *bytes)
{
	bool is_ipfix = version == WEIR_TEMPLATE_IPFIX, is_whole = true;
	uint64_t identifiers = 0;
	uint32_t count, scopes;
	const uint8_t *at = read_counts(version, bytes, &count, &scopes);

	if (count > WEIR_OPTIONS_FIELDS)
		return false;
	*layout = (struct weir_options_layout){.count = (uint16_t)count};
	for (uint32_t i = 0; i < count; i++) {
		uint16_t element = weir_load16be(at), length = weir_load16be(at + 2);
		bool is_private = is_ipfix && element & ENTERPRISE;

		at += is_private ? 8 : 4;
		layout->lengths[i] = length;
		layout->least += is_ipfix && length == WEIR_OPTIONS_VARIABLE ? 1 : length;
		if (i < scopes) {
			layout->keys |= UINT64_C(1) << i;
			is_whole &= !is_private && is_whole_exporter(version, element);
		} else if (!is_private && is_identifier(element)) {
			identifiers |= UINT64_C(1) << i;
		}
	}
	if (is_whole)
		layout->keys |= identifiers;
	/* No datagram has a field of 65,535 bytes, so this length is free for IPFIX's use. */
	return layout->least != 0 && (is_ipfix || layout->least < WEIR_OPTIONS_VARIABLE);
}

/* The bytes of a field that says its length itself, RFC 7011 7; false: it does not end in time. */
static bool read_length(const uint8_t **at, const uint8_t *end, uint32_t *length)
{
	if (end - *at < 1)
		return false;
	*length = *(*at)++;
	if (*length != 255)
		return true;
	if (end - *at < 2)
		return false;
	*length = weir_load16be(*at);
	*at += 2;
	return true;
}

static uint64_t hash_bytes(uint64_t hash, const uint8_t *at, uint32_t length)
{
	uint64_t word = length;

	for (; length >= 8; length -= 8, at += 8) {
		hash = weir_hash_word(hash, word);
		word = weir_load64be(at);
	}
	hash = weir_hash_word(hash, word);
	for (word = 0; length > 0; length--)
		word = word << 8 | *at++;
	return weir_hash_word(hash, word);
}

bool weir_options_next(const struct weir_options_layout *layout, const uint8_t **at,
	const uint8_t *end, struct weir_options_record *record)
{
	uint64_t hash = WEIR_HASH_START;
	const uint8_t *field = *at;

	if (end - field < layout->least)
		return false;
	for (uint32_t i = 0; i < layout->count; i++) {
		uint32_t length = layout->lengths[i];

		if (length == WEIR_OPTIONS_VARIABLE && !read_length(&field, end, &length))
			return false;
		if (length > end - field)
			return false;
		if (layout->keys >> i & 1)
			hash = hash_bytes(hash, field, length);
		field += length;
	}
	record->bytes = *at;
	record->length = (uint32_t)(field - *at);
	record->key = weir_hash_finish(hash);
	*at = field;
	return true;
}
