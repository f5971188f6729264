/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/program.h"

#include "dataplane/consumer.h"

bool weir_program_flow(const struct weir_dataplane *dataplane, const char *stream,
	const char *group, struct weir_failover_flow *flow)
{
	for (uint32_t i = 0; i < dataplane->port_count; i++) {
		const struct weir_port *port = dataplane->ports[i];

		if (port->ops->flow != NULL)
			return port->ops->flow(port->driver, stream, group, flow);
	}
	return false;
}

/* What was dropped for a reason that workers know too; returns the sum of all. */
static uint64_t add_dropped(const struct weir_failover_flow *flow, uint64_t *dropped)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < flow->drop_count; i++) {
		const struct weir_failover_drop *drop = &flow->drops[i];

		sum += drop->count;
		if (drop->reason != WEIR_REASON_NONE)
			dropped[drop->reason] += drop->count;
	}
	return sum;
}

/*
 * A packet is counted as received first and its fate later, on each CPU: what is between is in the
 * program's hands. The CPUs' counters are read one after another, so it may seem less than none.
 */
static uint64_t in_hands(const struct weir_failover_flow *flow, uint64_t accounted)
{
	return flow->received > accounted ? flow->received - accounted : 0;
}

void weir_program_add_stream(
	const struct weir_dataplane *dataplane, struct weir_stream_report *report)
{
	uint64_t dropped[WEIR_REASON_COUNT] = {0}, all, known = 0;
	struct weir_failover_flow flow;

	if (!weir_program_flow(dataplane, report->name, NULL, &flow))
		return;
	all = add_dropped(&flow, dropped);
	for (int reason = 0; reason < WEIR_REASON_COUNT; reason++) {
		report->stats.dropped[reason] += dropped[reason];
		known += dropped[reason];
	}
	/* All groups' refusals are theirs to tell: the message was given to them. */
	report->by_program = flow.delivered + all - known;
	report->in_program = in_hands(&flow, flow.delivered + all);
	report->stats.received += flow.delivered + all + report->in_program;
	report->stats.received_bytes += flow.bytes;
}

void weir_program_add_group(
	const struct weir_dataplane *dataplane, struct weir_group_report *report)
{
	struct weir_failover_flow flow;
	uint64_t accounted, held;

	if (!weir_program_flow(dataplane, report->stream, report->group->name, &flow))
		return;
	accounted = flow.delivered + add_dropped(&flow, report->stats.dropped);
	held = in_hands(&flow, accounted);
	report->stats.received += accounted + held;
	report->stats.delivered += flow.delivered;
	report->stats.delivered_bytes += flow.bytes;
	report->stats.held += held;
}

void weir_program_add_consumer(const struct weir_dataplane *dataplane,
	const struct weir_consumer *consumer, struct weir_consumer_report *report)
{
	for (uint32_t i = 0; i < dataplane->port_count; i++) {
		const struct weir_port *port = dataplane->ports[i];
		struct weir_failover_flow flow;

		if (port->ops->consumer_flow == NULL ||
			!port->ops->consumer_flow(port->driver, consumer->slot, &flow))
			continue;
		report->stats.delivered += flow.delivered;
		report->stats.delivered_bytes += flow.bytes;
		report->stats.datagrams += flow.delivered;
		(void)add_dropped(&flow, report->dropped);
		return;
	}
}
