/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The lanes of a consumer. A lane is one partition of one stream; it is remembered by the stream's
 * name for as long as the consumer lives, so that what one session delivered is known to the next.
 * Within a session it is found by the stream's number. A lane's index never changes; pointers
 * hold until the next lane enters. Pure; one thread.
 */

struct weir_repair;

/* Messages and payload bytes; a difference of two amounts, so either sign. */
struct weir_client_debt {
	int64_t messages;
	int64_t bytes;
};

struct weir_client_lane {
	/* As long as the consumer lives. */
	const char *stream;
	uint32_t index;
	uint16_t name; /* number of the stream's name, the caller's */
	uint16_t partition;
	uint32_t life;     /* another after a seek: then sequences begin anew */
	uint32_t queued;   /* messages in the inbox, or taken and not given back, of this life */
	uint64_t floor;    /* all below was queued or told missing: never to be queued again */
	uint64_t done_seq; /* while `queued`: the application is done with all below */
	uint64_t missed;   /* sequences lost since the last message that was queued */
	uint64_t expired;  /* sequences dropped since the last message that was taken */
	bool has_released; /* it was let go, in this session or before, last in released_epoch */
	uint32_t released_epoch;
	/* In one session. */
	bool is_known;
	bool is_dirty;    /* in the list of lanes to acknowledge */
	bool is_told;     /* in the list of those whose acknowledgement is to be repeated */
	bool is_seeking;  /* a higher epoch was asked for */
	bool is_revoked;  /* it is to go to another: nothing comes above revoked_seq */
	bool is_released; /* nothing of released_epoch is taken */
	bool is_degraded; /* served by a port's program: nothing that is missing comes again */
	uint64_t revoked_seq;
	uint64_t released_seq;
	uint64_t revoke_at; /* released by then, whatever is left */
	uint8_t repeats;
	uint16_t stream_id;
	uint32_t epoch;
	uint64_t next_seq; /* expected; all below has come or is settled */
	uint64_t top;      /* all below was sent or given up */
	uint64_t messages; /* known to have been sent in this session */
	uint64_t bytes;
	struct weir_client_debt missing; /* of them, not come and not settled; reliable */
	uint64_t newest_seq;             /* highest that came in a frame without RETRANSMIT */
	uint64_t newest_at;
	struct weir_repair *repair; /* owned; NULL: nothing is missing */
	uint32_t broken_at;         /* with it: place in the list of broken lanes */
};

/* An epoch that has ended, here or for everybody. */
static inline bool weir_client_lane_is_over(const struct weir_client_lane *lane, uint32_t epoch)
{
	return epoch < lane->epoch || (lane->is_released && epoch == lane->released_epoch);
}

struct weir_client_lane_slot {
	uint32_t key;
	uint32_t index_plus; /* 0: free */
};

/* Open addressing, size a power of two or 0, at most half full. */
struct weir_client_lane_map {
	struct weir_client_lane_slot *slots; /* owned */
	size_t size;
	size_t count;
};

struct weir_client_lanes {
	struct weir_client_lane *items; /* owned */
	size_t count;
	size_t capacity; /* of items and of each list */
	struct weir_client_lane_map known;
	struct weir_client_lane_map remembered;
	/* Lists of indices, owned: room for every lane. */
	uint32_t *dirty;
	uint32_t *told;
	uint32_t *broken;
	size_t dirty_count;
	size_t told_count;
	size_t broken_count;
};

#define WEIR_CLIENT_LANES_MAX 65536

/* Of this session; NULL when there is none. */
struct weir_client_lane *weir_client_lanes_find(
	const struct weir_client_lanes *lanes, uint16_t stream_id, uint16_t partition);
/*
 * A lane that this session does not know yet: the remembered one, or a new one. What belongs to
 * a session is zero. `name` numbers `stream`, which stays the caller's and must live as long.
 * NULL at WEIR_CLIENT_LANES_MAX or without memory.
 */
struct weir_client_lane *weir_client_lanes_enter(struct weir_client_lanes *lanes,
	uint16_t stream_id, uint16_t partition, uint16_t name, const char *stream);
/* The session is over; no lane has a repair any more. Memory is kept. */
void weir_client_lanes_forget(struct weir_client_lanes *lanes);
void weir_client_lanes_close(struct weir_client_lanes *lanes);
