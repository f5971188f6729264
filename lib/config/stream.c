/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <string.h>

#include "config/parts.h"
#include "wire/key_text.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

enum { HINT_SIZE = 256, TEMPLATES_LEAST = 4096 };

static int read_kind(const struct weir_value *value, const struct weir_field *field, void *target)
{
	const char *names[WEIR_KEY_KINDS + 1] = {NULL};
	struct weir_field kind = {.key = field->key, .size = 4, .names = names};
	struct weir_key_spec *key = target;
	unsigned int position = 0;
	int rc;

	for (unsigned int i = 0; i < WEIR_KEY_KINDS; i++)
		names[i] = weir_key_kind_name(i);
	rc = weir_read_name(value, &kind, &position);
	key->kind = (uint8_t)position;
	return rc;
}

static const struct weir_field key_fields[] = {
	{.key = "type",
		.read = read_kind,
		.hint = "what makes the key, such as \"ipfix\"",
		.required = true},
	{WEIR_MEMBER(struct weir_key_spec, offset), .read = weir_read_number, .maximum = 9000},
	{WEIR_MEMBER(struct weir_key_spec, length), .read = weir_read_number, .minimum = 1,
		.maximum = 32},
};

static int read_key(const struct weir_value *value, const struct weir_field *field, void *target)
{
	static const char hint[] =
		"write {\"type\": \"bytes\", \"offset\": 0, \"length\": 4}: which payload bytes";
	struct weir_key_spec *key = target;
	struct weir_value member;
	int rc;

	key->kind = WEIR_KEY_KINDS;
	rc = json_is_object(value->json)
		     ? weir_fields_read(value, key_fields, COUNT_OF(key_fields), key)
		     : read_kind(value, field, key);
	if (rc < 0)
		return rc;
	if (key->kind == WEIR_KEY_BYTES && key->length == 0)
		return weir_value_fail(value, hint, "key \"bytes\" without a length");
	if (key->kind == WEIR_KEY_BYTES)
		return 0;
	if (weir_value_member(value, "offset", &member) ||
		weir_value_member(value, "length", &member))
		return weir_value_fail(&member, "leave it out, or use type \"bytes\"",
			"key \"%s\" has no %s", weir_key_kind_name(key->kind), member.key);
	return 0;
}

static int read_messages(
	const struct weir_value *value, const struct weir_field *field, void *target)
{
	char hint[HINT_SIZE];
	uint32_t messages = 0, below;
	int rc = weir_read_number(value, field, &messages);

	if (rc < 0)
		return rc;
	memcpy(target, &messages, sizeof(messages));
	if ((messages & (messages - 1)) == 0)
		return 0;
	for (below = 1; below * 2 < messages;)
		below *= 2;
	snprintf(hint, sizeof(hint), "the nearest are %u and %u", below, below * 2);
	return weir_value_refuse(value, hint, "not a power of two");
}

static const struct weir_field ring_fields[] = {
	{WEIR_MEMBER_AS("messages", struct weir_config_stream, ring_messages),
		.read = read_messages, .minimum = 16, .maximum = 1048576},
	/* The largest datagram must fit. */
	{WEIR_MEMBER_AS("bytes", struct weir_config_stream, ring_bytes), .read = weir_read_bytes,
		.minimum = 65536, .maximum = 68719476736},
	{WEIR_MEMBER(struct weir_config_stream, age_ms), .read = weir_read_number,
		.maximum = 3600000},
	{WEIR_MEMBER(struct weir_config_stream, retain_ms), .read = weir_read_number,
		.maximum = 86400000},
	{WEIR_MEMBER(struct weir_config_stream, drain_ms), .read = weir_read_number, .minimum = 1,
		.maximum = 3600000},
};

static int read_ring(const struct weir_value *value, const struct weir_field *field, void *target)
{
	struct weir_config_stream *stream = target;
	struct weir_value member;
	char hint[HINT_SIZE];
	int rc = weir_fields_read(value, ring_fields, COUNT_OF(ring_fields), stream);

	(void)field;
	if (rc < 0 || stream->age_ms == 0 || stream->retain_ms <= stream->age_ms)
		return rc;
	weir_value_member(value, "retain_ms", &member);
	snprintf(hint, sizeof(hint),
		"raise age_ms or make it 0, for no limit; or let retain_ms be %u or less: what has "
		"expired is not kept",
		stream->age_ms);
	return weir_value_fail(&member, hint, "retain_ms %u is more than age_ms %u",
		stream->retain_ms, stream->age_ms);
}

static const struct weir_field producers_fields[] = {
	{WEIR_MEMBER(struct weir_config_producers, max), .read = weir_read_number, .maximum = 1024},
	{WEIR_MEMBER(struct weir_config_producers, rate), .read = weir_read_rate},
	{WEIR_MEMBER(struct weir_config_producers, key_file), .read = weir_read_absolute_path},
};

static int read_producers(
	const struct weir_value *value, const struct weir_field *field, void *target)
{
	struct weir_config_producers *producers = target;

	(void)field;
	producers->max = 16;
	return weir_fields_read(value, producers_fields, COUNT_OF(producers_fields), producers);
}

/* RFC 3954 5.1 and RFC 7011 8: only these have templates, and only their keys keep an exporter
 * and domain in one partition. */
static bool has_templates(const struct weir_key_spec *key)
{
	return key->kind == WEIR_KEY_FLOW || key->kind == WEIR_KEY_IPFIX;
}

static int read_template_bytes(
	const struct weir_value *value, const struct weir_field *field, void *target)
{
	uint32_t bytes = 0;
	int rc = weir_read_bytes(value, field, &bytes);

	if (rc == 0 && bytes > 0 && bytes < TEMPLATES_LEAST)
		rc = weir_value_refuse(value, "0 to keep none, or at least 4096 (\"4k\")",
			"too small for an exporter's templates");
	memcpy(target, &bytes, sizeof(bytes));
	return rc;
}

static const struct weir_field templates_fields[] = {
	{WEIR_MEMBER(struct weir_config_templates, bytes), .read = read_template_bytes,
		.maximum = 16777216},
	{WEIR_MEMBER(struct weir_config_templates, lifetime_s), .read = weir_read_number,
		.maximum = 86400},
};

static int read_templates(
	const struct weir_value *value, const struct weir_field *field, void *target)
{
	(void)field;
	return weir_fields_read(value, templates_fields, COUNT_OF(templates_fields), target);
}

/* On by default where there can be any. */
static int check_templates(const struct weir_value *element, struct weir_config_stream *stream)
{
	struct weir_value member;

	if (has_templates(&stream->key))
		return 0;
	stream->templates.bytes = 0;
	if (!weir_value_member(element, "templates", &member))
		return 0;
	return weir_value_fail(&member, "leave it out, or use key \"flow\" or \"ipfix\"",
		"key \"%s\" has no templates", weir_key_kind_name(stream->key.kind));
}

static const struct weir_field stream_fields[] = {
	{WEIR_MEMBER(struct weir_config_stream, name), .read = weir_read_object_name,
		.hint = "a name for the stream, such as \"flows\"", .required = true},
	{WEIR_MEMBER(struct weir_config_stream, match), .read = weir_read_match},
	{WEIR_MEMBER(struct weir_config_stream, key), .read = read_key},
	{WEIR_MEMBER(struct weir_config_stream, partitions), .read = weir_read_number, .minimum = 1,
		.maximum = WEIR_MAX_PARTITIONS},
	{WEIR_MEMBER(struct weir_config_stream, tier), .read = weir_read_name,
		.names = weir_tier_names},
	{WEIR_MEMBER(struct weir_config_stream, path), .read = weir_read_name,
		.names = weir_path_names},
	{.key = "ring", .read = read_ring},
	{WEIR_MEMBER(struct weir_config_stream, deadline_ms), .read = weir_read_number,
		.maximum = 3600000},
	{WEIR_MEMBER(struct weir_config_stream, buffers), .read = weir_read_number, .minimum = 64,
		.maximum = 16777216},
	{WEIR_MEMBER(struct weir_config_stream, producers), .read = read_producers},
	{WEIR_MEMBER(struct weir_config_stream, templates), .read = read_templates},
};

int weir_read_streams(const struct weir_value *value, const struct weir_field *field, void *config)
{
	static const struct weir_config_stream defaults = {
		.match = {.vlan = WEIR_VLAN_ANY, .outer_vlan = WEIR_VLAN_ANY},
		.key = {.kind = WEIR_KEY_5TUPLE},
		.tier = WEIR_TIER_STANDARD,
		.partitions = 16,
		.ring_messages = 4096,
		.ring_bytes = 16 * 1048576,
		.age_ms = 10000,
		.drain_ms = 10000,
		.templates = {.bytes = 256 * 1024, .lifetime_s = 1800}};
	static const struct weir_list_rule rule = {.size = sizeof(struct weir_config_stream),
		.maximum = WEIR_MAX_STREAMS,
		.may_be_empty = true,
		.hint = "a list of up to 4096 objects, each a stream"};
	struct weir_config *whole = config;
	void *array = NULL;
	int rc = weir_read_list(value, &rule, &array, &whole->stream_count);

	(void)field;
	whole->streams = array;
	for (unsigned int i = 0; rc == 0 && i < whole->stream_count; i++) {
		struct weir_value element = weir_value_element(value, i);

		whole->streams[i] = defaults;
		rc = weir_fields_read(
			&element, stream_fields, COUNT_OF(stream_fields), &whole->streams[i]);
		if (rc == 0)
			rc = check_templates(&element, &whole->streams[i]);
	}
	return rc;
}
