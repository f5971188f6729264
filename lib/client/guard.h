/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "client/io.h"
#include "secure/handshake.h"

/*
 * What a client does about a pre-shared key (docs/protocol.md, section 9), the same for consumers,
 * producers and agents; without one, all of it does nothing. With one, nothing but DATA is believed
 * that the gateway did not seal, besides COOKIE and ERROR in answer to HELLO: somebody who can
 * send in the gateway's name can then delay a session, and put messages into it, but not end it.
 * A gateway that was restarted cannot say so, and is noticed by its silence.
 *
 * Owned by the session's link. All zeros is a guard without a key. One thread.
 */
struct weir_guard {
	struct weir_secret secret;       /* id 0: none */
	struct weir_handshake handshake; /* of this nonce */
	uint64_t nonce;                  /* of the greeting */
	struct weir_seal seal;           /* on from the WELCOME that proved the key */
};

/*
 * Use key `key_id` (0: the first) of a key file. 0, -ENOKEY when the file has no such key or it is
 * not for `name`, or as weir_secrets_load().
 */
int weir_guard_load(
	struct weir_guard *guard, const char *key_file, uint32_t key_id, const char *name);
/* Wipe all keys. */
void weir_guard_close(struct weir_guard *guard);

/* A greeting begins: a fresh ephemeral key, and no seal. */
void weir_guard_greet(struct weir_guard *guard, const struct weir_session_io *io, uint64_t nonce);
/* Complete a HELLO that lies behind its datagram header. */
void weir_guard_prove(
	struct weir_guard *guard, const struct weir_session_io *io, struct weir_frame_hello *hello);
/*
 * Judge an opened datagram; `session` is ours, 0 while greeting. WEIR_REASON_NONE, FRAME_TAG and
 * FRAME_REPLAY: not authentic; FRAME_SESSION: of another session or nonce; FRAME_MALFORMED:
 * tagged, and we have no key.
 */
enum weir_reason weir_guard_check(struct weir_guard *guard, uint64_t session,
	const struct weir_frame_cursor *cursor, const void *data, size_t length);
