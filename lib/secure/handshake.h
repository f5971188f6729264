/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "secure/seal.h"
#include "secure/secret.h"
#include "wire/frame.h"

/*
 * How two ends that share a key agree on a session's own keys (docs/protocol.md, section 9):
 *
 *	client   _begin(), then _prove() in every HELLO      {key id, time, X25519 key, tag}
 *	gateway  _verify() the HELLO, _answer() it           WELCOME, KEY {X25519 key}, trailer
 *	client   _accept() the WELCOME's datagram
 *
 * The tag of HELLO and the first trailer prove to each end that the other knows the key. The
 * session's keys are fresh, one a direction, so that nothing of an earlier session is good in
 * this one, and a key that becomes known later does not open what was recorded.
 *
 * A client keeps one ephemeral key for all HELLOs of a nonce, and the gateway one for all answers
 * to it: either may be lost, and is sent again.
 *
 * Time and randomness are passed in. weir_secrets_load() must have been called before.
 */

#define WEIR_HANDSHAKE_KEY_SIZE 32
#define WEIR_HANDSHAKE_SKEW_NS  (UINT64_C(300) * 1000000000) /* how far clocks may differ */

/* The client's ephemeral key, for one nonce. */
struct weir_handshake {
	uint8_t secret_key[WEIR_HANDSHAKE_KEY_SIZE];
	uint8_t public_key[WEIR_HANDSHAKE_KEY_SIZE];
};

/* Client: make an ephemeral key of unpredictable bytes. */
void weir_handshake_begin(
	struct weir_handshake *handshake, const uint8_t random[WEIR_HANDSHAKE_KEY_SIZE]);
/*
 * Client: fill the authentication of a HELLO, complete but for it, which lies behind its datagram
 * header. `clock_ns` is since the Unix epoch.
 */
void weir_handshake_prove(const struct weir_handshake *handshake, const struct weir_secret *secret,
	struct weir_frame_hello *hello, uint64_t clock_ns);
/*
 * Client: check the datagram that WELCOME and KEY came in, opened before, and start the seal.
 * 0, or -EBADMSG and the seal is off: whoever sent it does not know the key.
 */
int weir_handshake_accept(const struct weir_handshake *handshake, const struct weir_secret *secret,
	const void *data, size_t length, const struct weir_frame_welcome *welcome,
	const struct weir_frame_key *key, struct weir_seal *seal);
/* Client: wipe the ephemeral key, once the session has its own. */
void weir_handshake_end(struct weir_handshake *handshake);

/*
 * Gateway: check a HELLO, which lies behind its datagram header. 0 and *secret is the key that it
 * proves (borrowed), or
 *	-ENOKEY   no key was named, or none of ours
 *	-EBADMSG  the tag is wrong
 *	-EACCES   the key is another client's
 *	-ETIME    the clocks differ by more than `skew_ns`
 * Every one is to be answered alike. A HELLO may have been recorded and sent again while its
 * cookie is good: it must not end a session whose own HELLO has the same or a later timestamp.
 */
int weir_handshake_verify(const struct weir_secrets *secrets, const struct weir_frame_hello *hello,
	uint64_t clock_ns, uint64_t skew_ns, const struct weir_secret **secret);
/*
 * Gateway: answer a verified HELLO for a new session: fill the body of `key` (its header is left
 * alone) from unpredictable bytes, and start the seal. 0, or -EBADMSG: the client's public key
 * is none. KEY must be sent the same again for the same session.
 */
int weir_handshake_answer(const struct weir_secret *secret, const struct weir_frame_hello *hello,
	uint64_t session, uint64_t clock_ns, const uint8_t random[WEIR_HANDSHAKE_KEY_SIZE],
	struct weir_frame_key *key, struct weir_seal *seal);
