/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "wire/frame.h"

/*
 * Frames of at-least-once delivery (option RELIABLE), of hand-over (ASSIGN), of replay (SEEK) and
 * of agents' reports (LOAD), as docs/protocol.md specifies them. Read and written as those of
 * frame.h: after weir_datagram_open() has said yes, counts, lengths and ranges are sound.
 */

#define WEIR_ACK_RANGES_MAX  8
#define WEIR_NACK_RANGES_MAX 32
#define WEIR_SEEK_ALL        0xffff /* partition: all of the stream's that the client has */

/* Why a range will not come. Number, stable name, text. */
#define WEIR_GAP_REASONS(X)                                                                        \
	X(LEFT_OUT, 0, "left_out", "left out on purpose, or settled before")                       \
	X(LAPPED, 1, "lapped", "the ring was overwritten first")                                   \
	X(EXPIRED, 2, "expired", "past its deadline or the ring's age limit")                      \
	X(TOO_BIG, 3, "too_big", "larger than the session's datagrams")                            \
	X(QUARANTINED, 4, "quarantined", "all attempts were used up")                              \
	X(REMOVED, 5, "removed", "stream or group was removed")                                    \
	X(RESTART, 6, "restart", "held when the gateway ended")                                    \
	X(CHECKSUM, 7, "checksum", "damaged before it came to the gateway")                        \
	X(SKIPPED, 8, "skipped", "jumped over by a seek")                                          \
	X(FAILOVER, 9, "failover", "went to the kernel while the gateway did not take it")

enum weir_gap_reason {
#define X(id, number, name, text) WEIR_GAP_##id = number,
	WEIR_GAP_REASONS(X)
#undef X
		WEIR_GAP_REASON_COUNT
};

struct weir_frame_range {
	uint64_t first;
	uint64_t end; /* one after the last */
} WEIR_PACKED;

struct weir_frame_ack {
	struct weir_frame_header header;
	uint16_t stream;
	uint16_t partition;
	uint32_t epoch;
	uint16_t count;      /* ranges */
	uint16_t delay;      /* since `newest_seq` came, units of 16 us; saturates */
	uint64_t next_seq;   /* all below was received, told as gap, or left out */
	uint64_t done_seq;   /* all below the application is done with; at most next_seq */
	uint64_t newest_seq; /* highest sequence that came in a frame without RETRANSMIT */
	struct weir_frame_range ranges[]; /* received above next_seq; rising, not touching */
} WEIR_PACKED;

struct weir_frame_nack {
	struct weir_frame_header header;
	uint16_t stream;
	uint16_t partition;
	uint32_t epoch;
	uint16_t count; /* ranges, at least 1 */
	uint16_t reserved;
	struct weir_frame_range ranges[]; /* missing; rising, not touching */
} WEIR_PACKED;

struct weir_frame_gap {
	struct weir_frame_header header;
	uint16_t stream;
	uint16_t partition;
	uint32_t epoch;
	uint16_t reason; /* enum weir_gap_reason */
	uint16_t reserved;
	uint64_t first;
	uint64_t end;
	uint32_t messages; /* of the range that had been sent, as far as known */
	uint32_t bytes;    /* their payload; saturates */
} WEIR_PACKED;

struct weir_frame_seek {
	struct weir_frame_header header;
	uint32_t counter; /* the highest of a lane holds */
	uint16_t stream;
	uint16_t partition; /* or WEIR_SEEK_ALL */
	uint8_t start;      /* enum weir_start, not RESUME */
	uint8_t reserved1[3];
	uint64_t value; /* sequence, or nanoseconds since the Unix epoch */
	uint64_t reserved2;
} WEIR_PACKED;

/* ASSIGN, REVOKE and RELEASE. */
struct weir_frame_handover {
	struct weir_frame_header header;
	uint16_t stream;
	uint16_t partition;
	uint32_t epoch;
	uint32_t deadline_ms; /* REVOKE: from when it is sent */
	uint64_t seq; /* where the epoch begins; ends; up to which the application is done */
	uint64_t lane_messages; /* sent on the lane in this session; RELEASE: 0 */
	uint64_t lane_bytes;
} WEIR_PACKED;

struct weir_frame_load {
	struct weir_frame_header header;
	uint32_t counter;    /* the highest holds */
	uint8_t address[16]; /* of the watched socket; IPv4 mapped */
	uint16_t port;
	uint16_t reserved;
	uint32_t queue_bytes;       /* in the socket's queue now, as the kernel counts them */
	uint32_t limit_bytes;       /* that it can hold */
	uint32_t capacity_messages; /* 0: unknown */
	uint64_t drops;             /* of the socket so far */
	uint64_t echo_ns; /* clock_ns of the newest HEARTBEAT heard before looking; 0: none */
} WEIR_PACKED;

_Static_assert(sizeof(struct weir_frame_range) == 16, "range");
_Static_assert(sizeof(struct weir_frame_ack) == 40, "ACK");
_Static_assert(sizeof(struct weir_frame_nack) == 16, "NACK");
_Static_assert(sizeof(struct weir_frame_gap) == 40, "GAP");
_Static_assert(sizeof(struct weir_frame_seek) == 32, "SEEK");
_Static_assert(sizeof(struct weir_frame_load) == 56, "LOAD");
_Static_assert(sizeof(struct weir_frame_handover) == 40, "ASSIGN, REVOKE, RELEASE");
