/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include "control/present.h"
#include "dataplane/templates_visit.h"

/* The templates and records of options data that are kept for consumers. */

#define LIST_DEFAULT 100
#define LIST_MOST    10000

struct listing {
	struct weir_present_rows rows;
	bool has_exporter;
	struct weir_address exporter;
	uint64_t offset;
	uint64_t limit;
	uint64_t matching;
};

static const char *const kinds[] = {[WEIR_TEMPLATE_PLAIN] = "template",
	[WEIR_TEMPLATE_OPTIONS] = "options",
	[WEIR_TEMPLATE_OPTION_RECORD] = "record"};

static void add(void *context, const struct weir_template_seen *seen)
{
	struct listing *listing = context;
	char text[WEIR_ADDRESS_TEXT];
	struct weir_address address;

	weir_address_read(&address, seen->exporter->family, seen->exporter->address);
	if (listing->has_exporter && !weir_address_equal(&address, &listing->exporter))
		return;
	listing->matching++;
	if (listing->matching <= listing->offset ||
		listing->matching > listing->offset + listing->limit)
		return;
	weir_present_add(&listing->rows,
		json_pack("{s:s, s:i, s:s, s:i, s:i, s:I, s:i, s:s, s:i, s:i, s:I}", "stream",
			seen->stream, "partition", seen->partition, "exporter",
			weir_address_format(&address, text, sizeof(text)), "port",
			seen->exporter->port, "version", seen->exporter->version, "domain",
			weir_present_count(seen->exporter->domain), "id", seen->id, "kind",
			kinds[seen->kind], "fields", seen->fields, "bytes", seen->length, "age_ms",
			weir_present_count(seen->age_ms)));
}

static int read_exporter(const json_t *params, struct listing *listing, struct weir_error *error)
{
	const char *text = json_string_value(json_object_get(params, "exporter"));

	if (text == NULL)
		return 0;
	listing->has_exporter = true;
	if (weir_address_parse(text, &listing->exporter) == 0)
		return 0;
	return weir_error_set(error, -EINVAL, "$.params.exporter", "such as 192.0.2.1",
		"\"%s\" is no address", text);
}

static int on_list(void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	struct weir_gateway *gateway = context;
	const char *stream = json_string_value(json_object_get(params, "stream"));
	const json_t *limit = json_object_get(params, "limit");
	struct listing listing = {
		.limit = limit != NULL ? (uint64_t)json_integer_value(limit) : LIST_DEFAULT,
		.offset = (uint64_t)json_integer_value(json_object_get(params, "offset"))};
	int code = read_exporter(params, &listing, error);
	json_t *list;

	if (code < 0)
		return code;
	weir_present_begin(&listing.rows, gateway);
	code = weir_templates_visit(gateway->dataplane, stream, add, &listing);
	list = weir_present_end(&listing.rows);
	if (code == -ENOENT) {
		json_decref(list);
		return weir_error_set(
			error, code, "$.params.stream", "see stream_list", "no such stream");
	}
	if (code < 0) {
		json_decref(list);
		return weir_error_set(error, code, "", "try again",
			"not all partitions could be read: %s", strerror(-code));
	}
	return weir_present_answer(json_pack("{s:I, s:o}", "matching",
					   weir_present_count(listing.matching), "templates", list),
		result, error);
}

static const struct weir_rpc_param params[] = {
	{.name = "stream", .type = WEIR_RPC_STRING, .help = "only of this stream"},
	{.name = "exporter", .type = WEIR_RPC_STRING, .help = "only of this source address"},
	{.name = "limit",
		.type = WEIR_RPC_INTEGER,
		.maximum = LIST_MOST,
		.help = "shown at most; 100 when not given"},
	{.name = "offset",
		.type = WEIR_RPC_INTEGER,
		.maximum = INT64_MAX,
		.help = "so many are passed over"},
	{NULL},
};

static const struct weir_rpc_method methods[] = {
	{"template_list",
		"show the templates, and the records of options data, kept for consumers: whose, "
		"which, and when they were last heard",
		WEIR_RPC_READ, params, "matching, templates", on_list},
};

int weir_methods_template_register(struct weir_gateway *gateway)
{
	return weir_rpc_register(
		gateway->rpc, methods, sizeof(methods) / sizeof(methods[0]), gateway);
}
