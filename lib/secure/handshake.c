/* SPDX-License-Identifier: BSD-3-Clause */
#include "secure/handshake.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

enum direction { TO_GATEWAY = 0, TO_CLIENT = 1 };

/* What a session's keys are made of, besides the pre-shared key. */
struct material {
	uint8_t shared[crypto_scalarmult_BYTES];
	uint64_t nonce;   /* as on the wire */
	uint64_t session; /* likewise */
	uint8_t direction;
} WEIR_PACKED;

_Static_assert(sizeof(struct material) == 49, "what section 9 hashes");
_Static_assert(WEIR_HANDSHAKE_KEY_SIZE == crypto_scalarmult_SCALARBYTES, "X25519");
_Static_assert(WEIR_FRAME_PUBLIC_SIZE == crypto_scalarmult_BYTES, "X25519");

static void hello_tag(uint8_t tag[WEIR_FRAME_TAG_SIZE], const struct weir_secret *secret,
	const struct weir_frame_hello *hello)
{
	size_t covered = WEIR_DATAGRAM_HEADER + offsetof(struct weir_frame_hello, authentication) +
			 offsetof(struct weir_frame_authentication, tag);

	crypto_generichash(tag, WEIR_FRAME_TAG_SIZE, (const uint8_t *)hello - WEIR_DATAGRAM_HEADER,
		covered, secret->key, sizeof(secret->key));
}

static void direction_key(uint8_t key[WEIR_SEAL_KEY_SIZE], struct material *material,
	const struct weir_secret *secret, enum direction direction)
{
	material->direction = (uint8_t)direction;
	crypto_generichash(key, WEIR_SEAL_KEY_SIZE, (const uint8_t *)material, sizeof(*material),
		secret->key, sizeof(secret->key));
}

/* Keys of both directions; `sent` is the one of the end that starts the seal. */
static int seal_derive(struct weir_seal *seal, const struct weir_secret *secret,
	const uint8_t own_key[WEIR_HANDSHAKE_KEY_SIZE], const uint8_t *peer_key,
	struct material *material, enum direction sent)
{
	uint8_t tx_key[WEIR_SEAL_KEY_SIZE], rx_key[WEIR_SEAL_KEY_SIZE];

	/* Fails for the few points that give the same result whatever our key is. */
	if (crypto_scalarmult(material->shared, own_key, peer_key) != 0)
		return -EBADMSG;
	direction_key(tx_key, material, secret, sent);
	direction_key(rx_key, material, secret, sent == TO_CLIENT ? TO_GATEWAY : TO_CLIENT);
	weir_seal_start(seal, tx_key, rx_key);
	sodium_memzero(tx_key, sizeof(tx_key));
	sodium_memzero(rx_key, sizeof(rx_key));
	sodium_memzero(material, sizeof(*material));
	return 0;
}

void weir_handshake_begin(
	struct weir_handshake *handshake, const uint8_t random[WEIR_HANDSHAKE_KEY_SIZE])
{
	memcpy(handshake->secret_key, random, sizeof(handshake->secret_key));
	crypto_scalarmult_base(handshake->public_key, handshake->secret_key);
}

void weir_handshake_prove(const struct weir_handshake *handshake, const struct weir_secret *secret,
	struct weir_frame_hello *hello, uint64_t clock_ns)
{
	struct weir_frame_authentication *proof = &hello->authentication;

	memset(proof, 0, sizeof(*proof));
	proof->key_id = weir_be32(secret->id);
	proof->timestamp_ns = weir_be64(clock_ns);
	memcpy(proof->public_key, handshake->public_key, sizeof(proof->public_key));
	hello_tag(proof->tag, secret, hello);
}

int weir_handshake_accept(const struct weir_handshake *handshake, const struct weir_secret *secret,
	const void *data, size_t length, const struct weir_frame_welcome *welcome,
	const struct weir_frame_key *key, struct weir_seal *seal)
{
	struct material material = {.nonce = welcome->nonce, .session = welcome->session};
	int result = seal_derive(
		seal, secret, handshake->secret_key, key->public_key, &material, TO_GATEWAY);

	if (result == 0)
		result = weir_seal_check(seal, data, length);
	if (result != 0)
		weir_seal_stop(seal);
	return result;
}

void weir_handshake_end(struct weir_handshake *handshake)
{
	sodium_memzero(handshake, sizeof(*handshake));
}

int weir_handshake_verify(const struct weir_secrets *secrets, const struct weir_frame_hello *hello,
	uint64_t clock_ns, uint64_t skew_ns, const struct weir_secret **result)
{
	const struct weir_frame_authentication *proof = &hello->authentication;
	const struct weir_secret *secret = weir_secrets_find(secrets, weir_be32(proof->key_id));
	uint64_t timestamp_ns = weir_be64(proof->timestamp_ns);
	uint8_t tag[WEIR_FRAME_TAG_SIZE];

	if (secret == NULL)
		return -ENOKEY;
	hello_tag(tag, secret, hello);
	if (sodium_memcmp(tag, proof->tag, sizeof(tag)) != 0)
		return -EBADMSG;
	if (secret->name[0] != '\0' &&
		strncmp(secret->name, hello->name, sizeof(secret->name)) != 0)
		return -EACCES;
	if ((timestamp_ns > clock_ns ? timestamp_ns - clock_ns : clock_ns - timestamp_ns) > skew_ns)
		return -ETIME;
	*result = secret;
	return 0;
}

int weir_handshake_answer(const struct weir_secret *secret, const struct weir_frame_hello *hello,
	uint64_t session, uint64_t clock_ns, const uint8_t random[WEIR_HANDSHAKE_KEY_SIZE],
	struct weir_frame_key *key, struct weir_seal *seal)
{
	struct material material = {.nonce = hello->nonce, .session = weir_be64(session)};

	key->reserved = 0;
	key->timestamp_ns = weir_be64(clock_ns);
	crypto_scalarmult_base(key->public_key, random);
	return seal_derive(
		seal, secret, random, hello->authentication.public_key, &material, TO_CLIENT);
}
