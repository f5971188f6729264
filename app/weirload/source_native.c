/* SPDX-License-Identifier: BSD-3-Clause */
#include "source.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/weir.h"
#include "clock.h"
#include "places.h"
#include "report.h"
#include "traceparent.h"

struct native_source {
	struct load_source source;
	struct weir_consumer *consumer;
	const char *group;
	size_t overhead;
	uint64_t pull;
	uint64_t asked;  /* pull: messages granted and not yet taken; a new session keeps them */
	uint64_t missed; /* sum of weir_message.missed */
	uint64_t redelivered;
	uint64_t degraded;               /* sent by a port's program, without a gateway */
	uint64_t contexts;               /* messages with a trace context */
	struct weir_trace_context trace; /* the newest */
	uint64_t most_held_messages;
	uint64_t most_held_bytes;
	struct load_places *places; /* owned; NULL: not wanted */
	uint64_t seek_after_ns;     /* from the first message; 0: no seek, or done */
	uint64_t seek_at;           /* 0: no message yet */
	enum weir_from seek;
	uint64_t seek_value;
};

static nfds_t native_polls(const struct load_source *source, bool is_open, struct pollfd *polls)
{
	const struct native_source *native = (const struct native_source *)source;

	/* Also while no message is taken: the session lives on. */
	(void)is_open;
	polls[0] = (struct pollfd){.fd = weir_consumer_fd(native->consumer), .events = POLLIN};
	return 1;
}

static int native_timeout_ms(const struct load_source *source)
{
	return weir_consumer_timeout_ms(((const struct native_source *)source)->consumer);
}

static void take_events(struct native_source *native)
{
	struct weir_event event;

	while (weir_consumer_next_event(native->consumer, &event) == 1) {
		switch (event.kind) {
		case WEIR_EVENT_JOINED:
			fprintf(stderr, "subscribed to %s\n", native->group);
			break;
		case WEIR_EVENT_LOST:
			fprintf(stderr, "session lost: %s (%u)\n", event.text, event.code);
			break;
		case WEIR_EVENT_ERROR:
			fprintf(stderr, "refused: %s (%u)\n", event.text, event.code);
			break;
		case WEIR_EVENT_GAP:
			fprintf(stderr, "gap: %s, partition %u, %llu from %llu, %s\n", event.stream,
				event.partition, (unsigned long long)event.count,
				(unsigned long long)event.first, weir_gone_name(event.reason));
			break;
		}
	}
}

static void note_held(struct native_source *native)
{
	struct weir_consumer_stats stats;

	weir_consumer_stats(native->consumer, &stats);
	if (stats.held_messages > native->most_held_messages)
		native->most_held_messages = stats.held_messages;
	if (stats.held_bytes > native->most_held_bytes)
		native->most_held_bytes = stats.held_bytes;
}

/* Pull: ask for the next portion when the last one has been taken. */
static int ask(struct native_source *native)
{
	struct weir_consumer_stats stats;
	int error;

	if (native->pull == 0 || native->asked > 0)
		return 0;
	weir_consumer_stats(native->consumer, &stats);
	if (stats.state != WEIR_CONSUMER_JOINED)
		return 0;
	error = weir_consumer_grant(native->consumer, (uint32_t)native->pull);
	if (error == 0)
		native->asked = native->pull;
	return error;
}

/* Go to the place of --seek when it is time. */
static int seek(struct native_source *native, uint64_t now_ns)
{
	int error;

	if (native->seek_after_ns == 0 || native->seek_at == 0 || now_ns < native->seek_at)
		return 0;
	error = weir_consumer_seek(native->consumer, NULL, -1, native->seek, native->seek_value);
	if (error == -ENOTCONN)
		return 0;
	native->seek_after_ns = 0;
	if (native->places != NULL)
		load_places_seek(native->places);
	fprintf(stderr, "sought: %s\n", error == 0 ? "yes" : strerror(-error));
	return error;
}

static void take_message(struct native_source *native, struct load_sink *sink,
	const struct weir_message *message, uint64_t now_ns)
{
	const struct load_place place = {message->stream, message->partition, message->epoch,
		message->sequence, message->missed};
	struct load_record record;

	load_sink_take(sink, message->data, message->length, native->overhead, now_ns);
	native->missed += message->missed;
	native->redelivered += (message->flags & WEIR_FLAG_REDELIVERED) != 0;
	native->degraded += (message->flags & WEIR_FLAG_DEGRADED) != 0;
	if (message->trace != NULL) {
		native->contexts++;
		native->trace = *message->trace;
	}
	native->asked -= native->asked > 0;
	if (native->seek_at == 0)
		native->seek_at = now_ns + native->seek_after_ns;
	if (native->places != NULL && load_record_get(message->data, message->length, &record))
		load_places_take(native->places, &place, &record);
}

static int64_t native_take(struct load_source *source, struct load_sink *sink, uint64_t room)
{
	struct native_source *native = (struct native_source *)source;
	struct weir_message message;
	uint64_t taken = 0;
	int status = weir_consumer_process(native->consumer);

	if (status < 0)
		return status;
	note_held(native);
	take_events(native);
	while (taken < room && (status = weir_consumer_next(native->consumer, &message)) == 1) {
		take_message(native, sink, &message, load_clock_ns());
		taken++;
	}
	if (status >= 0)
		status = ask(native);
	if (status >= 0)
		status = seek(native, load_clock_ns());
	return status < 0 ? status : (int64_t)taken;
}

static json_t *report_holes(const struct load_places *places)
{
	const struct load_places_hole *hole;
	json_t *holes = json_array();

	for (size_t i = 0; (hole = load_places_hole(places, i)) != NULL; i++) {
		json_t *row = json_object();

		load_report_real(row, "until_s", (double)hole->until_ns / 1e9);
		load_report_count(row, "messages", hole->messages);
		json_array_append_new(holes, row);
	}
	return holes;
}

static json_t *report_places(const struct load_places *places)
{
	struct load_places_total total;
	json_t *report = json_object();

	load_places_total(places, &total);
	load_report_count(report, "lanes", total.lanes);
	load_report_count(report, "told", total.told);
	load_report_count(report, "silent", total.silent);
	load_report_count(report, "back", total.back);
	load_report_count(report, "repeats", total.repeats);
	load_report_count(report, "conflicts", total.conflicts);
	load_report_count(report, "unexplained", total.unexplained);
	load_report_count(report, "untracked", total.untracked);
	load_report_part(report, "holes", report_holes(places));
	return report;
}

static void native_report(const struct load_source *source, json_t *report)
{
	const struct native_source *native = (const struct native_source *)source;
	struct weir_consumer_stats stats;
	json_t *session = json_object();
	char trace[LOAD_TRACEPARENT_TEXT];

	weir_consumer_stats(native->consumer, &stats);
	load_report_text(report, "class", "native");
	load_report_text(
		session, "guarantee", stats.is_reliable ? "at_least_once" : "at_most_once");
	load_report_count(session, "sessions", stats.sessions);
	load_report_count(session, "datagrams", stats.datagrams);
	load_report_count(session, "messages", stats.messages);
	load_report_count(session, "taken", stats.taken);
	load_report_count(session, "missed", native->missed);
	load_report_count(session, "lost_messages", stats.lost_messages);
	load_report_count(session, "gaps", stats.gaps);
	load_report_count(session, "gap_sequences", stats.gap_sequences);
	load_report_count(session, "duplicates", stats.duplicates);
	load_report_count(session, "stale", stats.stale);
	load_report_count(session, "expired", stats.expired);
	load_report_count(session, "redelivered", native->redelivered);
	load_report_count(session, "degraded", native->degraded);
	load_report_count(session, "contexts", native->contexts);
	if (native->contexts != 0) {
		load_traceparent_write(&native->trace, trace);
		load_report_text(session, "traceparent", trace);
	}
	load_report_count(session, "repaired", stats.repaired);
	load_report_count(session, "reordered", stats.reordered);
	load_report_count(session, "unkept", stats.unkept);
	load_report_count(session, "acks_sent", stats.acks_sent);
	load_report_count(session, "nacks_sent", stats.nacks_sent);
	load_report_count(session, "missing_messages", stats.missing_messages);
	load_report_count(session, "rtt_us", stats.rtt_us);
	load_report_count(session, "malformed", stats.malformed);
	load_report_count(session, "foreign", stats.foreign);
	load_report_count(session, "unauthentic", stats.unauthentic);
	load_report_count(session, "events_lost", stats.events_lost);
	load_report_count(session, "overruns", stats.overruns);
	load_report_count(session, "most_held_messages", native->most_held_messages);
	load_report_count(session, "most_held_bytes", native->most_held_bytes);
	load_report_part(report, "native", session);
	if (native->places != NULL)
		load_report_part(report, "places", report_places(native->places));
}

static void native_close(struct load_source *source)
{
	struct native_source *native = (struct native_source *)source;

	weir_consumer_close(native->consumer);
	load_places_destroy(native->places);
	free(native);
}

/* "earliest", or a kind of place and its number: "sequence=17". */
static int place_parse(const char *text, enum weir_from *from, uint64_t *value)
{
	static const struct {
		const char *name;
		enum weir_from from;
		bool has_value;
	} places[] = {
		{"resume", WEIR_FROM_RESUME, false},
		{"latest", WEIR_FROM_LATEST, false},
		{"earliest", WEIR_FROM_EARLIEST, false},
		{"sequence=", WEIR_FROM_SEQUENCE, true},
		{"time=", WEIR_FROM_TIME, true},
	};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		size_t length = strlen(places[i].name);
		char *end = NULL;

		if (strncmp(text, places[i].name, length) != 0)
			continue;
		*from = places[i].from;
		if (!places[i].has_value)
			return text[length] == '\0' ? 0 : -EINVAL;
		if (text[length] < '0' || text[length] > '9')
			return -EINVAL;
		errno = 0;
		*value = strtoull(text + length, &end, 10);
		return errno == 0 && *end == '\0' ? 0 : -EINVAL;
	}
	return -EINVAL;
}

static int open_consumer(struct native_source *native, const struct load_native_options *options)
{
	const struct sockaddr_storage *at = &options->gateway.address;
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)at;
	const struct sockaddr_in *four = (const struct sockaddr_in *)at;
	char address[INET6_ADDRSTRLEN] = "";
	struct weir_consumer_options session = {
		.gateway = address,
		.group = options->group,
		.name = options->name,
		.window_messages = (uint32_t)options->window_messages,
		.window_bytes = (uint32_t)options->window_bytes,
		.port = load_endpoint_port(&options->gateway),
		.max_datagram = (uint16_t)options->max_datagram,
		.pull = options->pull > 0,
		.unreliable = options->is_unreliable,
		.key_file = options->key_file,
	};

	if ((options->start != NULL &&
		    place_parse(options->start, &session.start, &session.start_value) != 0) ||
		(options->seek != NULL &&
			place_parse(options->seek, &native->seek, &native->seek_value) != 0)) {
		fprintf(stderr, "weirload receive: --start, --seek: no such place\n");
		return -EINVAL;
	}
	if (options->seek != NULL)
		native->seek_after_ns = load_clock_from_seconds(options->seek_after) + 1;
	if (options->with_places) {
		native->places = load_places_create();
		if (native->places == NULL)
			return -ENOMEM;
	}
	inet_ntop(at->ss_family,
		at->ss_family == AF_INET6 ? (const void *)&six->sin6_addr : &four->sin_addr,
		address, sizeof(address));
	return weir_consumer_open(&session, &native->consumer);
}

struct load_source *load_source_native(const struct load_native_options *options)
{
	static const struct load_source_kind kind = {
		.polls = native_polls,
		.timeout_ms = native_timeout_ms,
		.take = native_take,
		.report = native_report,
		.close = native_close,
	};
	struct native_source *native = calloc(1, sizeof(*native));
	int error;

	if (native == NULL) {
		fprintf(stderr, "weirload receive: no memory\n");
		return NULL;
	}
	native->source.kind = &kind;
	native->group = options->group;
	native->pull = options->pull;
	native->overhead = load_endpoint_overhead(&options->gateway);
	error = open_consumer(native, options);
	if (error < 0) {
		fprintf(stderr, "weirload receive: %s: %s\n", options->gateway.text,
			strerror(-error));
		load_places_destroy(native->places);
		free(native);
		return NULL;
	}
	return &native->source;
}
