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
