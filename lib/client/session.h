/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/io.h"
#include "client/weir.h"

/*
 * The client's side of the stream protocol without a socket or a clock: datagrams, the time and
 * randomness are passed in, datagrams go out through a function. libweir's consumer is a thin
 * shell around it, and a simulator can run thousands. docs/protocol.md is the specification.
 * Time is monotonic nanoseconds from any origin. One thread.
 */
struct weir_session;

/*
 * Checks and completes `options` (port and receive_buffer are not looked at; name must be set).
 * 0 and *session is the caller's; -EINVAL or -ENOMEM. Sends the first HELLO by the first tick.
 */
int weir_session_create(const struct weir_consumer_options *options,
	const struct weir_session_io *io, uint64_t now_ns, struct weir_session **session);
/* NULL is allowed. Sends nothing. */
void weir_session_destroy(struct weir_session *session);

/* A datagram came from the gateway's address. What it makes due is sent by the next tick. */
void weir_session_receive(
	struct weir_session *session, const void *data, size_t length, uint64_t now_ns);
/*
 * When weir_session_tick() has something to do; UINT64_MAX: never. Call it after each burst that
 * was received, or when this time has come.
 */
uint64_t weir_session_deadline_ns(const struct weir_session *session);
void weir_session_tick(struct weir_session *session, uint64_t now_ns);

/*
 * Whether anything that weir_session_next() would do now depends on the time, which is `latest_ns`
 * at the latest. If not, it may be given an older one, but not one before what the session had
 * last.
 */
bool weir_session_needs_time(const struct weir_session *session, uint64_t latest_ns);

/* As their namesakes in weir.h. */
int weir_session_next(struct weir_session *session, struct weir_message *message, uint64_t now_ns);
int weir_session_next_event(struct weir_session *session, struct weir_event *event);
int weir_session_consume(
	struct weir_session *session, uint32_t messages, uint32_t bytes, uint64_t now_ns);
int weir_session_grant(struct weir_session *session, uint32_t messages, uint64_t now_ns);
int weir_session_pause(struct weir_session *session, bool paused, uint64_t now_ns);
int weir_session_seek(struct weir_session *session, const char *stream, int partition,
	enum weir_from from, uint64_t value, uint64_t now_ns);
void weir_session_stats(const struct weir_session *session, struct weir_consumer_stats *stats);
/* Messages and events that wait. */
size_t weir_session_waiting(const struct weir_session *session);
/* Tell the gateway what the application is done with, send LEAVE and fall silent. */
void weir_session_leave(struct weir_session *session, uint64_t now_ns);
