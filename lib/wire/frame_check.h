/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>

#include "wire/frame_delivery.h"

/* What each frame type must be to be taken. Internal to lib/wire. */

enum weir_frame_session {
	WEIR_SESSION_NONE, /* only in datagrams without a session */
	WEIR_SESSION_SOME, /* only in datagrams with one */
	WEIR_SESSION_ANY,
};

struct weir_frame_rule {
	/* Everything beyond the fixed part and the header; `length` is host order. */
	bool (*is_valid)(const struct weir_frame_header *header, uint32_t length);
	uint16_t fixed; /* bytes that are always there */
	uint8_t ends;   /* bit 1 << enum weir_frame_end: who takes it */
	uint8_t session;
};

/* Sequences, counts, limits: small enough that sums of them never wrap. */
static inline bool weir_frame_value_fits(uint64_t field)
{
	return weir_be64(field) <= WEIR_FRAME_VALUE_MAX;
}

/* True when no range is empty, none begins below `lowest`, and all rise without touching. */
bool weir_frame_ranges_rise(const struct weir_frame_range *ranges, uint32_t count, uint64_t lowest);

/* The functions of the rules; frame_check_delivery.c and frame_check_produce.c. */
bool weir_frame_ack_is_valid(const struct weir_frame_header *header, uint32_t length);
bool weir_frame_nack_is_valid(const struct weir_frame_header *header, uint32_t length);
bool weir_frame_gap_is_valid(const struct weir_frame_header *header, uint32_t length);
bool weir_frame_seek_is_valid(const struct weir_frame_header *header, uint32_t length);
bool weir_frame_handover_is_valid(const struct weir_frame_header *header, uint32_t length);
bool weir_frame_load_is_valid(const struct weir_frame_header *header, uint32_t length);
bool weir_frame_produce_is_valid(const struct weir_frame_header *header, uint32_t length);
bool weir_frame_produce_ack_is_valid(const struct weir_frame_header *header, uint32_t length);
bool weir_frame_pace_is_valid(const struct weir_frame_header *header, uint32_t length);

/* The rule of a type, NULL when this implementation does not know it. */
const struct weir_frame_rule *weir_frame_rule(uint8_t type);
