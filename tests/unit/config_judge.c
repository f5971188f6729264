/* SPDX-License-Identifier: BSD-3-Clause */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "config/config.h"

/*
 * The production parser as a filter, for tests in other languages: reads a JSON array of
 * configuration texts, writes a JSON array of {ok} or {ok, path, reason, hint}.
 */
static json_t *judge(const json_t *text)
{
	struct weir_error error = {0};
	struct weir_config *config;
	int rc = weir_config_parse(
		json_string_value(text), json_string_length(text), &config, &error);

	weir_config_free(config);
	if (rc == 0)
		return json_pack("{s:b}", "ok", 1);
	return json_pack("{s:b, s:s, s:s, s:s}", "ok", 0, "path", error.path, "reason",
		error.reason, "hint", error.hint);
}

int main(void)
{
	json_t *texts = json_loadf(stdin, 0, NULL);
	json_t *verdicts = json_array();
	json_t *text;
	size_t i;
	int rc;

	if (!json_is_array(texts) || verdicts == NULL)
		return 2;
	json_array_foreach (texts, i, text) {
		if (!json_is_string(text) || json_array_append_new(verdicts, judge(text)) < 0)
			return 2;
	}
	rc = json_dumpf(verdicts, stdout, JSON_COMPACT);
	json_decref(verdicts);
	json_decref(texts);
	return rc < 0 || fflush(stdout) != 0;
}
