/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const level_names[WEIR_LOG_LEVELS] = {
	"error", "warning", "notice", "info", "debug"};

/* syslog(3) priorities, which the journal reads from "<N>" at the line's start. */
static const int priorities[WEIR_LOG_LEVELS] = {3, 4, 5, 6, 7};

/* Written by log_set_level, read by every thread that logs. */
static _Atomic int current_level = WEIR_LOG_NOTICE;

const char *weir_log_level_name(enum weir_log_level level)
{
	return (unsigned int)level < WEIR_LOG_LEVELS ? level_names[level] : "unknown";
}

int weir_log_level_parse(const char *name)
{
	for (int level = 0; level < WEIR_LOG_LEVELS; level++)
		if (strcmp(name, level_names[level]) == 0)
			return level;
	return -EINVAL;
}

void weir_log_set_level(enum weir_log_level level)
{
	atomic_store(&current_level, (int)level);
}

enum weir_log_level weir_log_get_level(void)
{
	return (enum weir_log_level)atomic_load(&current_level);
}

void weir_log(enum weir_log_level level, const char *module, const char *format, ...)
{
	char line[1024];
	va_list args;

	if ((int)level > atomic_load(&current_level))
		return;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (getenv("JOURNAL_STREAM") != NULL)
		fprintf(stderr, "<%d>%s: %s\n", priorities[level], module, line);
	else
		fprintf(stderr, "%-7s %s: %s\n", level_names[level], module, line);
}
