/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/health.h"
#include "control/present.h"
#include "dataplane/report.h"

/* How delivery to a consumer goes on: its health, and what acknowledgement tells. */

static json_t *present_entered(const uint64_t *entered)
{
	json_t *object = json_object();

	for (int state = 0; object != NULL && state < WEIR_HEALTH_STATE_COUNT; state++)
		if (json_object_set_new(object, weir_health_name((enum weir_health_state)state),
			    json_integer(weir_present_count(entered[state]))) < 0) {
			json_decref(object);
			return NULL;
		}
	return object;
}

/* {gate: seconds that it held messages back} of those that did. */
static json_t *present_limited(const uint64_t *limited_ns)
{
	static const char *const names[] = {
#define X(id, name) [WEIR_GATE_##id] = name,
		WEIR_GATES(X)
#undef X
	};
	json_t *object = json_object();

	for (int gate = 0; object != NULL && gate < WEIR_GATE_COUNT; gate++) {
		if (limited_ns[gate] == 0)
			continue;
		if (json_object_set_new(object, names[gate],
			    json_real((double)limited_ns[gate] / WEIR_S_NS)) < 0) {
			json_decref(object);
			return NULL;
		}
	}
	return object;
}

json_t *weir_present_health(struct weir_gateway *gateway, const struct weir_consumer *consumer)
{
	struct weir_health_status status;

	if (!weir_health_status(gateway->health, consumer, &status))
		return json_null();
	return json_pack("{s:s, s:I, s:o, s:i, s:I, s:o}", "state", status.name, "for_ms",
		weir_present_count((weir_loop_clock_ns() - status.since_ns) / WEIR_MS_NS),
		"entered", present_entered(status.entered), "held_percent",
		(int)status.held_percent, "waiting", weir_present_count(status.backlog.waiting),
		"limited_s", present_limited(status.limited_ns));
}

/* What it says of itself, with each CREDIT. */
static json_t *present_report(const struct weir_consumer *consumer)
{
	return json_pack("{s:I, s:I, s:I}", "queue",
		weir_present_count(atomic_load(&consumer->queue)), "service_ns",
		weir_present_count(atomic_load(&consumer->service_ns)), "capacity",
		weir_present_count(atomic_load(&consumer->capacity)));
}

json_t *weir_present_delivery(struct weir_gateway *gateway, const struct weir_consumer *consumer,
	const struct weir_consumer_stats *stats)
{
	struct weir_health_status status = {0};

	if (consumer->class != WEIR_CLASS_NATIVE)
		return json_null();
	weir_health_status(gateway->health, consumer, &status);
	return json_pack("{s:b, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "acknowledged",
		consumer->is_reliable, "authenticated", consumer->seal.is_on, "in_flight",
		weir_present_count(status.backlog.flying), "window",
		weir_present_count(status.backlog.window), "retransmitted",
		weir_present_count(stats->retransmitted), "retransmitted_bytes",
		weir_present_count(stats->retransmitted_bytes), "acks",
		weir_present_count(stats->acks), "nacks", weir_present_count(stats->nacks),
		"probes", weir_present_count(stats->probes), "report", present_report(consumer));
}

json_t *weir_present_entered(struct weir_gateway *gateway)
{
	uint64_t entered[WEIR_HEALTH_STATE_COUNT];

	weir_health_entered(gateway->health, entered);
	return present_entered(entered);
}
