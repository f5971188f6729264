/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/gate.h"
#include "dataplane/reliable.h"

/*
 * Which lanes have something to send again or to tell: they go before new data, and pass the gates
 * of credit and window, which their messages have passed before. Rates are charged, if need be into
 * debt, so that new data waits for them.
 */

static void outlet_add(struct weir_worker *worker, struct weir_outlet *outlet)
{
	if (weir_list_is_empty(&outlet->again_link))
		weir_list_add_tail(&worker->again, &outlet->again_link);
}

void weir_again_add(struct weir_worker *worker, struct weir_lane *lane)
{
	if (weir_list_is_empty(&lane->again))
		weir_list_add_tail(&lane->outlet->again, &lane->again);
	outlet_add(worker, lane->outlet);
}

void weir_again_open(struct weir_worker *worker, struct weir_outlet *outlet)
{
	if (!weir_list_is_empty(&outlet->again))
		outlet_add(worker, outlet);
}

/* False: whatever closed the outlet has it opened again. */
static bool may_send(
	struct weir_worker *worker, struct weir_outlet *outlet, const struct weir_route **route)
{
	switch ((enum weir_gate)outlet->gate) {
	case WEIR_GATE_OPEN:
		return weir_gate_enter(worker, outlet, route) == WEIR_GATE_OPEN;
	case WEIR_GATE_CREDIT_MESSAGES:
	case WEIR_GATE_CREDIT_BYTES:
	case WEIR_GATE_WINDOW:
		*route = atomic_load_explicit(&outlet->consumer->route, memory_order_acquire);
		return *route != NULL &&
		       atomic_load_explicit(&outlet->consumer->closed, memory_order_acquire) == 0;
	default:
		return false;
	}
}

/* True when all of its lanes are done, or wait for the end of a pause. */
static bool run_outlet(
	struct weir_worker *worker, struct weir_outlet *outlet, const struct weir_route *route)
{
	struct weir_list waiting;
	bool is_finished = true;

	weir_list_init(&waiting);
	weir_list_splice_tail(&waiting, &outlet->again);
	while (!weir_list_is_empty(&waiting)) {
		struct weir_lane *lane = weir_list_entry(waiting.next, struct weir_lane, again);
		bool is_paused = weir_gate_is_paused(outlet->consumer, lane->partition->stream);

		weir_list_remove(&lane->again);
		if (!is_paused && weir_reliable_again(worker, lane, route))
			continue;
		is_finished &= is_paused;
		if (weir_list_is_empty(&lane->again))
			weir_list_add_tail(&outlet->again, &lane->again);
	}
	return is_finished;
}

uint32_t weir_again_run(struct weir_worker *worker)
{
	struct weir_list waiting;
	uint32_t count = 0;

	weir_list_init(&waiting);
	weir_list_splice_tail(&waiting, &worker->again);
	while (!weir_list_is_empty(&waiting)) {
		struct weir_outlet *outlet =
			weir_list_entry(waiting.next, struct weir_outlet, again_link);
		const struct weir_route *route;

		weir_list_remove(&outlet->again_link);
		if (!may_send(worker, outlet, &route))
			continue;
		count++;
		if (!run_outlet(worker, outlet, route))
			outlet_add(worker, outlet);
	}
	return count;
}
