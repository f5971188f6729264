/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Memory that ends at a page nobody may touch: reading one byte too far kills the test. */
struct guard {
	uint8_t *start;
	uint8_t *end;
};

static inline struct guard guard_make(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *start =
		mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (start == MAP_FAILED || mprotect(start + page, page, PROT_NONE) != 0)
		abort();
	return (struct guard){start, start + page};
}

/* A copy of the bytes, its end at the guard. */
static inline uint8_t *guard_place(const struct guard *guard, const void *bytes, size_t length)
{
	uint8_t *data = guard->end - length;

	memcpy(data, bytes, length);
	return data;
}

static inline void guard_free(struct guard *guard)
{
	munmap(guard->start, 2 * (size_t)(guard->end - guard->start));
}

/* xorshift: the same numbers in every run. The state is not zero. */
static inline uint32_t guard_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (uint32_t)(*state >> 32);
}
