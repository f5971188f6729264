/* SPDX-License-Identifier: BSD-3-Clause */
#include "report.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"

void load_report_text(json_t *report, const char *name, const char *text)
{
	json_object_set_new(report, name, json_string(text));
}

void load_report_count(json_t *report, const char *name, uint64_t count)
{
	json_object_set_new(report, name, json_integer((json_int_t)count));
}

void load_report_real(json_t *report, const char *name, double value)
{
	json_object_set_new(report, name, json_real(value));
}

void load_report_part(json_t *report, const char *name, json_t *part)
{
	json_object_set_new(report, name, part);
}

int load_report_write(json_t *report, const char *path)
{
	int status = LOAD_EXIT_OK;
	FILE *file = path != NULL ? fopen(path, "w") : stdout;

	if (report == NULL) {
		fprintf(stderr, "weirload: no memory for the report\n");
		status = LOAD_EXIT_FAILED;
	} else if (file == NULL ||
		   json_dumpf(report, file, JSON_INDENT(2) | JSON_REAL_PRECISION(12)) < 0 ||
		   fputc('\n', file) == EOF || fflush(file) == EOF) {
		fprintf(stderr, "weirload: %s: %s\n", path != NULL ? path : "stdout",
			strerror(errno));
		status = LOAD_EXIT_FAILED;
	}
	if (file != NULL && file != stdout && fclose(file) == EOF)
		status = LOAD_EXIT_FAILED;
	json_decref(report);
	return status;
}
