/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "dataplane/dataplane.h"
#include "dataplane/stream.h"
#include "secure/seal.h"

/*
 * The estate: what a gateway that ends leaves to the one that takes over from it. The messages that
 * its rings hold, with their numbers; where each group stands; and the sessions of its native
 * consumers. It goes from one process to another of the same machine in a file of memory, so
 * numbers are the machine's own and times are its time stamp counter. Whoever reads it still checks
 * every byte.
 *
 * Layout: struct weir_estate_header; sessions, each with its streams' names; streams, each with its
 * groups and then its partitions; a partition with a lane for each group, then its messages. All
 * begin at multiples of eight bytes.
 *
 * Control thread, while no worker runs.
 */
#define WEIR_ESTATE_MAGIC   "WEIRESTA"
#define WEIR_ESTATE_VERSION 1

struct weir_estate_header {
	char magic[8];
	uint32_t version;
	uint32_t epoch; /* none of its lanes has a higher one */
	uint32_t session_count;
	uint32_t stream_count;
	uint64_t stopped_ns; /* CLOCK_MONOTONIC: it has received nothing since */
	uint64_t length;     /* of all */
};

/* Followed by stream_count names of WEIR_NAME_SIZE. */
struct weir_estate_session {
	char name[WEIR_NAME_SIZE];
	char group[WEIR_NAME_SIZE];
	uint64_t session; /* its low 16 bits are the consumer's slot */
	struct weir_address peer;
	struct weir_address local;
	uint16_t peer_port;
	uint16_t max_datagram;
	uint8_t wants_source; /* this and the next six: 0 or 1 */
	uint8_t wants_batches;
	uint8_t is_reliable;
	uint8_t may_seek;
	uint8_t is_subscribed;
	uint8_t is_paused; /* all of it, by its PAUSE */
	uint8_t has_seal;
	uint8_t start; /* enum weir_start */
	uint32_t options;
	uint32_t subscribe_counter;
	uint32_t stream_count; /* 0: all of the group */
	uint16_t edition;      /* of its streams' list, as told; 0: not told yet */
	uint16_t knows;        /* the one that it has named; 0: none */
	uint64_t start_value;
	uint64_t nonce;
	uint64_t hello_ns;
	/* Positions, from the session's begin: granted, and used. */
	uint64_t messages_limit;
	uint64_t messages_used;
	uint64_t bytes_limit;
	uint64_t bytes_used;
	uint64_t report_counter;
	uint64_t pause_counter;
	uint8_t tx_key[WEIR_SEAL_KEY_SIZE];
	uint8_t rx_key[WEIR_SEAL_KEY_SIZE];
	uint64_t tx_number;
	uint64_t rx_window;
	uint64_t rx_floor;
	struct weir_frame_key key; /* ours, in the answer to its HELLO */
	uint64_t paused[WEIR_MAX_STREAMS / 64];
};

struct weir_estate_stream {
	char name[WEIR_NAME_SIZE];
	uint64_t key_digest;
	uint16_t slot;
	uint16_t partition_count;
	uint16_t group_count;
	uint16_t reserved;
};

struct weir_estate_group {
	char name[WEIR_NAME_SIZE];
	uint64_t is_acknowledged;
};

struct weir_estate_partition {
	uint64_t tail;
	uint64_t head;
	uint64_t retained; /* retention has let go of everything below */
	uint64_t payload;  /* bytes of all its messages */
};

/* Followed by gaps, positions, and what was given up. */
struct weir_estate_lane {
	uint64_t base;      /* settled below; without acknowledgement: taken */
	uint64_t redeliver; /* below: a session may have had it */
	uint32_t sample_left;
	uint32_t gone_count;
	uint16_t gap_count;
	uint16_t position_count;
	uint32_t reserved;
};

struct weir_estate_gone {
	uint32_t offset; /* from the lane's base */
	uint32_t reason; /* enum weir_gap_reason */
};

/* Followed by the packet, and up to seven bytes that mean nothing. */
struct weir_estate_message {
	uint64_t ingest;
	uint32_t time_left_us;
	uint32_t packet_length;
	uint16_t payload_length;
	uint16_t l4_offset;
	uint16_t only; /* the one group that it is for, from 1 in the stream's list; 0: all */
	uint8_t l3_offset;
	uint8_t flags;
};

_Static_assert(sizeof(struct weir_estate_header) % 8 == 0, "header");
_Static_assert(sizeof(struct weir_estate_session) % 8 == 0, "session");
_Static_assert(sizeof(struct weir_estate_stream) % 8 == 0, "stream");
_Static_assert(sizeof(struct weir_estate_group) % 8 == 0, "group");
_Static_assert(sizeof(struct weir_estate_lane) % 8 == 0, "lane");
_Static_assert(sizeof(struct weir_estate_message) % 8 == 0, "message");
_Static_assert(sizeof(struct weir_delivery_gap) % 8 == 0, "gap");
_Static_assert(sizeof(struct weir_position) % 8 == 0, "position");

/* What a key is made of, as one number: with another key a sequence would be another message. */
uint64_t weir_stream_key_digest(const struct weir_stream *stream);

/*
 * Write all of it to `fd`. Workers have been halted (weir_dataplane_halt). `sessions` are the
 * caller's, but for what the data plane knows of each; their streams' names are taken from there.
 */
int weir_estate_write(const struct weir_dataplane *dataplane,
	const struct weir_estate_session *sessions, uint32_t session_count, uint64_t stopped_ns,
	int fd);
/* What the data plane knows of a session; names, counters of the control thread are left. */
void weir_estate_describe(
	const struct weir_consumer *consumer, struct weir_estate_session *session);

/* An estate as it is read. */
struct weir_estate {
	const uint8_t *bytes;
	size_t length;
	const struct weir_estate_header *header;
	size_t sessions_at;
	size_t streams_at;
};

struct weir_inheritance {
	uint64_t messages; /* taken over */
	uint64_t left;     /* held by the other, and not taken over: their group has a gap */
};

/* Maps `fd` and checks all of it. The caller closes with weir_estate_close(). */
int weir_estate_open(int fd, struct weir_estate *estate, struct weir_error *error);
void weir_estate_close(struct weir_estate *estate);
/* The next session from *at, which begins as 0; NULL: no more. `names`: of its streams. */
const struct weir_estate_session *weir_estate_next_session(
	const struct weir_estate *estate, size_t *at, const char (**names)[WEIR_NAME_SIZE]);

/*
 * Slots that the one that takes over gives to the same streams and leaves free for the sessions, so
 * that clients find what they know under the numbers that they know.
 */
struct weir_slot_plan {
	uint32_t stream_count;
	struct {
		char name[WEIR_NAME_SIZE];
		uint16_t slot;
	} streams[WEIR_MAX_STREAMS];
	bool consumers[WEIR_MAX_CONSUMERS]; /* kept for sessions */
};

/*
 * A session goes on under its number. -ENOENT its group is gone, -EEXIST its slot or name is taken:
 * the client will join anew. On success the consumer is the data plane's, which workers do not know
 * yet.
 */
int weir_estate_adopt(struct weir_dataplane *dataplane, const struct weir_estate_session *session,
	const char (*names)[WEIR_NAME_SIZE], struct weir_consumer **consumer);
/*
 * Fill the rings, before weir_dataplane_start(); sessions have been adopted. A partition whose
 * messages do not fit the configuration goes on behind them, and its groups have a gap.
 */
void weir_estate_inherit(const struct weir_estate *estate, struct weir_dataplane *dataplane,
	struct weir_inheritance *inheritance);
