/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <string.h>

#include "config/parts.h"

/* The answer; the caller is done with it before its thread asks again. */
static _Thread_local char answer[64];

static const char *differs(const char *object, const char *key)
{
	snprintf(answer, sizeof(answer), "%s.%s", object, key);
	return answer;
}

/* Rings and queues are there for so many workers. */
static const char *compare_workers(const struct weir_config_workers *running,
	const struct weir_config_workers *next, uint32_t slots)
{
	if (next->count > slots)
		return differs("$.workers", "cpus");
	return running->most != next->most ? differs("$.workers", "most") : NULL;
}

static bool same_twin(const struct weir_config_twin *a, const struct weir_config_twin *b)
{
	if (a->enabled != b->enabled || strcmp(a->name, b->name) != 0 ||
		a->address_count != b->address_count)
		return false;
	return a->address_count == 0 ||
	       memcmp(a->addresses, b->addresses, a->address_count * sizeof(*a->addresses)) == 0;
}

static const char *compare_port(const struct weir_config_port *running,
	const struct weir_config_port *next, unsigned int index)
{
	const struct weir_field *field =
		weir_fields_differ(weir_port_fields, weir_port_field_count, running, next);
	char object[32];

	snprintf(object, sizeof(object), "$.ports[%u]", index);
	if (field != NULL)
		return differs(object, field->key);
	if (running->memif_server != next->memif_server)
		return differs(object, "role");
	return same_twin(&running->twin, &next->twin) ? NULL : differs(object, "twin");
}

const char *weir_config_needs_restart(
	const struct weir_config *running, const struct weir_config *next, uint32_t slots)
{
	const char *path = compare_workers(&running->workers, &next->workers, slots);
	const struct weir_field *field;

	if (path != NULL)
		return path;
	field = weir_fields_differ(
		weir_memory_fields, weir_memory_field_count, &running->memory, &next->memory);
	if (field != NULL)
		return differs("$.memory", field->key);
	if (strcmp(running->control_socket, next->control_socket) != 0)
		return differs("$.control", "socket");
	if (running->native.udp_port != next->native.udp_port)
		return differs("$.native", "udp_port");
	if (strcmp(running->state.file, next->state.file) != 0)
		return differs("$.state", "file");
	field = weir_fields_differ(weir_failover_fields, weir_failover_field_count,
		&running->failover, &next->failover);
	if (field != NULL)
		return differs("$.failover", field->key);
	if (running->port_count != next->port_count)
		return "$.ports";
	for (unsigned int i = 0; path == NULL && i < next->port_count; i++)
		path = compare_port(&running->ports[i], &next->ports[i], i);
	return path;
}
