/* SPDX-License-Identifier: BSD-3-Clause */
#include <math.h>
#include <stdlib.h>

#include "control/capacity.h"
#include "control/gateway.h"
#include "control/present.h"

#define ROWS 50 /* that are shown unless asked for more */

struct plan {
	struct weir_capacity *list;
	size_t count, room;
	bool has_failed;
};

static void keep(void *context, const struct weir_capacity *capacity)
{
	struct plan *plan = context;

	if (plan->count == plan->room) {
		size_t room = 2 * plan->room + 64;
		struct weir_capacity *list = realloc(plan->list, room * sizeof(*list));

		plan->has_failed |= list == NULL;
		if (list == NULL)
			return;
		plan->list = list;
		plan->room = room;
	}
	plan->list[plan->count++] = *capacity;
}

static json_t *number(double value)
{
	return isfinite(value) ? json_real(value) : json_null();
}

static json_t *present(const struct weir_capacity *capacity, double factor)
{
	double at = weir_capacity_factor(capacity);

	return json_pack("{s:s, s:s, s:s, s:s, s:f, s:f, s:f, s:f, s:o, s:b, s:o}", "resource",
		weir_capacity_kind_name(capacity->kind), "name", capacity->name, "what",
		capacity->what, "unit", capacity->unit, "now", capacity->now, "limit",
		capacity->limit, "used_percent", weir_capacity_used_percent(capacity, 1),
		"planned_percent", weir_capacity_used_percent(capacity, factor), "saturates_at",
		number(at), "saturated", at <= factor, "cycles_per_message",
		capacity->cycles_per_message > 0 ? json_real(capacity->cycles_per_message)
						 : json_null());
}

static json_t *present_plan(
	struct weir_gateway *gateway, struct plan *plan, double factor, size_t limit)
{
	struct weir_present_rows rows;
	uint32_t saturated = 0;

	if (plan->count != 0)
		qsort(plan->list, plan->count, sizeof(*plan->list), weir_capacity_compare);
	weir_present_begin(&rows, gateway);
	for (size_t i = 0; i < plan->count; i++) {
		saturated += weir_capacity_factor(&plan->list[i]) <= factor;
		if (i < limit)
			weir_present_add(&rows, present(&plan->list[i], factor));
	}
	return json_pack("{s:f, s:o, s:i, s:I, s:I, s:o}", "factor", factor, "first",
		plan->count != 0 && isfinite(weir_capacity_factor(&plan->list[0]))
			? json_pack("{s:s, s:s, s:s, s:f}", "resource",
				  weir_capacity_kind_name(plan->list[0].kind), "name",
				  plan->list[0].name, "what", plan->list[0].what, "saturates_at",
				  weir_capacity_factor(&plan->list[0]))
			: json_null(),
		"saturated", (int)saturated, "resources_known", weir_present_count(plan->count),
		"consumers_left_out",
		weir_present_count(weir_capacities_left_out(gateway->capacities)), "resources",
		weir_present_end(&rows));
}

static int on_plan(void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	struct weir_gateway *gateway = context;
	const json_t *factor = json_object_get(params, "factor");
	const json_t *limit = json_object_get(params, "limit");
	struct plan plan = {0};
	json_t *answer = NULL;

	weir_capacities_visit(gateway->capacities, keep, &plan);
	if (!plan.has_failed)
		answer =
			present_plan(gateway, &plan, factor != NULL ? json_number_value(factor) : 1,
				limit != NULL ? (size_t)json_integer_value(limit) : ROWS);
	free(plan.list);
	return weir_present_answer(answer, result, error);
}

static const struct weir_rpc_param plan_params[] = {
	{.name = "factor",
		.type = WEIR_RPC_NUMBER,
		.help = "times the present load; 1 unless given",
		.maximum = 1000},
	{.name = "limit",
		.type = WEIR_RPC_INTEGER,
		.help = "rows at most; 50 unless given",
		.minimum = 1,
		.maximum = 100000},
	{NULL},
};

static const struct weir_rpc_method methods[] = {
	{"capacity_plan",
		"show what is used up first when the load grows, and at how many times it",
		WEIR_RPC_READ, plan_params,
		"factor, first, saturated (how many, at this factor), resources (saturates_at: "
		"times "
		"the present load), consumers_left_out",
		on_plan},
};

int weir_methods_capacity_register(struct weir_gateway *gateway)
{
	return weir_rpc_register(
		gateway->rpc, methods, sizeof(methods) / sizeof(methods[0]), gateway);
}
