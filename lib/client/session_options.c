/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include "client/session_private.h"

static bool name_character(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '.' || c == '-';
}

/* Names are checked here, so that the gateway does not drop every HELLO without a word. */
static int name_copy(char field[WEIR_FRAME_NAME_SIZE], const char *name)
{
	size_t length = name != NULL ? strnlen(name, WEIR_FRAME_NAME_SIZE) : 0;

	if (length == 0 || length == WEIR_FRAME_NAME_SIZE)
		return -EINVAL;
	for (size_t i = 0; i < length; i++)
		if (!name_character(name[i]))
			return -EINVAL;
	memset(field, 0, WEIR_FRAME_NAME_SIZE);
	memcpy(field, name, length);
	return 0;
}

int weir_session_set_options(
	struct weir_session *session, const struct weir_consumer_options *options)
{
	uint32_t messages = options->window_messages != 0 ? options->window_messages
							  : WEIR_CONSUMER_WINDOW_MESSAGES;
	uint32_t bytes =
		options->window_bytes != 0 ? options->window_bytes : WEIR_CONSUMER_WINDOW_BYTES;
	uint32_t most = bytes / 4 < WEIR_DATAGRAM_MAX ? bytes / 4 : WEIR_DATAGRAM_MAX;
	uint32_t max_datagram = options->max_datagram != 0 ? options->max_datagram : most;

	if (name_copy(session->group, options->group) != 0 ||
		name_copy(session->name, options->name) != 0 ||
		options->stream_count > WEIR_SUBSCRIBE_MAX || max_datagram < WEIR_DATAGRAM_MIN ||
		max_datagram > WEIR_DATAGRAM_MAX || messages > WEIR_CONSUMER_WINDOW_MAX ||
		bytes > WEIR_CONSUMER_BYTES_MAX || bytes < 4 * max_datagram)
		return -EINVAL;
	for (uint32_t i = 0; i < options->stream_count; i++)
		if (name_copy(session->wanted[i], options->streams[i]) != 0)
			return -EINVAL;
	session->wanted_count = (uint16_t)options->stream_count;
	session->max_datagram = (uint16_t)max_datagram;
	session->want_source = options->want_source;
	session->pull = options->pull;
	session->manual = options->manual;
	session->window = (struct session_amount){messages, bytes};
	return 0;
}
