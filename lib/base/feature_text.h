/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "base/feature.h"

/* The stable name, as in configuration, metrics and JSON. */
const char *weir_feature_name(enum weir_feature feature);
/* One line for people. */
const char *weir_feature_text(enum weir_feature feature);
/* WEIR_FEATURE_COUNT: there is none of this name. */
enum weir_feature weir_feature_find(const char *name);
