/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "secure/secret.h"

/*
 * The key files that the configuration names, read when they are first needed and again when they
 * change on disk: a key can be added or withdrawn without a configuration. Sessions keep only what
 * they derived. Control thread only.
 */
struct weir_keys;

struct weir_keys *weir_keys_create(void);
/* Wipes all keys. NULL is allowed. */
void weir_keys_destroy(struct weir_keys *keys);
/*
 * The keys of a file; good until the next call. NULL when it cannot be used: then nobody is
 * admitted, and the log says why, once for each state of the file.
 */
const struct weir_secrets *weir_keys_get(struct weir_keys *keys, const char *path);
