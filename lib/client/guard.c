/* SPDX-License-Identifier: BSD-3-Clause */
#include "client/guard.h"

#include <errno.h>
#include <string.h>

static bool has_key(const struct weir_guard *guard)
{
	return guard->secret.id != 0;
}

/* Where every frame of a datagram may be believed without a seal. */
static enum weir_reason bare_check(uint64_t session, struct weir_frame_cursor cursor)
{
	const struct weir_frame_header *frame;

	while ((frame = weir_frame_next(&cursor)) != NULL) {
		bool is_answer =
			frame->type == WEIR_FRAME_COOKIE || frame->type == WEIR_FRAME_ERROR;

		if (frame->type != WEIR_FRAME_DATA && !(is_answer && session == 0))
			return WEIR_REASON_FRAME_TAG;
	}
	return WEIR_REASON_NONE;
}

/* A tagged datagram while greeting: WELCOME and KEY. */
static enum weir_reason welcome_check(
	struct weir_guard *guard, struct weir_frame_cursor cursor, const void *data, size_t length)
{
	const struct weir_frame_header *welcome = weir_frame_next(&cursor);
	const struct weir_frame_header *key = weir_frame_next(&cursor);

	if (welcome == NULL || welcome->type != WEIR_FRAME_WELCOME || key == NULL ||
		key->type != WEIR_FRAME_KEY)
		return WEIR_REASON_FRAME_TAG;
	if (weir_be64(((const struct weir_frame_welcome *)(const void *)welcome)->nonce) !=
		guard->nonce)
		return WEIR_REASON_FRAME_SESSION;
	return weir_handshake_accept(&guard->handshake, &guard->secret, data, length,
		       (const void *)welcome, (const void *)key, &guard->seal) == 0
		       ? WEIR_REASON_NONE
		       : WEIR_REASON_FRAME_TAG;
}

int weir_guard_load(
	struct weir_guard *guard, const char *key_file, uint32_t key_id, const char *name)
{
	const struct weir_secret *secret;
	struct weir_secrets *secrets;
	int result = weir_secrets_load(key_file, &secrets, NULL);

	if (result != 0)
		return result;
	secret = key_id == 0 ? weir_secrets_first(secrets) : weir_secrets_find(secrets, key_id);
	if (secret == NULL ||
		(secret->name[0] != '\0' && strncmp(secret->name, name, sizeof(secret->name)) != 0))
		result = -ENOKEY;
	else
		guard->secret = *secret;
	weir_secrets_free(secrets);
	return result;
}

void weir_guard_close(struct weir_guard *guard)
{
	weir_seal_stop(&guard->seal);
	weir_handshake_end(&guard->handshake);
	weir_secret_wipe(&guard->secret);
}

void weir_guard_greet(struct weir_guard *guard, const struct weir_session_io *io, uint64_t nonce)
{
	uint64_t random[WEIR_HANDSHAKE_KEY_SIZE / sizeof(uint64_t)];

	if (!has_key(guard))
		return;
	for (size_t i = 0; i < sizeof(random) / sizeof(random[0]); i++)
		random[i] = io->random(io->context);
	weir_seal_stop(&guard->seal);
	weir_handshake_begin(&guard->handshake, (const uint8_t *)random);
	explicit_bzero(random, sizeof(random));
	guard->nonce = nonce;
}

void weir_guard_prove(
	struct weir_guard *guard, const struct weir_session_io *io, struct weir_frame_hello *hello)
{
	if (has_key(guard))
		weir_handshake_prove(&guard->handshake, &guard->secret, hello,
			io->utc_ns != NULL ? io->utc_ns(io->context) : 0);
}

enum weir_reason weir_guard_check(struct weir_guard *guard, uint64_t session,
	const struct weir_frame_cursor *cursor, const void *data, size_t length)
{
	if (!has_key(guard))
		return cursor->is_tagged ? WEIR_REASON_FRAME_MALFORMED : WEIR_REASON_NONE;
	if (cursor->session != 0 && cursor->session != session)
		return WEIR_REASON_FRAME_SESSION;
	if (!cursor->is_tagged)
		return bare_check(session, *cursor);
	if (session == 0)
		return welcome_check(guard, *cursor, data, length);
	switch (weir_seal_check(&guard->seal, data, length)) {
	case 0:
		return WEIR_REASON_NONE;
	case -EALREADY:
		return WEIR_REASON_FRAME_REPLAY;
	default:
		return WEIR_REASON_FRAME_TAG;
	}
}
