/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>

#include "wire/frame.h"

/*
 * Sessions of producers (role 1): admission to a stream, leaving, liveness. Messages never come
 * here; workers take them. A part of weir_sessions, which calls all of this; what a session's
 * producer had sent is remembered by the data plane when it has ended.
 */
struct weir_sessions;
struct weir_applicant;
struct weir_request;

/* A HELLO with a good cookie. */
void weir_producer_sessions_hello(struct weir_sessions *sessions, struct weir_applicant *applicant);
/*
 * The frames of a session's datagram. False: it is no producer's session. `is_checked`: the worker
 * knew the session, and its tag is right.
 */
bool weir_producer_sessions_frames(struct weir_sessions *sessions,
	const struct weir_request *request, struct weir_frame_cursor *cursor, bool is_checked);
/* End those that were silent for too long. */
void weir_producer_sessions_watch(struct weir_sessions *sessions);
/* A configuration was applied: end those whose stream takes producers no more. */
void weir_producer_sessions_sync(struct weir_sessions *sessions);
/* Tell all that the gateway stops. */
void weir_producer_sessions_leave_all(struct weir_sessions *sessions);
/* Forget all, without a word. */
void weir_producer_sessions_free(struct weir_sessions *sessions);
