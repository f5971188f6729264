/* SPDX-License-Identifier: BSD-3-Clause */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/config_bad.h"

/*
 * Print the configurations that must be refused as a JSON array of {name, config, path, schema}:
 * `config` is the text to send, `path` where the error is, `schema` whether the JSON schema
 * refuses it too. A text that JSON cannot carry (invalid UTF-8) is left out.
 */
static json_t *as_json(const struct bad_config *bad)
{
	struct bad_config path = {.text = bad->path};
	char *text = malloc(strlen(bad->text) + 1);
	char *where = malloc(strlen(bad->path) + 1);
	json_t *item = NULL;

	if (text != NULL && where != NULL) {
		bad_config_text(bad, text);
		bad_config_text(&path, where);
		item = json_pack("{s:s, s:s, s:s, s:b}", "name", bad->name, "config", text, "path",
			where, "schema", bad->in_schema);
	}
	free(text);
	free(where);
	return item;
}

int main(void)
{
	json_t *all = json_array();
	int rc;

	for (size_t i = 0; i < BAD_CONFIG_COUNT; i++) {
		json_t *item = as_json(&bad_configs[i]);

		if (item != NULL)
			json_array_append_new(all, item);
	}
	rc = json_dumpf(all, stdout, JSON_INDENT(1));
	json_decref(all);
	putchar('\n');
	return rc < 0 || fflush(stdout) != 0;
}
