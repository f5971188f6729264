/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * Elasticity: workers are parked and woken as the load asks for (elastic_policy.h), with what an
 * operator parks left alone. Control thread only.
 */
struct weir_elastic;
struct weir_gateway;

int weir_elastic_create(struct weir_gateway *gateway, struct weir_elastic **elastic);
/* NULL is fine. */
void weir_elastic_destroy(struct weir_elastic *elastic);
/* A configuration was applied: switched off, it wakes what it has parked. */
void weir_elastic_sync(struct weir_elastic *elastic);
/* Bit a worker: parked from here. */
uint64_t weir_elastic_parked(const struct weir_elastic *elastic);
/* A worker was parked or woken, by `reason`: "load" or "operator". */
void weir_elastic_tell(
	struct weir_gateway *gateway, uint16_t worker, bool is_parked, const char *reason);
