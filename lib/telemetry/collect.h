/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "dataplane/dataplane.h"
#include "telemetry/metrics.h"

/*
 * Takes the figures of the data plane into a set: law, streams, tiers, partitions, groups, ports,
 * workers, pools, latency. A census is asked for, unless a worker is known to be stalled: then the
 * one before stands, and is counted as missing. Control thread.
 */
struct weir_collector {
	uint64_t busy_us[WEIR_MAX_WORKERS]; /* told so far, see duty.h */
	uint64_t looked_ns;
	uint64_t census_failures;
	uint32_t partition_limit; /* partitions with samples of their own */
	uint32_t left_out;        /* of the last look: what had none */
};

void weir_collect(struct weir_collector *collector, struct weir_dataplane *dataplane,
	uint64_t now_ns, struct weir_samples *samples);
