/* SPDX-License-Identifier: BSD-3-Clause */
#include "payload.h"

#include <string.h>

#include "plan.h"

void sim_payload_fill(const struct sim_content *content, uint8_t *payload)
{
	uint32_t labels[4] = {content->partition, content->key, content->key_count, 0};

	memcpy(payload, &content->random, 8);
	memcpy(payload + 8, &content->seq, 8);
	memcpy(payload + 16, labels, 16);
	for (size_t i = SIM_PAYLOAD_MIN; i < content->length; i++)
		payload[i] = (uint8_t)((content->random >> (i % 8 * 8)) + i);
}

bool sim_payload_is(const struct sim_content *content, const uint8_t *payload, size_t length)
{
	uint8_t expected[SIM_PAYLOAD];

	if (length != content->length)
		return false;
	sim_payload_fill(content, expected);
	return memcmp(expected, payload, length) == 0;
}
