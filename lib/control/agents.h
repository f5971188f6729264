/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "control/sessions_private.h"

/*
 * Sessions of agents (docs/protocol.md, 8.4): admission, which consumer each watches, liveness, and
 * telling an operator what they report. Reports themselves are the workers'; only those of an agent
 * that is bound to no consumer come here. Part of the sessions; control thread.
 */

void weir_agents_hello(struct weir_sessions *sessions, struct weir_applicant *applicant);
/* A datagram of a session. False: it is no agent's. */
bool weir_agents_datagram(struct weir_sessions *sessions, const struct weir_request *request,
	struct weir_frame_cursor *cursor);
/* Now and then: end those that are silent, log what has changed. */
void weir_agents_watch(struct weir_sessions *sessions);
/* A configuration was applied: consumers and groups may be gone. */
void weir_agents_sync(struct weir_sessions *sessions);
/* The gateway stops; workers still run. */
void weir_agents_leave_all(struct weir_sessions *sessions);
void weir_agents_destroy(struct weir_sessions *sessions);
