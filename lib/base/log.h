/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>

/*
 * The log of a daemon: one line per event on stderr, "<level> <module>: <text>", with the
 * sd-daemon priority prefix when stderr is the journal. Control thread and start-up only: a
 * worker never logs; it counts, and the control thread reports what the counters say.
 */
enum weir_log_level {
	WEIR_LOG_ERROR,
	WEIR_LOG_WARNING,
	WEIR_LOG_NOTICE,
	WEIR_LOG_INFO,
	WEIR_LOG_DEBUG,
	WEIR_LOG_LEVELS,
};

/* "error", "warning", "notice", "info", "debug". */
const char *weir_log_level_name(enum weir_log_level level);
/* The level of that name, or -EINVAL. */
int weir_log_level_parse(const char *name);
void weir_log_set_level(enum weir_log_level level);
enum weir_log_level weir_log_get_level(void);

void weir_log(enum weir_log_level level, const char *module, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#define weir_log_error(module, ...)   weir_log(WEIR_LOG_ERROR, module, __VA_ARGS__)
#define weir_log_warning(module, ...) weir_log(WEIR_LOG_WARNING, module, __VA_ARGS__)
#define weir_log_notice(module, ...)  weir_log(WEIR_LOG_NOTICE, module, __VA_ARGS__)
#define weir_log_info(module, ...)    weir_log(WEIR_LOG_INFO, module, __VA_ARGS__)
#define weir_log_debug(module, ...)   weir_log(WEIR_LOG_DEBUG, module, __VA_ARGS__)
