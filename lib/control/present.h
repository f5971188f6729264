/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <jansson.h>

#include "base/error.h"
#include "control/gateway.h"

/*
 * What the methods that show the data plane have in common. Every json_t that is returned or
 * taken is a new reference; NULL means that memory is short, and passing it on is harmless:
 * it surfaces as -ENOMEM where the answer is finished. Control thread only.
 */

/* The consumer that a request's "name" is of; NULL and an error when there is none. */
struct weir_consumer *weir_present_consumer(
	struct weir_gateway *gateway, const json_t *params, struct weir_error *error);

/* A counter as JSON; beyond 2^63 it wraps, which takes centuries. */
#define weir_present_count(number) ((json_int_t)(number))

/* Rows of an answer while they are collected: one object each. */
struct weir_present_rows {
	struct weir_gateway *gateway;
	json_t *list; /* array */
	bool failed;
};
void weir_present_begin(struct weir_present_rows *rows, struct weir_gateway *gateway);
/* Takes `row`. */
void weir_present_add(struct weir_present_rows *rows, json_t *row);
/* The list, or NULL when anything failed; the rows are empty afterwards. */
json_t *weir_present_end(struct weir_present_rows *rows);

/* {reason: count} of those that are not zero. */
json_t *weir_present_dropped(const uint64_t *dropped);
/* A text, or null for NULL and "". */
json_t *weir_present_text(const char *text);
/* Take `answer` as a method's result: 0, or -ENOMEM for NULL. */
int weir_present_answer(json_t *answer, json_t **result, struct weir_error *error);

/* present_delivery.c: how a consumer fares, and how delivery to it goes on; null if unknown. */
json_t *weir_present_health(struct weir_gateway *gateway, const struct weir_consumer *consumer);
json_t *weir_present_delivery(struct weir_gateway *gateway, const struct weir_consumer *consumer,
	const struct weir_consumer_stats *stats);
/* present_agent.c: what the agent of an assisted consumer reports; null without one. */
json_t *weir_present_agent(
	const struct weir_gateway *gateway, const struct weir_consumer *consumer);
/* methods_place.c: its weight and partitions; null if unknown. */
json_t *weir_present_place(
	const struct weir_gateway *gateway, const struct weir_consumer *consumer);
/* {state: times that a consumer entered it}, of all consumers. */
json_t *weir_present_entered(struct weir_gateway *gateway);

/* A census, or -ETIMEDOUT that names the worker. */
int weir_present_census(struct weir_gateway *gateway, struct weir_error *error);

/*
 * Read the limits that a request's parameters give into `rate`; what they leave out stays.
 * 0 or -EINVAL with the parameter's path.
 */
int weir_present_read_rate(
	const json_t *params, struct weir_config_rate *rate, struct weir_error *error);

/* methods_version.c: the trial that runs, or null; and -EINVAL for a `comment` that is too long. */
json_t *weir_present_trial(const struct weir_gateway *gateway);
int weir_present_check_comment(const json_t *params, struct weir_error *error);
/* methods_config.c: a configuration that came as a parameter; the caller's on success. */
int weir_present_parse(
	const json_t *document, struct weir_config **config, struct weir_error *error);

/* Lists that stats_get shows beside those of their own methods; a census has been taken. */
json_t *weir_present_streams(struct weir_gateway *gateway);
json_t *weir_present_groups(struct weir_gateway *gateway);
json_t *weir_present_producers(struct weir_gateway *gateway);
json_t *weir_present_ports(struct weir_gateway *gateway);
json_t *weir_present_workers(struct weir_gateway *gateway);
json_t *weir_present_consumers(struct weir_gateway *gateway);
/* methods_metric.c: how long messages take, by stage. */
json_t *weir_present_latency(struct weir_gateway *gateway);
json_t *weir_present_quarantine(struct weir_gateway *gateway);
