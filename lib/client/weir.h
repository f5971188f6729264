/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * libweir: receive streams from a Weir gateway, as fast as the application takes them and never
 * faster; and produce into them, as fast as the gateway takes them (further below).
 *
 *	cc program.c $(pkg-config --cflags --libs libweir)
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
 * Guarantee: at least once, in order within a partition. The gateway keeps a message until the
 * application is done with it, that is, has taken the next one, or has said so; what is lost on the
 * way is sent again. A consumer that dies leaves what it was not done with to the next one, and
 * such a message may come twice (flag REDELIVERED); one consumer never gets a message twice as
 * long as it lives, not even over lost sessions. What the gateway could not keep is told with its
 * reason, as an event and on the message that follows. With `unreliable`, or when the gateway
 * does not grant it, it is at most once: what is lost on the way is told and not sent again;
 * weir_consumer_stats() says which holds. A lost session is opened again by the library, for ever,
 * with growing pauses; see docs/protocol.md.
 *
 * Threads: a consumer or producer belongs to one thread at a time, and may be handed from one to
 * another under a lock of the application's. Different ones are independent; there is no global
 * state. Functions that take none may be called at any time. No function blocks, installs a signal
 * handler or writes to standard output or error. None may be called in a signal handler. After a
 * fork() one of the two processes must leave them alone.
 *
 * Errors: functions return 0 or a count, or a negative errno. Pointers must not be NULL unless it
 * says so. Units are in the names: _ms, _us, _ns; bytes are those of UDP payloads. Numbers are in
 * host order, addresses in network order.
 *
 * Compatibility: programs go on running with every later library of the same soname, libweir.so.0.
 * For that, no structure changes its size, and no field its place or meaning; what is added takes
 * the place of `reserved` words, and zero there means what it did before. So begin with zeroed
 * options ({0}): reserved words that are not zero are refused with -EINVAL, that is, a library too
 * old for an option says so. What the library fills in has zeros there. Enumerations may grow:
 * have a default for values that you do not know. Whatever can not be done so gets a new name, or a
 * new soname.
 */
struct weir_consumer;

/* Of this header; weir_version() is that of the library in use. */
#define WEIR_VERSION_MAJOR 0
#define WEIR_VERSION_MINOR 1
#define WEIR_VERSION_PATCH 0

/* "MAJOR.MINOR.PATCH" */
const char *weir_version(void);

#define WEIR_CONSUMER_PORT            4150
#define WEIR_CONSUMER_WINDOW_MESSAGES 4096
#define WEIR_CONSUMER_WINDOW_BYTES    (4u << 20)
#define WEIR_CONSUMER_WINDOW_MAX      (1u << 20) /* messages */
#define WEIR_CONSUMER_BYTES_MAX       (1u << 30)

/* Where to begin. */
enum weir_from {
	WEIR_FROM_RESUME,   /* where the group stands */
	WEIR_FROM_LATEST,   /* what comes from now on */
	WEIR_FROM_EARLIEST, /* all that is retained */
	WEIR_FROM_SEQUENCE, /* of each partition; what is no longer retained is told as a gap */
	WEIR_FROM_TIME,     /* of arrival at the gateway, nanoseconds since the Unix epoch */
};

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
	const char *key_file;     /* pre-shared keys, lines of "ID HEX64 [NAME]", readable by
				  nobody else; default: none, the gateway is believed */
	uint32_t key_id;          /* which of them; default: the first */
	bool want_source;         /* messages carry where they came from */
	bool pull;                /* nothing is sent but what weir_consumer_grant() asks for */
	bool manual;              /* messages are done with by weir_consumer_consume() only */
	bool unreliable;          /* nothing is sent again, there is no place to begin at */
	enum weir_from start;     /* of the first session; those after it resume */
	uint64_t start_value;     /* sequence or time, below 2^62; other starts: 0 */
	uint64_t reserved[8];
};

enum {
	WEIR_FLAG_DEGRADED = 0x04,    /* sent in place of a dead gateway: nothing is repaired now */
	WEIR_FLAG_REDELIVERED = 0x08, /* another consumer may have had it before */
};

#define WEIR_TRACE_SAMPLED 0x01 /* of flags: whoever sent it records its spans */

/*
 * Which trace a message belongs to, and the span that it comes from: the fields of W3C's
 * traceparent. Zeroed identities are none.
 */
struct weir_trace_context {
	uint8_t trace_id[16];
	uint8_t span_id[8];
	uint8_t flags; /* WEIR_TRACE_; others are carried as they are */
	uint8_t reserved[7];
};

/* One datagram as a producer sent it. Valid until the next weir_consumer_next() or _close(). */
struct weir_message {
	const char *stream;  /* name; valid until _close() */
	const uint8_t *data; /* at any address: not aligned */
	uint16_t length;
	uint16_t stream_id; /* short for the name, in this session */
	uint16_t partition;
	uint16_t source_port;  /* host order; 0 without want_source */
	uint32_t epoch;        /* rises when the partition changes hands */
	uint8_t source_family; /* 4, 6, or 0 without want_source */
	uint8_t source[16];    /* network order */
	uint8_t flags;         /* WEIR_FLAG_* */
	uint8_t tos;
	uint32_t time_left_us; /* to its deadline, when it was taken; 0: it has none */
	uint64_t sequence;     /* in its partition */
	uint64_t missed;       /* sequences lost, or past their deadline, just before this one */
	uint64_t ingest_ns;    /* when the gateway took it, nanoseconds since the Unix epoch */
	const struct weir_trace_context *trace; /* its producer's trace, and the span before ours:
						   the gateway's if it follows the message, else the
						   producer's. NULL: none was given */
	uint64_t reserved[1];
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

/* Why sequences will not come. */
enum weir_gone {
	WEIR_GONE_LOST = 0,        /* on the way; only where nothing is sent again */
	WEIR_GONE_LAPPED = 1,      /* not retained long enough */
	WEIR_GONE_EXPIRED = 2,     /* past their deadline, or the age up to which is retained */
	WEIR_GONE_TOO_BIG = 3,     /* larger than the session's datagrams */
	WEIR_GONE_QUARANTINED = 4, /* sent as often as is allowed, never acknowledged */
	WEIR_GONE_REMOVED = 5,     /* with their stream or group */
	WEIR_GONE_RESTART = 6,     /* of the gateway, or its death */
	WEIR_GONE_CHECKSUM = 7,    /* damaged when they came to the gateway */
	WEIR_GONE_SKIPPED = 8,     /* by a seek */
	WEIR_GONE_FAILOVER = 9,    /* went to the kernel while the gateway did not take packets */
};

struct weir_event {
	enum weir_event_kind kind;
	uint16_t code;      /* LOST, ERROR: the protocol's error code */
	uint16_t reason;    /* GAP: enum weir_gone */
	uint16_t partition; /* GAP */
	uint32_t epoch;     /* GAP */
	const char *stream; /* GAP; valid until _close() */
	uint64_t first;     /* GAP */
	uint64_t count;     /* GAP */
	char text[97];      /* LOST, ERROR: printable */
	uint64_t reserved[4];
};

/* Counted since weir_consumer_open(), except where `session` is in the name. */
struct weir_consumer_stats {
	enum weir_consumer_state state;
	uint64_t session;       /* identifier, 0 without */
	uint64_t sessions;      /* opened */
	uint64_t datagrams;     /* received */
	uint64_t malformed;     /* of them dropped whole: wrong bytes */
	uint64_t foreign;       /* dropped: not of this session */
	uint64_t unauthentic;   /* dropped: not proved to be the gateway's, or sent again */
	uint64_t messages;      /* received and queued */
	uint64_t bytes;         /* their payload */
	uint64_t taken;         /* messages handed to the application */
	uint64_t expired;       /* queued, but past their deadline before they were taken */
	uint64_t lost_messages; /* sent by the gateway, never received, and given up */
	uint64_t lost_bytes;
	uint64_t gaps;          /* ranges of sequences that will not come */
	uint64_t gap_sequences; /* sequences in them */
	uint64_t duplicates;    /* messages dropped: seen before, or overtaken */
	uint64_t stale;         /* messages dropped: of an epoch that has ended */
	uint64_t overruns;      /* messages beyond the credit given: the gateway's fault */
	uint64_t repaired;      /* messages that came when they were sent again */
	uint64_t reordered;     /* gaps asked for and then filled without */
	uint64_t unkept;        /* frames dropped because too much was missing before them */
	uint64_t acks_sent;     /* frames */
	uint64_t nacks_sent;
	uint64_t events_lost; /* events dropped because none were taken */
	uint64_t credits_sent;
	uint64_t send_errors;
	uint64_t session_position; /* messages known to have been sent in this session */
	uint64_t session_limit;    /* messages granted in this session */
	uint64_t missing_messages; /* sent in this session, to be sent again */
	uint32_t held_messages;    /* credit in use by the application and the queue */
	uint32_t held_bytes;
	uint32_t rtt_us;     /* round trip to the gateway; 0: unknown */
	uint32_t reorder_us; /* how long a gap is left alone before it is asked for */
	bool is_reliable;    /* at least once, in this session */
	uint64_t reserved[16];
};

/* Stable short name of a reason, "unknown" for one that is not known. */
const char *weir_gone_name(uint16_t reason);

/*
 * Open a socket and start joining. 0 and *consumer is the caller's, to be closed by
 * weir_consumer_close(); -EINVAL for wrong options or a key file with wrong lines, -EPERM for one
 * that others may use, -ENOKEY when our key is not in it, or what the system said.
 */
int weir_consumer_open(
	const struct weir_consumer_options *options, struct weir_consumer **consumer);
/* The descriptor to poll for input. It stays the library's. */
int weir_consumer_fd(const struct weir_consumer *consumer);
/*
 * Milliseconds until weir_consumer_process() must be called even without input; -1: never. That
 * goes for long work on a message too: whoever is silent for the gateway's liveness, 1 s by
 * default, loses the session, and its partitions until it has joined again.
 */
int weir_consumer_timeout_ms(const struct weir_consumer *consumer);
/* Read what has arrived, run what is due. Messages and events that wait now, or negative errno. */
int weir_consumer_process(struct weir_consumer *consumer);
/* Take a message: 1; 0 when none waits. The message taken before is given back. */
int weir_consumer_next(struct weir_consumer *consumer, struct weir_message *message);
/* Take an event: 1; 0 when none waits. */
int weir_consumer_next_event(struct weir_consumer *consumer, struct weir_event *event);
/*
 * With `manual`: done with that much of what was taken, the oldest first: the gateway need not
 * keep it any longer. -EINVAL when it is more than was taken.
 */
int weir_consumer_consume(struct weir_consumer *consumer, uint32_t messages, uint32_t bytes);
/* With `pull`: ask for so many messages more. Windows still hold. */
int weir_consumer_grant(struct weir_consumer *consumer, uint32_t messages);
/* Stop all streams, or let them go on. What is on its way still arrives. */
int weir_consumer_pause(struct weir_consumer *consumer, bool paused);
/*
 * Go to another place: in all streams or the one of that name, in all of its partitions that are
 * this consumer's (-1) or one of them; for the whole group. Messages already on their way still
 * come; from the place asked for on they have a higher epoch, and may be ones that came before.
 * 0; -EINVAL; -ENOTCONN without a session; -EOPNOTSUPP when the gateway did not grant it; -ENOENT
 * when there is no such stream; -EBUSY when too many are under way.
 */
int weir_consumer_seek(struct weir_consumer *consumer, const char *stream, int partition,
	enum weir_from from, uint64_t value);
void weir_consumer_stats(const struct weir_consumer *consumer, struct weir_consumer_stats *stats);
/*
 * Tell the gateway and free everything. The message in hand is given back first; those not taken,
 * and with `manual` not consumed, will come again to whoever gets their partitions. NULL is
 * allowed.
 */
void weir_consumer_close(struct weir_consumer *consumer);

/*
 * Producing: send messages into a stream, each acknowledged by the gateway when it is retained.
 *
 *	weir_producer_open(&options, &producer);
 *	for (;;) {
 *		while (there is a message)
 *			if (weir_producer_send(producer, key, ..., &held_by) != WEIR_SENT) break;
 *		weir_producer_flush(producer);
 *		poll {weir_producer_fd(producer), POLLIN} for weir_producer_timeout_ms(producer);
 *		weir_producer_process(producer);
 *	}
 *
 * The gateway says how much may be sent; what goes beyond is not taken, and send says what holds
 * it back, so that the application decides whether to wait, to leave something out or to slow
 * down. What was taken is kept by the library and sent again until the gateway has it: after a
 * loss, and in a new session when the old one is gone. Messages of one producer are retained in the
 * order sent.
 *
 * Guarantee: at least once. Each message is retained once as long as the gateway knows this
 * producer, also over sessions; a gateway that was restarted, or has forgotten it, gets again what
 * it had not acknowledged. A message with a deadline is not sent any more when that has passed.
 *
 * Threads and errors are as for consumers.
 */
struct weir_producer;

#define WEIR_SENT 1 /* of weir_producer_send(): it is taken */

#define WEIR_PRODUCER_WINDOW_MESSAGES 1024
#define WEIR_PRODUCER_WINDOW_BYTES    (1u << 20)
#define WEIR_PRODUCER_WINDOW_MAX      (1u << 16) /* messages */
#define WEIR_PRODUCER_BYTES_MAX       (1u << 30)
#define WEIR_PRODUCER_DATAGRAM        1400 /* fits most paths whole */

/* How important a message is: what is shed first when the gateway is overloaded. */
enum weir_produce_tier {
	WEIR_PRODUCE_DEFAULT, /* as in the options; there: standard */
	WEIR_PRODUCE_CRITICAL,
	WEIR_PRODUCE_STANDARD,
	WEIR_PRODUCE_BULK, /* first */
};

/* Why a message was not taken. */
enum weir_held_by {
	WEIR_HELD_BY_NOTHING,
	WEIR_HELD_BY_RATE,      /* this producer's rate limit */
	WEIR_HELD_BY_WINDOW,    /* too much is not acknowledged yet */
	WEIR_HELD_BY_RING_FULL, /* consumers do not take the stream as fast as it comes */
	WEIR_HELD_BY_NO_OWNER,  /* no group takes the stream */
	WEIR_HELD_BY_SHED,      /* the gateway is overloaded, and the stream's tier gives way */
	WEIR_HELD_BY_CLOSED,    /* there is no session now */
	WEIR_HELD_BY_COUNT      /* reasons that this header knows */
};

#define WEIR_HELD_BY_MAX 16 /* that there will ever be */

/* Zero is the default everywhere. Strings are copied. */
struct weir_producer_options {
	const char *gateway;         /* IPv4 or IPv6 address; required */
	const char *stream;          /* required */
	const char *name;            /* unique in the gateway; default: host name and process id */
	const char *key_file;        /* as for consumers */
	uint32_t key_id;             /* likewise */
	uint32_t window_messages;    /* not acknowledged at once, at most */
	uint32_t window_bytes;       /* keys, payload and 28 a trace context; at least four times
					max_datagram */
	uint16_t port;               /* the gateway's; default: WEIR_CONSUMER_PORT */
	uint16_t max_datagram;       /* UDP payload, 512..9000; default: WEIR_PRODUCER_DATAGRAM */
	enum weir_produce_tier tier; /* of messages that do not say */
	uint64_t reserved[8];
};

enum weir_producer_state {
	WEIR_PRODUCER_CONNECTING,
	WEIR_PRODUCER_JOINED,
	WEIR_PRODUCER_CLOSED,
};

/* Counted since weir_producer_open(). */
struct weir_producer_stats {
	enum weir_producer_state state;
	uint64_t session;      /* identifier, 0 without */
	uint64_t sessions;     /* opened */
	uint64_t taken;        /* messages taken by weir_producer_send() */
	uint64_t taken_bytes;  /* their payload */
	uint64_t acknowledged; /* retained by the gateway, or refused */
	uint64_t refused;      /* of them, those of acknowledgements that spoke of refused ones: at
				  most so many were not retained */
	uint64_t expired;      /* not sent any more: past their deadline */
	uint64_t too_big;      /* not sent any more: longer than a new session allows */
	uint64_t datagrams;    /* sent */
	uint64_t resent;       /* messages sent more than once */
	uint64_t probes;       /* silences after which something was sent again */
	uint64_t held[WEIR_HELD_BY_MAX]; /* times a message was not taken, by reason */
	uint64_t malformed;              /* datagrams dropped: wrong bytes */
	uint64_t foreign;                /* dropped: not of this session */
	uint64_t unauthentic; /* dropped: not proved to be the gateway's, or sent again */
	uint64_t send_errors;
	uint64_t outstanding; /* taken, and neither acknowledged nor given up */
	uint64_t allowed;     /* messages more that the gateway would take now */
	uint32_t rtt_us;      /* smoothed round trip */
	uint16_t code;        /* newest error of the gateway's, 0: none in this session */
	uint64_t reserved[16];
};

/* As weir_consumer_open(). Asks for its session within 9 ms: no two starts have the same epoch. */
int weir_producer_open(
	const struct weir_producer_options *options, struct weir_producer **producer);
int weir_producer_fd(const struct weir_producer *producer);
int weir_producer_timeout_ms(const struct weir_producer *producer);
/* Read what has arrived, send what is due. 0 or negative errno. */
int weir_producer_process(struct weir_producer *producer);
/*
 * Take a message, copying it: WEIR_SENT, or 0 and *held_by (may be NULL) says what holds it back.
 * -EMSGSIZE when it can never be sent: key and payload are longer than max_datagram less 88.
 * Messages of one key stay in order; without a key (length 0) it is the stream's own, found in the
 * payload. `deadline_ms` from now, 0: none. Taken messages leave with the next one that does not
 * fit their datagram, with flush, or with process.
 */
int weir_producer_send(struct weir_producer *producer, const void *key, uint8_t key_length,
	enum weir_produce_tier tier, uint32_t deadline_ms, const void *data, uint16_t length,
	enum weir_held_by *held_by);
/*
 * The next message that is taken has this trace context, which is copied; NULL: it has none.
 * -EINVAL when an identity in it is zero. A gateway that takes none, or a message that it would
 * make too long, goes without.
 */
int weir_producer_set_trace(
	struct weir_producer *producer, const struct weir_trace_context *context);
/* Send what was taken. 0. */
int weir_producer_flush(struct weir_producer *producer);
void weir_producer_stats(const struct weir_producer *producer, struct weir_producer_stats *stats);
/* Stable short name of a reason, "unknown" for one that is not known. */
const char *weir_held_by_name(enum weir_held_by reason);
/*
 * Tell the gateway and free everything; messages not acknowledged may be lost: first wait until
 * none is outstanding. NULL is allowed.
 */
void weir_producer_close(struct weir_producer *producer);

#ifdef __cplusplus
}
#endif
