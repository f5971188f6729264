/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/present.h"

#include <errno.h>

#include "base/reason_text.h"
#include "dataplane/report.h"

void weir_present_begin(struct weir_present_rows *rows, struct weir_gateway *gateway)
{
	rows->gateway = gateway;
	rows->list = json_array();
	rows->failed = rows->list == NULL;
}

void weir_present_add(struct weir_present_rows *rows, json_t *row)
{
	if (rows->failed)
		json_decref(row);
	else if (json_array_append_new(rows->list, row) < 0)
		rows->failed = true;
}

json_t *weir_present_end(struct weir_present_rows *rows)
{
	json_t *list = rows->list;

	rows->list = NULL;
	if (!rows->failed)
		return list;
	json_decref(list);
	return NULL;
}

json_t *weir_present_dropped(const uint64_t *dropped)
{
	json_t *object = json_object();

	for (int reason = 0; object != NULL && reason < WEIR_REASON_COUNT; reason++) {
		if (dropped[reason] == 0)
			continue;
		if (json_object_set_new(object, weir_reason_name((enum weir_reason)reason),
			    json_integer(weir_present_count(dropped[reason]))) < 0) {
			json_decref(object);
			return NULL;
		}
	}
	return object;
}

json_t *weir_present_text(const char *text)
{
	return text != NULL && text[0] != '\0' ? json_string(text) : json_null();
}

int weir_present_answer(json_t *answer, json_t **result, struct weir_error *error)
{
	if (answer == NULL)
		return weir_error_set(error, -ENOMEM, "", "", "no memory for the answer");
	*result = answer;
	return 0;
}

int weir_present_census(struct weir_gateway *gateway, struct weir_error *error)
{
	int result = weir_census_take(gateway->dataplane);
	int missing;

	if (result == 0)
		return 0;
	missing = weir_census_missing(gateway->dataplane);
	return weir_error_set(error, result, "", "see worker_list",
		"worker %d did not give its counters in time", missing);
}

struct weir_consumer *weir_present_consumer(
	struct weir_gateway *gateway, const json_t *params, struct weir_error *error)
{
	const char *name = json_string_value(json_object_get(params, "name"));
	struct weir_consumer *consumer = weir_consumer_find(gateway->dataplane, name);

	if (consumer == NULL)
		weir_error_set(
			error, -ENOENT, "$.params.name", "see consumer_list", "no such consumer");
	return consumer;
}
