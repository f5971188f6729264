/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>

#include "wire/frame.h"

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

/* The rule of a type, NULL when this implementation does not know it. */
const struct weir_frame_rule *weir_frame_rule(uint8_t type);
