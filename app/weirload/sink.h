/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "histogram.h"
#include "meter.h"
#include "verify.h"

/* Where received messages end, blind or native: checked, timed, counted. One thread. */
struct load_sink {
	struct load_verifier *verifier;
	struct load_histogram latency; /* ns from sending to here */
	struct load_meter meter;       /* in layer-3 bytes */
	uint64_t received;             /* messages with a record, duplicates too */
	uint64_t bytes;                /* UDP payload of these */
	uint64_t foreign;              /* messages without a record */
};

/* 0 or -ENOMEM; `is_late` as in load_verifier_create(). */
int load_sink_init(struct load_sink *sink, bool is_late);
void load_sink_free(struct load_sink *sink);
/* `overhead`: bytes of headers above the payload, for the rate in bits/s. */
void load_sink_take(struct load_sink *sink, const uint8_t *payload, size_t length, size_t overhead,
	uint64_t now_ns);
/* Messages taken, of either kind. */
uint64_t load_sink_messages(const struct load_sink *sink);
/* Nothing was lost, doubled, out of order or foreign. */
bool load_sink_is_clean(const struct load_sink *sink);
/* A new object, or NULL without memory. `with_keys` adds one row a key. */
json_t *load_sink_report(const struct load_sink *sink, bool with_keys);
