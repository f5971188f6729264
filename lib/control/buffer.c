/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/buffer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define KEEP_WHEN_EMPTY 65536 /* bytes */

int weir_buffer_reserve(struct weir_buffer *buffer, size_t size)
{
	size_t capacity = buffer->capacity > 0 ? buffer->capacity : 4096;
	char *memory;

	if (buffer->start + buffer->length + size <= buffer->capacity)
		return 0;
	if (buffer->start > 0)
		memmove(buffer->memory, weir_buffer_front(buffer), buffer->length);
	buffer->start = 0;
	if (buffer->length + size <= buffer->capacity)
		return 0;
	while (capacity < buffer->length + size)
		capacity *= 2;
	memory = realloc(buffer->memory, capacity);
	if (memory == NULL)
		return -ENOMEM;
	buffer->memory = memory;
	buffer->capacity = capacity;
	return 0;
}

int weir_buffer_append(struct weir_buffer *buffer, const void *bytes, size_t size)
{
	int rc = weir_buffer_reserve(buffer, size);

	if (rc < 0)
		return rc;
	memcpy(weir_buffer_end(buffer), bytes, size);
	buffer->length += size;
	return 0;
}

void weir_buffer_consume(struct weir_buffer *buffer, size_t size)
{
	buffer->start += size;
	buffer->length -= size;
	if (buffer->length > 0)
		return;
	buffer->start = 0;
	if (buffer->capacity > KEEP_WHEN_EMPTY)
		weir_buffer_free(buffer);
}

void weir_buffer_free(struct weir_buffer *buffer)
{
	free(buffer->memory);
	*buffer = (struct weir_buffer){0};
}
