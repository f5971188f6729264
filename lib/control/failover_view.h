/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "base/failover.h"

/*
 * One port's part of the answer of failover_show, for the gateway and for weirctl, which gives the
 * same answer from the pins while the gateway is down. New reference, NULL without memory.
 */
json_t *weir_failover_view(
	const char *interface, const struct weir_failover_queue *queues, uint32_t count);

/* The whole answer while it is made; that memory was short is told at the end. */
struct weir_failover_answer {
	json_t *ports;
	json_t *streams;
	json_t *groups;
};

void weir_failover_answer_begin(struct weir_failover_answer *answer);
/* A weir_failover_visit: a stream, or a group of one. */
void weir_failover_answer_add(void *answer, const struct weir_failover_flow *flow);
/* NULL without memory. */
json_t *weir_failover_answer_end(struct weir_failover_answer *answer, bool has_gateway);
