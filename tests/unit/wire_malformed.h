/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "wire/packet.h"
#include "wire_frames.h"

/*
 * Malformed and unusual frames, each with what the parser must say of it. Shared by the unit
 * test and by the system test that sends them all through a gateway.
 */
struct malformed {
	const char *name;
	enum weir_parse_result result;
	enum weir_reason reason; /* of a drop */
	struct frame_spec spec;
};

extern const struct malformed malformed_cases[];
extern const size_t malformed_count;
