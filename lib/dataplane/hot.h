/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>

#include "dataplane/report.h"
#include "flow/heavy.h"
#include "wire/key_show.h"

/*
 * Which keys a stream is sent most of: each worker counts one in about so many of the packets that
 * it receives. Counts are halved every ten seconds, so they speak of the last half minute.
 */

#define WEIR_HOT_SAMPLE 64 /* one packet in so many, at random distances */

struct weir_worker;
struct weir_stream;

/* One worker's. It writes; the control thread copies, and looks whether `version` has changed. */
struct weir_hot {
	uint32_t version; /* odd while the worker changes it */
	uint32_t random;
	uint64_t halved_at; /* TSC; 0: not begun */
	struct weir_heavy heavy;
	struct weir_key_value keys[WEIR_HEAVY_ENTRIES];
} __rte_cache_aligned;

/* A packet is to be looked at; returns after how many the next one is. */
uint32_t weir_hot_sample(const struct weir_worker *worker, const struct weir_stream *stream,
	uint64_t hash, const uint8_t *frame, const struct weir_packet *headers);

struct weir_hot_key {
	struct weir_key_value key;
	uint64_t hash;
	uint64_t count; /* of the samples that the report says; never too low */
	uint64_t error; /* by so many it may be too high */
};

struct weir_hot_report {
	uint64_t samples;
	uint32_t count;
	struct weir_hot_key keys[WEIR_HEAVY_ENTRIES]; /* most first */
};

/* Of all workers together; *partitions: that the stream has. -ENOENT: no such stream; -ENOMEM.
 * Control thread. */
int weir_hot_report(const struct weir_dataplane *dataplane, const char *stream,
	struct weir_hot_report *report, uint16_t *partitions);
