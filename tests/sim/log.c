/* SPDX-License-Identifier: BSD-3-Clause */
#include "log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "random.h"

static const char *const names[] = {
#define X(id, text) text,
	SIM_EVENTS(X)
#undef X
};

static void print_event(const struct sim_event *event)
{
	printf("  %12.6f ms", (double)event->at_ns / 1e6);
	if (event->who != SIM_NOBODY)
		printf(" consumer %u", event->who);
	if (event->lane != SIM_NOBODY)
		printf(" partition %u", event->lane);
	printf(" %s %" PRIu64 " %" PRIu64 "\n", names[event->kind], event->a, event->b);
}

void sim_log_event(struct sim_log *log, const struct sim_event *event)
{
	uint64_t digest = log->digest;

	digest = sim_mix(digest ^ event->at_ns);
	digest = sim_mix(digest ^ event->a);
	digest = sim_mix(digest ^ event->b);
	digest = sim_mix(
		digest ^ ((uint64_t)event->kind << 32 | (uint64_t)event->who << 16 | event->lane));
	log->digest = digest;
	log->events[log->count++ % SIM_LOG_KEPT] = *event;
	if (log->is_verbose)
		print_event(event);
}

void sim_log_fail(struct sim_log *log, const char *promise, const char *format, ...)
{
	va_list list;

	if (log->promise != NULL)
		return;
	log->promise = promise;
	va_start(list, format);
	vsnprintf(log->text, sizeof(log->text), format, list);
	va_end(list);
}

void sim_log_print(const struct sim_log *log)
{
	uint64_t first = log->count > SIM_LOG_KEPT ? log->count - SIM_LOG_KEPT : 0;

	for (uint64_t i = first; i < log->count; i++)
		print_event(&log->events[i % SIM_LOG_KEPT]);
}
