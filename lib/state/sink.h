/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * Bytes that grow while a file is made; zeroed to begin with. The first failure is kept, and
 * nothing is written any more. Private to lib/state.
 */
struct weir_state_sink {
	uint8_t *bytes;
	size_t length;
	size_t capacity;
	int rc; /* 0, -ENOMEM, -EFBIG */
};

/* Where `size` bytes may be written, or NULL. */
uint8_t *weir_state_reserve(struct weir_state_sink *sink, size_t size);
/* Written up to `end`. A file that would be too large with its checksum is a failure. */
void weir_state_commit(struct weir_state_sink *sink, const uint8_t *end);
