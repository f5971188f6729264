/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>

#include "control/present.h"
#include "dataplane/producer.h"

/* Producers that speak the stream protocol, as an operator sees them. */

static const char *reason_name(uint8_t reason)
{
	static const char *const names[] = {
#define X(id, number, name, text) [number] = name,
		WEIR_PACE_REASONS(X)
#undef X
	};

	return reason < sizeof(names) / sizeof(names[0]) ? names[reason] : "unknown";
}

static void add_producer(void *context, struct weir_producer *producer)
{
	const struct weir_produce_record *record = producer->record;
	/* Read while the worker goes on: each number is right for itself. */
	const struct weir_producer_stats stats = record->stats;
	uint64_t next = record->next, newest = record->newest;
	char address[WEIR_ADDRESS_TEXT], session[24];

	weir_address_format(&producer->peer, address, sizeof(address));
	snprintf(session, sizeof(session), "%016llx", (unsigned long long)producer->session);
	weir_present_add(context,
		json_pack("{s:s, s:s, s:s, s:i, s:s, s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, "
			  "s:I, s:s, s:I, s:I}",
			"name", producer->name, "stream", producer->stream, "address", address,
			"port", producer->peer_port, "session", session, "worker",
			weir_tenure_wanted(&producer->tenure), "epoch",
			weir_present_count(record->epoch), "next", weir_present_count(next),
			"newest", weir_present_count(newest), "limit",
			weir_present_count(record->limit), "retained",
			weir_present_count(stats.retained), "bytes",
			weir_present_count(stats.retained_bytes), "duplicates",
			weir_present_count(stats.duplicates), "refused",
			weir_present_count(stats.refused), "held",
			weir_present_count(record->held_count), "pace",
			reason_name(atomic_load(&producer->reason)), "beyond",
			weir_present_count(stats.beyond), "silent_ms",
			weir_present_count(weir_producer_silent_ms(producer))));
}

json_t *weir_present_producers(struct weir_gateway *gateway)
{
	struct weir_present_rows rows;

	weir_present_begin(&rows, gateway);
	weir_producers_visit(gateway->dataplane, add_producer, &rows);
	return weir_present_end(&rows);
}

static int on_producer_list(
	void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	(void)params;
	return weir_present_answer(
		json_pack("{s:o}", "producers", weir_present_producers(context)), result, error);
}

static const struct weir_rpc_method methods[] = {
	{"producer_list",
		"show the producers: what they have sent, and what holds them back (pace)",
		WEIR_RPC_READ, NULL, "producers", on_producer_list},
};

int weir_methods_producer_register(struct weir_gateway *gateway)
{
	return weir_rpc_register(
		gateway->rpc, methods, sizeof(methods) / sizeof(methods[0]), gateway);
}
