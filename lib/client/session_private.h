/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "client/greeting.h"
#include "client/inbox.h"
#include "client/lanes.h"
#include "client/link.h"
#include "client/repair.h"
#include "client/session.h"
#include "wire/frame.h"
#include "wire/frame_data.h"
#include "wire/frame_delivery.h"

/*
 * Parts of the session that its files share:
 *   session.c         life and timers
 *   session_options.c checking and copying what the application asked for
 *   session_join.c    from HELLO to the list of streams, and back after a loss
 *   session_lane.c    lanes: positions, epochs, what is missing
 *   session_data.c    DATA and HEARTBEAT, as a session without repair takes them
 *   session_repair.c  DATA and GAP with repair: in order, once, and what is missing asked for
 *   session_ack.c     ACK and NACK
 *   session_credit.c  limits, CREDIT, PAUSE; sending whatever is due
 *   session_handover.c  lanes that are given and taken: ASSIGN, REVOKE, RELEASE
 *   session_seek.c    SEEK
 *   session_take.c    messages on their way to the application and back
 *   session_event.c   the queue of events
 */

#define SESSION_EVENTS    256
#define SESSION_NAMES_MAX 8192 /* stream names met in the life of a consumer */
#define SESSION_NS_PER_MS UINT64_C(1000000)
#define SESSION_DATAGRAM  1400 /* longest sent: fits the usual path in one piece */
#define SESSION_SEEKS     16   /* seeks that are under way */
#define SESSION_ACK_MAX   (25 * SESSION_NS_PER_MS) /* from a change to its ACK */
#define SESSION_REPEATS   2 /* of an ACK, with CREDITs that follow the first */

enum session_phase {
	SESSION_GREETING,    /* HELLO sent again and again */
	SESSION_SUBSCRIBING, /* welcomed; SUBSCRIBE sent until the list is whole */
	SESSION_JOINED,
	SESSION_CLOSED,
};

struct session_stream {
	uint16_t id;
	uint16_t partitions;
	uint16_t name;    /* index in names */
	uint16_t edition; /* of the list that it was in last */
	bool is_over;     /* a later one was without it */
};

/* Messages and payload bytes, counted together everywhere. */
struct session_amount {
	uint64_t messages;
	uint64_t bytes;
};

/* A place asked for, until the lanes show it. */
struct session_seek {
	uint16_t name;      /* index in names */
	bool is_all;        /* streams; then `name` means nothing */
	uint8_t start;      /* enum weir_start */
	uint8_t repeats;    /* times sent in this session */
	uint16_t partition; /* or WEIR_SEEK_ALL */
	uint32_t counter;   /* in this session */
	uint64_t value;
};

/* With manual: a message in the application's hands. */
struct session_taken {
	uint32_t lane;
	uint32_t life;
	uint64_t seq;
};

struct weir_session {
	struct weir_link link;
	struct weir_greeting greeting;
	/* What was asked for. */
	char wanted[WEIR_SUBSCRIBE_MAX][WEIR_FRAME_NAME_SIZE];
	uint16_t wanted_count;
	bool pull;
	bool manual;
	uint8_t start; /* enum weir_start, of the first session */
	uint64_t start_value;
	struct session_amount window;

	enum session_phase phase;
	bool is_reliable; /* granted */
	bool can_seek;    /* granted */
	uint16_t max_datagram;
	uint32_t heartbeat_ms;
	uint64_t liveness_ns;
	uint64_t send_at;   /* next SUBSCRIBE or CREDIT, by phase */
	uint64_t credit_at; /* last CREDIT */
	uint64_t most_held; /* messages, since then */
	/* CREDIT cannot be due while more than that is held, and not before that time. */
	struct session_amount credit_below;
	uint64_t credit_look_at;
	uint64_t heard_at; /* last datagram of this session */
	uint16_t refused;  /* code already told to the application in this phase; 0: none */

	uint32_t subscribe_counter;
	uint32_t subscribes;            /* sent in this session */
	uint64_t subscribed_at;         /* last */
	struct session_stream *streams; /* owned; as the gateway told them, by its identifiers */
	size_t stream_count;
	bool is_list_old;  /* data came of a stream not in it: to be asked for again */
	uint16_t edition;  /* of the newest list that came whole; 0: none */
	uint16_t arriving; /* edition of the list whose pages come */
	uint32_t arrived;  /* streams of it so far */
	char **names;      /* owned, and each string; interned, they live as long as the consumer */
	size_t name_count;

	struct weir_client_lanes lanes;
	struct session_amount position;  /* known to have been sent, all lanes */
	struct weir_client_debt missing; /* of that, not come and not settled; reliable */
	struct session_amount limit;     /* last granted */
	uint64_t pulled; /* with pull: position up to which messages are asked for */
	uint32_t credit_counter;
	uint32_t pause_counter; /* 0: never paused in this session */
	uint32_t pause_seen;    /* confirmed by the gateway */
	bool is_paused;

	uint64_t rtt_ns;     /* smoothed; 0: unknown */
	uint64_t reorder_ns; /* how late a message may come that nobody asked for again */
	uint64_t nack_at;    /* a gap is due then, or earlier than any is; UINT64_MAX: none */
	uint64_t ack_at;     /* acknowledgements are due; UINT64_MAX: none */
	uint64_t ack_gate;   /* not before, for data alone */
	uint32_t round;      /* lanes take turns in having their ACK repeated */

	struct session_seek seeks[SESSION_SEEKS];
	unsigned int seek_count;
	uint32_t seek_counter;
	uint32_t revoked;   /* lanes that are worked off before they go to another */
	bool is_letting_go; /* the inbox may have messages of one that was let go */

	struct weir_inbox inbox;
	bool has_taken; /* a message is in the application's hands: */
	struct session_taken hand;
	struct session_amount hand_amount;    /* of that one */
	struct weir_trace_context hand_trace; /* if it has one */
	struct session_amount held;  /* credit in use: in the inbox, kept, or not given back */
	struct session_amount taken; /* with manual: the part of it that is taken */
	struct session_taken *ring;  /* with manual, owned: what is taken, the oldest first */
	uint32_t ring_size;
	uint32_t ring_first;
	uint32_t ring_count;
	uint64_t busy_at;    /* since then the application has worked on what it has */
	uint32_t worked;     /* messages it was done with meanwhile */
	uint64_t service_ns; /* per message, moving average; 0: unknown */

	struct weir_event events[SESSION_EVENTS];
	unsigned int event_first;
	unsigned int event_count;
	struct weir_consumer_stats stats; /* counters; the rest is filled when asked for */
};

/* session_options.c: 0 or -EINVAL. */
int weir_session_set_options(
	struct weir_session *session, const struct weir_consumer_options *options);
/* The protocol's start; -EINVAL for none. */
int weir_session_start(enum weir_from from);

/* session_join.c */
/* Nothing of a session is left; the first HELLO is due at `at_ns`. */
void weir_session_greet(struct weir_session *session, uint64_t at_ns);
/* The session is gone: tell the application, start again after a while. */
void weir_session_lose(struct weir_session *session, uint16_t code, uint64_t now_ns);
void weir_session_send_subscribe(struct weir_session *session, uint64_t now_ns);
/* A frame that came without a session. */
void weir_session_on_greeting(
	struct weir_session *session, const struct weir_frame_header *frame, uint64_t now_ns);
/* A datagram was dropped whole. */
void weir_session_on_refused(struct weir_session *session, enum weir_reason reason);
void weir_session_on_subscribed(
	struct weir_session *session, const struct weir_frame_subscribed *frame, uint64_t now_ns);
void weir_session_on_error(
	struct weir_session *session, const struct weir_frame_error *frame, uint64_t now_ns);

/* session_lane.c */
/* The stream is no more: nothing is waited for on its lanes. */
void weir_session_end_stream(struct weir_session *session, uint16_t stream);
/* What DATA and HEARTBEAT both tell of a lane. */
struct session_news {
	uint16_t stream;
	uint16_t partition;
	uint32_t epoch;
	uint64_t first;               /* where it began in this epoch */
	uint64_t seq;                 /* everything below was sent or given up */
	struct session_amount before; /* sent on the lane when `seq` was reached */
};

/*
 * The lane that the news are of, in its newest epoch; NULL when they are not to be believed,
 * which is counted.
 */
struct weir_client_lane *weir_session_lane(
	struct weir_session *session, const struct session_news *news);
/* Positions only grow: an overtaken frame changes nothing. What they grew by. */
struct session_amount weir_session_advance(struct weir_session *session,
	struct weir_client_lane *lane, struct session_amount position);
/* Everything below `seq` was sent. What is missing of it is asked for. 0 or -ENOMEM. */
int weir_session_extend(
	struct weir_session *session, struct weir_client_lane *lane, uint64_t seq, uint64_t now_ns);
/* Of the lane's credit in use so much has come, or (negative) is under way. */
void weir_session_arrived(struct weir_session *session, struct weir_client_lane *lane,
	int64_t messages, int64_t bytes);
/* So much of what is missing will not come; it counts as lost. No more than is missing. */
void weir_session_write_off(struct weir_session *session, struct weir_client_lane *lane,
	uint64_t messages, uint64_t bytes);
/* If nothing below the lane's top is missing: no repair, no debt. */
void weir_session_settle(struct weir_session *session, struct weir_client_lane *lane);
/* What was sent in the lane's epoch and has not come will not: its credit is free. */
void weir_session_write_off_epoch(struct weir_session *session, struct weir_client_lane *lane);
/* What is kept above gaps is let go; the repair ends. */
void weir_session_drop_repair(struct weir_session *session, struct weir_client_lane *lane);
/* Nothing of the lane was delivered, as far as anybody knows. */
void weir_session_forget_lane(struct weir_client_lane *lane);
/* After that: but what the application has in its hands, should it be sent again. */
void weir_session_keep_taken(struct weir_session *session, struct weir_client_lane *lane);

/* session_data.c */
void weir_session_on_data(
	struct weir_session *session, const struct weir_frame_data *frame, uint64_t now_ns);
void weir_session_on_heartbeat(
	struct weir_session *session, const struct weir_frame_heartbeat *frame, uint64_t now_ns);

/* What a frame without messages tells of a lane. */
void weir_session_take_news(
	struct weir_session *session, const struct session_news *news, uint64_t now_ns);

/* session_handover.c */
void weir_session_on_handover(
	struct weir_session *session, const struct weir_frame_handover *frame, uint64_t now_ns);
/* The lane may be worked off by now, or its time over. */
void weir_session_look_revoked(
	struct weir_session *session, struct weir_client_lane *lane, uint64_t now_ns);
void weir_session_tick_revoked(struct weir_session *session, uint64_t now_ns);
/* When the time of one is over; UINT64_MAX: of none. */
uint64_t weir_session_revoke_at(const struct weir_session *session);
void weir_session_unrevoke(struct weir_session *session, struct weir_client_lane *lane);

/* session_repair.c */
/* A DATA frame of the lane's epoch in a session with repair. */
void weir_session_repair(struct weir_session *session, struct weir_client_lane *lane,
	const struct weir_frame_data *frame, uint64_t now_ns);
/* What is missing of the lane below `seq` will not come. */
void weir_session_give_up(
	struct weir_session *session, struct weir_client_lane *lane, uint64_t seq, uint16_t reason);
void weir_session_on_gap(
	struct weir_session *session, const struct weir_frame_gap *frame, uint64_t now_ns);
/* A round trip took so long. */
void weir_session_rtt(struct weir_session *session, uint64_t sample_ns);

/* session_ack.c; `out` collects frames and sends a datagram whenever one is full. */
struct session_out {
	struct weir_session *session;
	struct weir_writer writer;
	unsigned int sent; /* datagrams */
	uint8_t buffer[SESSION_DATAGRAM];
};

void weir_session_out_begin(struct session_out *out, struct weir_session *session);
/* The frame, all else zero; NULL when no datagram could hold it. */
void *weir_session_out_add(struct session_out *out, enum weir_frame_type type, uint32_t length);
void weir_session_out_end(struct session_out *out);
/* Among those to acknowledge; it was not. */
void weir_session_dirty(struct weir_session *session, struct weir_client_lane *lane);
/* The lane has something to acknowledge, at `at_ns` at the latest. */
static inline void weir_session_ack_by(
	struct weir_session *session, struct weir_client_lane *lane, uint64_t at_ns)
{
	if (!lane->is_dirty)
		weir_session_dirty(session, lane);
	lane->repeats = SESSION_REPEATS;
	if (at_ns < session->ack_at)
		session->ack_at = at_ns;
}
/* When data alone may be acknowledged next. */
uint64_t weir_session_ack_time(const struct weir_session *session, uint64_t now_ns);
/* Every gap that is due. */
void weir_session_add_nacks(struct weir_session *session, struct session_out *out, uint64_t now_ns);
/* Every lane that has something to acknowledge. */
void weir_session_add_acks(struct weir_session *session, struct session_out *out, uint64_t now_ns);
/* ACKs may be lost: those of late, and some others, are to be sent again. */
void weir_session_repeat_acks(struct weir_session *session, uint64_t now_ns);

/* session_credit.c */
/* Send whatever is due: with `has_credit` CREDIT, and PAUSE and SEEK while not confirmed. */
void weir_session_flush(struct weir_session *session, bool has_credit, uint64_t now_ns);
/* Send CREDIT. It also shows that we live. */
void weir_session_send_credit(struct weir_session *session, uint64_t now_ns);
/* Send it if a quarter of the window has come back. */
void weir_session_offer_credit(struct weir_session *session, uint64_t now_ns);
/* Its terms have changed by more than messages that were given back. */
static inline void weir_session_look_at_credit(struct weir_session *session)
{
	session->credit_below = (struct session_amount){UINT64_MAX, UINT64_MAX};
}
/* With so much held it need not be offered yet. */
static inline bool weir_session_is_credit_far(const struct weir_session *session,
	uint64_t held_messages, uint64_t held_bytes, uint64_t now_ns)
{
	return held_messages > session->credit_below.messages &&
	       held_bytes > session->credit_below.bytes && now_ns < session->credit_look_at;
}

/* session_seek.c */
void weir_session_add_seeks(struct weir_session *session, struct session_out *out);
/* A lane begins a higher epoch. */
void weir_session_sought(struct weir_client_lane *lane);
/* A new session: what was under way is asked for again. */
void weir_session_renew_seeks(struct weir_session *session);

/* session_take.c */
/* The message in hand, if there is one, is given back; with manual that means nothing yet. */
void weir_session_give_back(struct weir_session *session, uint64_t now_ns);
/*
 * Queue messages of the lane, from the cursor on and below `end`, of which there is one; `missed`
 * is settled. How many: the cursor goes behind them. None, counted, when there is no room.
 */
struct session_amount weir_session_queue(struct weir_session *session,
	struct weir_client_lane *lane, struct weir_data_cursor *cursor, uint64_t end,
	uint64_t now_ns);
/* Keep them until what is missing before has come. NULL: no room, counted, or no memory. */
struct weir_kept *weir_session_keep(struct weir_session *session, struct weir_client_lane *lane,
	struct weir_data_cursor *cursor, uint64_t end, uint64_t now_ns);
/* What was kept goes where it belongs, and is freed. */
void weir_session_release(
	struct weir_session *session, struct weir_client_lane *lane, struct weir_kept *kept);
/* The application is done with all below. */
uint64_t weir_session_done(const struct weir_client_lane *lane);

/* session_event.c */
/* The caller fills what it returns; never NULL. */
struct weir_event *weir_session_event(struct weir_session *session, enum weir_event_kind kind);
/* Sequences of the lane will not come: told, and counted with the next message. */
void weir_session_tell_gap(struct weir_session *session, struct weir_client_lane *lane,
	uint64_t first, uint64_t end, uint16_t reason);
