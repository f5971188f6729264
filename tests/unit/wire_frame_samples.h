/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "wire/frame.h"
#include "wire_guard.h"

/*
 * One sound datagram of every kind, the same ones as in docs/protocol.md section 10. The tests
 * of the codec and of the document use them, and the capture for the dissector's test.
 */

#define SAMPLE_SESSION UINT64_C(0xa1b2c3d4e5f60003)
#define SAMPLE_NONCE   UINT64_C(0x1122334455667788)
#define SAMPLE_TIME_NS UINT64_C(1790000000000000000)
#define SAMPLE_SIZE    512

struct wire_frame_sample {
	const char *name; /* as in the document */
	enum weir_frame_end end;
	uint64_t session;
	void (*build)(struct weir_writer *writer);
};

#define WIRE_FRAME_SAMPLES 24

extern const struct wire_frame_sample wire_frame_samples[WIRE_FRAME_SAMPLES];

/* Build a sample into SAMPLE_SIZE bytes; returns its length. */
size_t wire_frame_sample_build(const struct wire_frame_sample *sample, uint8_t *data);

/* NULL when there is none of that name. */
const struct wire_frame_sample *wire_frame_sample_named(const char *name);

/* One byte of a sound sample changed, and what that makes of it. */
struct wire_frame_fault {
	const char *sample;
	size_t offset;
	uint8_t value;
	enum weir_reason reason;
};

/* Opens the changed sample, placed before a guard. Aborts when the fault changes nothing. */
enum weir_reason wire_frame_fault_open(
	const struct wire_frame_fault *fault, const struct guard *guard);
