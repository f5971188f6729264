/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a producer makes. The payload follows from it, byte for byte. */
struct sim_content {
	uint64_t random; /* not 0 */
	uint64_t seq;
	uint64_t ingest_ns;
	uint64_t deadline_ns; /* UINT64_MAX: none */
	uint32_t partition;
	uint32_t key;
	uint32_t key_count; /* messages of this key before it */
	uint16_t length;
};

#define SIM_PAYLOAD_MIN 32

void sim_payload_fill(const struct sim_content *content, uint8_t *payload);
bool sim_payload_is(const struct sim_content *content, const uint8_t *payload, size_t length);
