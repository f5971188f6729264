/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The log of a daemon: one line per event on stderr. As text it is "<level> <module>: <text>
 * key=value...", with the sd-daemon priority prefix when stderr is the journal; or one JSON object
 * {time, level, module, message, key: value...}. Any thread but the workers: a worker never logs;
 * it counts, and the control thread reports what the counters say.
 *
 * Lines of one kind (one format) are limited to so many a minute. What is more is counted, and the
 * next line of the kind says how many were left out.
 */
enum weir_log_level {
	WEIR_LOG_ERROR,
	WEIR_LOG_WARNING,
	WEIR_LOG_NOTICE,
	WEIR_LOG_INFO,
	WEIR_LOG_DEBUG,
	WEIR_LOG_LEVELS,
};

/* What a line is about, for those who search it. */
struct weir_log_field {
	const char *key;  /* [a-z_] */
	const char *text; /* NULL: a number */
	int64_t number;
};

/* "error", "warning", "notice", "info", "debug". */
const char *weir_log_level_name(enum weir_log_level level);
/* The level of that name, or -EINVAL. */
int weir_log_level_parse(const char *name);
void weir_log_set_level(enum weir_log_level level);
enum weir_log_level weir_log_get_level(void);
void weir_log_set_json(bool is_json);
/* Lines of one kind in a minute; 0: no limit. */
void weir_log_set_limit(uint32_t per_minute);
/* Lines of that level that were written, and lines of all that were left out. */
uint64_t weir_log_count(enum weir_log_level level);
uint64_t weir_log_suppressed(void);

void weir_log(enum weir_log_level level, const char *module, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* With fields; `kind` stands for the format in the limit, and lives as long as the program. */
void weir_log_fields(enum weir_log_level level, const char *module, const char *kind,
	const char *text, const struct weir_log_field *fields, size_t count);

#define weir_log_error(module, ...)   weir_log(WEIR_LOG_ERROR, module, __VA_ARGS__)
#define weir_log_warning(module, ...) weir_log(WEIR_LOG_WARNING, module, __VA_ARGS__)
#define weir_log_notice(module, ...)  weir_log(WEIR_LOG_NOTICE, module, __VA_ARGS__)
#define weir_log_info(module, ...)    weir_log(WEIR_LOG_INFO, module, __VA_ARGS__)
#define weir_log_debug(module, ...)   weir_log(WEIR_LOG_DEBUG, module, __VA_ARGS__)
