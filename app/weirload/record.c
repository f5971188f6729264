/* SPDX-License-Identifier: BSD-3-Clause */
#include "record.h"

#include <endian.h>
#include <string.h>

#define MAGIC 0x7765686cu /* "wehl" */

static const char digits[] = "0123456789abcdef";

static int digit_value(uint8_t digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	return -1;
}

static bool read_binary(const uint8_t *from, struct load_record *record)
{
	uint32_t word[3];
	uint64_t wide[2];

	memcpy(word, from, sizeof(word));
	memcpy(wide, from + sizeof(word), sizeof(wide));
	if (be32toh(word[0]) != MAGIC)
		return false;
	record->run = be32toh(word[1]);
	record->key = be32toh(word[2]);
	record->sequence = be64toh(wide[0]);
	record->sent_ns = be64toh(wide[1]);
	/* A sequence has a successor. */
	return record->sequence != UINT64_MAX;
}

static bool read_text(const uint8_t *from, struct load_record *record)
{
	uint8_t bytes[LOAD_RECORD_SIZE];

	for (size_t i = 0; i < sizeof(bytes); i++) {
		int high = digit_value(from[2 * i]);
		int low = digit_value(from[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		bytes[i] = (uint8_t)(high << 4 | low);
	}
	return read_binary(bytes, record);
}

void load_record_put(uint8_t *to, const struct load_record *record)
{
	uint32_t word[3] = {htobe32(MAGIC), htobe32(record->run), htobe32(record->key)};
	uint64_t wide[2] = {htobe64(record->sequence), htobe64(record->sent_ns)};

	memcpy(to, word, sizeof(word));
	memcpy(to + sizeof(word), wide, sizeof(wide));
}

void load_record_put_text(uint8_t *to, const struct load_record *record)
{
	uint8_t bytes[LOAD_RECORD_SIZE];

	load_record_put(bytes, record);
	for (size_t i = 0; i < sizeof(bytes); i++) {
		to[2 * i] = (uint8_t)digits[bytes[i] >> 4];
		to[2 * i + 1] = (uint8_t)digits[bytes[i] & 15];
	}
}

bool load_record_get(const uint8_t *payload, size_t length, struct load_record *record)
{
	if (length >= LOAD_RECORD_SIZE && read_binary(payload + length - LOAD_RECORD_SIZE, record))
		return true;
	return length >= LOAD_RECORD_TEXT && read_text(payload + length - LOAD_RECORD_TEXT, record);
}
