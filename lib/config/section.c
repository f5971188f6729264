/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "config/parts.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* The highest CPU number that cpu_set_t can hold. */
enum { MAX_CPU = 1023 };

#define TRILLION 1000000000000
#define BILLION  1000000000

static int read_cpus(const struct weir_value *value, const struct weir_field *field, void *target)
{
	static const char hint[] = "1 to 64 CPU numbers, one worker each, such as [2, 3]";
	static const struct weir_field cpu = {.key = "cpu", .size = 2, .maximum = MAX_CPU};
	struct weir_config_workers *workers = target;
	size_t count = weir_value_count(value);

	(void)field;
	if (!json_is_array(value->json))
		return weir_value_refuse(value, hint, "not a list");
	if (count == 0 || count > WEIR_MAX_WORKERS)
		return weir_value_fail(value, hint, "%zu CPUs", count);
	memset(workers->cpus, 0, sizeof(workers->cpus));
	workers->count = (unsigned int)count;
	for (unsigned int i = 0; i < count; i++) {
		struct weir_value element = weir_value_element(value, i);
		int rc = weir_read_number(&element, &cpu, &workers->cpus[i]);

		if (rc < 0)
			return rc;
		for (unsigned int j = 0; j < i; j++)
			if (workers->cpus[j] == workers->cpus[i])
				return weir_value_refuse(&element,
					"give each worker a CPU of its own", "in the list twice");
	}
	return 0;
}

static const struct weir_field workers_fields[] = {
	{.key = "cpus", .read = read_cpus},
	{WEIR_MEMBER(struct weir_config_workers, most), .read = weir_read_number,
		.maximum = WEIR_MAX_WORKERS},
	{WEIR_MEMBER(struct weir_config_workers, idle), .read = weir_read_name,
		.names = weir_idle_names},
	{WEIR_MEMBER(struct weir_config_workers, stall_ms), .read = weir_read_number, .minimum = 10,
		.maximum = 60000},
	{WEIR_MEMBER(struct weir_config_workers, long_loop_us), .read = weir_read_number,
		.minimum = 10, .maximum = 1000000},
	{WEIR_MEMBER(struct weir_config_workers, isolate_percent), .read = weir_read_number,
		.maximum = 100},
};

const struct weir_field weir_memory_fields[] = {
	{WEIR_MEMBER(struct weir_config_memory, hugepages), .read = weir_read_bool},
	{WEIR_MEMBER(struct weir_config_memory, buffers), .read = weir_read_number, .minimum = 4096,
		.maximum = 16777216},
	{WEIR_MEMBER(struct weir_config_memory, buffer_bytes), .read = weir_read_number,
		.minimum = 1024, .maximum = 16384},
};
const size_t weir_memory_field_count = COUNT_OF(weir_memory_fields);

static const struct weir_field control_fields[] = {
	{WEIR_MEMBER_AS("socket", struct weir_config, control_socket),
		.read = weir_read_absolute_path},
};

static const struct weir_field tiers_fields[] = {
	{WEIR_MEMBER(struct weir_config_tiers, critical), .read = weir_read_rate},
	{WEIR_MEMBER(struct weir_config_tiers, standard_weight), .read = weir_read_number,
		.minimum = 1, .maximum = 1000},
	{WEIR_MEMBER(struct weir_config_tiers, bulk_weight), .read = weir_read_number, .minimum = 1,
		.maximum = 1000},
};

static const struct weir_field native_fields[] = {
	{WEIR_MEMBER(struct weir_config_native, udp_port), .read = weir_read_number,
		.maximum = UINT16_MAX},
	{WEIR_MEMBER(struct weir_config_native, heartbeat_ms), .read = weir_read_number,
		.minimum = 10, .maximum = 10000},
	{WEIR_MEMBER(struct weir_config_native, liveness_ms), .read = weir_read_number,
		.minimum = 20, .maximum = 600000},
	{WEIR_MEMBER(struct weir_config_native, max_frame), .read = weir_read_number,
		.minimum = 576, .maximum = 9000},
	{WEIR_MEMBER(struct weir_config_native, queue_ms), .read = weir_read_number,
		.maximum = 60000},
};

static const struct weir_field reach_fields[] = {
	{WEIR_MEMBER(struct weir_config_reach, probe_ms), .read = weir_read_number, .minimum = 100,
		.maximum = 60000},
	{WEIR_MEMBER(struct weir_config_reach, hold_ms), .read = weir_read_number,
		.maximum = 600000},
};

static const struct weir_field state_fields[] = {
	{WEIR_MEMBER(struct weir_config_state, file), .read = weir_read_absolute_path},
	{WEIR_MEMBER(struct weir_config_state, interval_ms), .read = weir_read_number,
		.minimum = 50, .maximum = 60000},
};

static const struct weir_field quarantine_fields[] = {
	{WEIR_MEMBER(struct weir_config_quarantine, messages), .read = weir_read_number,
		.maximum = 1048576},
	/* The largest datagram must fit. */
	{WEIR_MEMBER(struct weir_config_quarantine, bytes), .read = weir_read_bytes,
		.minimum = 65536, .maximum = 68719476736},
};

static const struct weir_field health_fields[] = {
	{WEIR_MEMBER(struct weir_config_health, throttled_percent), .read = weir_read_number,
		.minimum = 1, .maximum = 100},
	{WEIR_MEMBER(struct weir_config_health, park_ms), .read = weir_read_number, .minimum = 10,
		.maximum = 600000},
	{WEIR_MEMBER(struct weir_config_health, catch_up_ms), .read = weir_read_number,
		.minimum = 1, .maximum = 600000},
};

const struct weir_field weir_failover_fields[] = {
	{WEIR_MEMBER(struct weir_config_failover, enabled), .read = weir_read_bool},
	{WEIR_MEMBER(struct weir_config_failover, pins), .read = weir_read_absolute_path},
	{WEIR_MEMBER(struct weir_config_failover, heartbeat_ms), .read = weir_read_number,
		.minimum = 5, .maximum = 10000},
	{WEIR_MEMBER(struct weir_config_failover, gate), .read = weir_read_number, .maximum = 8192},
};
const size_t weir_failover_field_count = COUNT_OF(weir_failover_fields);

static const struct weir_field rate_fields[] = {
	{WEIR_MEMBER(struct weir_config_rate, packets_per_s), .read = weir_read_rate_number,
		.maximum = BILLION},
	{WEIR_MEMBER(struct weir_config_rate, bits_per_s), .read = weir_read_rate_number,
		.maximum = TRILLION},
	{WEIR_MEMBER(struct weir_config_rate, burst_packets), .read = weir_read_number,
		.minimum = 1, .maximum = 1048576},
	/* At least one datagram of the usual MTU, or none would ever be allowed to leave. */
	{WEIR_MEMBER(struct weir_config_rate, burst_bytes), .read = weir_read_bytes,
		.minimum = 2048, .maximum = 1073741824},
};

/* 0 or a size that the largest datagram fits in, or that one would never be sent. */
static int read_window_bytes(
	const struct weir_value *value, const struct weir_field *field, void *target)
{
	uint64_t bytes = 0;
	int rc = weir_read_bytes(value, field, &bytes);

	if (rc == 0 && bytes > 0 && bytes < 65536)
		rc = weir_value_refuse(value,
			"0 for no limit, or at least 65536 (\"64k\"): the largest datagram must "
			"fit",
			"smaller than a datagram may be");
	memcpy(target, &bytes, sizeof(bytes));
	return rc;
}

static const struct weir_field window_fields[] = {
	{WEIR_MEMBER(struct weir_config_window, messages), .read = weir_read_number,
		.maximum = 16777216},
	{WEIR_MEMBER(struct weir_config_window, bytes), .read = read_window_bytes,
		.maximum = 68719476736},
};

int weir_read_workers(const struct weir_value *value, const struct weir_field *field, void *workers)
{
	struct weir_config_workers *read = workers;
	struct weir_value member;
	int rc;

	(void)field;
	rc = weir_fields_read(value, workers_fields, COUNT_OF(workers_fields), workers);
	if (rc == 0 && read->most != 0 && read->most < read->count &&
		weir_value_member(value, "most", &member))
		rc = weir_value_fail(&member, "0, or at least as many as workers.cpus has",
			"%u, but there are %u CPUs", read->most, read->count);
	return rc;
}

int weir_read_memory(const struct weir_value *value, const struct weir_field *field, void *memory)
{
	(void)field;
	return weir_fields_read(value, weir_memory_fields, weir_memory_field_count, memory);
}

int weir_read_control(const struct weir_value *value, const struct weir_field *field, void *config)
{
	(void)field;
	return weir_fields_read(value, control_fields, COUNT_OF(control_fields), config);
}

int weir_read_tiers(const struct weir_value *value, const struct weir_field *field, void *tiers)
{
	(void)field;
	return weir_fields_read(value, tiers_fields, COUNT_OF(tiers_fields), tiers);
}

int weir_read_native(const struct weir_value *value, const struct weir_field *field, void *native)
{
	struct weir_config_native *read = native;
	struct weir_value member;
	int rc;

	(void)field;
	rc = weir_fields_read(value, native_fields, COUNT_OF(native_fields), native);
	if (rc < 0 || read->liveness_ms >= 2 * read->heartbeat_ms)
		return rc;
	if (!weir_value_member(value, "liveness_ms", &member))
		weir_value_member(value, "heartbeat_ms", &member);
	return weir_value_fail(&member,
		"let liveness_ms be at least twice heartbeat_ms: one lost heartbeat is no death",
		"liveness_ms %u is less than twice heartbeat_ms %u", read->liveness_ms,
		read->heartbeat_ms);
}

int weir_read_reach(const struct weir_value *value, const struct weir_field *field, void *reach)
{
	(void)field;
	return weir_fields_read(value, reach_fields, COUNT_OF(reach_fields), reach);
}

int weir_read_state(const struct weir_value *value, const struct weir_field *field, void *state)
{
	const struct weir_config_state *read = state;
	struct weir_value interval;
	int rc = weir_fields_read(value, state_fields, COUNT_OF(state_fields), state);

	(void)field;
	if (rc == 0 && read->file[0] == '\0' && weir_value_member(value, "interval_ms", &interval))
		rc = weir_value_fail(&interval,
			"add \"file\", such as \"/var/lib/weir/state\", or leave both out: "
			"nothing is kept without",
			"\"interval_ms\" without \"file\"");
	return rc;
}

int weir_read_quarantine(
	const struct weir_value *value, const struct weir_field *field, void *quarantine)
{
	(void)field;
	return weir_fields_read(value, quarantine_fields, COUNT_OF(quarantine_fields), quarantine);
}

int weir_read_health(const struct weir_value *value, const struct weir_field *field, void *health)
{
	(void)field;
	return weir_fields_read(value, health_fields, COUNT_OF(health_fields), health);
}

int weir_read_failover(
	const struct weir_value *value, const struct weir_field *field, void *failover)
{
	(void)field;
	return weir_fields_read(value, weir_failover_fields, weir_failover_field_count, failover);
}

int weir_read_rate(const struct weir_value *value, const struct weir_field *field, void *rate)
{
	static const char *const pairs[][2] = {
		{"burst_packets", "packets_per_s"}, {"burst_bytes", "bits_per_s"}};
	struct weir_value burst, limit;
	int rc;

	(void)field;
	rc = weir_fields_read(value, rate_fields, COUNT_OF(rate_fields), rate);
	for (unsigned int i = 0; rc == 0 && i < COUNT_OF(pairs); i++)
		if (weir_value_member(value, pairs[i][0], &burst) &&
			!weir_value_member(value, pairs[i][1], &limit))
			rc = weir_value_fail(&burst, "give both, or leave the burst out",
				"a burst without \"%s\"", pairs[i][1]);
	return rc;
}

int weir_read_window(const struct weir_value *value, const struct weir_field *field, void *window)
{
	(void)field;
	return weir_fields_read(value, window_fields, COUNT_OF(window_fields), window);
}
