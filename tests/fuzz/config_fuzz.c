/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>

#include "config/config.h"

/*
 * A configuration that anybody may have written. One that is taken is taken again as it is kept;
 * one that is not says where and why.
 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct weir_config *config, *again;
	struct weir_error error = {0};

	if (weir_config_parse((const char *)data, size, &config, &error) < 0) {
		if (config != NULL || error.reason[0] == '\0')
			abort();
		return 0;
	}
	if (weir_config_parse(config->json, strlen(config->json), &again, &error) < 0 ||
		strcmp(config->digest, again->digest) != 0)
		abort();
	if (weir_config_needs_restart(config, again, weir_config_slots(config)) != NULL)
		abort();
	weir_config_free(again);
	weir_config_free(config);
	return 0;
}
