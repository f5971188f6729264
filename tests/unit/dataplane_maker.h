/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "dataplane/producer.h"
#include "dataplane_fixture.h"

/* A producer of stream "s" for the tests of the data plane: it says what the test tells it to. */

/* A producer, and what it was told last. */
struct maker {
	struct plane *plane;
	struct weir_producer *producer;
	uint32_t epoch;
	uint64_t oldest;
	uint8_t tier;
	uint32_t time_left_us;
	uint16_t port;
	const struct weir_frame_context *context; /* with each message; NULL: none */
	/* PRODUCE_ACK, PACE */
	uint32_t answers;
	uint32_t told_epoch;
	uint64_t next;
	uint64_t newest;
	uint16_t flags;
	uint16_t missing; /* ranges */
	uint64_t first_missing;
	uint64_t limit;
	uint16_t reason;
};

extern const struct weir_address maker_own; /* the gateway's address */
extern uint32_t maker_numbers[PLANE_SENT];

struct maker maker_join(struct plane *plane, const char *name, uint64_t random);
void maker_leave(struct maker *maker);
/*
 * Messages first, first + step ... in one frame; the payload is the number. `key` NULL: the
 * stream's own.
 */
void maker_produce_every(
	struct maker *maker, uint64_t first, uint16_t count, uint16_t step, const char *key);
void maker_produce(struct maker *maker, uint64_t first, uint16_t count);
/*
 * A millisecond and a turn of the worker; numbers that consumers were sent are appended to the
 * `count` in maker_numbers. Returns how many there are now.
 */
uint32_t maker_turn(struct maker *maker, uint32_t count);
/* That maker_numbers is first..last. */
void maker_assert(uint32_t count, uint32_t first, uint32_t last);
