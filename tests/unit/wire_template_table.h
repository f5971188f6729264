/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "wire/template_options.h"
#include "wire_template_messages.h"

/* Options templates of any fields. */

struct field {
	uint16_t element;
	uint16_t length;
	uint32_t enterprise;
};

#define VARIABLE WEIR_OPTIONS_VARIABLE

/* An options template in a set of its own, of which the first `scopes` fields are scopes. */
static inline void put_template(struct template_message *message, unsigned int id,
	const struct field *fields, unsigned int count, unsigned int scopes)
{
	bool is_ipfix = message->bytes[1] == 10;

	message_set(message, is_ipfix ? 3 : 1);
	message_put16(message, id);
	message_put16(message, is_ipfix ? count : 4 * scopes);
	message_put16(message, is_ipfix ? scopes : 4 * (count - scopes));
	for (unsigned int i = 0; i < count; i++) {
		message_put16(
			message, fields[i].element | (fields[i].enterprise != 0 ? 0x8000 : 0));
		message_put16(message, fields[i].length);
		if (fields[i].enterprise != 0) {
			message_put16(message, fields[i].enterprise >> 16);
			message_put16(message, fields[i].enterprise & 0xffff);
		}
	}
}

static inline void put_bytes(struct template_message *message, const void *bytes, uint32_t length)
{
	memcpy(message->bytes + message->length, bytes, length);
	message->length += length;
}
