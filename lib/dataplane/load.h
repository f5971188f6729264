/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>

/*
 * How much each partition and each worker has to do, measured by the control thread about once a
 * second from what they count. Control thread only.
 */

struct weir_dataplane;
struct weir_stream;

struct weir_partition_load {
	uint64_t messages; /* as last seen */
	uint64_t bytes;    /* likewise */
	double messages_per_s;
	double bytes_per_s; /* payload */
};

/* Measure; does nothing within half a second of the last time. */
void weir_load_measure(struct weir_dataplane *dataplane);
/* Share of the last seconds that a worker was busy. */
double weir_worker_duty(const struct weir_dataplane *dataplane, uint32_t worker);
struct weir_stream_load {
	double messages_per_s;
	double bytes_per_s;
	uint16_t hottest;       /* partition */
	double hottest_percent; /* of the stream's messages */
	double skew; /* the hottest partition's messages, of the mean; 0: there are none */
};
/* -ENOENT: no such stream. */
int weir_stream_load(
	const struct weir_dataplane *dataplane, const char *name, struct weir_stream_load *load);
/* What a partition weighs against others: messages a second, and one for being there. */
uint64_t weir_partition_weight(const struct weir_stream *stream, uint16_t partition);
