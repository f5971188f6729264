/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "wire/key.h"

/* Names of the key kinds, as in the configuration. Any thread. */

/* "flow", "ipfix", ...; NULL outside the enumeration. */
const char *weir_key_kind_name(enum weir_key_kind kind);
/* The kind of that name, or -EINVAL. */
int weir_key_kind_parse(const char *name);
