/* SPDX-License-Identifier: BSD-3-Clause */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "client/weir.h"
#include "clock.h"
#include "commands.h"
#include "options.h"
#include "pacer.h"
#include "payload.h"
#include "report.h"
#include "traceparent.h"

/* Messages produced by the stream protocol: what is held back is tried again, never left out. */

#define ROUND 256 /* messages at once, so that answers get their turn */

/* The arguments as given. */
struct produce_arguments {
	struct load_endpoint to;
	const char *stream;
	const char *name;
	const char *type;
	const char *tier;
	const char *key_file;
	const char *traceparent;
	const char *json;
	uint64_t rate;
	uint64_t count;
	uint64_t keys;
	uint64_t size;
	uint64_t deadline_ms;
	uint64_t window;
	uint64_t max_datagram;
	uint64_t trace_every;
	double seconds;
	double linger;
	bool is_own_key;
};

struct produce_run {
	const struct produce_arguments *arguments;
	struct weir_producer *producer;
	struct load_pacer pacer;
	enum load_type type;
	enum weir_produce_tier tier;
	struct weir_trace_context trace; /* with --traceparent */
	size_t size;
	uint8_t *payload;
	uint64_t *sequences; /* of each key */
	uint32_t run;
	uint64_t next; /* message: key next % keys */
	uint64_t start_ns;
	uint64_t end_ns; /* 0: none */
	uint64_t held_ns[WEIR_HELD_BY_COUNT];
	uint64_t held_at; /* since when; 0: it is not held */
	enum weir_held_by held_by;
	int signals;
	bool is_stopped;
};

static const char usage[] =
	"Usage: weirload produce --to ADDRESS:PORT --stream NAME [options]\n"
	"Produces until SIGINT, unless --seconds or --count gives an end, and waits until all is\n"
	"acknowledged.\n";

static int parse(int argc, char **argv, struct produce_arguments *to)
{
	const struct load_option options[] = {
		{"to", LOAD_OPTION_ENDPOINT, &to->to, "ADDR:PORT", "the gateway", 0, 0},
		{"stream", LOAD_OPTION_TEXT, &to->stream, "NAME", "stream to produce into", 0, 0},
		{"name", LOAD_OPTION_TEXT, &to->name, "NAME", "this producer's name", 0, 0},
		{"type", LOAD_OPTION_TEXT, &to->type, "TYPE", "payload, as in send (default raw)",
			0, 0},
		{"size", LOAD_OPTION_NUMBER, &to->size, "BYTES", "payload", 0, LOAD_MAX_PAYLOAD},
		{"keys", LOAD_OPTION_NUMBER, &to->keys, "K",
			"different keys, taking turns (default 1)", 1, 1u << 24},
		{"own-key", LOAD_OPTION_FLAG, &to->is_own_key, NULL,
			"say no key: the stream's own is found in the payload", 0, 0},
		{"tier", LOAD_OPTION_TEXT, &to->tier, "TIER", "critical standard bulk", 0, 0},
		{"deadline", LOAD_OPTION_NUMBER, &to->deadline_ms, "MS",
			"of each message (default none)", 1, 3600000},
		{"rate", LOAD_OPTION_NUMBER, &to->rate, "PPS",
			"messages a second, 0: as fast as they are taken (default 1000)", 0, 0},
		{"count", LOAD_OPTION_NUMBER, &to->count, "N", "end after N messages", 1, 0},
		{"seconds", LOAD_OPTION_SECONDS, &to->seconds, "S", "end after S", 0, 0},
		{"linger", LOAD_OPTION_SECONDS, &to->linger, "S",
			"wait for acknowledgements at the end, at most (default 10)", 0, 0},
		{"window", LOAD_OPTION_NUMBER, &to->window, "N",
			"messages not acknowledged at most (default the library's)", 1, 65536},
		{"max-datagram", LOAD_OPTION_NUMBER, &to->max_datagram, "BYTES",
			"largest UDP payload", 512, 9000},
		{"key-file", LOAD_OPTION_TEXT, &to->key_file, "FILE", "pre-shared keys", 0, 0},
		{"traceparent", LOAD_OPTION_TEXT, &to->traceparent, "TEXT",
			"trace context, as W3C's header has it", 0, 0},
		{"trace-every", LOAD_OPTION_NUMBER, &to->trace_every, "N",
			"of one message in N (default each)", 1, 0},
		{"json", LOAD_OPTION_TEXT, &to->json, "FILE", "report, instead of stdout", 0, 0},
	};

	return load_options_parse(usage, options, sizeof(options) / sizeof(options[0]), argc, argv);
}

static int refuse(const char *why)
{
	fprintf(stderr, "weirload produce: %s\n", why);
	return -EINVAL;
}

static int find_tier(const char *name)
{
	static const char *const names[] = {"", "critical", "standard", "bulk"};

	for (int i = 0; i < 4; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	return -EINVAL;
}

static int check(const struct produce_arguments *arguments, struct produce_run *run)
{
	int type = load_type_parse(arguments->type);
	int tier = find_tier(arguments->tier);

	if (arguments->to.length == 0 || load_endpoint_port(&arguments->to) == 0)
		return refuse("--to ADDRESS:PORT is needed");
	if (arguments->stream == NULL)
		return refuse("--stream is needed");
	if (type < 0)
		return refuse("--type is none of those of send");
	if (tier < 0)
		return refuse("--tier is critical, standard or bulk");
	if (arguments->keys > load_type_keys((enum load_type)type))
		return refuse("more --keys than the type's key field can tell apart");
	if (arguments->traceparent != NULL &&
		load_traceparent_parse(arguments->traceparent, &run->trace) < 0)
		return refuse("--traceparent is 00-TRACE-SPAN-FLAGS, in 32, 16 and 2 digits");
	run->arguments = arguments;
	run->type = (enum load_type)type;
	run->tier = (enum weir_produce_tier)tier;
	run->size = load_payload_fit(run->type, arguments->size);
	if (run->size == 0 || run->size > UINT16_MAX)
		return refuse("--size is more than the type can have");
	return 0;
}

static int open_producer(struct produce_run *run)
{
	const struct produce_arguments *arguments = run->arguments;
	const struct sockaddr_storage *at = &arguments->to.address;
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)at;
	const struct sockaddr_in *four = (const struct sockaddr_in *)at;
	char address[INET6_ADDRSTRLEN] = "";
	const struct weir_producer_options options = {
		.gateway = address,
		.stream = arguments->stream,
		.name = arguments->name,
		.key_file = arguments->key_file,
		.window_messages = (uint32_t)arguments->window,
		.port = load_endpoint_port(&arguments->to),
		.max_datagram = (uint16_t)arguments->max_datagram,
	};

	inet_ntop(at->ss_family,
		at->ss_family == AF_INET6 ? (const void *)&six->sin6_addr : &four->sin_addr,
		address, sizeof(address));
	return weir_producer_open(&options, &run->producer);
}

static int prepare(struct produce_run *run)
{
	const struct produce_arguments *arguments = run->arguments;

	run->payload = malloc(run->size);
	run->sequences = calloc(arguments->keys, sizeof(*run->sequences));
	if (run->payload == NULL || run->sequences == NULL)
		return -ENOMEM;
	if (getrandom(&run->run, sizeof(run->run), 0) < 0)
		return -errno;
	load_payload_prepare(run->type, run->payload, run->size);
	return open_producer(run);
}

/* How long what held it back, since it began. */
static void note_gate(struct produce_run *run, enum weir_held_by held_by, uint64_t now_ns)
{
	if (run->held_at != 0)
		run->held_ns[run->held_by] += now_ns - run->held_at;
	run->held_by = held_by;
	run->held_at = held_by != WEIR_HELD_BY_NOTHING ? now_ns : 0;
}

/* 1 when it was taken, 0 when it is held back, or negative errno. */
static int produce_one(struct produce_run *run, uint64_t now_ns)
{
	const struct produce_arguments *arguments = run->arguments;
	uint32_t key = (uint32_t)(run->next % arguments->keys);
	const struct load_record record = {
		.run = run->run, .key = key, .sequence = run->sequences[key], .sent_ns = now_ns};
	enum weir_held_by held_by;
	int result;

	load_payload_stamp(run->type, run->payload, run->size, &record, 0);
	if (arguments->traceparent != NULL && run->next % arguments->trace_every == 0) {
		result = weir_producer_set_trace(run->producer, &run->trace);
		if (result < 0)
			return result;
	}
	result = weir_producer_send(run->producer, &key,
		arguments->is_own_key ? 0 : (uint8_t)sizeof(key), run->tier,
		(uint32_t)arguments->deadline_ms, run->payload, (uint16_t)run->size, &held_by);
	if (result < 0)
		return result;
	note_gate(run, result == WEIR_SENT ? WEIR_HELD_BY_NOTHING : held_by, now_ns);
	if (result == WEIR_SENT) {
		run->sequences[key]++;
		run->next++;
	}
	return result;
}

static bool is_over(const struct produce_run *run, uint64_t now_ns)
{
	return run->is_stopped ||
	       (run->arguments->count != 0 && run->next >= run->arguments->count) ||
	       (run->end_ns != 0 && now_ns >= run->end_ns);
}

/* All that is due; 0 or negative errno. */
static int produce(struct produce_run *run, uint64_t now_ns)
{
	uint64_t due = load_pacer_due(&run->pacer, now_ns);

	for (uint64_t i = 0; i < ROUND && i < due && !is_over(run, now_ns); i++) {
		int result = produce_one(run, load_clock_ns());

		if (result < 0)
			return result;
		if (result == 0)
			break;
		run->pacer.sent++;
	}
	weir_producer_flush(run->producer);
	return 0;
}

static int wait_for_more(struct produce_run *run, uint64_t now_ns, uint64_t wake_ns)
{
	struct pollfd polls[] = {{.fd = run->signals, .events = POLLIN},
		{.fd = weir_producer_fd(run->producer), .events = POLLIN}};
	int most_ms = weir_producer_timeout_ms(run->producer);
	struct timespec timeout;

	if (most_ms >= 0 && now_ns + (uint64_t)most_ms * 1000000 < wake_ns)
		wake_ns = now_ns + (uint64_t)most_ms * 1000000;
	timeout = load_clock_timespec(wake_ns > now_ns ? wake_ns - now_ns : 0);
	if (ppoll(polls, 2, &timeout, NULL) < 0 && errno != EINTR)
		return -errno;
	run->is_stopped |= (polls[0].revents & POLLIN) != 0;
	return weir_producer_process(run->producer);
}

static uint64_t next_wake(const struct produce_run *run, uint64_t now_ns)
{
	/* Held back: an answer wakes. */
	if (run->held_at != 0)
		return now_ns + LOAD_NS_PER_S;
	return load_pacer_next(&run->pacer);
}

static int carry_out(struct produce_run *run)
{
	uint64_t now_ns = load_clock_ns();
	int result = 0;

	while (result >= 0 && !is_over(run, now_ns)) {
		result = produce(run, now_ns);
		now_ns = load_clock_ns();
		if (result >= 0)
			result = wait_for_more(run, now_ns, next_wake(run, now_ns));
		now_ns = load_clock_ns();
	}
	note_gate(run, WEIR_HELD_BY_NOTHING, now_ns);
	return result;
}

static int linger(struct produce_run *run)
{
	uint64_t until = load_clock_ns() + load_clock_from_seconds(run->arguments->linger);
	struct weir_producer_stats stats;
	int result = 0;

	run->is_stopped = false;
	weir_producer_stats(run->producer, &stats);
	while (result >= 0 && stats.outstanding != 0 && !run->is_stopped &&
		load_clock_ns() < until) {
		result = wait_for_more(run, load_clock_ns(), until);
		weir_producer_stats(run->producer, &stats);
	}
	return result;
}

static json_t *make_gates(const struct produce_run *run, const struct weir_producer_stats *stats)
{
	json_t *gates = json_object();

	for (int i = WEIR_HELD_BY_NOTHING + 1; i < WEIR_HELD_BY_COUNT; i++) {
		json_t *gate;

		if (stats->held[i] == 0)
			continue;
		gate = json_object();
		load_report_count(gate, "times", stats->held[i]);
		load_report_real(gate, "ms", (double)run->held_ns[i] / 1e6);
		load_report_part(gates, weir_held_by_name((enum weir_held_by)i), gate);
	}
	return gates;
}

static json_t *make_report(const struct produce_run *run, double seconds)
{
	struct weir_producer_stats stats;
	json_t *report = json_object();

	weir_producer_stats(run->producer, &stats);
	load_report_text(report, "type", load_type_name(run->type));
	load_report_count(report, "run", run->run);
	load_report_count(report, "sent", stats.taken);
	load_report_count(report, "bytes", stats.taken_bytes);
	load_report_real(report, "seconds", seconds);
	load_report_real(report, "rate_pps", (double)stats.taken / seconds);
	load_report_count(report, "keys", run->arguments->keys);
	load_report_count(report, "acknowledged", stats.acknowledged);
	load_report_count(report, "outstanding", stats.outstanding);
	load_report_count(report, "refused", stats.refused);
	load_report_count(report, "expired", stats.expired);
	load_report_count(report, "datagrams", stats.datagrams);
	load_report_count(report, "resent", stats.resent);
	load_report_count(report, "probes", stats.probes);
	load_report_count(report, "sessions", stats.sessions);
	load_report_count(report, "malformed", stats.malformed);
	load_report_count(report, "send_errors", stats.send_errors);
	load_report_count(report, "code", stats.code);
	load_report_count(report, "rtt_us", stats.rtt_us);
	load_report_part(report, "held_by", make_gates(run, &stats));
	return report;
}

static int work(struct produce_run *run)
{
	const struct produce_arguments *arguments = run->arguments;
	double seconds;
	int error, status;

	run->start_ns = load_clock_ns();
	if (arguments->seconds > 0)
		run->end_ns = run->start_ns + load_clock_from_seconds(arguments->seconds);
	load_pacer_init(&run->pacer, (double)arguments->rate, 0, run->start_ns);
	error = carry_out(run);
	seconds = (double)(load_clock_ns() - run->start_ns) / 1e9;
	if (error >= 0)
		error = linger(run);
	if (error < 0)
		fprintf(stderr, "weirload produce: %s\n", strerror(-error));
	status = load_report_write(make_report(run, seconds), arguments->json);
	return error < 0 ? LOAD_EXIT_FAILED : status;
}

int load_produce_command(int argc, char **argv)
{
	struct produce_arguments arguments = {
		.type = "raw", .tier = "", .rate = 1000, .keys = 1, .trace_every = 1, .linger = 10};
	struct produce_run run = {.signals = -1};
	int status = LOAD_EXIT_FAILED;
	int parsed = parse(argc, argv, &arguments);
	int error;

	if (parsed != 0)
		return parsed > 0 ? LOAD_EXIT_OK : LOAD_EXIT_USAGE;
	if (check(&arguments, &run) < 0)
		return LOAD_EXIT_USAGE;
	run.signals = load_signals_open();
	error = run.signals >= 0 ? prepare(&run) : run.signals;
	if (error < 0)
		fprintf(stderr, "weirload produce: %s: %s\n", arguments.to.text, strerror(-error));
	else
		status = work(&run);
	weir_producer_close(run.producer);
	free(run.payload);
	free(run.sequences);
	if (run.signals >= 0)
		close(run.signals);
	return status;
}
