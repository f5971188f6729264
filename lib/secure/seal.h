/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/frame.h"

/*
 * Datagrams of a session that has a key end with a trailer (docs/protocol.md, section 9): a number
 * that rises, and a BLAKE2b-128 tag over everything before it, under a key of that direction.
 * Whoever does not know the key can neither make nor change one, nor send one again: of the
 * newest 32 numbers each is taken once, and none below them.
 *
 * Numbers are 64 bits and never wrap. The window keeps the low half of the highest number and the
 * bitmap in one word, so that several threads may take datagrams of one session without a lock;
 * `rx_floor` follows far behind and tells which high half is meant. A number 2^31 or more above
 * it cannot be the peer's and is refused.
 *
 * weir_seal_add() and weir_seal_check() may be called by any threads at once. They allocate
 * nothing, make no system call and never wait.
 */

#define WEIR_SEAL_KEY_SIZE 32
#define WEIR_SEAL_WINDOW   32 /* numbers */

struct weir_seal {
	bool is_on; /* the session has a key; the rest means nothing without */
	uint8_t tx_key[WEIR_SEAL_KEY_SIZE];
	uint8_t rx_key[WEIR_SEAL_KEY_SIZE];
	_Atomic uint64_t tx_number; /* given to a datagram last */
	_Atomic uint64_t rx_window; /* low half of the highest number; below it: bit n, highest - n
				       has come */
	_Atomic uint64_t rx_floor;  /* a number passed long ago */
};

/* Begin with fresh keys. Before any other thread sees the seal. */
void weir_seal_start(struct weir_seal *seal, const uint8_t tx_key[WEIR_SEAL_KEY_SIZE],
	const uint8_t rx_key[WEIR_SEAL_KEY_SIZE]);
/* Go on with the keys and numbers of a seal of another process. Before any thread sees it. */
void weir_seal_resume(struct weir_seal *seal, const uint8_t tx_key[WEIR_SEAL_KEY_SIZE],
	const uint8_t rx_key[WEIR_SEAL_KEY_SIZE], uint64_t tx_number, uint64_t rx_window,
	uint64_t rx_floor);
/* Wipe the keys; the seal is off. After all other threads have left it. */
void weir_seal_stop(struct weir_seal *seal);

/* Bytes that weir_seal_add() will take at the end of a datagram. */
static inline uint32_t weir_seal_room(const struct weir_seal *seal)
{
	return seal->is_on ? WEIR_DATAGRAM_TRAILER : 0;
}

/*
 * End a datagram with its trailer; nothing may be changed in it after. 0, also when the seal is
 * off and nothing is done; -ENOSPC when the trailer does not fit.
 */
int weir_seal_add(struct weir_seal *seal, struct weir_writer *writer);
/*
 * Check the trailer of a received datagram, and take its number. 0; -EBADMSG when it has none or
 * a wrong one, or has one although the seal is off; -EALREADY when its number was taken before
 * or is outside the window. Whether a datagram may go without is for the caller to know.
 */
int weir_seal_check(struct weir_seal *seal, const void *data, size_t length);
