/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/estate.h"
#include "dataplane/report.h"
#include "dataplane/partition.h"
#include "dataplane/worker.h"
#include "dataplane_frames.h"

/*
 * A data plane without threads: the test is its worker, or both of two, and time is what the test
 * says. Its ports are the test's own: "in" only receives what is given to plane_receive, "out"
 * keeps what is sent. The environment layer, pools, rings and everything else are real.
 */

#define PLANE_SENT 16384

struct plane {
	struct weir_dataplane *dataplane;
	struct weir_worker *worker; /* the first: it receives */
	struct weir_port ports[2];
	struct rte_mbuf *sent[PLANE_SENT]; /* by the port "out" */
	uint32_t sent_count;
	uint32_t accepts;                    /* packets that the port takes until told otherwise */
	uint64_t sessions;                   /* joined so far: each has a number of its own */
	struct weir_inheritance inheritance; /* of the estate, with one */
};

struct plane_options {
	uint16_t mtu;       /* of both ports; 0: 1500 */
	const char *more;   /* further members of the configuration, with a comma at the end */
	bool multi_segment; /* the port takes chained mbufs */
	uint32_t workers;   /* 0: one; up to four */
	uint32_t most;      /* 0: as many */
	const struct weir_estate *estate;       /* of an earlier plane; NULL: none */
	const struct weir_positions *positions; /* NULL: nothing is known; outlives the plane */
};

/* Once in the process, before anything else; false when EAL will not start. */
bool plane_environment(void);

/* `streams` and `groups` are JSON arrays written with ' for ". Never NULL: a failure aborts. */
struct plane *plane_open(const char *streams, const char *groups);
struct plane *plane_open_with(
	const char *streams, const char *groups, const struct plane_options *options);
/* Everything still held is dropped; asserts that the law holds and no buffer is lost. */
void plane_close(struct plane *plane);
/* Another configuration, that no worker has taken over yet; and taken over by all. */
void plane_publish(struct plane *plane, const char *streams, const char *groups);
void plane_apply(struct plane *plane, const char *streams, const char *groups);
/* With another number of workers, not taken over yet. */
void plane_staff(struct plane *plane, const char *streams, const char *groups, uint32_t workers);

/* A route by "out" to the blind consumer's configured address, and the consumer is reachable. */
void plane_reach(struct plane *plane, const char *consumer);
void plane_reach_all(struct plane *plane);
void plane_unreach(struct plane *plane, const char *consumer);
/* A route as `spec` says instead. */
void plane_route(struct plane *plane, const char *consumer, const struct weir_route_spec *spec);
/* The specification plane_reach uses, to be changed. */
struct weir_route_spec plane_route_spec(struct plane *plane, const char *consumer);
/* Place partitions anew, and the worker goes over to it. */
void plane_republish(struct plane *plane);

/* What is planned goes on, as often as said; dataplane_moves_test.c. Returns what is still to do.
 */
uint32_t plane_moves(struct plane *plane, uint32_t steps);

struct rte_mbuf *plane_packet(struct plane *plane, const struct frame_spec *spec);
/* The worker receives a frame. */
void plane_receive(struct plane *plane, const struct frame_spec *spec);
/* `count` datagrams of one source, numbered from `first` in their first four payload bytes. */
void plane_receive_numbered(
	struct plane *plane, uint8_t source, uint32_t first, uint32_t count, uint16_t length);
void plane_advance(struct plane *plane, uint64_t us);
/* Deliver until nothing more can leave; returns messages taken. */
uint32_t plane_deliver(struct plane *plane);
/* One turn of the worker's loop without receiving; returns messages taken. */
uint32_t plane_turn(struct plane *plane);
/* Only one worker's turn; and only it goes over to the newest snapshot. */
uint32_t plane_turn_worker(struct plane *plane, uint16_t worker);
void plane_follow(struct plane *plane, uint16_t worker);
/* All partitions that are to move have arrived. */
void plane_arrive(struct plane *plane);
/* What a worker does once a millisecond: what is too old goes, heartbeats that are due are sent. */
void plane_tick(struct plane *plane);

/* The bytes of a sent packet in one piece; good until the next call. */
const uint8_t *plane_sent(struct plane *plane, uint32_t index, uint32_t *length);
struct frame_view plane_view(struct plane *plane, uint32_t index);
/* The number that plane_receive_numbered gave it. */
uint32_t plane_number(struct plane *plane, uint32_t index);
/* Free what was sent and begin anew. */
void plane_forget_sent(struct plane *plane);

struct weir_stream_stats plane_stream(struct plane *plane, const char *stream);
struct weir_group_stats plane_group(struct plane *plane, const char *stream, const char *group);
struct weir_consumer_report plane_consumer(struct plane *plane, const char *consumer);
bool plane_law_holds(struct plane *plane);
