/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "config/config.h"
#include "config/value.h"

/*
 * A feature's setting that comes by itself, as in the configuration's section "features": state,
 * share_percent, streams. The streams are those of `config`. 0, or a negative errno with the
 * value's error filled; `feature` is the caller's afterwards, for weir_config_feature_free().
 */
int weir_config_feature_parse(const struct weir_value *value, const struct weir_config *config,
	struct weir_config_feature *feature);
/* Its own streams. */
void weir_config_feature_free(struct weir_config_feature *feature);
/* 0 or -ENOMEM. */
int weir_config_feature_copy(
	const struct weir_config_feature *from, struct weir_config_feature *to);
/* Both say the same of the same streams. */
bool weir_config_feature_equal(
	const struct weir_config_feature *a, const struct weir_config_feature *b);
/* Whether it says something of this stream in particular. */
bool weir_config_feature_names(const struct weir_config_feature *feature, const char *stream);
