/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "wire/frame.h"

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
	void (*build)(struct weir_writer *writer);
};

#define WIRE_FRAME_SAMPLES 10

extern const struct wire_frame_sample wire_frame_samples[WIRE_FRAME_SAMPLES];

/* Build a sample into SAMPLE_SIZE bytes; returns its length. */
size_t wire_frame_sample_build(const struct wire_frame_sample *sample, uint8_t *data);
