/* SPDX-License-Identifier: BSD-3-Clause */
#include "place/load.h"

#include <math.h>

#define DAMPING   0.1   /* share of the newest look */
#define BASE      0.125 /* of the mean, added to each partition */
#define LOAD_MOST 1e9
#define PACE_MOST 4.0  /* times the configured weight, or a part of it */
#define PACE_STEP 1.25 /* a change below it is none */

void weir_place_meter_look(struct weir_place_meter *meter, uint64_t messages, double interval_s)
{
	double rate = messages > meter->seen && interval_s > 0
			      ? (double)(messages - meter->seen) / interval_s
			      : 0;

	if (meter->is_begun)
		meter->rate += DAMPING * (rate - meter->rate);
	meter->is_begun = true;
	meter->seen = messages;
}

void weir_place_loads(const struct weir_place_meter *meters, uint32_t count, uint32_t *loads)
{
	double sum = 0;

	for (uint32_t i = 0; i < count; i++)
		sum += meters[i].rate;
	for (uint32_t i = 0; i < count; i++) {
		/* In thousandths of the mean: rates of any size have the same resolution. */
		double load = sum > 0 ? 1000 * (meters[i].rate * count / sum + BASE) : 1;

		loads[i] = load < 1 ? 1 : load > LOAD_MOST ? (uint32_t)LOAD_MOST : (uint32_t)load;
	}
}

void weir_place_pace_look(struct weir_place_pace *pace, uint32_t service_ns)
{
	if (service_ns == 0)
		return;
	if (pace->service_ns == 0)
		pace->service_ns = service_ns;
	else
		pace->service_ns += DAMPING * (service_ns - pace->service_ns);
}

uint32_t weir_place_pace_weight(struct weir_place_pace *pace, uint32_t base, double usual_ns)
{
	double factor = pace->service_ns != 0 && usual_ns != 0 ? usual_ns / pace->service_ns : 1;
	double wanted = base * fmin(fmax(factor, 1 / PACE_MOST), PACE_MOST);
	double ratio = pace->weight != 0 ? wanted / pace->weight : 0;

	if (ratio < 1 / PACE_STEP || ratio > PACE_STEP)
		pace->weight = wanted < 1 ? 1 : (uint32_t)(wanted + 0.5);
	return pace->weight;
}

double weir_place_pace_usual(const struct weir_place_pace *const *paces, uint32_t count)
{
	double sum = 0;
	uint32_t known = 0;

	for (uint32_t i = 0; i < count; i++)
		if (paces[i]->service_ns != 0) {
			sum += log(paces[i]->service_ns);
			known++;
		}
	return known >= 2 ? exp(sum / known) : 0;
}
