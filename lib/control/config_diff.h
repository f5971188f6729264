/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <jansson.h>

/*
 * What differs between two configurations, as they were written: a list of {path, old, new}, where
 * null stands for what is not there. Members of lists that have names are compared by name, as in
 * $.streams["flows"].partitions, wherever they stand; if those that both have come in another
 * order, the list's path says so with the names in order. All other lists are one value.
 *
 * The documents are at most as deep as weir_config_parse allows. A new reference, or NULL without
 * memory.
 */
json_t *weir_config_diff(const json_t *old, const json_t *next);
