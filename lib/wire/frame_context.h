/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>

#include "wire/frame.h"

/*
 * The trace context of a message, as W3C's Trace Context has it: which trace it belongs to, and the
 * span that sent it. A producer may give one with a message of PRODUCE, and the gateway gives it on
 * with that of DATA. Bytes throughout, so it may lie anywhere. Freestanding, as frame.h.
 */

#define WEIR_CONTEXT_SAMPLED 0x01 /* whoever sent it records its spans; others are carried on */

struct weir_frame_context {
	uint8_t trace_id[16]; /* not all zeros; likewise below */
	uint8_t span_id[8];
	uint8_t flags;
	uint8_t reserved[3];
} WEIR_PACKED;

_Static_assert(sizeof(struct weir_frame_context) == 28, "trace context");

static inline bool weir_context_is_valid(const struct weir_frame_context *context)
{
	uint8_t trace = 0, span = 0;

	for (unsigned int i = 0; i < sizeof(context->trace_id); i++)
		trace |= context->trace_id[i];
	for (unsigned int i = 0; i < sizeof(context->span_id); i++)
		span |= context->span_id[i];
	return trace != 0 && span != 0;
}
