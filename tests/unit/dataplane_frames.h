/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/address.h"

/*
 * UDP frames for tests of the data plane: made from a description, and taken apart again with
 * every checksum summed from scratch, so that no arithmetic is shared with what is tested.
 */

#define FRAME_MAX 9216

struct frame_spec {
	uint8_t version;     /* 4 or 6 */
	uint16_t vlan;       /* 0: untagged */
	uint8_t extra_words; /* IPv4 options, 4 bytes each; IPv6: one extension of 8 when not 0 */
	uint8_t tos;
	bool no_checksum;  /* UDP checksum 0 */
	bool bad_checksum; /* off by one */
	struct weir_address source;
	struct weir_address destination;
	uint16_t source_port;
	uint16_t destination_port;
	const uint8_t *payload;
	uint16_t payload_length;
};

struct frame_view {
	uint8_t destination_mac[6];
	uint16_t vlan;
	uint8_t version;
	uint8_t tos;
	uint8_t ttl;
	struct weir_address source;
	struct weir_address destination;
	uint16_t source_port;
	uint16_t destination_port;
	bool has_checksum;
	bool checksum_is_right;    /* UDP; also when there is none */
	bool ip_checksum_is_right; /* and every length agrees with the frame's */
	const uint8_t *payload;
	uint16_t payload_length;
};

/* Returns the frame's length. */
uint32_t frame_build(const struct frame_spec *spec, uint8_t frame[FRAME_MAX]);
/* False when it is no UDP frame. */
bool frame_read(const uint8_t *frame, uint32_t length, struct frame_view *view);
