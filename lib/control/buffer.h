/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stddef.h>

/* Bytes in a queue: appended at the end, consumed at the front. One owner. Zeroed is empty. */
struct weir_buffer {
	char *memory;
	size_t start; /* of what is not consumed yet */
	size_t length;
	size_t capacity;
};

/* Make room for `size` more bytes. 0 or -ENOMEM, and then nothing changed. */
int weir_buffer_reserve(struct weir_buffer *buffer, size_t size);
int weir_buffer_append(struct weir_buffer *buffer, const void *bytes, size_t size);
/* Gives the memory back when it becomes empty and is large. */
void weir_buffer_consume(struct weir_buffer *buffer, size_t size);
void weir_buffer_free(struct weir_buffer *buffer);

static inline char *weir_buffer_front(const struct weir_buffer *buffer)
{
	return buffer->memory + buffer->start;
}

static inline char *weir_buffer_end(const struct weir_buffer *buffer)
{
	return buffer->memory + buffer->start + buffer->length;
}
