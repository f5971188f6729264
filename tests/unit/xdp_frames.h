/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>

/* Frames to feed the XDP program with. */

#define XDP_FIRST_PORT 10000 /* of the stream whose key is kind 0; the others follow */

void xdp_frame_put16(uint8_t *bytes, uint32_t value);
/* A frame of either version with 0 to 3 tags; sometimes damaged, cut or padded. Its length. */
uint32_t xdp_frame_random(uint8_t *bytes);
/* A sound datagram with this payload. Its length. */
uint32_t xdp_frame_of(
	uint8_t *bytes, uint8_t version, uint16_t port, const uint8_t *payload, uint32_t length);
