/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "control/present.h"
#include "control/quarantine.h"

/* Messages that could not be delivered: looked at, sent again, dropped. */

#define LIST_DEFAULT 100
#define LIST_MOST    10000
#define TIME_TEXT    40

/* ISO 8601, UTC, to the microsecond. */
static const char *format_time(uint64_t ns, char text[TIME_TEXT])
{
	time_t seconds = (time_t)(ns / 1000000000);
	struct tm parts;
	size_t length;

	gmtime_r(&seconds, &parts);
	length = strftime(text, TIME_TEXT, "%Y-%m-%dT%H:%M:%S", &parts);
	snprintf(text + length, TIME_TEXT - length, ".%06uZ",
		(unsigned int)(ns % 1000000000 / 1000));
	return text;
}

static json_t *present_entry(const struct weir_quarantine_entry *entry)
{
	const struct weir_quarantined *note = &entry->note;
	char ingested[TIME_TEXT], quarantined[TIME_TEXT], address[WEIR_ADDRESS_TEXT];
	struct weir_address source;

	weir_address_read(&source, note->source_family, note->source);
	return json_pack("{s:I, s:s, s:s, s:s, s:i, s:I, s:I, s:s, s:i, s:i, s:s, s:i, s:s, s:s}",
		"id", weir_present_count(entry->id), "stream", entry->names.stream, "group",
		entry->names.group, "consumer", entry->names.consumer, "partition", note->partition,
		"seq", weir_present_count(note->seq), "epoch", weir_present_count(note->epoch),
		"reason", "unacknowledged", "attempts", note->attempts, "length", note->length,
		"source", weir_address_format(&source, address, sizeof(address)), "source_port",
		note->source_port, "ingested", format_time(note->ingest_ns, ingested),
		"quarantined", format_time(entry->quarantined_ns, quarantined));
}

/* The payload as hexadecimal digits, and as text with a dot for what cannot be printed. */
static json_t *present_payload(const uint8_t *payload, size_t length)
{
	char *hex = malloc(2 * length + 1), *text = malloc(length + 1);
	json_t *object = NULL;

	if (hex != NULL && text != NULL) {
		sodium_bin2hex(hex, 2 * length + 1, payload, length);
		for (size_t i = 0; i < length; i++)
			text[i] = payload[i] >= 0x20 && payload[i] < 0x7f ? (char)payload[i] : '.';
		text[length] = '\0';
		object = json_pack("{s:s, s:s}", "payload_hex", hex, "payload_text", text);
	}
	free(hex);
	free(text);
	return object;
}

json_t *weir_present_quarantine(struct weir_gateway *gateway)
{
	const struct weir_quarantine_counters *counters =
		weir_quarantine_counters(gateway->quarantine);

	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "held",
		weir_present_count(counters->messages), "held_bytes",
		weir_present_count(counters->bytes), "quarantined",
		weir_present_count(counters->quarantined), "evicted",
		weir_present_count(counters->evicted), "retried",
		weir_present_count(counters->retried), "dropped",
		weir_present_count(counters->dropped));
}

static struct weir_quarantine_filter read_filter(const json_t *params)
{
	return (struct weir_quarantine_filter){
		.id = (uint64_t)json_integer_value(json_object_get(params, "id")),
		.stream = json_string_value(json_object_get(params, "stream")),
		.group = json_string_value(json_object_get(params, "group")),
		.consumer = json_string_value(json_object_get(params, "consumer")),
	};
}

static int refuse_id(struct weir_error *error)
{
	return weir_error_set(error, -ENOENT, "$.params.id",
		"see quarantine_list; the oldest goes when there is no room", "no such message");
}

/* What to do something with: it must be said, so that nobody drops everything by a slip. */
static int choose(struct weir_gateway *gateway, const json_t *params,
	struct weir_quarantine_filter *filter, struct weir_error *error)
{
	*filter = read_filter(params);
	if (filter->id == 0 && filter->stream == NULL && filter->group == NULL &&
		filter->consumer == NULL && !json_is_true(json_object_get(params, "all")))
		return weir_error_set(error, -EINVAL, "$.params",
			"give id, stream, group or consumer, or all=true", "which messages?");
	if (filter->id != 0 && weir_quarantine_next(gateway->quarantine, NULL, filter) == NULL)
		return refuse_id(error);
	return 0;
}

static int on_list(void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	struct weir_gateway *gateway = context;
	struct weir_quarantine_filter filter = read_filter(params);
	const json_t *limit = json_object_get(params, "limit");
	uint64_t most = limit != NULL ? (uint64_t)json_integer_value(limit) : LIST_DEFAULT;
	uint64_t offset = (uint64_t)json_integer_value(json_object_get(params, "offset"));
	const struct weir_quarantine_entry *entry = NULL;
	struct weir_present_rows rows;
	uint64_t matching = 0;
	json_t *answer, *messages;

	weir_present_begin(&rows, gateway);
	while ((entry = weir_quarantine_next(gateway->quarantine, entry, &filter)) != NULL) {
		if (matching >= offset && matching - offset < most)
			weir_present_add(&rows, present_entry(entry));
		matching++;
	}
	messages = weir_present_end(&rows);
	answer = weir_present_quarantine(gateway);
	if (json_object_set_new(answer, "matching", json_integer(weir_present_count(matching))) <
			0 ||
		json_object_set(answer, "messages", messages) < 0) {
		json_decref(answer);
		answer = NULL;
	}
	json_decref(messages);
	return weir_present_answer(answer, result, error);
}

static int on_show(void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	struct weir_gateway *gateway = context;
	struct weir_quarantine_filter filter = read_filter(params);
	const struct weir_quarantine_entry *entry =
		weir_quarantine_next(gateway->quarantine, NULL, &filter);
	json_t *row, *payload;

	if (entry == NULL)
		return refuse_id(error);
	row = present_entry(entry);
	payload = present_payload(entry->payload, entry->note.length);
	if (row != NULL && (payload == NULL || json_object_update(row, payload) < 0)) {
		json_decref(row);
		row = NULL;
	}
	json_decref(payload);
	return weir_present_answer(row, result, error);
}

static const char *why_kept(int code)
{
	switch (code) {
	case -ENOENT:
		return "its stream is gone, or was made anew";
	case -ESRCH:
		return "its group no longer takes the stream";
	case -ENOBUFS:
		return "no receive buffer is free";
	case -EMSGSIZE:
		return "no receive buffer is large enough";
	default:
		return "its worker has not taken the ones before; try again";
	}
}

static int on_retry(void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	struct weir_gateway *gateway = context;
	struct weir_quarantine *quarantine = gateway->quarantine;
	struct weir_quarantine_filter filter;
	struct weir_quarantine_entry *entry, *next;
	uint64_t retried = 0, kept = 0;
	int first = 0, code = choose(gateway, params, &filter, error);

	if (code < 0)
		return code;
	for (entry = weir_quarantine_next(quarantine, NULL, &filter); entry != NULL; entry = next) {
		next = weir_quarantine_next(quarantine, entry, &filter);
		code = weir_requeue(
			gateway->dataplane, &entry->note, &entry->names, entry->payload);
		if (code == 0) {
			weir_quarantine_remove(quarantine, entry, WEIR_QUARANTINE_RETRIED);
			retried++;
			continue;
		}
		first = first == 0 ? code : first;
		kept++;
	}
	if (filter.id != 0 && first != 0)
		return weir_error_set(error, first, "$.params.id",
			"the message stays in quarantine", "%s", why_kept(first));
	return weir_present_answer(
		json_pack("{s:I, s:I, s:o}", "retried", weir_present_count(retried), "kept",
			weir_present_count(kept), "reason",
			weir_present_text(first != 0 ? why_kept(first) : NULL)),
		result, error);
}

static int on_drop(void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	struct weir_gateway *gateway = context;
	struct weir_quarantine_filter filter;
	struct weir_quarantine_entry *entry;
	uint64_t dropped = 0;
	int code = choose(gateway, params, &filter, error);

	if (code < 0)
		return code;
	while ((entry = weir_quarantine_next(gateway->quarantine, NULL, &filter)) != NULL) {
		weir_quarantine_remove(gateway->quarantine, entry, WEIR_QUARANTINE_DROPPED);
		dropped++;
	}
	return weir_present_answer(
		json_pack("{s:I}", "dropped", weir_present_count(dropped)), result, error);
}

#define FILTERS                                                                                    \
	{.name = "stream", .type = WEIR_RPC_STRING, .help = "only of this stream"},                \
		{.name = "group", .type = WEIR_RPC_STRING, .help = "only of this group"},          \
	{                                                                                          \
		.name = "consumer", .type = WEIR_RPC_STRING,                                       \
		.help = "only what this consumer did not acknowledge"                              \
	}
#define ID(required)                                                                               \
	{                                                                                          \
		.name = "id", .type = WEIR_RPC_INTEGER, .is_required = required, .minimum = 1,     \
		.maximum = INT64_MAX, .help = "the message's number in quarantine"                 \
	}
#define ALL                                                                                        \
	{                                                                                          \
		.name = "all", .type = WEIR_RPC_BOOLEAN, .help = "true: whatever is there"         \
	}

static const struct weir_rpc_param list_params[] = {
	FILTERS,
	{.name = "limit",
		.type = WEIR_RPC_INTEGER,
		.maximum = LIST_MOST,
		.help = "messages shown at most; 100 when not given"},
	{.name = "offset",
		.type = WEIR_RPC_INTEGER,
		.maximum = INT64_MAX,
		.help = "so many of the oldest are passed over"},
	{NULL},
};

static const struct weir_rpc_param show_params[] = {ID(true), {NULL}};

static const struct weir_rpc_param choose_params[] = {ID(false), FILTERS, ALL, {NULL}};

static const struct weir_rpc_method methods[] = {
	{"quarantine_list",
		"show messages that were not acknowledged in all attempts, the oldest first",
		WEIR_RPC_READ, list_params,
		"held, held_bytes, quarantined, evicted, retried, dropped, matching, messages",
		on_list},
	{"quarantine_show", "show one of them with its payload", WEIR_RPC_READ, show_params,
		"the message, payload_hex, payload_text", on_show},
	{"quarantine_retry",
		"send messages to their group again, behind what its partition holds now",
		WEIR_RPC_WRITE, choose_params,
		"retried, kept, and the reason why the first of these was", on_retry},
	{"quarantine_drop", "forget messages in quarantine", WEIR_RPC_WRITE, choose_params,
		"dropped", on_drop},
};

int weir_methods_quarantine_register(struct weir_gateway *gateway)
{
	return weir_rpc_register(
		gateway->rpc, methods, sizeof(methods) / sizeof(methods[0]), gateway);
}
