/* SPDX-License-Identifier: BSD-3-Clause */
#include "source.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/weir.h"
#include "clock.h"
#include "report.h"

struct native_source {
	struct load_source source;
	struct weir_consumer *consumer;
	const char *group;
	size_t overhead;
	uint64_t pull;
	uint64_t asked;  /* pull: messages granted and not yet taken; a new session keeps them */
	uint64_t missed; /* sum of weir_message.missed */
	uint64_t most_held_messages;
	uint64_t most_held_bytes;
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
			fprintf(stderr, "gap: %s, partition %u, %llu from %llu\n", event.stream,
				event.partition, (unsigned long long)event.count,
				(unsigned long long)event.first);
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
		load_sink_take(
			sink, message.data, message.length, native->overhead, load_clock_ns());
		native->missed += message.missed;
		native->asked -= native->asked > 0;
		taken++;
	}
	if (status >= 0)
		status = ask(native);
	return status < 0 ? status : (int64_t)taken;
}

static void native_report(const struct load_source *source, json_t *report)
{
	const struct native_source *native = (const struct native_source *)source;
	struct weir_consumer_stats stats;
	json_t *session = json_object();

	weir_consumer_stats(native->consumer, &stats);
	load_report_text(report, "class", "native");
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
	load_report_count(session, "malformed", stats.malformed);
	load_report_count(session, "overruns", stats.overruns);
	load_report_count(session, "most_held_messages", native->most_held_messages);
	load_report_count(session, "most_held_bytes", native->most_held_bytes);
	load_report_part(report, "native", session);
}

static void native_close(struct load_source *source)
{
	struct native_source *native = (struct native_source *)source;

	weir_consumer_close(native->consumer);
	free(native);
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
	};

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
		free(native);
		return NULL;
	}
	return &native->source;
}
