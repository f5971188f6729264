/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>

#include "config/field.h"
#include "control/present.h"

/* As in the configuration, but 0 takes a burst back to its default. */
static const struct weir_field rate_fields[] = {
	{WEIR_MEMBER(struct weir_config_rate, packets_per_s), .read = weir_read_rate_number,
		.maximum = 1000000000},
	{WEIR_MEMBER(struct weir_config_rate, bits_per_s), .read = weir_read_rate_number,
		.maximum = 1000000000000},
	{WEIR_MEMBER(struct weir_config_rate, burst_packets), .read = weir_read_rate_number,
		.maximum = 1048576},
	{WEIR_MEMBER(struct weir_config_rate, burst_bytes), .read = weir_read_bytes,
		.maximum = 1073741824},
};

enum { LEAST_BURST_BYTES = 2048 };

int weir_present_read_rate(
	const json_t *params, struct weir_config_rate *rate, struct weir_error *error)
{
	struct weir_value root = {.error = error};
	struct weir_value object = {.parent = &root, .key = "params", .error = error};
	struct weir_value burst;
	int code;

	/* The table knows every member but the consumer's name. */
	object.json = json_copy((json_t *)(uintptr_t)params);
	if (object.json == NULL || json_object_del(object.json, "name") < 0) {
		json_decref(object.json);
		return weir_error_set(error, -ENOMEM, "", "", "no memory for the request");
	}
	code = weir_fields_read(
		&object, rate_fields, sizeof(rate_fields) / sizeof(rate_fields[0]), rate);
	if (code == 0 && rate->burst_bytes != 0 && rate->burst_bytes < LEAST_BURST_BYTES &&
		weir_value_member(&object, "burst_bytes", &burst))
		code = weir_value_refuse(
			&burst, "0 or 2048 and more: a usual datagram must fit", "too small");
	json_decref(object.json);
	return code;
}
