/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/feature_text.h"

#include <string.h>

static const struct {
	const char *name;
	const char *text;
} features[WEIR_FEATURE_COUNT] = {
#define X(id, name, text) [WEIR_FEATURE_##id] = {name, text},
	WEIR_FEATURES(X)
#undef X
};

const char *weir_feature_name(enum weir_feature feature)
{
	return features[feature].name;
}

const char *weir_feature_text(enum weir_feature feature)
{
	return features[feature].text;
}

enum weir_feature weir_feature_find(const char *name)
{
	int feature = 0;

	while (feature < WEIR_FEATURE_COUNT && strcmp(features[feature].name, name) != 0)
		feature++;
	return (enum weir_feature)feature;
}
