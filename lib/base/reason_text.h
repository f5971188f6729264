/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "base/reason.h"

/* Names, texts and stages of the reasons, for whatever prints them. Any thread. */

/* The stable name, as in metrics and JSON. Never NULL; "unknown" outside the table. */
const char *weir_reason_name(enum weir_reason reason);
/* One line for people. */
const char *weir_reason_text(enum weir_reason reason);
enum weir_reason_stage weir_reason_stage(enum weir_reason reason);
