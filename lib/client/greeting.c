/* SPDX-License-Identifier: BSD-3-Clause */
#include "client/greeting.h"

#include <errno.h>
#include <string.h>

static bool name_character(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '.' || c == '-';
}

static enum weir_greeting_news cookie_take(
	struct weir_greeting *greeting, const struct weir_frame_cookie *frame)
{
	bool is_first = !greeting->has_cookie;

	if (weir_be64(frame->nonce) != greeting->nonce)
		return WEIR_GREETING_FOREIGN;
	memcpy(greeting->cookie, frame->cookie, sizeof(greeting->cookie));
	greeting->has_cookie = true;
	/* At once only for the first: a gateway that keeps refusing must not make a loop. */
	return is_first ? WEIR_GREETING_AGAIN : WEIR_GREETING_NOTHING;
}

static enum weir_greeting_news welcome_take(struct weir_greeting *greeting, struct weir_link *link,
	const struct weir_frame_welcome *frame, struct weir_welcome *welcome)
{
	if (weir_be64(frame->nonce) != greeting->nonce)
		return WEIR_GREETING_FOREIGN;
	*welcome = (struct weir_welcome){
		.session = weir_be64(frame->session),
		.incarnation = weir_be64(frame->incarnation),
		.clock_ns = weir_be64(frame->clock_ns),
		.options = weir_be32(frame->options) & greeting->options,
		.heartbeat_ms = weir_be32(frame->heartbeat_ms),
		.liveness_ms = weir_be32(frame->liveness_ms),
		.max_datagram = weir_be16(frame->max_datagram),
		.guarantee = frame->guarantee,
	};
	if (frame->version != WEIR_FRAME_VERSION || welcome->max_datagram > greeting->max_datagram)
		return WEIR_GREETING_MALFORMED;
	link->session = welcome->session;
	greeting->refused = 0;
	return WEIR_GREETING_WELCOMED;
}

static enum weir_greeting_news error_take(struct weir_greeting *greeting, struct weir_link *link,
	const struct weir_frame_error *frame, uint64_t now_ns, struct weir_greeting_answer *answer)
{
	uint32_t retry_ms = weir_be32(frame->retry_ms);

	if (weir_be64(frame->nonce) != greeting->nonce)
		return WEIR_GREETING_FOREIGN;
	if (retry_ms != 0) {
		uint32_t wait_ms =
			retry_ms < WEIR_GREETING_RETRY_MAX ? retry_ms : WEIR_GREETING_RETRY_MAX;
		uint64_t at = now_ns + weir_io_jitter_ns(&link->io, wait_ms);

		if (at > greeting->send_at_ns)
			greeting->send_at_ns = at;
	}
	answer->code = weir_be16(frame->code);
	if (greeting->refused == answer->code)
		return WEIR_GREETING_NOTHING;
	greeting->refused = answer->code;
	memset(answer->text, 0, sizeof(answer->text));
	memcpy(answer->text, frame->text, weir_be16(frame->text_length));
	return WEIR_GREETING_REFUSED;
}

int weir_greeting_set_name(char field[WEIR_FRAME_NAME_SIZE], const char *name)
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

void weir_greeting_begin(struct weir_greeting *greeting, struct weir_link *link, uint64_t at_ns)
{
	link->session = 0;
	memset(greeting->cookie, 0, sizeof(greeting->cookie));
	greeting->has_cookie = false;
	greeting->backoff_ms = WEIR_GREETING_BACKOFF_MS;
	greeting->refused = 0;
	greeting->send_at_ns = at_ns;
	do
		greeting->nonce = link->io.random(link->io.context);
	while (greeting->nonce == 0);
	weir_guard_greet(&link->guard, &link->io, greeting->nonce);
}

uint64_t weir_greeting_deadline_ns(const struct weir_greeting *greeting)
{
	return greeting->send_at_ns;
}

void weir_greeting_send(struct weir_greeting *greeting, struct weir_link *link, uint64_t now_ns)
{
	uint8_t buffer[WEIR_DATAGRAM_HEADER + sizeof(struct weir_frame_hello) + WEIR_LINK_SPARE];
	struct weir_frame_hello *hello;
	struct weir_writer writer;

	greeting->send_at_ns = now_ns + weir_io_jitter_ns(&link->io, greeting->backoff_ms);
	greeting->backoff_ms = greeting->backoff_ms * 2 < WEIR_GREETING_BACKOFF_MAX
				       ? greeting->backoff_ms * 2
				       : WEIR_GREETING_BACKOFF_MAX;
	weir_link_begin(link, &writer, buffer, sizeof(buffer));
	hello = weir_writer_add(&writer, WEIR_FRAME_HELLO, 0, sizeof(*hello));
	if (hello == NULL)
		return;
	hello->version_min = WEIR_FRAME_VERSION;
	hello->version_max = WEIR_FRAME_VERSION;
	hello->max_datagram = weir_be16(greeting->max_datagram);
	hello->nonce = weir_be64(greeting->nonce);
	hello->options = weir_be32(greeting->options);
	hello->role = (uint8_t)greeting->role;
	memcpy(hello->cookie, greeting->cookie, sizeof(hello->cookie));
	memcpy(hello->group, greeting->group, sizeof(hello->group));
	memcpy(hello->name, greeting->name, sizeof(hello->name));
	weir_guard_prove(&link->guard, &link->io, hello);
	weir_link_send(link, &writer);
}

enum weir_greeting_news weir_greeting_take(struct weir_greeting *greeting, struct weir_link *link,
	const struct weir_frame_header *frame, uint64_t now_ns, struct weir_greeting_answer *answer)
{
	switch (frame->type) {
	case WEIR_FRAME_COOKIE:
		return cookie_take(greeting, (const void *)frame);
	case WEIR_FRAME_WELCOME:
		return welcome_take(greeting, link, (const void *)frame, &answer->welcome);
	case WEIR_FRAME_ERROR:
		return error_take(greeting, link, (const void *)frame, now_ns, answer);
	case WEIR_FRAME_KEY: /* the link has used it */
		return WEIR_GREETING_NOTHING;
	default:
		return WEIR_GREETING_FOREIGN;
	}
}
