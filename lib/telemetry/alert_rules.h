/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>
#include <stdio.h>

/* The table of alerts as Prometheus rules, for these windows. */
void weir_alert_rules_print(FILE *out, uint32_t short_s, uint32_t long_s);
