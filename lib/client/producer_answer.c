/* SPDX-License-Identifier: BSD-3-Clause */
#include "client/producer_private.h"

/* What the gateway says: what it has and misses, and how far we may go. */

#define PROBE_LEAST_NS (2 * PRODUCER_NS_PER_MS)
#define PROBE_MOST_NS  (1000 * PRODUCER_NS_PER_MS)
#define DOUBLINGS      8

bool weir_producer_expects(const struct weir_producer_session *session)
{
	const struct produce_store *store = &session->store;

	return session->phase == PRODUCER_JOINED && session->unsent > store->oldest &&
	       (session->unsent - 1 > session->newest || session->missing != 0 ||
		       session->next < store->oldest);
}

void weir_producer_arm_probe(struct weir_producer_session *session, uint64_t now_ns)
{
	uint32_t doublings = session->probes < DOUBLINGS ? session->probes : DOUBLINGS;
	uint64_t wait = (2 * session->rtt_ns + PROBE_LEAST_NS) << doublings;

	session->probe_at = now_ns + (wait < PROBE_MOST_NS ? wait : PROBE_MOST_NS);
}

/*
 * Send again the oldest that it lacks and the newest: the answer tells all that lies between. What
 * it has and holds back must be said again, too, when it waits for what we have given up.
 */
void weir_producer_probe(struct weir_producer_session *session, uint64_t now_ns)
{
	struct produce_store *store = &session->store;
	struct produce_entry *newest = weir_produce_entry(store, session->unsent - 1);

	session->probes++;
	session->stats.probes++;
	for (uint64_t number = store->oldest; number < session->unsent; number++) {
		struct produce_entry *entry = weir_produce_entry(store, number);

		if (entry->is_given_up || (entry->is_received && session->next >= store->oldest))
			continue;
		entry->is_received = false;
		weir_producer_set_due(session, entry, true);
		break;
	}
	if (!newest->is_given_up && !newest->is_received)
		weir_producer_set_due(session, newest, true);
	weir_producer_arm_probe(session, now_ns);
}

/* Only what was sent once tells the time: else it is not known which time was answered. */
static void measure(struct weir_producer_session *session, uint64_t newest, uint64_t now_ns)
{
	const struct produce_entry *entry = weir_produce_entry(&session->store, newest);
	uint64_t took;

	if (newest < session->store.oldest || newest <= session->newest || entry->tries != 1)
		return;
	took = now_ns - entry->sent_ns;
	session->rtt_ns = session->rtt_ns - session->rtt_ns / 8 + took / 8;
}

static void settle(struct weir_producer_session *session, uint64_t next, bool is_refused)
{
	struct produce_store *store = &session->store;

	while (store->oldest < next) {
		struct produce_entry *entry = weir_produce_entry(store, store->oldest);

		weir_producer_set_due(session, entry, false);
		if (!entry->is_given_up) {
			session->stats.acknowledged++;
			session->stats.refused += is_refused;
		}
		weir_produce_drop(store);
	}
	if (session->unsent < store->oldest)
		session->unsent = store->oldest;
}

static void note_received(struct weir_producer_session *session, uint64_t first, uint64_t end)
{
	if (first < session->store.oldest)
		first = session->store.oldest;
	for (uint64_t number = first; number < end; number++) {
		struct produce_entry *entry = weir_produce_entry(&session->store, number);

		/* Of an earlier session, it may be held as well. */
		entry->is_received = true;
		weir_producer_set_due(session, entry, false);
	}
}

/* At once for the first time; then only when the newest sending has had its time. */
static void note_missing(
	struct weir_producer_session *session, uint64_t first, uint64_t end, uint64_t now_ns)
{
	if (first < session->store.oldest)
		first = session->store.oldest;
	for (uint64_t number = first; number < end; number++) {
		struct produce_entry *entry = weir_produce_entry(&session->store, number);
		uint32_t doublings = entry->tries < 2 ? 0 : entry->tries - 2u;
		uint64_t wait = session->rtt_ns + session->rtt_ns / 4;

		if (entry->is_given_up || entry->sent_ns == 0)
			continue;
		entry->is_received = false;
		session->missing++;
		if (doublings > DOUBLINGS)
			doublings = DOUBLINGS;
		if (entry->tries == 1 || now_ns - entry->sent_ns >= wait << doublings)
			weir_producer_set_due(session, entry, true);
	}
}

static void take_ranges(struct weir_producer_session *session,
	const struct weir_frame_produce_ack *frame, uint64_t now_ns)
{
	uint64_t number = weir_be64(frame->next);
	uint64_t newest = weir_be64(frame->newest);
	uint16_t count = weir_be16(frame->count);

	session->missing = 0;
	for (uint16_t i = 0; i < count; i++) {
		uint64_t first = weir_be64(frame->ranges[i].first);
		uint64_t end = weir_be64(frame->ranges[i].end);

		if (end > newest)
			return;
		note_received(session, number, first);
		note_missing(session, first, end, now_ns);
		number = end;
	}
	/* With all ranges used, nothing is said of what lies behind the last. */
	if (count < WEIR_PRODUCE_ACK_RANGES_MAX)
		note_received(session, number, newest + 1);
}

/* The gateway knows another epoch than ours, or messages of ours that we did not send. */
static void on_other_epoch(struct weir_producer_session *session, uint32_t epoch)
{
	if (session->is_answered)
		return;
	session->is_answered = true;
	/* A clock that went back: only a later epoch is taken. */
	if (epoch != 0 && (int32_t)(epoch - session->epoch) >= 0)
		session->epoch = epoch + 1 != 0 ? epoch + 1 : 1;
}

bool weir_producer_on_ack(struct weir_producer_session *session,
	const struct weir_frame_produce_ack *frame, uint64_t now_ns)
{
	uint32_t epoch = weir_be32(frame->producer_epoch);
	uint64_t next = weir_be64(frame->next);
	uint64_t newest = weir_be64(frame->newest);

	if (epoch != session->epoch || (session->stats.datagrams == 0 && newest != 0)) {
		on_other_epoch(session, epoch);
		return false;
	}
	if (next > session->store.next || newest >= session->store.next || newest + 1 < next) {
		session->stats.malformed++;
		return false;
	}
	session->is_answered = true;
	session->is_known = true;
	if (next < session->next && newest <= session->newest)
		return true;
	measure(session, newest, now_ns);
	if (next > session->next || newest > session->newest) {
		session->probes = 0;
		weir_producer_arm_probe(session, now_ns);
	}
	if (next > session->next)
		session->next = next;
	if (newest > session->newest)
		session->newest = newest;
	settle(session, next, weir_be16(frame->flags) & WEIR_PRODUCE_REFUSED);
	take_ranges(session, frame, now_ns);
	return true;
}

void weir_producer_on_pace(
	struct weir_producer_session *session, const struct weir_frame_pace *frame)
{
	uint32_t counter = weir_be32(frame->counter);
	uint64_t messages = weir_be64(frame->limit_messages);
	uint64_t bytes = weir_be64(frame->limit_bytes);

	if (messages > session->limit_messages)
		session->limit_messages = messages;
	if (bytes > session->limit_bytes)
		session->limit_bytes = bytes;
	if (session->pace_counter != 0 && (int32_t)(counter - session->pace_counter) <= 0)
		return;
	session->pace_counter = counter;
	session->pace_reason = weir_be16(frame->reason);
}
