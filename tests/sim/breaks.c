/* SPDX-License-Identifier: BSD-3-Clause */
#include "breaks.h"

#include <string.h>

enum sim_break sim_broken = SIM_BREAK_NONE;

static const struct {
	const char *name;
	const char *promise;
	const char *text;
} rules[] = {[SIM_BREAK_NONE] = {"none", "", "nothing is broken"},
#define X(id, name, promise, text) [SIM_BREAK_##id] = {name, promise, text},
	SIM_BREAKS(X)
#undef X
};

int sim_break_find(const char *name)
{
	for (int rule = 0; rule < SIM_BREAK_COUNT; rule++)
		if (strcmp(rules[rule].name, name) == 0)
			return rule;
	return -1;
}

const char *sim_break_name(enum sim_break rule)
{
	return rules[rule].name;
}

const char *sim_break_promise(enum sim_break rule)
{
	return rules[rule].promise;
}

const char *sim_break_text(enum sim_break rule)
{
	return rules[rule].text;
}
