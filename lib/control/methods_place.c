/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include "control/present.h"
#include "dataplane/ownership.h"

/* Which consumer has which partition, and how that changes. */

static void add_move(void *context, const struct weir_owner_change *move)
{
	weir_present_add(
		context, json_pack("{s:s, s:i, s:o, s:o}", "stream", move->stream, "partition",
				 move->partition, "from", weir_present_text(move->from), "to",
				 weir_present_text(move->to)));
}

static bool is_true(const json_t *params, const char *name)
{
	return json_is_true(json_object_get(params, name));
}

static int on_rebalance(
	void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	const char *name = json_string_value(json_object_get(params, "name"));
	bool is_dry = is_true(params, "dry_run"), is_even = !is_true(params, "bound");
	struct weir_gateway *gateway = context;
	struct weir_present_rows rows;
	uint32_t moves;
	json_t *list;
	int code;

	weir_present_begin(&rows, gateway);
	code = weir_ownership_preview(gateway->dataplane, name, is_even, add_move, &rows);
	list = weir_present_end(&rows);
	if (code == 0 && !is_dry)
		code = weir_ownership_rebalance(gateway->dataplane, name, is_even, &moves);
	if (code == 0)
		return weir_present_answer(json_pack("{s:s, s:b, s:o}", "group", name, "dry_run",
						   is_dry, "moves", list),
			result, error);
	json_decref(list);
	if (code == -ENOENT)
		return weir_error_set(
			error, code, "$.params.name", "see group_list", "no such group");
	return weir_error_set(
		error, code, "$", "free some memory and try again", "not enough memory to plan");
}

static int on_move(void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	const char *stream = json_string_value(json_object_get(params, "stream"));
	const char *group = json_string_value(json_object_get(params, "group"));
	const char *to = json_string_value(json_object_get(params, "consumer"));
	json_int_t partition = json_integer_value(json_object_get(params, "partition"));
	struct weir_gateway *gateway = context;
	int code = weir_ownership_move(gateway->dataplane, stream, (uint16_t)partition, group, to);

	switch (code) {
	case 0:
		return weir_present_answer(
			json_pack("{s:s, s:I, s:s, s:s}", "stream", stream, "partition", partition,
				"group", group, "to", to),
			result, error);
	case -ENOENT:
		return weir_error_set(error, code, "$.params.partition",
			"see partition_list and group_list",
			"no such stream, partition or group of the stream");
	case -ESRCH:
		return weir_error_set(error, code, "$.params.consumer", "see consumer_list",
			"no such consumer in the group");
	default:
		return weir_error_set(error, -EBUSY, "$.params.consumer", "see consumer_show",
			"the consumer is not reachable, is drained, or does not take the stream");
	}
}

/* What consumer_show has of it. */
json_t *weir_present_place(const struct weir_gateway *gateway, const struct weir_consumer *consumer)
{
	struct weir_consumer_place place;

	if (!weir_consumer_place(gateway->dataplane, consumer, &place))
		return json_null();
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:b}", "weight", (json_int_t)place.weight,
		"effective_weight", (json_int_t)place.effective, "partitions",
		(json_int_t)place.partitions, "leaving", (json_int_t)place.leaving, "coming",
		(json_int_t)place.coming, "drained", place.is_drained);
}

static int answer_place(struct weir_gateway *gateway, const struct weir_consumer *consumer,
	int code, json_t **result, struct weir_error *error)
{
	if (code < 0)
		return weir_error_set(error, code, "$", "free some memory and try again",
			"not enough memory to move partitions");
	return weir_present_answer(json_pack("{s:s, s:o}", "name", consumer->name, "place",
					   weir_present_place(gateway, consumer)),
		result, error);
}

static int set_drained(
	void *context, const json_t *params, bool on, json_t **result, struct weir_error *error)
{
	struct weir_gateway *gateway = context;
	struct weir_consumer *consumer = weir_present_consumer(gateway, params, error);

	if (consumer == NULL)
		return -ENOENT;
	return answer_place(gateway, consumer,
		weir_consumer_drain(gateway->dataplane, consumer, on), result, error);
}

static int on_drain(void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	return set_drained(context, params, true, result, error);
}

static int on_undrain(
	void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	return set_drained(context, params, false, result, error);
}

static int on_set_weight(
	void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	json_int_t weight = json_integer_value(json_object_get(params, "weight"));
	struct weir_gateway *gateway = context;
	struct weir_consumer *consumer = weir_present_consumer(gateway, params, error);

	if (consumer == NULL)
		return -ENOENT;
	return answer_place(gateway, consumer,
		weir_consumer_set_weight(gateway->dataplane, consumer, (uint32_t)weight), result,
		error);
}

#define REQUIRED(key, kind, text)                                                                  \
	{                                                                                          \
		.name = key, .type = kind, .is_required = true, .help = text                       \
	}

static const struct weir_rpc_param rebalance_params[] = {
	REQUIRED("name", WEIR_RPC_STRING, "the group's name"),
	{.name = "dry_run", .type = WEIR_RPC_BOOLEAN, .help = "only show what would move"},
	{.name = "bound",
		.type = WEIR_RPC_BOOLEAN,
		.help = "move only what puts a consumer above 1.25 times its share"},
	{NULL},
};

static const struct weir_rpc_param move_params[] = {
	REQUIRED("stream", WEIR_RPC_STRING, "the stream's name"),
	{.name = "partition",
		.type = WEIR_RPC_INTEGER,
		.is_required = true,
		.maximum = 65535,
		.help = "its number"},
	REQUIRED("group", WEIR_RPC_STRING, "the group's name"),
	REQUIRED("consumer", WEIR_RPC_STRING, "who is to have it"),
	{NULL},
};

static const struct weir_rpc_param name_params[] = {
	REQUIRED("name", WEIR_RPC_STRING, "the consumer's name"), {NULL}};

static const struct weir_rpc_param weight_params[] = {
	REQUIRED("name", WEIR_RPC_STRING, "the consumer's name"),
	{.name = "weight",
		.type = WEIR_RPC_INTEGER,
		.is_required = true,
		.minimum = 1,
		.maximum = 1000,
		.help = "100 is usual"},
	{NULL},
};

static const struct weir_rpc_method methods[] = {
	{"group_rebalance", "share a group's partitions out evenly, a few at a time",
		WEIR_RPC_WRITE, rebalance_params, "what moves", on_rebalance},
	{"partition_move", "move one partition to a consumer, where it stays while it may",
		WEIR_RPC_WRITE, move_params, "the move", on_move},
	{"consumer_drain", "move a consumer's partitions to the others of its group",
		WEIR_RPC_WRITE, name_params, "name and place", on_drain},
	{"consumer_undrain", "let a drained consumer have partitions again", WEIR_RPC_WRITE,
		name_params, "name and place", on_undrain},
	{"consumer_set_weight",
		"give a consumer more or less of its group, until the next config_apply or restart",
		WEIR_RPC_WRITE, weight_params, "name and place", on_set_weight},
};

int weir_methods_place_register(struct weir_gateway *gateway)
{
	return weir_rpc_register(
		gateway->rpc, methods, sizeof(methods) / sizeof(methods[0]), gateway);
}
