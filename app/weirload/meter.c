/* SPDX-License-Identifier: BSD-3-Clause */
#include "meter.h"

#include <string.h>

#define FIRST_WIDTH_NS 1000000

static void double_width(struct load_meter *meter)
{
	for (size_t i = 0; i < LOAD_METER_BINS / 2; i++) {
		meter->packets[i] = meter->packets[2 * i] + meter->packets[2 * i + 1];
		meter->bytes[i] = meter->bytes[2 * i] + meter->bytes[2 * i + 1];
	}
	memset(meter->packets + LOAD_METER_BINS / 2, 0, sizeof(meter->packets) / 2);
	memset(meter->bytes + LOAD_METER_BINS / 2, 0, sizeof(meter->bytes) / 2);
	meter->width_ns *= 2;
}

void load_meter_add(struct load_meter *meter, uint64_t now_ns, uint64_t packets, uint64_t bytes)
{
	uint64_t age;

	if (meter->width_ns == 0) {
		meter->first_ns = now_ns;
		meter->last_ns = now_ns;
		meter->width_ns = FIRST_WIDTH_NS;
	}
	age = now_ns > meter->first_ns ? now_ns - meter->first_ns : 0;
	while (age / meter->width_ns >= LOAD_METER_BINS)
		double_width(meter);
	meter->packets[age / meter->width_ns] += packets;
	meter->bytes[age / meter->width_ns] += bytes;
	if (now_ns > meter->last_ns)
		meter->last_ns = now_ns;
}

struct load_rate load_meter_rate(const struct load_meter *meter)
{
	uint64_t span_ns = meter->last_ns - meter->first_ns;
	uint64_t bins, begin = 0, end, packets = 0, bytes = 0;
	double seconds = (double)span_ns / 1e9;

	if (span_ns == 0)
		return (struct load_rate){0};
	bins = span_ns / meter->width_ns + 1;
	end = bins;
	if (bins >= 10) {
		begin = bins / 10;
		end = bins - bins / 10;
		seconds = (double)((end - begin) * meter->width_ns) / 1e9;
	}
	for (uint64_t bin = begin; bin < end; bin++) {
		packets += meter->packets[bin];
		bytes += meter->bytes[bin];
	}
	return (struct load_rate){
		.packets_per_s = (double)packets / seconds,
		.bits_per_s = (double)bytes * 8 / seconds,
	};
}
