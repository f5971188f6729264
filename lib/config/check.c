/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/feature_text.h"
#include "config/parts.h"

enum { PATH_SIZE = 160, HINT_SIZE = 256 };

/* What has been named so far: each a JSON object whose members are the paths of the first use. */
struct sets {
	json_t *ports;
	json_t *devices;
	json_t *streams;
	json_t *groups;
	json_t *consumers;
	json_t *feeds; /* stream's name: how many groups it feeds */
};

/* Enter `key` as used by `value`, or refuse the value because an earlier one has it. */
static int claim(json_t *set, const char *key, const struct weir_value *value, const char *hint)
{
	const json_t *first = json_object_get(set, key);
	char complaint[PATH_SIZE + 32], path[PATH_SIZE];

	if (first != NULL) {
		snprintf(complaint, sizeof(complaint), "taken already, by %s",
			json_string_value(first));
		return weir_value_refuse(value, hint, complaint);
	}
	weir_value_path(value, path, sizeof(path));
	if (json_object_set_new(set, key, json_string(path)) < 0)
		return weir_value_no_memory(value);
	return 0;
}

static int claim_member(
	json_t *set, const struct weir_value *object, const char *key, const char *hint)
{
	struct weir_value member;

	if (!weir_value_member(object, key, &member))
		return 0;
	return claim(set, json_string_value(member.json), &member, hint);
}

static int refuse_unknown(const struct weir_value *value, const char *kind, const char **names)
{
	const char *written = json_string_value(value->json);
	const char *nearest = weir_names_nearest(names, written);
	char list[HINT_SIZE - 64], hint[HINT_SIZE], complaint[48];

	weir_names_list(names, list, sizeof(list));
	if (names[0] == NULL)
		snprintf(hint, sizeof(hint), "there are none; add it to \"%ss\"", kind);
	else if (nearest != NULL)
		snprintf(hint, sizeof(hint), "did you mean \"%s\"? there are: %s", nearest, list);
	else
		snprintf(hint, sizeof(hint), "there are: %s", list);
	snprintf(complaint, sizeof(complaint), "the name of no %s", kind);
	return weir_value_refuse(value, hint, complaint);
}

static int refuse_stream(const struct weir_config *config, const struct weir_value *value)
{
	const char **names = calloc(config->stream_count + 1, sizeof(*names));
	int rc;

	if (names == NULL)
		return weir_value_no_memory(value);
	for (unsigned int i = 0; i < config->stream_count; i++)
		names[i] = config->streams[i].name;
	rc = refuse_unknown(value, "stream", names);
	free(names);
	return rc;
}

static int refuse_port(const struct weir_config *config, const struct weir_value *value)
{
	const char *names[WEIR_MAX_PORTS + 1] = {NULL};

	for (unsigned int i = 0; i < config->port_count; i++)
		names[i] = config->ports[i].name;
	return refuse_unknown(value, "port", names);
}

/* The program in the kernel keeps nothing, so it has nothing to number, to hold or to repeat. */
static int check_path(const struct weir_config *config, const struct weir_config_group *group,
	const struct weir_value *name, json_int_t feeds)
{
	int index = weir_config_find_stream(config, json_string_value(name->json));

	if (index < 0 || config->streams[index].path != WEIR_PATH_KERNEL)
		return 0;
	if (group->class != WEIR_CLASS_BLIND)
		return weir_value_refuse(name, "use path \"gateway\", or class \"blind\"",
			"a stream of path \"kernel\", which blind consumers alone get");
	if (feeds > WEIR_KERNEL_GROUPS)
		return weir_value_refuse(name, "use path \"gateway\"",
			"a stream of path \"kernel\" that feeds 8 groups already");
	return 0;
}

/* A group's streams exist, once each, and none feeds too many groups. */
static int check_group_streams(const struct weir_config *config,
	const struct weir_config_group *group, const struct weir_value *value,
	const struct sets *sets)
{
	struct weir_value list;
	json_t *seen = json_object();
	int rc = seen == NULL ? weir_value_no_memory(value) : 0;

	weir_value_member(value, "streams", &list);
	for (size_t i = 0; rc == 0 && i < weir_value_count(&list); i++) {
		struct weir_value element = weir_value_element(&list, i);
		const char *name = json_string_value(element.json);
		json_int_t feeds = json_integer_value(json_object_get(sets->feeds, name)) + 1;

		if (json_object_get(sets->streams, name) == NULL)
			rc = refuse_stream(config, &element);
		else if (feeds > WEIR_STREAM_GROUPS)
			rc = weir_value_refuse(&element,
				"let groups share: a group may have many consumers",
				"a stream that feeds 64 groups already");
		else if (json_object_set_new(sets->feeds, name, json_integer(feeds)) < 0)
			rc = weir_value_no_memory(&element);
		else
			rc = claim(seen, name, &element, "name each stream once");
		if (rc == 0)
			rc = check_path(config, group, &element, feeds);
	}
	json_decref(seen);
	return rc;
}

static int check_consumer(const struct weir_config *config,
	const struct weir_config_consumer *consumer, const struct weir_value *value,
	const struct sets *sets, json_t *receivers)
{
	char address[WEIR_ADDRESS_TEXT], receiver[WEIR_ADDRESS_TEXT + 8];
	struct weir_value member;
	int rc = claim_member(
		sets->consumers, value, "name", "consumers' names are unique within all groups");

	if (rc < 0)
		return rc;
	if (weir_value_member(value, "egress", &member) &&
		json_object_get(sets->ports, consumer->egress) == NULL)
		return refuse_port(config, &member);
	weir_address_format(&consumer->address, address, sizeof(address));
	snprintf(receiver, sizeof(receiver), "%s %u", address, consumer->port);
	weir_value_member(value, "address", &member);
	return claim(receivers, receiver, &member,
		"a group gives each message to one consumer: give each an address and port of its "
		"own");
}

static int check_consumers(const struct weir_config *config, const struct weir_config_group *group,
	const struct weir_value *value, const struct sets *sets)
{
	struct weir_value list;
	json_t *receivers;
	int rc = 0;

	if (!weir_value_member(value, "consumers", &list))
		return 0;
	receivers = json_object();
	if (receivers == NULL)
		return weir_value_no_memory(&list);
	for (unsigned int i = 0; rc == 0 && i < group->consumer_count; i++) {
		struct weir_value element = weir_value_element(&list, i);

		if (json_object_size(sets->consumers) == WEIR_MAX_CONSUMERS)
			rc = weir_value_fail(&element, "at most 16384 in all groups together",
				"more than 16384 consumers");
		else
			rc = check_consumer(
				config, &group->consumers[i], &element, sets, receivers);
	}
	json_decref(receivers);
	return rc;
}

/* The stream protocol is spoken by native consumers, by agents and by producers. */
static int refuse_without_port(const struct weir_value *value, const char *what)
{
	return weir_value_fail(
		value, "give native.udp_port, such as 4150", "%s, but native.udp_port is 0", what);
}

static int check_groups(
	const struct weir_config *config, const struct weir_value *root, const struct sets *sets)
{
	struct weir_value list, port;
	int rc = 0;

	if (!weir_value_member(root, "groups", &list))
		return 0;
	for (unsigned int i = 0; rc == 0 && i < config->group_count; i++) {
		const struct weir_config_group *group = &config->groups[i];
		struct weir_value element = weir_value_element(&list, i);

		if (group->class != WEIR_CLASS_BLIND && config->native.udp_port == 0) {
			weir_value_member(&element, "class", &port);
			return refuse_without_port(&port, group->class == WEIR_CLASS_NATIVE
								  ? "a native group"
								  : "an assisted group");
		}
		rc = claim_member(sets->groups, &element, "name", "groups' names are unique");
		if (rc == 0)
			rc = check_group_streams(config, group, &element, sets);
		if (rc == 0)
			rc = check_consumers(config, group, &element, sets);
	}
	return rc;
}

static int check_stream_path(const struct weir_config *config,
	const struct weir_config_stream *stream, const struct weir_value *element)
{
	struct weir_value path;
	unsigned int port = 0;

	if (stream->path != WEIR_PATH_KERNEL || !weir_value_member(element, "path", &path))
		return 0;
	while (port < config->port_count && config->ports[port].driver != WEIR_DRIVER_XDP)
		port++;
	if (port == config->port_count)
		return weir_value_refuse(&path, "give a port driver \"xdp\", or leave it out",
			"for ports of driver xdp, and there is none");
	if (stream->producers.max > 0)
		return weir_value_refuse(
			&path, "leave one of them out", "not for a stream that has producers");
	return 0;
}

static int check_streams(
	const struct weir_config *config, const struct weir_value *root, const struct sets *sets)
{
	struct weir_value list, producers;
	int rc = 0;

	if (!weir_value_member(root, "streams", &list))
		return 0;
	for (unsigned int i = 0; rc == 0 && i < config->stream_count; i++) {
		struct weir_value element = weir_value_element(&list, i);

		if (config->streams[i].producers.max > 0 && config->native.udp_port == 0) {
			weir_value_member(&element, "producers", &producers);
			return refuse_without_port(&producers, "producers may join");
		}
		rc = check_stream_path(config, &config->streams[i], &element);
		if (rc == 0)
			rc = claim_member(
				sets->streams, &element, "name", "streams' names are unique");
	}
	return rc;
}

/* Name the stream, that `left` has as true while it has not been named. */
static int name_stream(
	const struct weir_config *config, const struct weir_value *value, json_t *left)
{
	const char *name = json_string_value(value->json);
	const json_t *is_left = json_object_get(left, name);

	if (is_left == NULL)
		return refuse_stream(config, value);
	if (json_is_false(is_left))
		return weir_value_refuse(value, "name each stream once", "in the list twice");
	return json_object_set_new(left, name, json_false()) < 0 ? weir_value_no_memory(value) : 0;
}

int weir_check_feature(const struct weir_config *config, const struct weir_value *feature)
{
	struct weir_value list;
	json_t *left;
	int rc = 0;

	if (!weir_value_member(feature, "streams", &list))
		return 0;
	left = json_object();
	if (left == NULL)
		return weir_value_no_memory(feature);
	for (unsigned int i = 0; rc == 0 && i < config->stream_count; i++)
		if (json_object_set_new(left, config->streams[i].name, json_true()) < 0)
			rc = weir_value_no_memory(feature);
	for (size_t i = 0; rc == 0 && i < weir_value_count(&list); i++) {
		struct weir_value element = weir_value_element(&list, i);

		rc = name_stream(config, &element, left);
	}
	json_decref(left);
	return rc;
}

static int check_features(const struct weir_config *config, const struct weir_value *root)
{
	struct weir_value features, feature;
	int rc = 0;

	if (!weir_value_member(root, "features", &features))
		return 0;
	for (int i = 0; rc == 0 && i < WEIR_FEATURE_COUNT; i++)
		if (weir_value_member(&features, weir_feature_name((enum weir_feature)i), &feature))
			rc = weir_check_feature(config, &feature);
	return rc;
}

/* A twin and the ports' interfaces are all names in the kernel's one list. */
static int check_twin(const struct weir_config_port *port, const struct weir_value *value,
	const struct sets *sets)
{
	struct weir_value twin, name;

	if (!weir_value_member(value, "twin", &twin))
		return 0;
	if (!weir_value_member(&twin, "name", &name))
		name = twin;
	return claim(sets->devices, port->twin.name, &name,
		"give \"name\": an interface name of the twin's own");
}

static int check_port(const struct weir_config_port *port, const struct weir_value *value,
	const struct sets *sets)
{
	static const char *const keys[] = {"device", "interface", "tx_file"};
	char memif[sizeof(port->socket) + 16];
	struct weir_value member;
	int rc = claim_member(sets->ports, value, "name", "ports' names are unique");

	for (unsigned int i = 0; rc == 0 && i < sizeof(keys) / sizeof(keys[0]); i++)
		rc = claim_member(sets->devices, value, keys[i],
			"one port each: more queues do what a second port would");
	if (rc == 0)
		rc = check_twin(port, value, sets);
	if (rc < 0 || !weir_value_member(value, "socket", &member))
		return rc;
	snprintf(memif, sizeof(memif), "%s %u", port->socket, port->memif_id);
	return claim(sets->devices, memif, &member, "give each port on a socket its own \"id\"");
}

static int check_ports(
	const struct weir_config *config, const struct weir_value *root, const struct sets *sets)
{
	struct weir_value list;
	int rc = 0;

	weir_value_member(root, "ports", &list);
	for (unsigned int i = 0; rc == 0 && i < config->port_count; i++) {
		struct weir_value element = weir_value_element(&list, i);

		rc = check_port(&config->ports[i], &element, sets);
	}
	return rc;
}

int weir_check_names(const struct weir_config *config, const struct weir_value *root)
{
	struct sets sets = {.ports = json_object(),
		.devices = json_object(),
		.streams = json_object(),
		.groups = json_object(),
		.consumers = json_object(),
		.feeds = json_object()};
	int rc;

	if (sets.ports == NULL || sets.devices == NULL || sets.streams == NULL ||
		sets.groups == NULL || sets.consumers == NULL || sets.feeds == NULL)
		rc = weir_value_no_memory(root);
	else
		rc = check_ports(config, root, &sets);
	if (rc == 0)
		rc = check_streams(config, root, &sets);
	if (rc == 0)
		rc = check_groups(config, root, &sets);
	if (rc == 0)
		rc = check_features(config, root);
	json_decref(sets.ports);
	json_decref(sets.devices);
	json_decref(sets.streams);
	json_decref(sets.groups);
	json_decref(sets.consumers);
	json_decref(sets.feeds);
	return rc;
}
