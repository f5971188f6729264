/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "config/parts.h"

/* Objects that say how the gateway is watched: telemetry, log. */

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
