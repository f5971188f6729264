/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log_limit.h"

#define LINE_SIZE 1024 /* of the text */
#define OUT_SIZE  8192 /* of the whole line, escapes included */

static const char *const level_names[WEIR_LOG_LEVELS] = {
	"error", "warning", "notice", "info", "debug"};

/* syslog(3) priorities, which the journal reads from "<N>" at the line's start. */
static const int priorities[WEIR_LOG_LEVELS] = {3, 4, 5, 6, 7};

/* Set by the control thread, read by every thread that logs. */
static _Atomic int current_level = WEIR_LOG_NOTICE;
static _Atomic bool is_json;
static _Atomic uint32_t limit_per_minute;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of the limit and the stream */
static struct weir_log_limit limit;
static _Atomic uint64_t counts[WEIR_LOG_LEVELS];
static _Atomic uint64_t suppressed;

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

void weir_log_set_json(bool wanted)
{
	atomic_store(&is_json, wanted);
}

void weir_log_set_limit(uint32_t per_minute)
{
	atomic_store(&limit_per_minute, per_minute);
}

uint64_t weir_log_count(enum weir_log_level level)
{
	return atomic_load(&counts[level]);
}

uint64_t weir_log_suppressed(void)
{
	return atomic_load(&suppressed);
}

/* A line while it is put together; what does not fit is cut. */
struct line {
	size_t used;
	char bytes[OUT_SIZE];
};

static void put(struct line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct line *line, const char *format, ...)
{
	size_t room = sizeof(line->bytes) - line->used;
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(line->bytes + line->used, room, format, args);
	va_end(args);
	if (length > 0)
		line->used += (size_t)length < room ? (size_t)length : room - 1;
}

/* RFC 8259, 7. Bytes beyond ASCII come from file names at most, and are shown as '?'. */
static void put_json_text(struct line *line, const char *text)
{
	put(line, "\"");
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			put(line, "\\%c", *text);
		else if ((unsigned char)*text < ' ')
			put(line, "\\u%04x", (unsigned int)*text);
		else
			put(line, "%c", (unsigned char)*text < 127 ? *text : '?');
	}
	put(line, "\"");
}

static void put_time(struct line *line)
{
	struct timespec now;
	struct tm parts;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &parts);
	put(line, "{\"time\":\"%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ\"", parts.tm_year + 1900,
		parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
		now.tv_nsec / 1000000);
}

static void put_json(struct line *line, enum weir_log_level level, const char *module,
	const char *text, const struct weir_log_field *fields, size_t count)
{
	put_time(line);
	put(line, ",\"level\":\"%s\",\"module\":", level_names[level]);
	put_json_text(line, module);
	put(line, ",\"message\":");
	put_json_text(line, text);
	for (size_t i = 0; i < count; i++) {
		put(line, ",\"%s\":", fields[i].key);
		if (fields[i].text != NULL)
			put_json_text(line, fields[i].text);
		else
			put(line, "%lld", (long long)fields[i].number);
	}
	put(line, "}\n");
}

static void put_text(struct line *line, enum weir_log_level level, const char *module,
	const char *text, const struct weir_log_field *fields, size_t count)
{
	if (getenv("JOURNAL_STREAM") != NULL)
		put(line, "<%d>%s: %s", priorities[level], module, text);
	else
		put(line, "%-7s %s: %s", level_names[level], module, text);
	for (size_t i = 0; i < count; i++) {
		if (fields[i].text != NULL)
			put(line, " %s=%s", fields[i].key, fields[i].text);
		else
			put(line, " %s=%lld", fields[i].key, (long long)fields[i].number);
	}
	put(line, "\n");
}

/* Under the lock. */
static void write_line(enum weir_log_level level, const char *module, const char *text,
	const struct weir_log_field *fields, size_t count)
{
	struct line line = {.used = 0};

	line.bytes[0] = '\0';
	if (atomic_load(&is_json))
		put_json(&line, level, module, text, fields, count);
	else
		put_text(&line, level, module, text, fields, count);
	/* A line that was cut ends all the same. */
	line.bytes[line.used - 1] = '\n';
	fwrite(line.bytes, 1, line.used, stderr);
	atomic_fetch_add(&counts[level], 1);
}

static uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

void weir_log_fields(enum weir_log_level level, const char *module, const char *kind,
	const char *text, const struct weir_log_field *fields, size_t count)
{
	uint32_t left_out;
	char note[96];

	if ((int)level > atomic_load(&current_level))
		return;
	pthread_mutex_lock(&lock);
	if (!weir_log_limit_admits(
		    &limit, kind, atomic_load(&limit_per_minute), clock_ns(), &left_out)) {
		atomic_fetch_add(&suppressed, 1);
	} else {
		if (left_out != 0) {
			snprintf(note, sizeof(note),
				"%u lines like the next were left out (log.per_minute)", left_out);
			write_line(level, module, note, NULL, 0);
		}
		write_line(level, module, text, fields, count);
	}
	pthread_mutex_unlock(&lock);
}

void weir_log(enum weir_log_level level, const char *module, const char *format, ...)
{
	char line[LINE_SIZE];
	va_list args;

	if ((int)level > atomic_load(&current_level))
		return;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	weir_log_fields(level, module, format, line, NULL, 0);
}
