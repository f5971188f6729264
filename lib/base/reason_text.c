/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/reason_text.h"

static const struct {
	const char *name;
	const char *text;
	enum weir_reason_stage stage;
} reasons[] = {
#define X(id, stage, name, text) [WEIR_REASON_##id] = {name, text, WEIR_STAGE_##stage},
	WEIR_REASONS(X)
#undef X
};

const char *weir_reason_name(enum weir_reason reason)
{
	return (unsigned int)reason < WEIR_REASON_COUNT ? reasons[reason].name : "unknown";
}

const char *weir_reason_text(enum weir_reason reason)
{
	return (unsigned int)reason < WEIR_REASON_COUNT ? reasons[reason].text : "unknown";
}

enum weir_reason_stage weir_reason_stage(enum weir_reason reason)
{
	return (unsigned int)reason < WEIR_REASON_COUNT ? reasons[reason].stage : WEIR_STAGE_PORT;
}
