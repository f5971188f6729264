/* SPDX-License-Identifier: BSD-3-Clause */
#include "state/sink.h"

#include <errno.h>
#include <stdlib.h>

#include "state/format.h"
#include "state/state.h"

#define FIRST_BYTES 4096

uint8_t *weir_state_reserve(struct weir_state_sink *sink, size_t size)
{
	size_t capacity = sink->capacity;
	uint8_t *bytes;

	if (sink->rc < 0)
		return NULL;
	while (capacity - sink->length < size)
		capacity = capacity == 0 ? FIRST_BYTES : 2 * capacity;
	if (capacity != sink->capacity) {
		bytes = realloc(sink->bytes, capacity);
		if (bytes == NULL) {
			sink->rc = -ENOMEM;
			return NULL;
		}
		sink->bytes = bytes;
		sink->capacity = capacity;
	}
	return sink->bytes + sink->length;
}

void weir_state_commit(struct weir_state_sink *sink, const uint8_t *end)
{
	sink->length = (size_t)(end - sink->bytes);
	if (sink->length > WEIR_STATE_MAX_BYTES - WEIR_STATE_CHECKSUM)
		sink->rc = -EFBIG;
}
