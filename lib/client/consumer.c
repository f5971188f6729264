/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "client/endpoint.h"
#include "client/session.h"

#define BURSTS 8 /* at most, before the application gets its turn */

/* The session with a socket and a clock. */
struct weir_consumer {
	struct weir_session *session;
	struct weir_endpoint *endpoint;
	uint64_t now_ns;    /* when the clock was last read */
	uint64_t coarse_ns; /* what the coarse one showed then */
	uint64_t tick_ns;   /* that one is behind by so much at most */
};

static uint64_t ns_of(const struct timespec *time)
{
	return (uint64_t)time->tv_sec * UINT64_C(1000000000) + (uint64_t)time->tv_nsec;
}

/* As the kernel's tick left it. */
static uint64_t coarse_read(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return ns_of(&now);
}

static uint64_t clock_read(struct weir_consumer *consumer)
{
	consumer->coarse_ns = coarse_read();
	consumer->now_ns = weir_endpoint_now_ns();
	return consumer->now_ns;
}

/*
 * To read the clock takes longer than all else that is done for a small message, and the coarse
 * one a fifth of that. So it is not read for a message for which nothing depends on it, unless
 * the kernel's tick came meanwhile: no time is older than that, however long the application works.
 */
static uint64_t clock_for_next(struct weir_consumer *consumer)
{
	uint64_t coarse = coarse_read();

	if (coarse == consumer->coarse_ns &&
		!weir_session_needs_time(consumer->session, coarse + consumer->tick_ns))
		return consumer->now_ns;
	return clock_read(consumer);
}

static void datagram_take(void *context, const void *data, size_t length, uint64_t now_ns)
{
	weir_session_receive(context, data, length, now_ns);
}

static int consumer_start(
	struct weir_consumer *consumer, const struct weir_consumer_options *options)
{
	uint16_t port = options->port != 0 ? options->port : WEIR_CONSUMER_PORT;
	uint32_t window =
		options->window_bytes != 0 ? options->window_bytes : WEIR_CONSUMER_WINDOW_BYTES;
	/* What the kernel counts for a small datagram is many times its length. */
	uint64_t wanted = options->receive_buffer > 0 ? (uint64_t)options->receive_buffer
						      : (uint64_t)window * 2;
	int buffer = wanted < INT32_MAX ? (int)wanted : INT32_MAX;
	struct weir_session_io io;
	struct timespec tick;
	uint64_t now;
	int error = weir_endpoint_open(options->gateway, port, buffer, &consumer->endpoint);

	if (error != 0)
		return error;
	io = weir_endpoint_io(consumer->endpoint);
	clock_getres(CLOCK_MONOTONIC_COARSE, &tick);
	consumer->tick_ns = ns_of(&tick);
	now = clock_read(consumer);
	error = weir_session_create(options, &io, now, &consumer->session);
	if (error == 0)
		weir_session_tick(consumer->session, now);
	return error;
}

/* An option of a later header, which we do not know. */
static bool has_unknown(const struct weir_consumer_options *options)
{
	for (size_t i = 0; i < sizeof(options->reserved) / sizeof(options->reserved[0]); i++)
		if (options->reserved[i] != 0)
			return true;
	return false;
}

int weir_consumer_open(const struct weir_consumer_options *options, struct weir_consumer **result)
{
	struct weir_consumer_options completed = *options;
	char name[WEIR_FRAME_NAME_SIZE];
	struct weir_consumer *consumer;
	int error;

	*result = NULL;
	if (has_unknown(options))
		return -EINVAL;
	weir_endpoint_name(name);
	if (completed.name == NULL)
		completed.name = name;
	consumer = calloc(1, sizeof(*consumer));
	if (consumer == NULL)
		return -ENOMEM;
	error = consumer_start(consumer, &completed);
	if (error < 0) {
		weir_consumer_close(consumer);
		return error;
	}
	*result = consumer;
	return 0;
}

int weir_consumer_fd(const struct weir_consumer *consumer)
{
	return weir_endpoint_fd(consumer->endpoint);
}

int weir_consumer_timeout_ms(const struct weir_consumer *consumer)
{
	return weir_endpoint_timeout_ms(weir_session_deadline_ns(consumer->session));
}

int weir_consumer_process(struct weir_consumer *consumer)
{
	int result = 1;

	/* A tick a burst: what a burst showed to be missing is asked for before the next one. */
	for (unsigned int i = 0; i < BURSTS && result == 1; i++) {
		result = weir_endpoint_read(consumer->endpoint, datagram_take, consumer->session);
		weir_session_tick(consumer->session, clock_read(consumer));
	}
	if (result < 0)
		return result;
	return (int)weir_session_waiting(consumer->session);
}

int weir_consumer_next(struct weir_consumer *consumer, struct weir_message *message)
{
	return weir_session_next(consumer->session, message, clock_for_next(consumer));
}

int weir_consumer_next_event(struct weir_consumer *consumer, struct weir_event *event)
{
	return weir_session_next_event(consumer->session, event);
}

int weir_consumer_consume(struct weir_consumer *consumer, uint32_t messages, uint32_t bytes)
{
	return weir_session_consume(consumer->session, messages, bytes, clock_read(consumer));
}

int weir_consumer_grant(struct weir_consumer *consumer, uint32_t messages)
{
	return weir_session_grant(consumer->session, messages, clock_read(consumer));
}

int weir_consumer_pause(struct weir_consumer *consumer, bool paused)
{
	return weir_session_pause(consumer->session, paused, clock_read(consumer));
}

int weir_consumer_seek(struct weir_consumer *consumer, const char *stream, int partition,
	enum weir_from from, uint64_t value)
{
	return weir_session_seek(
		consumer->session, stream, partition, from, value, clock_read(consumer));
}

void weir_consumer_stats(const struct weir_consumer *consumer, struct weir_consumer_stats *stats)
{
	weir_session_stats(consumer->session, stats);
}

void weir_consumer_close(struct weir_consumer *consumer)
{
	if (consumer == NULL)
		return;
	if (consumer->session != NULL)
		weir_session_leave(consumer->session, clock_read(consumer));
	weir_session_destroy(consumer->session);
	weir_endpoint_close(consumer->endpoint);
	free(consumer);
}
