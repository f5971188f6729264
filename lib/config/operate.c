/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/parts.h"

/* Objects that say how the gateway is watched, from telemetry to trace; and chaos. */

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static int read_listen_address(
	const struct weir_value *value, const struct weir_field *field, void *target)
{
	const char *text = json_string_value(value->json);
	struct weir_address address;

	(void)field;
	if (text == NULL || weir_address_parse(text, &address) < 0)
		return weir_value_refuse(value,
			"an address of this host, such as \"127.0.0.1\", \"::1\" or \"0.0.0.0\"",
			"not an IP address");
	memcpy(target, &address, sizeof(address));
	return 0;
}

static const struct weir_field telemetry_fields[] = {
	{WEIR_MEMBER(struct weir_config_telemetry, address), .read = read_listen_address},
	{WEIR_MEMBER(struct weir_config_telemetry, port), .read = weir_read_number,
		.maximum = UINT16_MAX},
	{WEIR_MEMBER(struct weir_config_telemetry, token_file), .read = weir_read_absolute_path},
	{WEIR_MEMBER(struct weir_config_telemetry, interval_ms), .read = weir_read_number,
		.minimum = 100, .maximum = 60000},
	{WEIR_MEMBER(struct weir_config_telemetry, partitions), .read = weir_read_number,
		.maximum = 65536},
	{WEIR_MEMBER(struct weir_config_telemetry, consumers), .read = weir_read_number,
		.maximum = WEIR_MAX_CONSUMERS},
};

static const struct weir_field log_fields[] = {
	{WEIR_MEMBER(struct weir_config_log, format), .read = weir_read_name,
		.names = weir_log_format_names},
	{WEIR_MEMBER(struct weir_config_log, per_minute), .read = weir_read_number,
		.maximum = 1000000},
};

static const struct weir_field watchdog_fields[] = {
	{WEIR_MEMBER(struct weir_config_watchdog, act), .read = weir_read_bool},
	{WEIR_MEMBER(struct weir_config_watchdog, per_hour), .read = weir_read_number,
		.maximum = 3600},
	{WEIR_MEMBER(struct weir_config_watchdog, pool_percent), .read = weir_read_number,
		.minimum = 1, .maximum = 50},
	{WEIR_MEMBER(struct weir_config_watchdog, disk_ms), .read = weir_read_number, .minimum = 10,
		.maximum = 600000},
	{WEIR_MEMBER(struct weir_config_watchdog, clock_ms), .read = weir_read_number,
		.minimum = 10, .maximum = 3600000},
};

static const struct weir_field alerts_fields[] = {
	{WEIR_MEMBER(struct weir_config_alerts, short_s), .read = weir_read_number, .minimum = 1,
		.maximum = 3600},
	{WEIR_MEMBER(struct weir_config_alerts, long_s), .read = weir_read_number, .minimum = 2,
		.maximum = 86400},
	{WEIR_MEMBER(struct weir_config_alerts, deviation), .read = weir_read_number, .minimum = 2,
		.maximum = 100},
};

static const struct weir_field elastic_fields[] = {
	{WEIR_MEMBER(struct weir_config_elastic, enabled), .read = weir_read_bool},
	{WEIR_MEMBER(struct weir_config_elastic, least), .read = weir_read_number, .minimum = 1,
		.maximum = WEIR_MAX_WORKERS},
	{WEIR_MEMBER(struct weir_config_elastic, wake_percent), .read = weir_read_number,
		.minimum = 2, .maximum = 100},
	{WEIR_MEMBER(struct weir_config_elastic, park_percent), .read = weir_read_number,
		.minimum = 1, .maximum = 99},
	{WEIR_MEMBER(struct weir_config_elastic, wake_ms), .read = weir_read_number, .minimum = 100,
		.maximum = 600000},
	{WEIR_MEMBER(struct weir_config_elastic, park_ms), .read = weir_read_number, .minimum = 100,
		.maximum = 86400000},
};

static const struct weir_field capture_fields[] = {
	{WEIR_MEMBER(struct weir_config_capture, directory), .read = weir_read_absolute_path},
	{WEIR_MEMBER(struct weir_config_capture, bytes), .read = weir_read_bytes, .minimum = 65536,
		.maximum = INT64_C(1) << 40},
};

static const struct weir_field chaos_fields[] = {
	{WEIR_MEMBER(struct weir_config_chaos, allow), .read = weir_read_bool},
};

/* The host of a URL, an address, and a port behind it; where the path begins, or NULL. */
static const char *read_host(const char *text, struct weir_config_collector *collector)
{
	size_t length = text[0] == '[' ? strcspn(text, "]") : strcspn(text, ":/");
	char address[WEIR_ADDRESS_TEXT];
	unsigned long port = 80;
	char *end;

	if (text[0] == '[' ? text[length] != ']' || length == 1 : length == 0)
		return NULL;
	snprintf(address, sizeof(address), "%.*s", (int)length - (text[0] == '['),
		text + (text[0] == '['));
	if (weir_address_parse(address, &collector->address) < 0 ||
		(text[0] == '[') != (collector->address.family == 6))
		return NULL;
	text += length + (text[0] == '[');
	if (*text == ':') {
		if (text[1] < '0' || text[1] > '9')
			return NULL;
		port = strtoul(text + 1, &end, 10);
		text = end;
	}
	if (port == 0 || port > UINT16_MAX)
		return NULL;
	collector->port = (uint16_t)port;
	return text;
}

/* Nothing in it that could end a line of a request. */
static bool is_path(const char *text)
{
	for (const char *at = text; *at != '\0'; at++)
		if ((unsigned char)*at <= ' ' || (unsigned char)*at >= 0x7f || *at == '#')
			return false;
	return text[0] == '/';
}

static int read_collector(
	const struct weir_value *value, const struct weir_field *field, void *target)
{
	static const char scheme[] = "http://";
	const char *text = json_string_value(value->json);
	struct weir_config_collector collector = {0};
	const char *path = NULL;

	(void)field;
	if (text != NULL && strncmp(text, scheme, sizeof(scheme) - 1) == 0)
		path = read_host(text + sizeof(scheme) - 1, &collector);
	if (path != NULL && *path == '\0')
		path = "/v1/traces";
	if (path == NULL || !is_path(path) || strlen(path) >= sizeof(collector.path))
		return weir_value_refuse(value,
			"http://, an address, a port and a path, such as "
			"\"http://127.0.0.1:4318/v1/traces\"",
			"not the URL of a collector");
	memcpy(collector.path, path, strlen(path) + 1);
	memcpy(target, &collector, sizeof(collector));
	return 0;
}

static const struct weir_field trace_fields[] = {
	{WEIR_MEMBER(struct weir_config_trace, sample), .read = weir_read_number,
		.maximum = 1000000000},
	{WEIR_MEMBER(struct weir_config_trace, keep), .read = weir_read_number, .minimum = 16,
		.maximum = 4096},
	{WEIR_MEMBER(struct weir_config_trace, contexts_per_s), .read = weir_read_number,
		.maximum = 1000},
	{WEIR_MEMBER(struct weir_config_trace, collector), .read = read_collector},
};

int weir_read_telemetry(
	const struct weir_value *value, const struct weir_field *field, void *telemetry)
{
	(void)field;
	return weir_fields_read(value, telemetry_fields, COUNT_OF(telemetry_fields), telemetry);
}

int weir_read_log(const struct weir_value *value, const struct weir_field *field, void *log)
{
	(void)field;
	return weir_fields_read(value, log_fields, COUNT_OF(log_fields), log);
}

int weir_read_watchdog(
	const struct weir_value *value, const struct weir_field *field, void *watchdog)
{
	(void)field;
	return weir_fields_read(value, watchdog_fields, COUNT_OF(watchdog_fields), watchdog);
}

int weir_read_alerts(const struct weir_value *value, const struct weir_field *field, void *alerts)
{
	const struct weir_config_alerts *read = alerts;
	struct weir_value member;
	int rc;

	(void)field;
	rc = weir_fields_read(value, alerts_fields, COUNT_OF(alerts_fields), alerts);
	if (rc < 0 || read->long_s >= 2 * read->short_s)
		return rc;
	if (!weir_value_member(value, "long_s", &member))
		weir_value_member(value, "short_s", &member);
	return weir_value_fail(&member,
		"let long_s be at least twice short_s: two windows that are alike are one",
		"long_s %u is less than twice short_s %u", read->long_s, read->short_s);
}

int weir_read_elastic(const struct weir_value *value, const struct weir_field *field, void *elastic)
{
	const struct weir_config_elastic *read = elastic;
	struct weir_value member;
	int rc;

	(void)field;
	rc = weir_fields_read(value, elastic_fields, COUNT_OF(elastic_fields), elastic);
	if (rc < 0 || read->park_percent < read->wake_percent)
		return rc;
	if (!weir_value_member(value, "park_percent", &member))
		weir_value_member(value, "wake_percent", &member);
	return weir_value_fail(&member,
		"let park_percent be below wake_percent: between them nothing changes",
		"park_percent %u is not below wake_percent %u", read->park_percent,
		read->wake_percent);
}

int weir_read_capture(const struct weir_value *value, const struct weir_field *field, void *capture)
{
	(void)field;
	return weir_fields_read(value, capture_fields, COUNT_OF(capture_fields), capture);
}

int weir_read_chaos(const struct weir_value *value, const struct weir_field *field, void *chaos)
{
	(void)field;
	return weir_fields_read(value, chaos_fields, COUNT_OF(chaos_fields), chaos);
}

int weir_read_trace(const struct weir_value *value, const struct weir_field *field, void *trace)
{
	(void)field;
	return weir_fields_read(value, trace_fields, COUNT_OF(trace_fields), trace);
}
