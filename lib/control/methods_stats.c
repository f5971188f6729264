/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/checkpoint.h"
#include "control/present.h"
#include "control/sessions.h"
#include "dataplane/report.h"

/* All counters at once, and whether they agree. */

static void add_violation(void *context, const struct weir_violation *violation)
{
	weir_present_add(context,
		json_pack("{s:o, s:o, s:o, s:I, s:I}", "port", weir_present_text(violation->port),
			"stream", weir_present_text(violation->stream), "group",
			weir_present_text(violation->group), "received",
			weir_present_count(violation->received), "accounted",
			weir_present_count(violation->accounted)));
}

static json_t *present_law(struct weir_gateway *gateway)
{
	struct weir_present_rows rows;
	uint32_t violations;

	weir_present_begin(&rows, gateway);
	violations = weir_law_check(gateway->dataplane, add_violation, &rows);
	return json_pack(
		"{s:b, s:o}", "holds", violations == 0, "violations", weir_present_end(&rows));
}

static void add_pool(void *context, const struct weir_pool_report *pool)
{
	weir_present_add(context, json_pack("{s:s, s:I, s:I, s:I}", "name", pool->name, "size",
					  weir_present_count(pool->size), "available",
					  weir_present_count(pool->available), "in_use",
					  weir_present_count(pool->size - pool->available)));
}

static json_t *present_pools(struct weir_gateway *gateway)
{
	struct weir_present_rows rows;

	weir_present_begin(&rows, gateway);
	weir_pools_report(gateway->dataplane, add_pool, &rows);
	return weir_present_end(&rows);
}

static json_t *present_native(struct weir_gateway *gateway)
{
	const struct weir_sessions_counters *sessions = weir_sessions_counters(gateway->sessions);
	uint64_t dropped[WEIR_REASON_COUNT];

	weir_native_dropped(gateway->dataplane, dropped);
	/* Cookies are the control thread's to judge. */
	dropped[WEIR_REASON_FRAME_COOKIE] += sessions->bad_cookies;
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:o}", "hellos",
		weir_present_count(sessions->hellos), "admitted",
		weir_present_count(sessions->admitted), "refused",
		weir_present_count(sessions->refused), "left", weir_present_count(sessions->left),
		"silent", weir_present_count(sessions->silent), "dropped",
		weir_present_dropped(dropped));
}

/* null without a state file. */
static json_t *present_checkpoint(const struct weir_gateway *gateway)
{
	struct weir_state_report report;

	if (!weir_checkpoint_report(gateway->checkpoint, &report))
		return json_null();
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:o}", "incarnation",
		weir_present_count(weir_checkpoint_incarnation(gateway->checkpoint)), "writes",
		weir_present_count(report.writes), "failures", weir_present_count(report.failures),
		"bytes", weir_present_count(report.bytes), "duration_us",
		weir_present_count(report.duration_ns / 1000), "error",
		weir_present_text(report.error.code != 0 ? report.error.reason : NULL));
}

static int on_stats_get(
	void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	struct weir_gateway *gateway = context;
	double uptime_s = (double)(weir_loop_clock_ns() - gateway->started_ns) / WEIR_S_NS;
	int code = weir_present_census(gateway, error);

	(void)params;
	if (code < 0)
		return code;
	return weir_present_answer(
		json_pack("{s:f, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
			"uptime_s", uptime_s, "generation",
			weir_present_count(gateway->dataplane->generation), "law",
			present_law(gateway), "streams", weir_present_streams(gateway), "groups",
			weir_present_groups(gateway), "consumers", weir_present_consumers(gateway),
			"ports", weir_present_ports(gateway), "native", present_native(gateway),
			"workers", weir_present_workers(gateway), "pools", present_pools(gateway),
			"quarantine", weir_present_quarantine(gateway), "health",
			weir_present_entered(gateway), "latency", weir_present_latency(gateway),
			"checkpoint", present_checkpoint(gateway)),
		result, error);
}

static const struct weir_rpc_method methods[] = {
	{"stats_get", "show every counter, and whether what was received is all accounted for",
		WEIR_RPC_READ, NULL,
		"law (holds, violations), streams, groups, consumers, ports, native, workers, "
		"pools, quarantine, health (how often consumers came into each state), latency (by "
		"stage), "
		"checkpoint",
		on_stats_get},
};

int weir_methods_stats_register(struct weir_gateway *gateway)
{
	return weir_rpc_register(
		gateway->rpc, methods, sizeof(methods) / sizeof(methods[0]), gateway);
}
