/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "wire/frame.h"

/*
 * Pre-shared keys, read from a text file that gateway and clients have in common:
 *
 *	# comment
 *	ID HEX64 [NAME]
 *
 * ID is 1 to 4294967295 and told in HELLO; HEX64 is the key, 32 random bytes in hexadecimal;
 * with NAME the key is good for the client of that name only. A client needs just its own line.
 *
 * Keys never appear in errors. Read by any thread once loaded; nothing changes until it is freed.
 */

#define WEIR_SECRET_SIZE 32   /* bytes of a key */
#define WEIR_SECRETS_MAX 1024 /* keys in a file */

struct weir_secret {
	uint32_t id;
	uint8_t key[WEIR_SECRET_SIZE];
	char name[WEIR_FRAME_NAME_SIZE]; /* of the client it is good for; "": of any */
};

struct weir_secrets;

/*
 * Read a key file. 0 and *secrets is the caller's, with at least one key. -EPERM when others than
 * its owner may read or write it, or it is neither root's nor ours; -EINVAL for what is in it;
 * -ENOMEM, or what the system said. `error` (may be NULL) says which line and what is wrong.
 */
int weir_secrets_load(const char *path, struct weir_secrets **secrets, struct weir_error *error);
/* Wipes the keys. NULL is allowed. */
void weir_secrets_free(struct weir_secrets *secrets);

/* Wipe a copy of a key. */
void weir_secret_wipe(struct weir_secret *secret);

size_t weir_secrets_count(const struct weir_secrets *secrets);
/* The first of the file, and the one of an id, NULL when none has it. Borrowed. */
const struct weir_secret *weir_secrets_first(const struct weir_secrets *secrets);
const struct weir_secret *weir_secrets_find(const struct weir_secrets *secrets, uint32_t id);
