/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * libweir: receive streams from a Weir gateway, as fast as the application takes them and never
 * faster.
 *
 * A consumer joins a group and gets its share of the group's messages. What the application is
 * ready for is granted to the gateway as credit, in messages and bytes; a message is credit used
 * until the application has taken the next one (or says so itself, weir_consumer_consume()). So
 * the library never holds more than one window, and a slow application slows the gateway down,
 * for itself alone.
 *
 * Nothing blocks and there is no thread: the caller polls one descriptor.
 *
 *	weir_consumer_open(&options, &consumer);
 *	for (;;) {
 *		poll {weir_consumer_fd(consumer), POLLIN} for weir_consumer_timeout_ms(consumer);
 *		weir_consumer_process(consumer);
 *		while (weir_consumer_next_event(consumer, &event) == 1) ...
 *		while (weir_consumer_next(consumer, &message) == 1) ...
 *	}
 *
 * Guarantee: at most once, in order within a partition, never twice while the session lasts; what
 * is missing is told, as an event and on the message that follows. A lost session is opened again
 * by the library, for ever, with growing pauses; see docs/protocol.md.
 *
 * A consumer belongs to one thread at a time; different consumers are independent. Functions
 * return 0 or a count, or a negative errno.
 */
struct weir_consumer;

#define WEIR_CONSUMER_PORT            4150
#define WEIR_CONSUMER_WINDOW_MESSAGES 4096
#define WEIR_CONSUMER_WINDOW_BYTES    (4u << 20)
#define WEIR_CONSUMER_WINDOW_MAX      (1u << 20) /* messages */
#define WEIR_CONSUMER_BYTES_MAX       (1u << 30)

/* Zero is the default everywhere. Strings are copied. */
struct weir_consumer_options {
	const char *gateway;        /* IPv4 or IPv6 address; required */
	const char *group;          /* required */
	const char *name;           /* unique in the gateway; default: host name and process id */
	const char *const *streams; /* of the group, at most 14; default: all of them */
	uint32_t stream_count;
	uint32_t window_messages; /* held at once, at most */
	uint32_t window_bytes;    /* payload; at least four times max_datagram */
	uint16_t port;            /* the gateway's */
	uint16_t max_datagram;    /* largest UDP payload to take: 512..9000; default: 9000, or
				  a quarter of window_bytes if that is less */
	int receive_buffer;       /* SO_RCVBUF, bytes; default: twice window_bytes */
	bool want_source;         /* messages carry where they came from */
	bool pull;                /* nothing is sent but what weir_consumer_grant() asks for */
	bool manual;              /* credit comes back by weir_consumer_consume() only */
};

enum {
	WEIR_FLAG_DEGRADED = 0x04,    /* one of several: the gateway is sampling under overload */
	WEIR_FLAG_REDELIVERED = 0x08, /* another consumer may have had it before */
};

/* One datagram as a producer sent it. Valid until the next weir_consumer_next() or _close(). */
struct weir_message {
	const char *stream; /* name; valid until _close() */
	const uint8_t *data;
	uint16_t length;
	uint16_t stream_id; /* short for the name, in this session */
	uint16_t partition;
	uint16_t source_port;  /* host order; 0 without want_source */
	uint32_t epoch;        /* rises when the partition changes hands */
	uint8_t source_family; /* 4, 6, or 0 without want_source */
	uint8_t source[16];    /* network order */
	uint8_t flags;         /* WEIR_FLAG_* */
	uint8_t tos;
	uint64_t sequence;  /* in its partition */
	uint64_t missed;    /* sequences lost just before this one */
	uint64_t ingest_ns; /* when the gateway took it, nanoseconds since the Unix epoch */
};

enum weir_consumer_state {
	WEIR_CONSUMER_CONNECTING,
	WEIR_CONSUMER_JOINED,
	WEIR_CONSUMER_CLOSED,
};

enum weir_event_kind {
	WEIR_EVENT_JOINED, /* a session is open; text: nothing */
	WEIR_EVENT_LOST,   /* it is gone, and will be opened again; code and text say why */
	WEIR_EVENT_GAP,    /* `count` sequences from `first` will not come */
	WEIR_EVENT_ERROR,  /* the gateway refuses; the library goes on trying */
};

struct weir_event {
	enum weir_event_kind kind;
	uint16_t code;      /* LOST, ERROR: the protocol's error code */
	uint16_t partition; /* GAP */
	uint32_t epoch;     /* GAP */
	const char *stream; /* GAP; valid until _close() */
	uint64_t first;     /* GAP */
	uint64_t count;     /* GAP */
	char text[97];      /* LOST, ERROR: printable */
};

/* Counted since weir_consumer_open(), except where `session` is in the name. */
struct weir_consumer_stats {
	enum weir_consumer_state state;
	uint64_t session;       /* identifier, 0 without */
	uint64_t sessions;      /* opened */
	uint64_t datagrams;     /* received */
	uint64_t malformed;     /* of them dropped whole: wrong bytes */
	uint64_t foreign;       /* dropped: not of this session */
	uint64_t messages;      /* received and queued */
	uint64_t bytes;         /* their payload */
	uint64_t taken;         /* messages handed to the application */
	uint64_t lost_messages; /* sent by the gateway, never received */
	uint64_t lost_bytes;
	uint64_t gaps;          /* ranges of sequences that will not come */
	uint64_t gap_sequences; /* sequences in them */
	uint64_t duplicates;    /* messages dropped: seen before, or overtaken */
	uint64_t stale;         /* messages dropped: of an epoch that has ended */
	uint64_t overruns;      /* messages beyond the credit given: the gateway's fault */
	uint64_t events_lost;   /* events dropped because none were taken */
	uint64_t credits_sent;
	uint64_t send_errors;
	uint64_t session_position; /* messages known to have been sent in this session */
	uint64_t session_limit;    /* messages granted in this session */
	uint32_t held_messages;    /* credit in use by the application and the queue */
	uint32_t held_bytes;
};

/*
 * Open a socket and start joining. 0 and *consumer is the caller's, to be closed by
 * weir_consumer_close(); -EINVAL for wrong options, or what the system said.
 */
int weir_consumer_open(
	const struct weir_consumer_options *options, struct weir_consumer **consumer);
/* The descriptor to poll for input. It stays the library's. */
int weir_consumer_fd(const struct weir_consumer *consumer);
/* Milliseconds until weir_consumer_process() must be called even without input; -1: never. */
int weir_consumer_timeout_ms(const struct weir_consumer *consumer);
/* Read what has arrived, run what is due. Messages and events that wait now, or negative errno. */
int weir_consumer_process(struct weir_consumer *consumer);
/* Take a message: 1; 0 when none waits. The message taken before is given back. */
int weir_consumer_next(struct weir_consumer *consumer, struct weir_message *message);
/* Take an event: 1; 0 when none waits. */
int weir_consumer_next_event(struct weir_consumer *consumer, struct weir_event *event);
/* With `manual`: done with that much of what was taken. -EINVAL when it is more than that. */
int weir_consumer_consume(struct weir_consumer *consumer, uint32_t messages, uint32_t bytes);
/* With `pull`: ask for so many messages more. Windows still hold. */
int weir_consumer_grant(struct weir_consumer *consumer, uint32_t messages);
/* Stop all streams, or let them go on. What is on its way still arrives. */
int weir_consumer_pause(struct weir_consumer *consumer, bool paused);
void weir_consumer_stats(const struct weir_consumer *consumer, struct weir_consumer_stats *stats);
/* Tell the gateway and free everything; messages not taken are gone. NULL is allowed. */
void weir_consumer_close(struct weir_consumer *consumer);

#ifdef __cplusplus
}
#endif
