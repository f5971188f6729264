/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "client/io.h"
#include "client/weir.h"

/*
 * A producer's session without a socket or a clock, as session.h is for consumers: datagrams, the
 * time and randomness are passed in, datagrams go out through a function. Time is monotonic
 * nanoseconds from any origin. One thread.
 */
struct weir_producer_session;

/*
 * Checks and completes `options` (port is not looked at; name must be set). 0 and *session is the
 * caller's; -EINVAL, -ENOMEM, or as weir_guard_load(). Sends the first HELLO by a tick within 9 ms,
 * see weir_producer_session_deadline_ns().
 */
int weir_producer_session_create(const struct weir_producer_options *options,
	const struct weir_session_io *io, uint64_t now_ns, struct weir_producer_session **session);
/* NULL is allowed. Sends nothing. */
void weir_producer_session_destroy(struct weir_producer_session *session);

/* A datagram came from the gateway's address. */
void weir_producer_session_receive(
	struct weir_producer_session *session, const void *data, size_t length, uint64_t now_ns);
/* When weir_producer_session_tick() has something to do; UINT64_MAX: never. */
uint64_t weir_producer_session_deadline_ns(const struct weir_producer_session *session);
void weir_producer_session_tick(struct weir_producer_session *session, uint64_t now_ns);

/* A message and what is said with it. */
struct weir_produced {
	const void *key;
	const void *data;
	uint16_t length;
	uint8_t key_length;
	enum weir_produce_tier tier;
	uint32_t deadline_ms;                     /* 0: none */
	const struct weir_trace_context *context; /* NULL: none */
};
/* As their namesakes in weir.h. */
int weir_producer_session_send(struct weir_producer_session *session,
	const struct weir_produced *message, uint64_t now_ns, enum weir_held_by *held_by);
void weir_producer_session_flush(struct weir_producer_session *session, uint64_t now_ns);
void weir_producer_session_stats(
	const struct weir_producer_session *session, struct weir_producer_stats *stats);
/* Send LEAVE and fall silent. */
void weir_producer_session_leave(struct weir_producer_session *session);
