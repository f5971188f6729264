/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <jansson.h>
#include <stdint.h>

/*
 * Building a report, member by member. Without memory a member is left out, and a report that
 * is NULL stays NULL; load_report_write() says so in the end.
 */
void load_report_text(json_t *report, const char *name, const char *text);
void load_report_count(json_t *report, const char *name, uint64_t count);
void load_report_real(json_t *report, const char *name, double value);
/* Takes `part` over. */
void load_report_part(json_t *report, const char *name, json_t *part);

/* Write a report to a file, or stdout when `path` is NULL, and give it up. Exit status. */
int load_report_write(json_t *report, const char *path);
