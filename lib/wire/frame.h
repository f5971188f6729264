/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/reason.h"
#include "wire/frame_error.h"
#include "wire/order.h"

/*
 * Frames of the stream protocol, version 1, as docs/protocol.md specifies them.
 *
 * A UDP datagram is a 16-byte header and one or more frames; a frame is a 4-byte header and a
 * body, its length a multiple of 8, so that every field is aligned within the datagram.
 *
 * Reading: weir_datagram_open() checks the whole datagram, every frame's body included, before
 * anything is acted on. After it, weir_frame_next() walks the frames, and every structure below
 * may be read through a cast of the frame's address: counts, lengths and names are sound.
 * Writing: struct weir_writer puts frames one after another into a caller's buffer.
 *
 * A tagged datagram has a trailer after its last frame: a number and a tag over all before it. Here
 * only its place is checked; whether a session's datagrams must have one, and a right one, is for
 * those who know its key.
 *
 * All multi-byte fields are big-endian: read and write them through weir_be16/32/64(). The
 * structures are packed, so a datagram may lie at any address. Freestanding: no allocation, no
 * system call, nothing but the caller's memory is touched. Any thread.
 */

#define WEIR_FRAME_PORT        4150   /* default UDP port of the gateway */
#define WEIR_FRAME_MAGIC       0x5752 /* "WR" */
#define WEIR_FRAME_VERSION     1
#define WEIR_FRAME_ALIGN       8
#define WEIR_FRAME_NAME_SIZE   32 /* names on the wire: 1..31 characters and zeros */
#define WEIR_FRAME_COOKIE_SIZE 32
#define WEIR_FRAME_ERROR_TEXT  96 /* longest text of ERROR, without a NUL */
#define WEIR_FRAME_TAG_SIZE    32 /* of HELLO's authentication */
#define WEIR_FRAME_PUBLIC_SIZE 32 /* X25519 */
#define WEIR_DATAGRAM_HEADER   16
#define WEIR_DATAGRAM_TRAILER  24 /* of tagged datagrams; no frame */
#define WEIR_DATAGRAM_TAG_SIZE 16
#define WEIR_DATAGRAM_MIN      512 /* a peer must be able to take this much */
#define WEIR_DATAGRAM_MAX      9000
#define WEIR_SUBSCRIBE_MAX     14               /* names in one SUBSCRIBE; more: subscribe to all */
#define WEIR_CREDIT_LANES_MAX  16               /* lane limits in one CREDIT */
#define WEIR_PAUSE_MAX         224              /* streams in one PAUSE */
#define WEIR_SUBSCRIBED_MAX    4096             /* streams of one subscription */
#define WEIR_FRAME_VALUE_MAX   (UINT64_MAX / 4) /* sequences, counts, limits: sums never wrap */

/* Bounds of the timers that WELCOME tells. */
#define WEIR_HEARTBEAT_MS_MIN 5
#define WEIR_HEARTBEAT_MS_MAX 10000
#define WEIR_LIVENESS_MS_MAX  600000

enum weir_frame_type {
	WEIR_FRAME_HELLO = 1,
	WEIR_FRAME_COOKIE = 2,
	WEIR_FRAME_WELCOME = 3,
	WEIR_FRAME_ERROR = 4,
	WEIR_FRAME_LEAVE = 5,
	WEIR_FRAME_SUBSCRIBE = 6,
	WEIR_FRAME_SUBSCRIBED = 7,
	WEIR_FRAME_DATA = 8,
	WEIR_FRAME_HEARTBEAT = 9,
	WEIR_FRAME_CREDIT = 10,
	WEIR_FRAME_PAUSE = 11,
	/* frame_delivery.h */
	WEIR_FRAME_ACK = 12,
	WEIR_FRAME_NACK = 13,
	WEIR_FRAME_GAP = 14,
	WEIR_FRAME_LOAD = 15,
	WEIR_FRAME_ASSIGN = 16,
	WEIR_FRAME_REVOKE = 17,
	WEIR_FRAME_RELEASE = 18,
	WEIR_FRAME_SEEK = 19,
	/* frame_produce.h */
	WEIR_FRAME_PRODUCE = 20,
	WEIR_FRAME_PRODUCE_ACK = 21,
	WEIR_FRAME_PACE = 22,
	WEIR_FRAME_KEY = 23,
};

enum {
	WEIR_DATAGRAM_TAGGED = 0x01, /* datagram: ends with an authentication trailer */

	WEIR_FRAME_IGNORABLE = 0x80, /* any frame: skip it when its type is unknown */

	WEIR_DATA_MORE = 0x01,       /* DATA: the lane has more that may be sent now */
	WEIR_DATA_DEGRADED = 0x02,   /* DATA: there is no gateway; what is missing will not come */
	WEIR_DATA_RETRANSMIT = 0x04, /* DATA: sent before; positions do not move */

	WEIR_HEARTBEAT_STARVED = 0x01, /* HEARTBEAT: data waits, only credit is missing */

	WEIR_MESSAGE_ADDRESS = 0x01,     /* message: source address follows its header */
	WEIR_MESSAGE_IPV6 = 0x02,        /* message: that address has 16 bytes, not 4 */
	WEIR_MESSAGE_DEGRADED = 0x04,    /* message: sent in place of a dead gateway */
	WEIR_MESSAGE_REDELIVERED = 0x08, /* message: another consumer may have had it */
	WEIR_MESSAGE_CONTEXT = 0x10,     /* message: a trace context precedes its payload */
};

/* HELLO asks for options, WELCOME grants a subset; what was not granted is not used. */
enum {
	WEIR_OPTION_SOURCE = 0x01,      /* messages carry source address and port */
	WEIR_OPTION_BATCH = 0x02,       /* several messages in a DATA frame */
	WEIR_OPTION_RELIABLE = 0x04,    /* ACK, NACK, GAP: at least once */
	WEIR_OPTION_LANE_CREDIT = 0x08, /* CREDIT with limits per lane */
	WEIR_OPTION_ASSIGN = 0x10,      /* ASSIGN, REVOKE, RELEASE */
	WEIR_OPTION_SEEK = 0x20,        /* SEEK, and starts where the group does not stand */
	WEIR_OPTION_LOAD = 0x40,        /* LOAD, and the report in CREDIT is used */
	WEIR_OPTION_TRACE = 0x80,       /* messages carry their trace context */
};

enum weir_role {
	WEIR_ROLE_CONSUMER = 0,
	WEIR_ROLE_PRODUCER = 1,
	WEIR_ROLE_AGENT = 2,
	WEIR_ROLES,
};

enum weir_guarantee {
	WEIR_GUARANTEE_AT_MOST_ONCE = 0, /* losses are reported, not repaired */
	WEIR_GUARANTEE_AT_LEAST_ONCE = 1,
};

enum weir_start {
	WEIR_START_LATEST = 0,
	WEIR_START_EARLIEST = 1,
	WEIR_START_SEQUENCE = 2,
	WEIR_START_TIME = 3,
	WEIR_START_RESUME = 4, /* where the group stands */
	WEIR_STARTS,
};

enum weir_pause_scope {
	WEIR_PAUSE_NONE = 0,
	WEIR_PAUSE_ALL = 1,
	WEIR_PAUSE_LIST = 2,
	WEIR_PAUSE_SCOPES,
};

#define WEIR_PACKED __attribute__((packed))

struct weir_datagram_header {
	uint16_t magic;
	uint8_t version;
	uint8_t flags;
	uint16_t frame_count;
	uint16_t reserved;
	uint64_t session; /* 0 before WELCOME; low 16 bits: the gateway's slot */
} WEIR_PACKED;

struct weir_frame_header {
	uint8_t type;
	uint8_t flags;
	uint16_t length; /* whole frame, this header included; multiple of 8 */
} WEIR_PACKED;

/* Ends a tagged datagram. */
struct weir_datagram_trailer {
	uint64_t number;                     /* of the datagram in its direction, from 1, rising */
	uint8_t tag[WEIR_DATAGRAM_TAG_SIZE]; /* over everything before it */
} WEIR_PACKED;

/* In HELLO; zeros without a key. */
struct weir_frame_authentication {
	uint32_t key_id;
	uint32_t reserved1;
	uint64_t timestamp_ns; /* client's, since the Unix epoch */
	uint8_t public_key[WEIR_FRAME_PUBLIC_SIZE];
	uint8_t reserved2[56];
	uint8_t tag[WEIR_FRAME_TAG_SIZE]; /* over everything before it, datagram header included */
} WEIR_PACKED;

struct weir_frame_hello {
	struct weir_frame_header header;
	uint8_t version_min;
	uint8_t version_max;
	uint16_t max_datagram; /* largest UDP payload the client takes */
	uint64_t nonce;        /* chosen anew for each session */
	uint32_t options;
	uint8_t role;
	uint8_t reserved[3];
	uint8_t cookie[WEIR_FRAME_COOKIE_SIZE]; /* zeros until the gateway gave one */
	char group[WEIR_FRAME_NAME_SIZE];
	char name[WEIR_FRAME_NAME_SIZE]; /* of the consumer */
	struct weir_frame_authentication authentication;
} WEIR_PACKED;

struct weir_frame_cookie {
	struct weir_frame_header header;
	uint32_t reserved;
	uint64_t nonce;
	uint8_t cookie[WEIR_FRAME_COOKIE_SIZE];
} WEIR_PACKED;

struct weir_frame_welcome {
	struct weir_frame_header header;
	uint8_t version;
	uint8_t guarantee;
	uint16_t max_datagram; /* nothing larger is sent, in either direction */
	uint64_t nonce;
	uint64_t session;
	uint64_t incarnation; /* another one: the gateway has been restarted */
	uint64_t clock_ns;
	uint32_t options;
	uint32_t heartbeat_ms;
	uint32_t liveness_ms;
	uint32_t reserved;
} WEIR_PACKED;

/* After WELCOME, in its datagram, when the session has a key. */
struct weir_frame_key {
	struct weir_frame_header header;
	uint32_t reserved;
	uint64_t timestamp_ns; /* gateway's, since the Unix epoch */
	uint8_t public_key[WEIR_FRAME_PUBLIC_SIZE];
} WEIR_PACKED;

struct weir_frame_error {
	struct weir_frame_header header;
	uint16_t code; /* enum weir_frame_code */
	uint16_t text_length;
	uint64_t nonce;    /* of the HELLO it answers, else 0 */
	uint32_t retry_ms; /* not before; 0: as the client likes */
	uint32_t detail;   /* VERSION: lowest << 8 | highest spoken; else 0 */
	char text[];       /* printable ASCII, no NUL, padded with zeros */
} WEIR_PACKED;

struct weir_frame_leave {
	struct weir_frame_header header;
	uint16_t reason; /* enum weir_frame_code */
	uint16_t reserved;
} WEIR_PACKED;

struct weir_frame_subscribe {
	struct weir_frame_header header;
	uint32_t counter; /* the highest is the one that holds */
	uint8_t start;    /* enum weir_start */
	uint8_t reserved1;
	uint16_t count; /* of names; 0: all streams of the group */
	uint32_t reserved2;
	uint64_t start_value; /* sequence, or nanoseconds since the Unix epoch */
	uint64_t limit_messages;
	uint64_t limit_bytes;
	char names[][WEIR_FRAME_NAME_SIZE];
} WEIR_PACKED;

struct weir_frame_subscribed_stream {
	uint16_t stream;
	uint16_t partitions;
	uint32_t reserved;
	char name[WEIR_FRAME_NAME_SIZE];
} WEIR_PACKED;

struct weir_frame_subscribed {
	struct weir_frame_header header;
	uint32_t counter; /* of the SUBSCRIBE it answers */
	uint16_t total;   /* streams in the whole answer */
	uint16_t first;   /* index of streams[0] in it */
	uint16_t count;
	uint16_t edition; /* of the list; 0: none */
	struct weir_frame_subscribed_stream streams[];
} WEIR_PACKED;

struct weir_frame_data {
	struct weir_frame_header header;
	uint16_t stream;
	uint16_t partition;
	uint32_t epoch;
	uint32_t covered; /* sequences seq .. seq + covered - 1 are dealt with by this frame */
	uint64_t seq;
	uint64_t lane_first;    /* sequence at which this lane began, in this epoch */
	uint64_t lane_messages; /* sent on this lane before this frame, in this session */
	uint64_t lane_bytes;    /* payload of those */
	uint64_t ingest_ns;     /* of the first message, since the Unix epoch */
	uint32_t time_left_us;  /* of the first message to its deadline; 0: it has none */
	uint16_t count;         /* messages in `messages` */
	uint16_t reserved;
	uint8_t messages[];
} WEIR_PACKED;

struct weir_frame_message {
	uint16_t length;          /* payload, bytes */
	uint16_t seq_delta;       /* sequence = frame's seq + this */
	uint32_t ingest_delta_us; /* after the frame's ingest_ns; saturates */
	uint16_t source_port;     /* 0 without WEIR_OPTION_SOURCE */
	uint8_t flags;
	uint8_t tos; /* DSCP and ECN as received */
	/* then 0, 4 or 16 bytes of source address, the trace context if there is one, the payload,
	   zeros up to a multiple of 4 */
} WEIR_PACKED;

struct weir_frame_heartbeat_lane {
	uint16_t stream;
	uint16_t partition;
	uint32_t epoch;
	uint64_t next_seq; /* first sequence not covered by any DATA frame sent */
	uint64_t lane_first;
	uint64_t lane_messages; /* sent on this lane so far, in this session */
	uint64_t lane_bytes;
} WEIR_PACKED;

struct weir_frame_heartbeat {
	struct weir_frame_header header;
	uint16_t count;
	uint16_t reserved;
	uint32_t subscribe_counter; /* of the SUBSCRIBE that holds */
	uint32_t pause_counter;     /* of the PAUSE that holds; 0: none came */
	uint64_t clock_ns;
	struct weir_frame_heartbeat_lane lanes[];
} WEIR_PACKED;

struct weir_frame_credit_lane {
	uint16_t stream;
	uint16_t partition;
	uint32_t epoch;
	uint64_t limit_messages;
	uint64_t limit_bytes;
} WEIR_PACKED;

struct weir_frame_credit {
	struct weir_frame_header header;
	uint32_t counter;        /* the load report of the highest holds; limits need no order */
	uint64_t limit_messages; /* in all lanes together, since WELCOME */
	uint64_t limit_bytes;
	uint64_t consumed_messages;
	uint64_t consumed_bytes;
	uint32_t queue;      /* messages received, not yet consumed */
	uint32_t service_ns; /* per message, moving average; 0: unknown */
	uint32_t capacity;   /* messages that the client can hold */
	uint16_t lane_count;
	uint16_t edition; /* of the newest list of streams that is whole; 0: none */
	struct weir_frame_credit_lane lanes[];
} WEIR_PACKED;

struct weir_frame_pause {
	struct weir_frame_header header;
	uint32_t counter; /* the highest is the one that holds */
	uint8_t scope;    /* enum weir_pause_scope */
	uint8_t reserved1;
	uint16_t count; /* with WEIR_PAUSE_LIST, else 0 */
	uint32_t reserved2;
	uint16_t streams[]; /* padded with zeros */
} WEIR_PACKED;

_Static_assert(sizeof(struct weir_datagram_header) == WEIR_DATAGRAM_HEADER, "datagram header");
_Static_assert(sizeof(struct weir_datagram_trailer) == WEIR_DATAGRAM_TRAILER, "trailer");
_Static_assert(offsetof(struct weir_frame_hello, authentication) == 120, "HELLO");
_Static_assert(sizeof(struct weir_frame_hello) == 256, "HELLO is larger than any answer to it");
_Static_assert(sizeof(struct weir_frame_cookie) == 48, "COOKIE");
_Static_assert(sizeof(struct weir_frame_welcome) == 56, "WELCOME");
_Static_assert(sizeof(struct weir_frame_key) == 48, "KEY");
_Static_assert(sizeof(struct weir_frame_error) == 24, "ERROR");
_Static_assert(sizeof(struct weir_frame_leave) == 8, "LEAVE");
_Static_assert(sizeof(struct weir_frame_subscribe) == 40, "SUBSCRIBE");
_Static_assert(sizeof(struct weir_frame_subscribed_stream) == 40, "SUBSCRIBED entry");
_Static_assert(sizeof(struct weir_frame_subscribed) == 16, "SUBSCRIBED");
_Static_assert(sizeof(struct weir_frame_data) == 64, "DATA");
_Static_assert(sizeof(struct weir_frame_message) == 12, "message");
_Static_assert(sizeof(struct weir_frame_heartbeat_lane) == 40, "HEARTBEAT entry");
_Static_assert(sizeof(struct weir_frame_heartbeat) == 24, "HEARTBEAT");
_Static_assert(sizeof(struct weir_frame_credit_lane) == 24, "CREDIT entry");
_Static_assert(sizeof(struct weir_frame_credit) == 56, "CREDIT");
_Static_assert(sizeof(struct weir_frame_pause) == 16, "PAUSE");

/* Session identifiers are {random 48 bits, slot 16 bits}; never 0. */
static inline uint16_t weir_session_slot(uint64_t session)
{
	return (uint16_t)session;
}

/* Who reads the datagram: each end takes only the types meant for it. */
enum weir_frame_end { WEIR_END_GATEWAY, WEIR_END_CLIENT };

/* An opened datagram, and the place where weir_frame_next() goes on. Borrows the bytes. */
struct weir_frame_cursor {
	uint64_t session; /* host order */
	const uint8_t *next;
	uint16_t left;  /* frames not walked yet, unknown ones included */
	bool is_tagged; /* the datagram's last WEIR_DATAGRAM_TRAILER bytes are its trailer */
};

/*
 * Check a whole received datagram. WEIR_REASON_NONE, or why all of it is to be dropped
 * (FRAME_TRUNCATED, _VERSION, _TYPE, _MALFORMED).
 */
enum weir_reason weir_datagram_open(
	struct weir_frame_cursor *cursor, enum weir_frame_end end, const void *data, size_t length);

/* The next frame of an opened datagram, NULL after the last. Skips unknown ignorable ones. */
const struct weir_frame_header *weir_frame_next(struct weir_frame_cursor *cursor);

/* Frames on their way into a caller's buffer of `size` bytes. */
struct weir_writer {
	uint8_t *data;
	uint32_t size;
	uint32_t length; /* bytes written so far: the UDP payload's length */
	uint16_t frames;
};

/* Frame lengths are rounded up to this. */
static inline uint32_t weir_frame_padded(uint32_t length)
{
	return (length + WEIR_FRAME_ALIGN - 1) & ~(uint32_t)(WEIR_FRAME_ALIGN - 1);
}

/* Start a datagram; `size` is at least WEIR_DATAGRAM_HEADER. */
static inline void weir_writer_begin(
	struct weir_writer *writer, void *data, uint32_t size, uint64_t session)
{
	struct weir_datagram_header *header = (struct weir_datagram_header *)data;

	writer->data = (uint8_t *)data;
	writer->size = size;
	writer->length = WEIR_DATAGRAM_HEADER;
	writer->frames = 0;
	header->magic = weir_be16(WEIR_FRAME_MAGIC);
	header->version = WEIR_FRAME_VERSION;
	header->flags = 0;
	header->frame_count = 0;
	header->reserved = 0;
	header->session = weir_be64(session);
}

/*
 * Append a frame of `length` bytes, header included; it is padded here. Returns it with its
 * header filled and all else zero, or NULL when it does not fit.
 */
static inline void *weir_writer_add(
	struct weir_writer *writer, enum weir_frame_type type, uint8_t flags, uint32_t length)
{
	uint32_t padded = weir_frame_padded(length);
	struct weir_frame_header *header;

	if (padded > UINT16_MAX || padded > writer->size - writer->length)
		return NULL;
	header = (struct weir_frame_header *)(void *)(writer->data + writer->length);
	__builtin_memset(header, 0, padded);
	header->type = (uint8_t)type;
	header->flags = flags;
	header->length = weir_be16((uint16_t)padded);
	writer->length += padded;
	writer->frames++;
	((struct weir_datagram_header *)(void *)writer->data)->frame_count =
		weir_be16(writer->frames);
	return header;
}

/*
 * End the datagram with a trailer whose tag is zero: the caller fills it in. NULL when it does
 * not fit. Nothing can be appended after it.
 */
static inline struct weir_datagram_trailer *weir_writer_add_trailer(
	struct weir_writer *writer, uint64_t number)
{
	struct weir_datagram_trailer *trailer =
		(struct weir_datagram_trailer *)(void *)(writer->data + writer->length);

	if (writer->size - writer->length < WEIR_DATAGRAM_TRAILER)
		return NULL;
	__builtin_memset(trailer, 0, sizeof(*trailer));
	trailer->number = weir_be64(number);
	((struct weir_datagram_header *)(void *)writer->data)->flags |= WEIR_DATAGRAM_TAGGED;
	writer->length += WEIR_DATAGRAM_TRAILER;
	writer->size = writer->length;
	return trailer;
}

/* Copy a name of up to 31 characters into a zeroed field of WEIR_FRAME_NAME_SIZE bytes. */
static inline void weir_frame_set_name(char field[WEIR_FRAME_NAME_SIZE], const char *name)
{
	for (unsigned int i = 0; i < WEIR_FRAME_NAME_SIZE - 1 && name[i] != '\0'; i++)
		field[i] = name[i];
}

/* Append an ERROR; a longer text is cut. 0, or -1 when it does not fit. */
int weir_writer_add_error(struct weir_writer *writer, enum weir_frame_code code, uint64_t nonce,
	uint32_t retry_ms, const char *text);
