/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "dataplane/chaos.h"

/*
 * Faults that an operator injects (dataplane/chaos.h): each begins and ends with an event, ends by
 * itself, and is possible only while the configuration says chaos.allow. One of each kind at a
 * time.
 *
 * Control thread only.
 */

struct weir_gateway;
struct weir_chaos;

/* What it is asked for; what its kind does not take stays zero, or WEIR_CHAOS_ANY. */
struct weir_chaos_terms {
	double percent;
	uint32_t seconds;
	uint32_t ms;
	uint64_t seed;
	uint16_t port;
	uint16_t consumer;
	uint16_t worker;
};

struct weir_chaos_report {
	bool is_on;
	const char *ended_by; /* seconds, stop, configuration; NULL: it is on, or never was */
	bool was_on;          /* the terms are of the newest time */
	struct weir_chaos_terms terms;
	uint64_t left_ms;
	uint64_t injected; /* the newest time: packets, stalls or buffers */
	uint64_t total;    /* since the gateway began */
};

int weir_chaos_create(struct weir_gateway *gateway, struct weir_chaos **chaos);
/* Ends what is on. NULL is fine. */
void weir_chaos_destroy(struct weir_chaos *chaos);
/* -EBUSY: this fault is on; -ENOBUFS: there are no free buffers to take; -ENOMEM. */
int weir_chaos_start(struct weir_chaos *chaos, enum weir_chaos_kind kind,
	const struct weir_chaos_terms *terms, struct weir_error *error);
/* Harmless when it is off. */
void weir_chaos_stop(struct weir_chaos *chaos, enum weir_chaos_kind kind);
/* The configuration may be another: without chaos.allow all faults end. */
void weir_chaos_sync(struct weir_chaos *chaos);
void weir_chaos_report(const struct weir_chaos *chaos, enum weir_chaos_kind kind,
	struct weir_chaos_report *report);
