/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "config/config.h"
#include "config/field.h"
#include "config/value.h"

/*
 * The parts of the parser, private to lib/config. Readers come first and look at one object
 * each; the checks run on the whole configuration once it is read. All return 0 or a negative
 * errno with the error filled; what they allocated hangs on the configuration and is freed
 * with it, also after a failure.
 */

/* Names in the enums' order, NULL-ended. */
extern const char *const weir_driver_names[];
extern const char *const weir_tier_names[];
extern const char *const weir_path_names[];
extern const char *const weir_class_names[];
extern const char *const weir_source_mode_names[];
extern const char *const weir_idle_names[];
extern const char *const weir_xdp_mode_names[];
extern const char *const weir_log_format_names[];

/* The tables that weir_config_needs_restart compares by. */
extern const struct weir_field weir_memory_fields[];
extern const size_t weir_memory_field_count;
extern const struct weir_field weir_failover_fields[];
extern const size_t weir_failover_field_count;
extern const struct weir_field weir_port_fields[];
extern const size_t weir_port_field_count;

/* Readers of whole objects; `field` is not used unless said. */
int weir_read_workers(
	const struct weir_value *value, const struct weir_field *field, void *workers);
int weir_read_memory(const struct weir_value *value, const struct weir_field *field, void *memory);
int weir_read_control(const struct weir_value *value, const struct weir_field *field, void *config);
int weir_read_tiers(const struct weir_value *value, const struct weir_field *field, void *tiers);
int weir_read_native(const struct weir_value *value, const struct weir_field *field, void *native);
int weir_read_reach(const struct weir_value *value, const struct weir_field *field, void *reach);
int weir_read_state(const struct weir_value *value, const struct weir_field *field, void *state);
int weir_read_quarantine(
	const struct weir_value *value, const struct weir_field *field, void *quarantine);
int weir_read_health(const struct weir_value *value, const struct weir_field *field, void *health);
int weir_read_failover(
	const struct weir_value *value, const struct weir_field *field, void *failover);
int weir_read_telemetry(
	const struct weir_value *value, const struct weir_field *field, void *telemetry);
int weir_read_log(const struct weir_value *value, const struct weir_field *field, void *log);
int weir_read_watchdog(
	const struct weir_value *value, const struct weir_field *field, void *watchdog);
int weir_read_alerts(const struct weir_value *value, const struct weir_field *field, void *alerts);
int weir_read_elastic(
	const struct weir_value *value, const struct weir_field *field, void *elastic);
int weir_read_features(
	const struct weir_value *value, const struct weir_field *field, void *features);
int weir_read_capture(
	const struct weir_value *value, const struct weir_field *field, void *capture);
int weir_read_chaos(const struct weir_value *value, const struct weir_field *field, void *chaos);
int weir_read_trace(const struct weir_value *value, const struct weir_field *field, void *trace);
int weir_read_rate(const struct weir_value *value, const struct weir_field *field, void *rate);
int weir_read_window(const struct weir_value *value, const struct weir_field *field, void *window);
int weir_read_ports(const struct weir_value *value, const struct weir_field *field, void *config);
int weir_read_streams(const struct weir_value *value, const struct weir_field *field, void *config);
int weir_read_match(const struct weir_value *value, const struct weir_field *field, void *match);
int weir_read_groups(const struct weir_value *value, const struct weir_field *field, void *config);

/* Readers of texts, into a zeroed array of field->size. */
int weir_read_object_name(
	const struct weir_value *value, const struct weir_field *field, void *target);
int weir_read_interface(
	const struct weir_value *value, const struct weir_field *field, void *target);
int weir_read_file(const struct weir_value *value, const struct weir_field *field, void *target);
/* As weir_read_file, and it begins with "/". */
int weir_read_absolute_path(
	const struct weir_value *value, const struct weir_field *field, void *target);
int weir_read_pci(const struct weir_value *value, const struct weir_field *field, void *target);
/* A station's address: not multicast, not zero. Into 6 bytes. */
int weir_read_mac(const struct weir_value *value, const struct weir_field *field, void *target);
/* A host that can be sent to. Into a struct weir_address. */
int weir_read_host(const struct weir_value *value, const struct weir_field *field, void *target);

/*
 * A list: `*array` gets `*count` zeroed elements of `size` bytes, one for
 * each element of `value`, from 1 to `maximum` (0 too when `may_be_empty`). A lone value is a
 * list of one when `may_be_lone`.
 */
struct weir_list_rule {
	size_t size;
	size_t maximum;
	bool may_be_empty;
	bool may_be_lone;
	const char *hint; /* what the list holds */
};
int weir_read_list(const struct weir_value *value, const struct weir_list_rule *rule, void **array,
	unsigned int *count);
/* A list of streams' names. */
int weir_read_stream_names(
	const struct weir_value *value, char (**names)[WEIR_NAME_SIZE], unsigned int *count);
/* A list of prefixes without host bits. */
int weir_read_prefixes(
	const struct weir_value *value, struct weir_prefix **prefixes, unsigned int *count);
/* A list of an interface's own addresses, host bits kept. */
int weir_read_subnets(
	const struct weir_value *value, struct weir_prefix **subnets, unsigned int *count);

/* References between objects, and names and devices used twice. `root` is the document. */
int weir_check_names(const struct weir_config *config, const struct weir_value *root);
/* A feature's streams exist, once each. */
int weir_check_feature(const struct weir_config *config, const struct weir_value *feature);
/* Buffers suffice; fills the budgets that were left out. */
int weir_check_buffers(struct weir_config *config, const struct weir_value *root);
