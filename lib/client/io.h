/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * The world outside of a client's session: consumer, producer or agent. Everything else in a
 * session is pure. None of the functions may call back into the session.
 */
struct weir_session_io {
	void *context;
	/* Send one datagram. 0 or negative errno; a failure counts as a loss. */
	int (*send)(void *context, const void *data, size_t length);
	uint64_t (*random)(void *context);
	/* Nanoseconds since the Unix epoch. Only sessions with a key ask; NULL: not known. */
	uint64_t (*utc_ns)(void *context);
};

/* Milliseconds, varied by a quarter either way, as nanoseconds. */
static inline uint64_t weir_io_jitter_ns(const struct weir_session_io *io, uint32_t ms)
{
	uint64_t ns = ms * UINT64_C(1000000);

	return ns - ns / 4 + io->random(io->context) % (ns / 2 + 1);
}
