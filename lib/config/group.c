/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <string.h>

#include "config/parts.h"

#define WEIGHT_USUAL 100
#define WEIGHT_MOST  1000

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static const struct weir_field consumer_fields[] = {
	{WEIR_MEMBER(struct weir_config_consumer, name), .read = weir_read_object_name,
		.hint = "a name for the consumer, such as \"collector-1\"", .required = true},
	{WEIR_MEMBER(struct weir_config_consumer, address), .read = weir_read_host,
		.hint = "the receiver's address, such as \"198.51.100.7\"", .required = true},
	{WEIR_MEMBER(struct weir_config_consumer, port), .read = weir_read_number, .minimum = 1,
		.maximum = UINT16_MAX, .required = true},
	{WEIR_MEMBER(struct weir_config_consumer, source), .read = weir_read_name,
		.names = weir_source_mode_names},
	{WEIR_MEMBER(struct weir_config_consumer, rate), .read = weir_read_rate},
	{WEIR_MEMBER(struct weir_config_consumer, weight), .read = weir_read_number, .minimum = 1,
		.maximum = WEIGHT_MOST},
	{WEIR_MEMBER(struct weir_config_consumer, egress), .read = weir_read_object_name},
	{WEIR_MEMBER(struct weir_config_consumer, mac), .read = weir_read_mac},
};

static bool is_link_local(const struct weir_address *address)
{
	if (address->family == 4)
		return address->bytes[0] == 169 && address->bytes[1] == 254;
	return address->bytes[0] == 0xfe && (address->bytes[1] & 0xc0) == 0x80;
}

static int read_consumer(const struct weir_value *value, struct weir_config_consumer *consumer)
{
	struct weir_value member;
	int rc = weir_fields_read(value, consumer_fields, COUNT_OF(consumer_fields), consumer);

	if (rc < 0)
		return rc;
	consumer->has_mac = weir_value_member(value, "mac", &member);
	if (consumer->has_mac && consumer->egress[0] == '\0')
		return weir_value_fail(&member,
			"add \"egress\", the port that the MAC address is reached by",
			"\"mac\" without \"egress\"");
	if (is_link_local(&consumer->address) && consumer->egress[0] == '\0' &&
		weir_value_member(value, "address", &member))
		return weir_value_refuse(&member,
			"add \"egress\", the port whose link it is on, or give a routed address",
			"a link-local address, which is on no certain link");
	return 0;
}

static int read_consumers(
	const struct weir_value *value, const struct weir_field *field, void *target)
{
	static const struct weir_list_rule rule = {.size = sizeof(struct weir_config_consumer),
		.maximum = WEIR_MAX_CONSUMERS,
		.hint = "1 to 16384 objects, each a consumer"};
	struct weir_config_group *group = target;
	void *array = NULL;
	int rc = weir_read_list(value, &rule, &array, &group->consumer_count);

	(void)field;
	group->consumers = array;
	for (unsigned int i = 0; rc == 0 && i < group->consumer_count; i++) {
		struct weir_value element = weir_value_element(value, i);

		group->consumers[i].weight = WEIGHT_USUAL;
		rc = read_consumer(&element, &group->consumers[i]);
	}
	return rc;
}

static const struct weir_field weight_fields[] = {
	{WEIR_MEMBER(struct weir_config_weight, name), .read = weir_read_object_name,
		.hint = "the name that the consumer joins with", .required = true},
	{WEIR_MEMBER(struct weir_config_weight, weight), .read = weir_read_number, .minimum = 1,
		.maximum = WEIGHT_MOST, .required = true},
};

static int read_weights(
	const struct weir_value *value, const struct weir_field *field, void *target)
{
	static const struct weir_list_rule rule = {.size = sizeof(struct weir_config_weight),
		.maximum = 1024,
		.hint = "1 to 1024 objects, each with a name and a weight"};
	struct weir_config_group *group = target;
	void *array = NULL;
	int rc = weir_read_list(value, &rule, &array, &group->weight_count);

	(void)field;
	group->weights = array;
	for (unsigned int i = 0; rc == 0 && i < group->weight_count; i++) {
		struct weir_value element = weir_value_element(value, i);

		rc = weir_fields_read(
			&element, weight_fields, COUNT_OF(weight_fields), &group->weights[i]);
	}
	return rc;
}

uint32_t weir_config_weight(const struct weir_config_group *group, const char *consumer)
{
	for (unsigned int i = 0; i < group->weight_count; i++)
		if (strcmp(group->weights[i].name, consumer) == 0)
			return group->weights[i].weight;
	return WEIGHT_USUAL;
}

static int read_stream_names(
	const struct weir_value *value, const struct weir_field *field, void *target)
{
	struct weir_config_group *group = target;

	(void)field;
	return weir_read_stream_names(value, &group->streams, &group->stream_count);
}

static int read_sources(
	const struct weir_value *value, const struct weir_field *field, void *target)
{
	struct weir_config_group *group = target;

	(void)field;
	return weir_read_prefixes(value, &group->sources, &group->source_count);
}

static const struct weir_field group_fields[] = {
	{WEIR_MEMBER(struct weir_config_group, name), .read = weir_read_object_name,
		.hint = "a name for the group, such as \"billing\"", .required = true},
	{WEIR_MEMBER(struct weir_config_group, class), .read = weir_read_name,
		.names = weir_class_names},
	{.key = "streams",
		.read = read_stream_names,
		.hint = "the names of the streams that it gets",
		.required = true},
	{WEIR_MEMBER(struct weir_config_group, sample), .read = weir_read_number, .minimum = 1,
		.maximum = 1000000},
	{.key = "source", .read = read_sources},
	{.key = "consumers", .read = read_consumers},
	{WEIR_MEMBER(struct weir_config_group, consumer_rate), .read = weir_read_rate},
	{WEIR_MEMBER(struct weir_config_group, max_consumers), .read = weir_read_number,
		.minimum = 1, .maximum = 1024},
	{WEIR_MEMBER_AS("reliable", struct weir_config_group, is_reliable), .read = weir_read_bool},
	{WEIR_MEMBER(struct weir_config_group, window), .read = weir_read_window},
	{WEIR_MEMBER_AS("partition_window", struct weir_config_group, lane_window),
		.read = weir_read_window},
	{WEIR_MEMBER(struct weir_config_group, attempts), .read = weir_read_number, .minimum = 2,
		.maximum = 255},
	{WEIR_MEMBER(struct weir_config_group, retry_percent), .read = weir_read_number,
		.minimum = 1, .maximum = 100},
	{WEIR_MEMBER(struct weir_config_group, moves), .read = weir_read_number, .minimum = 1,
		.maximum = 1024},
	{WEIR_MEMBER(struct weir_config_group, drain_ms), .read = weir_read_number,
		.maximum = 60000},
	{WEIR_MEMBER(struct weir_config_group, rebalance_s), .read = weir_read_number,
		.maximum = 86400},
	{.key = "weights", .read = read_weights},
	{WEIR_MEMBER(struct weir_config_group, key_file), .read = weir_read_absolute_path},
};

static const char acknowledging[] =
	"leave it out, or use class \"native\"; only its consumers acknowledge";

#define ONE(class) (1u << WEIR_CLASS_##class)

/* Which classes use a key. Keys that are not here belong to all. */
static const struct use {
	const char *key;
	unsigned int classes;
	const char *hint;
} uses[] = {
	{"consumers", ONE(BLIND) | ONE(ASSISTED),
		"leave it out: native consumers join; or use class \"blind\""},
	{"consumer_rate", ONE(NATIVE),
		"leave it out, or use class \"native\"; a listed consumer has its own rate"},
	{"max_consumers", ONE(NATIVE),
		"leave it out, or use class \"native\"; here the list says how many there are"},
	{"reliable", ONE(NATIVE), acknowledging},
	{"window", ONE(NATIVE), acknowledging},
	{"partition_window", ONE(NATIVE), acknowledging},
	{"attempts", ONE(NATIVE), acknowledging},
	{"retry_percent", ONE(NATIVE), acknowledging},
	{"drain_ms", ONE(NATIVE), acknowledging},
	{"weights", ONE(NATIVE),
		"leave it out, or use class \"native\"; a listed consumer has its own weight"},
	{"key_file", ONE(NATIVE) | ONE(ASSISTED),
		"leave it out, or use class \"assisted\" or \"native\"; a blind consumer sends "
		"nothing that a key could prove"},
};

static int check_class(const struct weir_value *value, const struct weir_config_group *group)
{
	const char *class = weir_class_name(group->class);
	struct weir_value member;

	for (unsigned int i = 0; i < COUNT_OF(uses); i++)
		if (!(uses[i].classes & (1u << group->class)) &&
			weir_value_member(value, uses[i].key, &member))
			return weir_value_fail(&member, uses[i].hint,
				"class \"%s\" does not use \"%s\"", class, uses[i].key);
	if (group->class != WEIR_CLASS_NATIVE && group->consumer_count == 0)
		return weir_value_fail(value,
			"add \"consumers\": [{\"name\": ..., \"address\": ..., \"port\": ...}]",
			"class \"%s\" needs \"consumers\"", class);
	return 0;
}

int weir_read_groups(const struct weir_value *value, const struct weir_field *field, void *config)
{
	static const struct weir_config_group defaults = {.class = WEIR_CLASS_BLIND,
		.sample = 1,
		.max_consumers = 16,
		.is_reliable = true,
		.attempts = 10,
		.retry_percent = 25,
		.moves = 4,
		.drain_ms = 500};
	static const struct weir_list_rule rule = {.size = sizeof(struct weir_config_group),
		.maximum = WEIR_MAX_GROUPS,
		.may_be_empty = true,
		.hint = "a list of up to 1024 objects, each a group"};
	struct weir_config *whole = config;
	void *array = NULL;
	int rc = weir_read_list(value, &rule, &array, &whole->group_count);

	(void)field;
	whole->groups = array;
	for (unsigned int i = 0; rc == 0 && i < whole->group_count; i++) {
		struct weir_value element = weir_value_element(value, i);

		whole->groups[i] = defaults;
		rc = weir_fields_read(
			&element, group_fields, COUNT_OF(group_fields), &whole->groups[i]);
		if (rc == 0)
			rc = check_class(&element, &whole->groups[i]);
	}
	return rc;
}
