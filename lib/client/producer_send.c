/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "client/producer_private.h"

/*
 * From the store into datagrams, in the order of the numbers: what is due again before what is new.
 * Messages side by side share a frame while they have a tier and, to the millisecond, a deadline
 * in common; the frame says the earliest.
 */

#define SAME_NS PRODUCER_NS_PER_MS

/* Messages that go into one frame. */
struct run {
	uint64_t first;
	uint64_t end;         /* one after the last looked at */
	uint64_t deadline_ns; /* the earliest; 0: none */
	uint32_t bytes;
	uint16_t count;
	uint8_t tier;
};

uint32_t weir_producer_room(uint16_t max_datagram)
{
	uint32_t around = WEIR_DATAGRAM_HEADER + (uint32_t)sizeof(struct weir_frame_produce) +
			  WEIR_LINK_SPARE;

	/* A frame is a multiple of eight. */
	return (max_datagram - around) & ~UINT32_C(7);
}

uint8_t weir_producer_flags(const struct weir_producer_session *session, uint16_t length,
	uint8_t key_length, bool has_context)
{
	bool is_sent = has_context && session->takes_contexts &&
		       weir_produce_size(length, key_length, WEIR_PRODUCE_CONTEXT) <=
			       weir_producer_room(session->max_datagram);

	return is_sent ? WEIR_PRODUCE_CONTEXT : 0;
}

static uint8_t flags_of(
	const struct weir_producer_session *session, const struct produce_entry *entry)
{
	return weir_producer_flags(session, entry->length, entry->key_length, entry->has_context);
}

static uint32_t size_of(
	const struct weir_producer_session *session, const struct produce_entry *entry)
{
	return weir_produce_size(entry->length, entry->key_length, flags_of(session, entry));
}

uint64_t weir_producer_limit(const struct weir_producer_session *session)
{
	uint64_t first = session->store.oldest - 1 + PRODUCER_FIRST;

	return session->is_known ? session->limit_messages : first;
}

bool weir_producer_has_something(const struct weir_producer_session *session)
{
	return session->due != 0 || (session->unsent < session->store.next &&
					    session->unsent <= weir_producer_limit(session));
}

void weir_producer_set_due(
	struct weir_producer_session *session, struct produce_entry *entry, bool is_due)
{
	if (entry->is_due == is_due)
		return;
	entry->is_due = is_due;
	session->due = is_due ? session->due + 1 : session->due - 1;
}

static bool is_wanted(const struct produce_entry *entry)
{
	return !entry->is_given_up && !entry->is_received && (entry->is_due || entry->sent_ns == 0);
}

static void give_up(
	struct weir_producer_session *session, struct produce_entry *entry, uint64_t *counter)
{
	weir_producer_set_due(session, entry, false);
	entry->is_given_up = true;
	(*counter)++;
}

/* Give up what is not to be sent any more; what is first of it leaves the store. */
static void trim(struct weir_producer_session *session, uint64_t end, uint64_t now_ns)
{
	struct produce_store *store = &session->store;
	uint32_t room = weir_producer_room(session->max_datagram);

	for (uint64_t number = store->oldest; number < end; number++) {
		struct produce_entry *entry = weir_produce_entry(store, number);

		if (!is_wanted(entry))
			continue;
		if (entry->deadline_ns != 0 && entry->deadline_ns <= now_ns)
			give_up(session, entry, &session->stats.expired);
		else if (size_of(session, entry) > room)
			give_up(session, entry, &session->stats.too_big);
	}
	while (store->oldest < store->next && weir_produce_entry(store, store->oldest)->is_given_up)
		weir_produce_drop(store);
	if (session->unsent < store->oldest)
		session->unsent = store->oldest;
}

static bool is_alike(const struct run *run, const struct produce_entry *entry)
{
	uint64_t apart = run->deadline_ns > entry->deadline_ns
				 ? run->deadline_ns - entry->deadline_ns
				 : entry->deadline_ns - run->deadline_ns;

	return run->tier == entry->tier && (run->deadline_ns != 0) == (entry->deadline_ns != 0) &&
	       apart <= SAME_NS;
}

/* The next run from `from` on, of at most `room` bytes. */
static struct run find_run(
	const struct weir_producer_session *session, uint64_t from, uint64_t end, uint32_t room)
{
	struct run run = {.end = from};

	for (; run.end < end; run.end++) {
		const struct produce_entry *entry = weir_produce_entry(&session->store, run.end);
		uint32_t size = size_of(session, entry);

		if (!is_wanted(entry))
			continue;
		if (run.count == 0) {
			run.first = run.end;
			run.tier = entry->tier;
			run.deadline_ns = entry->deadline_ns;
		}
		if (!is_alike(&run, entry) || run.bytes + size > room ||
			run.end - run.first > UINT16_MAX)
			break;
		if (entry->deadline_ns < run.deadline_ns)
			run.deadline_ns = entry->deadline_ns;
		run.bytes += size;
		run.count++;
	}
	return run;
}

static uint8_t *put_message(struct weir_producer_session *session, uint8_t *at, uint16_t delta,
	struct produce_entry *entry, uint64_t now_ns)
{
	struct weir_frame_produce_message *message = (void *)at;
	const uint8_t *bytes = weir_produce_bytes(&session->store, entry);
	uint8_t flags = flags_of(session, entry);
	uint32_t context = weir_produce_context(flags);

	if (entry->has_context && flags == 0)
		bytes += sizeof(struct weir_frame_context);

	message->length = weir_be16(entry->length);
	message->key_length = entry->key_length;
	message->flags = flags;
	message->counter_delta = weir_be16(delta);
	memcpy(at + sizeof(*message), bytes, context + entry->key_length + entry->length);
	if (entry->tries != 0)
		session->stats.resent++;
	if (entry->tries != UINT8_MAX)
		entry->tries++;
	entry->sent_ns = now_ns != 0 ? now_ns : 1;
	weir_producer_set_due(session, entry, false);
	return at + weir_produce_size(entry->length, entry->key_length, flags);
}

static uint32_t time_left_us(const struct run *run, uint64_t now_ns)
{
	uint64_t left;

	if (run->deadline_ns == 0)
		return 0;
	left = run->deadline_ns > now_ns ? (run->deadline_ns - now_ns) / 1000 : 0;
	if (left == 0)
		return 1;
	return left < UINT32_MAX ? (uint32_t)left : UINT32_MAX;
}

static bool put_run(struct weir_producer_session *session, struct weir_writer *writer,
	const struct run *run, uint64_t now_ns)
{
	const struct weir_session_io *io = &session->link.io;
	struct weir_frame_produce *frame = weir_writer_add(
		writer, WEIR_FRAME_PRODUCE, 0, (uint32_t)sizeof(*frame) + run->bytes);
	uint8_t *at;

	if (frame == NULL)
		return false;
	frame->producer_epoch = weir_be32(session->epoch);
	frame->counter = weir_be64(run->first);
	frame->count = weir_be16(run->count);
	frame->tier = run->tier;
	frame->time_left_us = weir_be32(time_left_us(run, now_ns));
	frame->clock_ns = weir_be64(io->utc_ns != NULL ? io->utc_ns(io->context) : 0);
	frame->oldest = weir_be64(session->store.oldest);
	at = frame->messages;
	for (uint64_t number = run->first; number < run->end; number++) {
		struct produce_entry *entry = weir_produce_entry(&session->store, number);

		if (is_wanted(entry))
			at = put_message(
				session, at, (uint16_t)(number - run->first), entry, now_ns);
	}
	return true;
}

static uint32_t room_left(const struct weir_writer *writer)
{
	uint32_t around = (uint32_t)sizeof(struct weir_frame_produce);
	uint32_t left = writer->size - writer->length;

	return left > around ? (left - around) & ~UINT32_C(7) : 0;
}

static void send_datagram(
	struct weir_producer_session *session, struct weir_writer *writer, uint64_t now_ns)
{
	if (writer->frames == 0)
		return;
	weir_link_send(&session->link, writer);
	session->stats.datagrams++;
	session->said_at = now_ns;
}

/* Everything wanted below `end`, into as many datagrams as it takes. */
static void send_until(struct weir_producer_session *session, uint64_t end, uint64_t now_ns)
{
	uint8_t buffer[WEIR_DATAGRAM_MAX];
	uint64_t number = session->due != 0 ? session->store.oldest : session->unsent;
	struct weir_writer writer;

	weir_link_begin(&session->link, &writer, buffer, session->max_datagram);
	while (number < end) {
		struct run run = find_run(session, number, end, room_left(&writer));

		if (run.count != 0 && put_run(session, &writer, &run, now_ns)) {
			number = run.end;
			continue;
		}
		if (writer.frames == 0)
			break;
		send_datagram(session, &writer, now_ns);
		weir_link_begin(&session->link, &writer, buffer, session->max_datagram);
	}
	send_datagram(session, &writer, now_ns);
}

void weir_producer_transmit(struct weir_producer_session *session, uint64_t now_ns)
{
	uint64_t end = weir_producer_limit(session) + 1;

	if (session->phase != PRODUCER_JOINED || !session->is_answered ||
		!weir_producer_has_something(session))
		return;
	if (end > session->store.next)
		end = session->store.next;
	trim(session, end, now_ns);
	session->gathered = 0;
	if (end > session->store.oldest)
		send_until(session, end, now_ns);
	if (session->unsent < end)
		session->unsent = end;
	weir_producer_arm_probe(session, now_ns);
}

void weir_producer_say(struct weir_producer_session *session, uint64_t now_ns)
{
	uint8_t buffer[WEIR_DATAGRAM_HEADER + sizeof(struct weir_frame_credit) + WEIR_LINK_SPARE];
	struct weir_frame_credit *credit;
	struct weir_writer writer;

	session->said_at = now_ns;
	weir_link_begin(&session->link, &writer, buffer, sizeof(buffer));
	credit = weir_writer_add(&writer, WEIR_FRAME_CREDIT, 0, sizeof(*credit));
	if (credit == NULL)
		return;
	credit->counter = weir_be32(++session->credit_counter);
	weir_link_send(&session->link, &writer);
}
