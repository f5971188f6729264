/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include "base/feature_text.h"
#include "control/present.h"
#include "dataplane/hot.h"
#include "dataplane/load.h"
#include "dataplane/report.h"
#include "wire/key_text.h"

/* Streams, their partitions, and the groups that take them. */

static json_t *present_templates(const struct weir_stream_report *stream)
{
	const struct weir_template_counts *counts = &stream->stats.templates;

	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "known",
		weir_present_count(stream->templates), "learned",
		weir_present_count(counts->learned), "changed", weir_present_count(counts->changed),
		"refreshed", weir_present_count(counts->refreshed), "withdrawn",
		weir_present_count(counts->withdrawn), "expired",
		weir_present_count(stream->templates_expired), "refused",
		weir_present_count(counts->refused), "malformed",
		weir_present_count(counts->malformed));
}

static json_t *present_options(const struct weir_stream_report *stream)
{
	const struct weir_template_counts *counts = &stream->stats.templates;

	return json_pack("{s:I, s:I, s:I, s:I, s:I}", "known",
		weir_present_count(stream->option_records), "learned",
		weir_present_count(counts->records_learned), "changed",
		weir_present_count(counts->records_changed), "refreshed",
		weir_present_count(counts->records_refreshed), "refused",
		weir_present_count(counts->records_refused));
}

static json_t *present_replayed(const struct weir_group_stats *stats)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "templates",
		weir_present_count(stats->template_replayed), "options",
		weir_present_count(stats->options_replayed), "messages",
		weir_present_count(stats->template_messages), "datagrams",
		weir_present_count(stats->template_datagrams), "bytes",
		weir_present_count(stats->template_bytes), "unsent",
		weir_present_count(stats->template_unsent));
}

static json_t *present_stream(const struct weir_stream_report *stream)
{
	const struct weir_stream_stats *stats = &stream->stats;

	return json_pack("{s:s, s:s, s:s, s:s, s:b, s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, "
			 "s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o}",
		"name", stream->name, "tier", weir_tier_name(stream->tier), "path",
		weir_path_name(stream->in_kernel ? WEIR_PATH_KERNEL : WEIR_PATH_GATEWAY), "key",
		weir_key_kind_name(stream->key), "draining", stream->is_draining, "partitions",
		stream->partitions, "groups", weir_present_count(stream->groups), "received",
		weir_present_count(stats->received), "received_bytes",
		weir_present_count(stats->received_bytes), "appended",
		weir_present_count(stats->appended), "by_program",
		weir_present_count(stream->by_program), "handed", weir_present_count(stats->handed),
		"taken_over", weir_present_count(stats->taken_over), "requeued",
		weir_present_count(stats->requeued), "missed", weir_present_count(stats->missed),
		"under_way", weir_present_count(stream->under_way + stream->in_program), "buffers",
		weir_present_count(stream->buffers), "buffers_used",
		weir_present_count(stream->buffers_used), "ring_messages",
		weir_present_count(stream->ring_messages), "ring_bytes",
		weir_present_count(stream->ring_bytes), "age_ms",
		weir_present_count(stream->age_ms), "templates", present_templates(stream),
		"options", present_options(stream), "dropped",
		weir_present_dropped(stats->dropped));
}

static void add_stream(void *context, const struct weir_stream_report *stream)
{
	weir_present_add(context, present_stream(stream));
}

json_t *weir_present_streams(struct weir_gateway *gateway)
{
	struct weir_present_rows rows;

	weir_present_begin(&rows, gateway);
	weir_streams_report(gateway->dataplane, add_stream, &rows);
	return weir_present_end(&rows);
}

static void add_group(void *context, const struct weir_group_report *group)
{
	struct weir_present_rows *rows = context;
	const struct weir_group_stats *stats = &group->stats;

	weir_present_add(rows,
		json_pack("{s:s, s:s, s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, "
			  "s:I, s:I, s:I, s:I, s:o, s:o}",
			"name", group->group->name, "stream", group->stream, "class",
			weir_class_name(group->group->class), "draining", group->is_draining,
			"consumers", weir_present_count(group->consumers), "reachable",
			weir_present_count(group->reachable), "sample",
			weir_present_count(group->group->sample), "received",
			weir_present_count(stats->received), "delivered",
			weir_present_count(stats->delivered), "delivered_bytes",
			weir_present_count(stats->delivered_bytes), "held",
			weir_present_count(group->held), "moving",
			weir_present_count(group->moving), "moves",
			weir_present_count(stats->moves), "moves_drained",
			weir_present_count(stats->moves_drained), "moves_overdue",
			weir_present_count(stats->moves_overdue), "template_replayed",
			present_replayed(stats), "dropped", weir_present_dropped(stats->dropped)));
}

json_t *weir_present_groups(struct weir_gateway *gateway)
{
	struct weir_present_rows rows;

	weir_present_begin(&rows, gateway);
	weir_groups_report(gateway->dataplane, add_group, &rows);
	return weir_present_end(&rows);
}

static int on_stream_list(
	void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	int code = weir_present_census(context, error);

	(void)params;
	if (code < 0)
		return code;
	return weir_present_answer(
		json_pack("{s:o}", "streams", weir_present_streams(context)), result, error);
}

static int on_group_list(
	void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	int code = weir_present_census(context, error);

	(void)params;
	if (code < 0)
		return code;
	return weir_present_answer(
		json_pack("{s:o}", "groups", weir_present_groups(context)), result, error);
}

static const char *lane_state(const struct weir_lane_report *lane)
{
	if (lane->is_draining)
		return "draining";
	return lane->next != NULL ? "moving" : lane->consumer != NULL ? "owned" : "waiting";
}

/* One row a group, so that a partition of three groups takes three; one without any takes one. */
/* The names of those that are on. */
static json_t *present_features(uint8_t features)
{
	json_t *list = json_array();

	for (int i = 0; list != NULL && i < WEIR_FEATURE_COUNT; i++)
		if ((features & WEIR_FEATURE_BIT(i)) &&
			json_array_append_new(
				list, json_string(weir_feature_name((enum weir_feature)i))) < 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

static void add_partition(void *context, const struct weir_partition_report *partition)
{
	struct weir_present_rows *rows = context;
	static const struct weir_lane_report nobody;
	uint32_t count = partition->lane_count != 0 ? partition->lane_count : 1;

	for (uint32_t i = 0; i < count; i++) {
		const struct weir_lane_report *lane =
			partition->lane_count != 0 ? &partition->lanes[i] : &nobody;

		weir_present_add(
			rows, json_pack("{s:i, s:i, s:o, s:o, s:s, s:o, s:I, s:I, s:I, s:I, s:I, "
					"s:I, s:I, s:I, s:I, "
					"s:f, s:f, s:f, s:b, s:o}",
				      "partition", partition->index, "worker", partition->owner,
				      "group", weir_present_text(lane->group), "consumer",
				      weir_present_text(lane->consumer), "state", lane_state(lane),
				      "next", weir_present_text(lane->next), "lag",
				      weir_present_count(lane->lag), "held",
				      weir_present_count(partition->held), "bytes",
				      weir_present_count(partition->bytes), "head",
				      weir_present_count(partition->head), "tail",
				      weir_present_count(partition->tail), "messages",
				      weir_present_count(partition->messages), "done",
				      weir_present_count(lane->done), "in_flight",
				      weir_present_count(lane->in_flight), "epoch",
				      weir_present_count(lane->epoch), "messages_per_s",
				      partition->messages_per_s, "bytes_per_s",
				      partition->bytes_per_s, "share_percent",
				      partition->share_percent, "alone", partition->is_alone,
				      "features", present_features(partition->features)));
	}
}

static int no_such_stream(struct weir_error *error)
{
	return weir_error_set(
		error, -ENOENT, "$.params.stream", "see stream_list", "no such stream");
}

static int on_partition_list(
	void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	const char *stream = json_string_value(json_object_get(params, "stream"));
	struct weir_gateway *gateway = context;
	struct weir_present_rows rows;
	json_t *list;

	weir_present_begin(&rows, gateway);
	if (weir_partitions_report(gateway->dataplane, stream, add_partition, &rows) < 0) {
		json_decref(weir_present_end(&rows));
		return no_such_stream(error);
	}
	list = weir_present_end(&rows);
	return weir_present_answer(
		json_pack("{s:s, s:o}", "stream", stream, "partitions", list), result, error);
}

struct show {
	const char *name;
	json_t *stream;
};

static void show_stream(void *context, const struct weir_stream_report *stream)
{
	struct show *show = context;

	if (!stream->is_draining && strcmp(stream->name, show->name) == 0)
		show->stream = present_stream(stream);
}

static int on_stream_show(
	void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	struct show show = {.name = json_string_value(json_object_get(params, "stream"))};
	struct weir_gateway *gateway = context;
	struct weir_stream_load load;
	int code = weir_present_census(context, error);

	if (code < 0)
		return code;
	if (weir_stream_load(gateway->dataplane, show.name, &load) < 0)
		return no_such_stream(error);
	weir_streams_report(gateway->dataplane, show_stream, &show);
	return weir_present_answer(
		json_pack("{s:o, s:f, s:f, s:f, s:i, s:f}", "stream", show.stream, "messages_per_s",
			load.messages_per_s, "bytes_per_s", load.bytes_per_s, "skew", load.skew,
			"hottest_partition", load.hottest, "hottest_percent", load.hottest_percent),
		result, error);
}

static json_t *present_keys(struct weir_gateway *gateway, const struct weir_hot_report *report,
	uint32_t most, uint16_t partitions)
{
	struct weir_present_rows rows;

	weir_present_begin(&rows, gateway);
	for (uint32_t i = 0; i < report->count && i < most; i++) {
		const struct weir_hot_key *key = &report->keys[i];
		double percent = 100.0 / (double)report->samples;
		char text[WEIR_KEY_TEXT];

		weir_present_add(
			&rows, json_pack("{s:s, s:i, s:f, s:f}", "key",
				       weir_key_show(&key->key, text, sizeof(text)), "partition",
				       weir_key_partition(key->hash, partitions), "share_percent",
				       (double)key->count * percent, "at_least_percent",
				       (double)(key->count - key->error) * percent));
	}
	return weir_present_end(&rows);
}

static int on_stream_hotkeys(
	void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	const char *name = json_string_value(json_object_get(params, "stream"));
	const json_t *count = json_object_get(params, "count");
	struct weir_gateway *gateway = context;
	struct weir_hot_report report;
	uint16_t partitions;
	int code = weir_hot_report(gateway->dataplane, name, &report, &partitions);

	if (code == -ENOENT)
		return no_such_stream(error);
	if (code < 0)
		return weir_present_answer(NULL, result, error);
	return weir_present_answer(
		json_pack("{s:s, s:I, s:o}", "stream", name, "samples",
			weir_present_count(report.samples), "keys",
			present_keys(gateway, &report,
				count != NULL ? (uint32_t)json_integer_value(count) : 10,
				partitions)),
		result, error);
}

static const struct weir_rpc_param hotkeys_params[] = {
	{.name = "stream",
		.type = WEIR_RPC_STRING,
		.is_required = true,
		.help = "the stream's name"},
	{.name = "count",
		.type = WEIR_RPC_INTEGER,
		.help = "keys to show at most; 10 if not given",
		.minimum = 1,
		.maximum = WEIR_HEAVY_ENTRIES},
	{NULL},
};

static const struct weir_rpc_param partition_list_params[] = {
	{.name = "stream",
		.type = WEIR_RPC_STRING,
		.is_required = true,
		.help = "the stream's name"},
	{NULL},
};

static const struct weir_rpc_method methods[] = {
	{"stream_list", "show the streams: what they received, and what was dropped and why",
		WEIR_RPC_READ, NULL, "streams", on_stream_list},
	{"stream_show", "show one stream, its rate, and how uneven its partitions are",
		WEIR_RPC_READ, partition_list_params, "the stream, rates and skew", on_stream_show},
	{"stream_hotkeys", "show the keys that a stream is sent most of", WEIR_RPC_READ,
		hotkeys_params, "keys with their share of the stream, most first",
		on_stream_hotkeys},
	{"partition_list", "show a stream's partitions: owners, what they hold, each group's lag",
		WEIR_RPC_READ, partition_list_params,
		"stream, and a row for each partition and group", on_partition_list},
	{"group_list", "show what each group got of each of its streams", WEIR_RPC_READ, NULL,
		"a row for each group and stream", on_group_list},
};

int weir_methods_stream_register(struct weir_gateway *gateway)
{
	return weir_rpc_register(
		gateway->rpc, methods, sizeof(methods) / sizeof(methods[0]), gateway);
}
