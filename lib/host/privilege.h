/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/*
 * What the process may do beyond an ordinary one. Given up once, while there is one thread: every
 * thread that starts later inherits what is left, and nothing brings it back, neither a program
 * that is executed nor a file with capabilities (no_new_privs, and an empty bounding set).
 */

#define WEIR_CAPABILITY(number) (UINT64_C(1) << (number)) /* of CAP_... */

/*
 * Keep those of `capabilities` that the process has, and no other; `missing` becomes those that it
 * does not have. With `user` (NULL: stay who it is) become that user, of its groups. Whoever stays
 * root joins `group` if there is one, so as to give files to it without CAP_CHOWN.
 * 0 or -errno, in `error`; after an error the process is to end.
 */
int weir_privilege_confine(uint64_t capabilities, const char *user, const char *group,
	uint64_t *missing, struct weir_error *error);
/* "CAP_BPF CAP_NET_RAW", cut to `size`; returns `text`. */
const char *weir_privilege_names(uint64_t capabilities, char *text, size_t size);
