/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/endpoint.h"
#include "client/producer_session.h"
#include "wire/frame_context.h"

#define BURSTS 8 /* at most, before the application gets its turn */

/* The session with a socket and a clock. */
struct weir_producer {
	struct weir_producer_session *session;
	struct weir_endpoint *endpoint;
	struct weir_trace_context context; /* of the next message */
	bool has_context;
};

static void datagram_take(void *context, const void *data, size_t length, uint64_t now_ns)
{
	weir_producer_session_receive(context, data, length, now_ns);
}

static int producer_start(
	struct weir_producer *producer, const struct weir_producer_options *options)
{
	uint16_t port = options->port != 0 ? options->port : WEIR_CONSUMER_PORT;
	int error = weir_endpoint_open(options->gateway, port, 0, &producer->endpoint);
	struct weir_session_io io;

	if (error != 0)
		return error;
	io = weir_endpoint_io(producer->endpoint);
	return weir_producer_session_create(
		options, &io, weir_endpoint_now_ns(), &producer->session);
}

/* An option of a later header, which we do not know. */
static bool has_unknown(const struct weir_producer_options *options)
{
	for (size_t i = 0; i < sizeof(options->reserved) / sizeof(options->reserved[0]); i++)
		if (options->reserved[i] != 0)
			return true;
	return false;
}

int weir_producer_open(const struct weir_producer_options *options, struct weir_producer **result)
{
	struct weir_producer_options completed = *options;
	char name[WEIR_FRAME_NAME_SIZE];
	struct weir_producer *producer;
	int error;

	*result = NULL;
	if (has_unknown(options))
		return -EINVAL;
	weir_endpoint_name(name);
	if (completed.name == NULL)
		completed.name = name;
	producer = calloc(1, sizeof(*producer));
	if (producer == NULL)
		return -ENOMEM;
	error = producer_start(producer, &completed);
	if (error < 0) {
		weir_producer_close(producer);
		return error;
	}
	*result = producer;
	return 0;
}

int weir_producer_fd(const struct weir_producer *producer)
{
	return weir_endpoint_fd(producer->endpoint);
}

int weir_producer_timeout_ms(const struct weir_producer *producer)
{
	return weir_endpoint_timeout_ms(weir_producer_session_deadline_ns(producer->session));
}

int weir_producer_process(struct weir_producer *producer)
{
	int result = 1;

	for (unsigned int i = 0; i < BURSTS && result == 1; i++)
		result = weir_endpoint_read(producer->endpoint, datagram_take, producer->session);
	weir_producer_session_tick(producer->session, weir_endpoint_now_ns());
	return result < 0 ? result : 0;
}

int weir_producer_send(struct weir_producer *producer, const void *key, uint8_t key_length,
	enum weir_produce_tier tier, uint32_t deadline_ms, const void *data, uint16_t length,
	enum weir_held_by *held_by)
{
	const struct weir_produced message = {key, data, length, key_length, tier, deadline_ms,
		producer->has_context ? &producer->context : NULL};
	int result = weir_producer_session_send(
		producer->session, &message, weir_endpoint_now_ns(), held_by);

	if (result == WEIR_SENT)
		producer->has_context = false;
	return result;
}

int weir_producer_set_trace(
	struct weir_producer *producer, const struct weir_trace_context *context)
{
	struct weir_frame_context wire = {0};

	producer->has_context = false;
	if (context == NULL)
		return 0;
	memcpy(wire.trace_id, context->trace_id, sizeof(wire.trace_id));
	memcpy(wire.span_id, context->span_id, sizeof(wire.span_id));
	if (!weir_context_is_valid(&wire))
		return -EINVAL;
	for (size_t i = 0; i < sizeof(context->reserved); i++)
		if (context->reserved[i] != 0)
			return -EINVAL;
	producer->context = *context;
	producer->has_context = true;
	return 0;
}

int weir_producer_flush(struct weir_producer *producer)
{
	weir_producer_session_flush(producer->session, weir_endpoint_now_ns());
	return 0;
}

void weir_producer_stats(const struct weir_producer *producer, struct weir_producer_stats *stats)
{
	weir_producer_session_stats(producer->session, stats);
}

const char *weir_held_by_name(enum weir_held_by reason)
{
	static const char *const names[WEIR_HELD_BY_COUNT] = {
		[WEIR_HELD_BY_NOTHING] = "nothing",
		[WEIR_HELD_BY_RATE] = "rate",
		[WEIR_HELD_BY_WINDOW] = "window",
		[WEIR_HELD_BY_RING_FULL] = "ring_full",
		[WEIR_HELD_BY_NO_OWNER] = "no_owner",
		[WEIR_HELD_BY_SHED] = "shed",
		[WEIR_HELD_BY_CLOSED] = "closed",
	};

	return (unsigned int)reason < WEIR_HELD_BY_COUNT ? names[reason] : "unknown";
}

void weir_producer_close(struct weir_producer *producer)
{
	if (producer == NULL)
		return;
	if (producer->session != NULL)
		weir_producer_session_leave(producer->session);
	weir_producer_session_destroy(producer->session);
	weir_endpoint_close(producer->endpoint);
	free(producer);
}
