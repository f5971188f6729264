/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/template.h"

#define ENTERPRISE 0x8000 /* the field has an enterprise number of four bytes */

/* Bytes of `fields` IPFIX field specifiers, 0 when they don't fit. */
static uint32_t specifiers(const uint8_t *at, uint32_t room, uint16_t fields)
{
	uint32_t length = 0;

	for (uint32_t i = 0; i < fields; i++) {
		if (room - length < 4)
			return 0;
		length += weir_load16be(at + length) & ENTERPRISE ? 8 : 4;
		if (length > room)
			return 0;
	}
	return length;
}

/* RFC 7011 3.4.1 to 3.4.3, 8.1. */
static bool read_ipfix(struct weir_template_record *record, uint32_t room)
{
	uint16_t own = record->is_options ? 3 : 2;
	uint32_t header = record->is_options ? 6 : 4;
	uint32_t length;

	record->fields = weir_load16be(record->bytes + 2);
	record->length = 4;
	if (record->fields == 0)
		return record->id >= WEIR_TEMPLATE_ID_LEAST || record->id == own;
	if (record->id < WEIR_TEMPLATE_ID_LEAST || room < header)
		return false;
	if (record->is_options && (weir_load16be(record->bytes + 4) == 0 ||
					  weir_load16be(record->bytes + 4) > record->fields))
		return false;
	length = specifiers(record->bytes + header, room - header, record->fields);
	record->length = header + length;
	return length != 0;
}

/* RFC 3954 5.2 and 6.1: an options template gives the lengths of its two lists in bytes. */
static bool read_netflow9(struct weir_template_record *record, uint32_t room)
{
	uint32_t bytes;

	if (record->id < WEIR_TEMPLATE_ID_LEAST)
		return false;
	if (!record->is_options) {
		record->fields = weir_load16be(record->bytes + 2);
		record->length = 4 + 4u * record->fields;
	} else {
		if (room < 6)
			return false;
		bytes = weir_load16be(record->bytes + 2) +
			(uint32_t)weir_load16be(record->bytes + 4);
		if (bytes % 4 != 0)
			return false;
		record->fields = (uint16_t)(bytes / 4);
		record->length = 6 + bytes;
	}
	return record->fields != 0 && record->length <= room;
}

/* Go on to the next set with templates, or one of data if that is wanted. */
static enum weir_template_step next_set(struct weir_template_walk *walk)
{
	const uint8_t *at = walk->end;

	while (walk->message_end - at >= WEIR_TEMPLATE_SET_HEADER) {
		uint16_t id = weir_load16be(at), size = weir_load16be(at + 2);

		if (size < WEIR_TEMPLATE_SET_HEADER || size > walk->message_end - at)
			return WEIR_TEMPLATE_MALFORMED;
		walk->end = at + size;
		walk->at = at + WEIR_TEMPLATE_SET_HEADER;
		walk->is_options = id & 1;
		if (weir_template_is_set(walk->version, id))
			return WEIR_TEMPLATE_RECORD;
		if (walk->wants_data && id >= WEIR_TEMPLATE_ID_LEAST)
			return WEIR_TEMPLATE_DATA;
		at = walk->end;
	}
	return WEIR_TEMPLATE_END;
}

/* What is left of a set is padding when it is too short for a record, or zero. */
static bool is_padding(const struct weir_template_walk *walk)
{
	return walk->end - walk->at < 4 || weir_load32be(walk->at) == 0;
}

static void take_set(struct weir_template_walk *walk, struct weir_template_record *record)
{
	*record = (struct weir_template_record){.bytes = walk->at,
		.length = (uint32_t)(walk->end - walk->at),
		.id = weir_load16be(walk->at - WEIR_TEMPLATE_SET_HEADER)};
	walk->at = walk->end;
}

enum weir_template_step weir_template_next(
	struct weir_template_walk *walk, struct weir_template_record *record)
{
	enum weir_template_step step = WEIR_TEMPLATE_RECORD;
	uint32_t room;
	bool is_good;

	if (walk->version == 0)
		return WEIR_TEMPLATE_END;
	while (step == WEIR_TEMPLATE_RECORD && is_padding(walk))
		step = next_set(walk);
	if (step == WEIR_TEMPLATE_DATA)
		take_set(walk, record);
	if (step != WEIR_TEMPLATE_RECORD)
		return step;
	room = (uint32_t)(walk->end - walk->at);
	record->bytes = walk->at;
	record->id = weir_load16be(walk->at);
	record->is_options = walk->is_options;
	is_good = walk->version == WEIR_TEMPLATE_IPFIX ? read_ipfix(record, room)
						       : read_netflow9(record, room);
	if (!is_good)
		return WEIR_TEMPLATE_MALFORMED;
	walk->at += record->length;
	return WEIR_TEMPLATE_RECORD;
}
