/* SPDX-License-Identifier: BSD-3-Clause */
#include "telemetry/health_text.h"

#include <stdio.h>

bool weir_health_text(const struct weir_samples *samples, char *text, size_t size)
{
	size_t used = 0;

	for (int32_t i = samples->first[WEIR_METRIC_ID_HEALTH]; i >= 0; i = samples->list[i].next) {
		const struct weir_sample *sample = &samples->list[i];
		const char *watchdog = weir_sample_label(samples, sample, "watchdog");
		const char *subject = weir_sample_label(samples, sample, "subject");

		if (sample->value == 0 || used + 1 >= size)
			continue;
		used += (size_t)snprintf(text + used, size - used, "%s: %s\n",
			watchdog != NULL ? watchdog : "", subject != NULL ? subject : "");
	}
	if (used == 0)
		snprintf(text, size, "ok\n");
	return used == 0;
}
