/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "client/guard.h"
#include "client/io.h"
#include "wire/frame.h"

/*
 * The one way of a session's datagrams out and in, whatever its role: what is done to every
 * datagram (the trailer that authenticates it) is done here and nowhere else. Pure; one thread.
 */

#define WEIR_LINK_SPARE WEIR_DATAGRAM_TRAILER /* bytes at a buffer's end that frames leave free */

struct weir_link {
	struct weir_session_io io;
	uint64_t session;     /* identifier; 0 while greeting */
	uint64_t send_errors; /* datagrams that io.send refused; they are lost */
	struct weir_guard guard;
};

/* Start a datagram of the session in `buffer`; frames get `size` less WEIR_LINK_SPARE bytes. */
void weir_link_begin(
	const struct weir_link *link, struct weir_writer *writer, void *buffer, uint32_t size);
/* Finish and send a datagram that weir_link_begin() started. Without frames: nothing is sent. */
void weir_link_send(struct weir_link *link, struct weir_writer *writer);
/*
 * Check a whole received datagram and open it: WEIR_REASON_NONE, or why it is dropped:
 * FRAME_TAG and FRAME_REPLAY when it is not the gateway's, FRAME_SESSION when it is of another
 * session (told only with a key: the cursor's session is not compared with the link's).
 */
enum weir_reason weir_link_open(
	struct weir_link *link, struct weir_frame_cursor *cursor, const void *data, size_t length);
