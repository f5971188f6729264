/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/chaos.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include <rte_cycles.h>

#include "control/gateway.h"

#define KILL_MS  100 /* until then who asked has the answer, and subscribers the event */
#define STALL_MS 100 /* that a worker may take to see that it is to stall */

/* The newest time that a fault was on. */
struct run {
	struct weir_chaos *chaos;
	enum weir_chaos_kind kind;
	struct weir_loop_timer end;
	struct weir_chaos_report report;
	uint64_t ends_ns;
	uint64_t before; /* total, when it began */
	uint64_t taken;  /* buffers, of all times */
};

struct weir_chaos {
	struct weir_gateway *gateway;
	struct run runs[WEIR_CHAOS_COUNT];
	uint32_t id; /* of the newest */
};

static uint64_t total_of(const struct run *run)
{
	return run->kind == WEIR_CHAOS_EXHAUST
		       ? run->taken
		       : weir_chaos_count(run->chaos->gateway->dataplane, run->kind);
}

static void tell(const struct run *run, enum weir_event_kind event, int64_t count, const char *text)
{
	char subject[32];

	snprintf(subject, sizeof(subject), "fault=%s", weir_chaos_about[run->kind].name);
	weir_event_emit(run->chaos->gateway, &(struct weir_event){.kind = event,
						     .subject = subject,
						     .reason = weir_chaos_about[run->kind].name,
						     .count = count,
						     .text = text});
}

static void end_run(struct run *run, const char *ended_by)
{
	struct weir_gateway *gateway = run->chaos->gateway;
	char text[96];

	if (!run->report.is_on)
		return;
	weir_loop_timer_cancel(gateway->loop, &run->end);
	if (run->kind == WEIR_CHAOS_EXHAUST)
		weir_chaos_give_back(gateway->dataplane);
	else if (weir_chaos_set(gateway->dataplane, run->kind, NULL) < 0)
		weir_log_warning("chaos", "%s: no memory to end it before its time",
			weir_chaos_about[run->kind].name);
	run->report.is_on = false;
	run->report.ended_by = ended_by;
	snprintf(text, sizeof(text), "ended by %s", ended_by);
	tell(run, WEIR_EVENT_CHAOS_OVER, (int64_t)(total_of(run) - run->before), text);
}

static void on_end(void *context, uint64_t now_ns)
{
	struct run *run = context;

	(void)now_ns;
	if (run->kind == WEIR_CHAOS_KILL)
		raise(SIGKILL);
	end_run(run, run->kind == WEIR_CHAOS_STALL ? "ms" : "seconds");
}

int weir_chaos_create(struct weir_gateway *gateway, struct weir_chaos **out)
{
	struct weir_chaos *chaos = calloc(1, sizeof(*chaos));

	*out = chaos;
	if (chaos == NULL)
		return -ENOMEM;
	chaos->gateway = gateway;
	for (int kind = 0; kind < WEIR_CHAOS_COUNT; kind++) {
		chaos->runs[kind].chaos = chaos;
		chaos->runs[kind].kind = (enum weir_chaos_kind)kind;
		weir_loop_timer_init(&chaos->runs[kind].end, on_end, &chaos->runs[kind]);
	}
	return 0;
}

void weir_chaos_destroy(struct weir_chaos *chaos)
{
	for (int kind = 0; chaos != NULL && kind < WEIR_CHAOS_COUNT; kind++)
		end_run(&chaos->runs[kind], "shutdown");
	free(chaos);
}

/* What workers do of it. */
static int inject(struct run *run, const struct weir_chaos_terms *terms, uint64_t delay_ms)
{
	struct weir_dataplane *dataplane = run->chaos->gateway->dataplane;
	uint64_t cycles_per_ms = rte_get_tsc_hz() / 1000;
	struct weir_chaos_fault fault = {.id = ++run->chaos->id,
		.seed = terms->seed,
		.share = (uint64_t)((double)WEIR_CHAOS_ALL * terms->percent / 100),
		.until = rte_rdtsc() + delay_ms * cycles_per_ms,
		.cycles = terms->ms * cycles_per_ms,
		.port = terms->port,
		.consumer = terms->consumer,
		.worker = terms->worker};
	uint32_t taken;

	switch (run->kind) {
	case WEIR_CHAOS_KILL:
		return 0;
	case WEIR_CHAOS_EXHAUST:
		taken = weir_chaos_take(dataplane, terms->percent);
		run->taken += taken;
		return taken != 0 ? 0 : -ENOBUFS;
	default:
		return weir_chaos_set(dataplane, run->kind, &fault);
	}
}

static uint64_t length_ms(enum weir_chaos_kind kind, const struct weir_chaos_terms *terms)
{
	if (kind == WEIR_CHAOS_KILL)
		return KILL_MS;
	return kind == WEIR_CHAOS_STALL ? terms->ms + STALL_MS : terms->seconds * 1000;
}

static void tell_begun(const struct run *run)
{
	const struct weir_chaos_terms *terms = &run->report.terms;
	uint8_t takes = weir_chaos_about[run->kind].takes;
	char percent[32] = "", seconds[32] = "", ms[32] = "", text[160];

	if (takes & WEIR_CHAOS_PERCENT)
		snprintf(percent, sizeof(percent), "; percent %g", terms->percent);
	if (takes & WEIR_CHAOS_SECONDS)
		snprintf(seconds, sizeof(seconds), "; seconds %u", terms->seconds);
	if (takes & WEIR_CHAOS_MS)
		snprintf(ms, sizeof(ms), "; ms %u", terms->ms);
	snprintf(text, sizeof(text), "seed %" PRIu64 "%s%s%s", terms->seed, percent, seconds, ms);
	tell(run, WEIR_EVENT_CHAOS_BEGUN, -1, text);
}

int weir_chaos_start(struct weir_chaos *chaos, enum weir_chaos_kind kind,
	const struct weir_chaos_terms *terms, struct weir_error *error)
{
	struct run *run = &chaos->runs[kind];
	uint64_t delay_ms = length_ms(kind, terms), before = total_of(run);
	int result;

	if (run->report.is_on)
		return weir_error_set(error, -EBUSY, "$.params.fault",
			"chaos_stop ends it, or wait until it is over", "%s is on already",
			weir_chaos_about[kind].name);
	result = inject(run, terms, delay_ms);
	if (result == 0)
		result = weir_loop_timer_arm(
			chaos->gateway->loop, &run->end, delay_ms * WEIR_MS_NS, 0);
	if (result < 0) {
		weir_chaos_set(chaos->gateway->dataplane, kind, NULL);
		if (kind == WEIR_CHAOS_EXHAUST)
			weir_chaos_give_back(chaos->gateway->dataplane);
		return weir_error_set(error, result, "", "", "%s cannot be injected: %s",
			weir_chaos_about[kind].name,
			result == -ENOBUFS ? "no buffers are free" : "no memory");
	}
	run->report = (struct weir_chaos_report){.is_on = true, .was_on = true, .terms = *terms};
	run->before = before;
	run->ends_ns = weir_loop_clock_ns() + delay_ms * WEIR_MS_NS;
	tell_begun(run);
	return 0;
}

void weir_chaos_stop(struct weir_chaos *chaos, enum weir_chaos_kind kind)
{
	end_run(&chaos->runs[kind], "stop");
}

void weir_chaos_sync(struct weir_chaos *chaos)
{
	if (chaos == NULL || weir_dataplane_config(chaos->gateway->dataplane)->chaos.allow)
		return;
	for (int kind = 0; kind < WEIR_CHAOS_COUNT; kind++)
		end_run(&chaos->runs[kind], "configuration");
}

void weir_chaos_report(
	const struct weir_chaos *chaos, enum weir_chaos_kind kind, struct weir_chaos_report *report)
{
	const struct run *run = &chaos->runs[kind];
	uint64_t now_ns = weir_loop_clock_ns();

	*report = run->report;
	report->total = total_of(run);
	report->injected = report->was_on ? report->total - run->before : 0;
	report->left_ms =
		report->is_on && run->ends_ns > now_ns ? (run->ends_ns - now_ns) / WEIR_MS_NS : 0;
}
