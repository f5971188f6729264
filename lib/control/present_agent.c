/* SPDX-License-Identifier: BSD-3-Clause */
#include <rte_cycles.h>

#include "control/present.h"

/* What the agent of an assisted consumer reports. */

json_t *weir_present_agent(const struct weir_gateway *gateway, const struct weir_consumer *consumer)
{
	const struct weir_agent *agent = weir_agent_of(gateway->dataplane, consumer);
	const struct weir_credit_line *bytes = &consumer->credit->bytes;
	int64_t room;

	if (agent == NULL)
		return json_null();
	room = (int64_t)(atomic_load(&bytes->limit) - atomic_load(&bytes->leased));
	return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:b}", "name", agent->name,
		"queue_bytes", weir_present_count(atomic_load(&agent->queue_bytes)), "limit_bytes",
		weir_present_count(atomic_load(&agent->limit_bytes)), "room_bytes",
		(json_int_t)(room > 0 ? room : 0), "drops",
		weir_present_count(atomic_load(&agent->drops)), "reports",
		weir_present_count(atomic_load(&agent->reports)), "round_trip_us",
		weir_present_count(atomic_load(&agent->rtt) / (rte_get_tsc_hz() / 1000000)),
		"silent_ms", weir_present_count(weir_agent_silent_ms(agent)), "is_starved",
		(int)atomic_load(&agent->is_starved), "has_key", (int)agent->seal.is_on);
}
