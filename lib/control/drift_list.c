/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/drift_list.h"

#include <stdio.h>
#include <string.h>

void weir_drift_begin(struct weir_drift_list *drift)
{
	memset(drift->counts, 0, sizeof(drift->counts));
	drift->left_out = 0;
	for (uint32_t i = 0; i < drift->count; i++)
		drift->list[i].is_in_look = false;
}

static struct weir_drift_difference *find(
	struct weir_drift_list *drift, enum weir_drift_side side, const char *name)
{
	for (uint32_t i = 0; i < drift->count; i++)
		if (drift->list[i].side == side && strcmp(drift->list[i].name, name) == 0)
			return &drift->list[i];
	return NULL;
}

void weir_drift_take(struct weir_drift_list *drift, enum weir_drift_side side, uint64_t now_ns,
	const char *name, const char *intended, const char *actual)
{
	struct weir_drift_difference *difference;
	char before[WEIR_DRIFT_TEXT];
	bool is_new;

	if (strcmp(intended, actual) == 0)
		return;
	drift->counts[side]++;
	difference = find(drift, side, name);
	is_new = difference == NULL;
	if (is_new && drift->count == WEIR_DRIFT_MAX) {
		drift->left_out++;
		return;
	}
	if (is_new) {
		difference = &drift->list[drift->count++];
		*difference = (struct weir_drift_difference){.side = side, .since_ns = now_ns};
		snprintf(difference->name, sizeof(difference->name), "%s", name);
	}
	memcpy(before, difference->actual, sizeof(before));
	difference->is_in_look = true;
	snprintf(difference->intended, sizeof(difference->intended), "%s", intended);
	snprintf(difference->actual, sizeof(difference->actual), "%s", actual);
	if (drift->changed != NULL && (is_new || strcmp(before, difference->actual) != 0))
		drift->changed(drift->context, difference, false);
}

void weir_drift_end(struct weir_drift_list *drift)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < drift->count; i++) {
		if (drift->list[i].is_in_look)
			drift->list[kept++] = drift->list[i];
		else if (drift->changed != NULL)
			drift->changed(drift->context, &drift->list[i], true);
	}
	drift->count = kept;
}

const char *weir_drift_side_name(enum weir_drift_side side)
{
	static const char *const names[] = {
#define X(id, name) [WEIR_DRIFT_##id] = name,
		WEIR_DRIFT_SIDES_TABLE(X)
#undef X
	};

	return names[side];
}
