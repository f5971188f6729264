/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>

#include "base/error.h"

/* A bearer token of RFC 6750, read from a file that only its owner may read (mode 0600). */
#define WEIR_TOKEN_MIN  16
#define WEIR_TOKEN_SIZE 257 /* with its NUL */

/* The file's only line. 0, or a negative errno with reason and hint. */
int weir_token_read(const char *path, char token[WEIR_TOKEN_SIZE], struct weir_error *error);
/* Whether an Authorization header's value has it; takes as long wherever they differ. */
bool weir_token_matches(const char *token, const char *authorization);
