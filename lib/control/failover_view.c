/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/failover_view.h"

static const char *state_of(const struct weir_failover_queue *queue)
{
	if (!queue->is_armed)
		return "disarmed";
	/* A dead worker's queue trips at its next packet. */
	return queue->is_tripped || !queue->has_worker ? "kernel" : "gateway";
}

static json_t *view_queue(const struct weir_failover_queue *queue, uint32_t number)
{
	return json_pack("{s:i, s:s, s:s?, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "queue",
		(int)number, "state", state_of(queue), "reason", queue->reason, "heartbeat_us",
		(json_int_t)(queue->heartbeat_age_ns / 1000), "tripped_at_ns",
		(json_int_t)queue->tripped_at_ns, "trips", (json_int_t)queue->trips, "redirected",
		(json_int_t)queue->redirected, "waiting", (json_int_t)queue->waiting, "in_kernel",
		(json_int_t)queue->in_kernel, "handover_lost", (json_int_t)queue->lost);
}

json_t *weir_failover_view(
	const char *interface, const struct weir_failover_queue *queues, uint32_t count)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < count; i++)
		json_array_append_new(list, view_queue(&queues[i], i));
	if (json_array_size(list) != count) {
		json_decref(list);
		return NULL;
	}
	return json_pack("{s:s, s:o}", "interface", interface, "queues", list);
}
