/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* The lanes of a session, found by stream and partition. Pure; one thread. */

struct weir_client_lane {
	const char *stream; /* NULL: slot unused */
	uint16_t stream_id;
	uint16_t partition;
	uint32_t epoch;
	uint64_t next_seq; /* expected */
	uint64_t messages; /* known to have been sent in this session */
	uint64_t bytes;
	uint64_t missed; /* sequences lost since the last message that was queued */
};

struct weir_client_lanes {
	struct weir_client_lane *slots; /* owned; open addressing */
	size_t size;                    /* power of two, or 0 */
	size_t count;
};

#define WEIR_CLIENT_LANES_MAX 65536

/* NULL when there is none. */
struct weir_client_lane *weir_client_lanes_find(
	const struct weir_client_lanes *lanes, uint16_t stream_id, uint16_t partition);
/* Add one that is not there; NULL at WEIR_CLIENT_LANES_MAX or without memory. Moves others. */
struct weir_client_lane *weir_client_lanes_add(struct weir_client_lanes *lanes, uint16_t stream_id,
	uint16_t partition, const char *stream);
/* Back to none, memory kept. */
void weir_client_lanes_clear(struct weir_client_lanes *lanes);
void weir_client_lanes_close(struct weir_client_lanes *lanes);
