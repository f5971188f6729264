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

void weir_failover_answer_begin(struct weir_failover_answer *answer)
{
	*answer = (struct weir_failover_answer){json_array(), json_array(), json_array()};
}

void weir_failover_answer_add(void *context, const struct weir_failover_flow *flow)
{
	struct weir_failover_answer *answer = context;
	json_t *dropped = json_object(), *row;

	for (uint32_t i = 0; i < flow->drop_count; i++)
		if (flow->drops[i].count != 0)
			json_object_set_new(dropped, flow->drops[i].name,
				json_integer((json_int_t)flow->drops[i].count));
	row = json_pack("{s:s, s:s*, s:I, s:I, s:o}", "stream", flow->stream, "group", flow->group,
		"received", (json_int_t)flow->received, "delivered", (json_int_t)flow->delivered,
		"dropped", dropped);
	json_array_append_new(flow->group == NULL ? answer->streams : answer->groups, row);
}

json_t *weir_failover_answer_end(struct weir_failover_answer *answer, bool has_gateway)
{
	return json_pack("{s:b, s:o, s:o, s:o}", "gateway", has_gateway, "ports", answer->ports,
		"streams", answer->streams, "groups", answer->groups);
}
