/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/feature.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/parts.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static const char *const state_names[] = {"off", "on", NULL};

static const struct weir_config_feature usual = {.is_on = true, .share_percent = 100};

static int read_state(const struct weir_value *value, const struct weir_field *field, void *target)
{
	static const struct weir_field name = {.key = "state", .size = 4, .names = state_names};
	struct weir_config_feature *feature = target;
	uint32_t state = 0;
	int rc = weir_read_name(value, &name, &state);

	(void)field;
	feature->is_on = state != 0;
	return rc;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

static int read_streams(
	const struct weir_value *value, const struct weir_field *field, void *target)
{
	struct weir_config_feature *feature = target;

	int rc = weir_read_stream_names(value, &feature->streams, &feature->stream_count);

	(void)field;
	if (rc == 0)
		qsort(feature->streams, feature->stream_count, sizeof(*feature->streams), by_name);
	return rc;
}

static const struct weir_field feature_fields[] = {
	{.key = "state", .read = read_state, .hint = "\"on\" or \"off\"", .required = true},
	{WEIR_MEMBER(struct weir_config_feature, share_percent), .read = weir_read_number,
		.maximum = 100},
	{.key = "streams", .read = read_streams},
};

static int read_feature(
	const struct weir_value *value, const struct weir_field *field, void *feature)
{
	(void)field;
	return weir_fields_read(value, feature_fields, COUNT_OF(feature_fields), feature);
}

static const struct weir_field features_fields[] = {
#define X(id, name, text)                                                                          \
	{.key = name,                                                                              \
		.read = read_feature,                                                              \
		.offset = WEIR_FEATURE_##id * sizeof(struct weir_config_feature),                  \
		.size = sizeof(struct weir_config_feature)},
	WEIR_FEATURES(X)
#undef X
};

int weir_read_features(
	const struct weir_value *value, const struct weir_field *field, void *features)
{
	(void)field;
	return weir_fields_read(value, features_fields, COUNT_OF(features_fields), features);
}

int weir_config_feature_parse(const struct weir_value *value, const struct weir_config *config,
	struct weir_config_feature *feature)
{
	int rc;

	*feature = usual;
	rc = read_feature(value, NULL, feature);
	if (rc == 0)
		rc = weir_check_feature(config, value);
	if (rc < 0)
		weir_config_feature_free(feature);
	return rc;
}

void weir_config_feature_free(struct weir_config_feature *feature)
{
	free(feature->streams);
	feature->streams = NULL;
	feature->stream_count = 0;
}

int weir_config_feature_copy(const struct weir_config_feature *from, struct weir_config_feature *to)
{
	*to = *from;
	if (from->stream_count == 0)
		return 0;
	to->streams = malloc(from->stream_count * sizeof(*to->streams));
	if (to->streams == NULL)
		return -ENOMEM;
	memcpy(to->streams, from->streams, from->stream_count * sizeof(*to->streams));
	return 0;
}

bool weir_config_feature_names(const struct weir_config_feature *feature, const char *stream)
{
	return feature->stream_count != 0 &&
	       bsearch(stream, feature->streams, feature->stream_count, sizeof(*feature->streams),
		       by_name) != NULL;
}

bool weir_config_feature_equal(
	const struct weir_config_feature *a, const struct weir_config_feature *b)
{
	if (a->is_on != b->is_on || a->share_percent != b->share_percent ||
		a->stream_count != b->stream_count)
		return false;
	for (unsigned int i = 0; i < a->stream_count; i++)
		if (strcmp(a->streams[i], b->streams[i]) != 0)
			return false;
	return true;
}
