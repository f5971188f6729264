/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include "client/session_private.h"

int weir_session_start(enum weir_from from)
{
	switch (from) {
	case WEIR_FROM_RESUME:
		return WEIR_START_RESUME;
	case WEIR_FROM_LATEST:
		return WEIR_START_LATEST;
	case WEIR_FROM_EARLIEST:
		return WEIR_START_EARLIEST;
	case WEIR_FROM_SEQUENCE:
		return WEIR_START_SEQUENCE;
	case WEIR_FROM_TIME:
		return WEIR_START_TIME;
	}
	return -EINVAL;
}

int weir_session_set_options(
	struct weir_session *session, const struct weir_consumer_options *options)
{
	struct weir_greeting *greeting = &session->greeting;
	uint32_t messages = options->window_messages != 0 ? options->window_messages
							  : WEIR_CONSUMER_WINDOW_MESSAGES;
	uint32_t bytes =
		options->window_bytes != 0 ? options->window_bytes : WEIR_CONSUMER_WINDOW_BYTES;
	uint32_t most = bytes / 4 < WEIR_DATAGRAM_MAX ? bytes / 4 : WEIR_DATAGRAM_MAX;
	int start = weir_session_start(options->start);
	uint32_t max_datagram = options->max_datagram != 0 ? options->max_datagram : most;

	/* Names are checked here, so that the gateway does not drop every HELLO without a word. */
	if (weir_greeting_set_name(greeting->group, options->group) != 0 ||
		weir_greeting_set_name(greeting->name, options->name) != 0 ||
		options->stream_count > WEIR_SUBSCRIBE_MAX || max_datagram < WEIR_DATAGRAM_MIN ||
		max_datagram > WEIR_DATAGRAM_MAX || messages > WEIR_CONSUMER_WINDOW_MAX ||
		bytes > WEIR_CONSUMER_BYTES_MAX || bytes < 4 * max_datagram || start < 0 ||
		options->start_value > WEIR_FRAME_VALUE_MAX)
		return -EINVAL;
	for (uint32_t i = 0; i < options->stream_count; i++)
		if (weir_greeting_set_name(session->wanted[i], options->streams[i]) != 0)
			return -EINVAL;
	session->wanted_count = (uint16_t)options->stream_count;
	greeting->role = WEIR_ROLE_CONSUMER;
	greeting->max_datagram = (uint16_t)max_datagram;
	greeting->options = WEIR_OPTION_BATCH | WEIR_OPTION_TRACE;
	if (options->want_source)
		greeting->options |= WEIR_OPTION_SOURCE;
	if (!options->unreliable)
		greeting->options |= WEIR_OPTION_RELIABLE | WEIR_OPTION_SEEK | WEIR_OPTION_ASSIGN;
	session->start = (uint8_t)start;
	session->start_value = options->start_value;
	session->pull = options->pull;
	session->manual = options->manual;
	session->window = (struct session_amount){messages, bytes};
	if (options->key_file == NULL)
		return 0;
	return weir_guard_load(
		&session->link.guard, options->key_file, options->key_id, greeting->name);
}
