/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "network.h"
#include "payload.h"

/*
 * A gateway of one worker: rings, groups, sessions, made of the same lib/lane, lib/flow, lib/place
 * and lib/wire as the real one, without packets and ports. What is the real one's own (rings of
 * buffers, scheduling, configuration) is done here in the simplest way.
 */

struct sim_world;
struct sim_gateway;

struct sim_gateway *sim_gateway_open(struct sim_world *world);
void sim_gateway_close(struct sim_gateway *gateway);

/* The process ends: rings and sessions are lost, what was on disk is not. */
void sim_gateway_end(struct sim_world *world);
void sim_gateway_begin(struct sim_world *world);

/* A producer's message; the gateway numbers it. Nothing happens while it is down. */
void sim_gateway_produce(struct sim_world *world, struct sim_content *content);
void sim_gateway_receive(struct sim_world *world, const struct sim_packet *packet);
/* When sim_gateway_run() has something to do. */
uint64_t sim_gateway_deadline_ns(const struct sim_gateway *gateway);
void sim_gateway_run(struct sim_world *world);

/* The operator's: one partition of a consumer's group to it; a consumer is drained, or is back. */
void sim_gateway_move(struct sim_world *world, uint32_t partition, uint32_t consumer);
void sim_gateway_drain(struct sim_world *world, uint32_t group);
/* The group's consumers weigh otherwise: all is to be even again. */
void sim_gateway_weigh(struct sim_world *world, uint32_t group);
/* The stream takes its predecessor's place. */
void sim_gateway_change(struct sim_world *world, uint32_t stream);
/*
 * Nothing is held, in flight, or to be told; if not, `why` says what. What hangs on a liar counts
 * unless it is forgiven.
 */
bool sim_gateway_is_quiet(
	const struct sim_world *world, bool forgives_liars, char *why, size_t size);
/* Its counters against the checks' books. */
void sim_gateway_count(struct sim_world *world);
