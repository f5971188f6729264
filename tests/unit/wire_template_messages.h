/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>
#include <string.h>

#include "wire/template.h"

/* IPFIX messages and NetFlow v9 packets, put together set by set. */
struct template_message {
	uint8_t bytes[4096];
	uint32_t length;
	uint32_t set; /* where the open set begins */
};

static inline void message_put16(struct template_message *message, unsigned int value)
{
	message->bytes[message->length++] = (uint8_t)(value >> 8);
	message->bytes[message->length++] = (uint8_t)value;
}

static inline void message_store16(struct template_message *message, uint32_t at, uint32_t value)
{
	message->bytes[at] = (uint8_t)(value >> 8);
	message->bytes[at + 1] = (uint8_t)value;
}

static inline void message_begin(struct template_message *message, uint8_t version)
{
	memset(message, 0, sizeof(*message));
	message_put16(message, version);
	message->length = weir_template_header(version);
}

/* The lengths of the set that is open, and of the message. */
static inline void message_close(struct template_message *message)
{
	if (message->set != 0)
		message_store16(message, message->set + 2, message->length - message->set);
	message->set = 0;
	if (message->bytes[1] == WEIR_TEMPLATE_IPFIX)
		message_store16(message, 2, message->length);
}

static inline void message_set(struct template_message *message, unsigned int id)
{
	message_close(message);
	message->set = message->length;
	message_put16(message, id);
	message_put16(message, 0);
}

/* A template of `fields` fields, of which the first has this element number. */
static inline void message_template(struct template_message *message, unsigned int id,
	unsigned int fields, unsigned int element)
{
	message_put16(message, id);
	message_put16(message, fields);
	for (unsigned int i = 0; i < fields; i++) {
		message_put16(message, element + i);
		message_put16(message, 4);
	}
}
