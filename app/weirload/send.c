/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "clock.h"
#include "commands.h"
#include "pacer.h"
#include "report.h"
#include "sender.h"

#define MAX_THREADS 64

/* The arguments as given. */
struct send_arguments {
	struct load_endpoint to;
	struct load_endpoint from;
	const char *type;
	const char *pcap;
	const char *json;
	uint64_t rate;
	uint64_t burst;
	uint64_t count;
	uint64_t keys;
	uint64_t size;
	uint64_t sources;
	uint64_t threads;
	double seconds;
	double catch_up;
	bool is_progress;
};

/* A run: the plan, its threads, and what they need to be waited for. */
struct send_run {
	struct load_send_plan plan;
	struct load_capture capture;
	struct load_sender senders[MAX_THREADS];
	uint64_t prepared; /* senders that load_sender_init() was called for */
	uint64_t started;
	int finished; /* eventfd: threads that have ended */
	int signals;
};

static const char usage[] =
	"Usage: weirload send --to ADDRESS:PORT [options]\n"
	"Sends until SIGINT, unless --seconds, --count or --pcap gives an end.\n";

static int parse(int argc, char **argv, struct send_arguments *arguments)
{
	const struct load_option options[] = {
		{"to", LOAD_OPTION_ENDPOINT, &arguments->to, "ADDR:PORT", "destination", 0, 0},
		{"from", LOAD_OPTION_ENDPOINT, &arguments->from, "ADDR[:PORT]",
			"source; further sources use the following ports", 0, 0},
		{"type", LOAD_OPTION_TEXT, &arguments->type, "TYPE",
			"ipfix (default) netflow9 netflow5 sflow5 gtpu syslog rtp udp_notif raw", 0,
			0},
		{"size", LOAD_OPTION_NUMBER, &arguments->size, "BYTES",
			"UDP payload; default and least: as small as the type allows", 0,
			LOAD_MAX_PAYLOAD},
		{"keys", LOAD_OPTION_NUMBER, &arguments->keys, "K",
			"different keys, taking turns (default 1)", 1, 1u << 24},
		{"sources", LOAD_OPTION_NUMBER, &arguments->sources, "N",
			"source ports; a key keeps its own (default 1)", 1, 16384},
		{"rate", LOAD_OPTION_NUMBER, &arguments->rate, "PPS",
			"packets a second, 0: no limit (default 1000)", 0, 0},
		{"burst", LOAD_OPTION_NUMBER, &arguments->burst, "N",
			"packets that leave together (default: a millisecond's, at most 64)", 1,
			1u << 20},
		{"catch-up", LOAD_OPTION_SECONDS, &arguments->catch_up, "S",
			"what is late by more is not made up for (default 0.02)", 0, 0},
		{"seconds", LOAD_OPTION_SECONDS, &arguments->seconds, "S", "end after S", 0, 0},
		{"count", LOAD_OPTION_NUMBER, &arguments->count, "N", "end after N packets", 1, 0},
		{"threads", LOAD_OPTION_NUMBER, &arguments->threads, "N",
			"sending threads, at most as many as sources (default 1)", 1, MAX_THREADS},
		{"pcap", LOAD_OPTION_TEXT, &arguments->pcap, "FILE",
			"the UDP payloads of a capture, once unless --count or --seconds", 0, 0},
		{"json", LOAD_OPTION_TEXT, &arguments->json, "FILE", "report, instead of stdout", 0,
			0},
		{"progress", LOAD_OPTION_FLAG, &arguments->is_progress, NULL,
			"a line a second on stderr", 0, 0},
	};

	return load_options_parse(usage, options, sizeof(options) / sizeof(options[0]), argc, argv);
}

static int refuse(const char *why)
{
	fprintf(stderr, "weirload send: %s\n", why);
	return -EINVAL;
}

static int check(const struct send_arguments *arguments, struct load_send_plan *plan)
{
	int type = load_type_parse(arguments->type);

	if (arguments->to.length == 0 || load_endpoint_port(&arguments->to) == 0)
		return refuse("--to ADDRESS:PORT is needed");
	if (arguments->from.length != 0 &&
		arguments->from.address.ss_family != arguments->to.address.ss_family)
		return refuse("--from and --to are of different IP versions");
	if (load_endpoint_port(&arguments->from) + arguments->sources - 1 > UINT16_MAX)
		return refuse("--from's port plus --sources is beyond 65535");
	if (type < 0)
		return refuse("--type is none of those in --help");
	if (arguments->keys > load_type_keys((enum load_type)type))
		return refuse("more --keys than the type's key field can tell apart");
	if (arguments->sources > arguments->keys || arguments->threads > arguments->sources)
		return refuse("there must be as many keys as sources, and sources as threads");
	if (arguments->pcap != NULL && arguments->sources > 1)
		return refuse("--pcap has one source");
	plan->type = (enum load_type)type;
	plan->size = load_payload_fit(plan->type, arguments->size);
	if (plan->size == 0)
		return refuse("--size is more than the type can have");
	return 0;
}

static int prepare(struct send_run *run, const struct send_arguments *arguments)
{
	struct load_send_plan *plan = &run->plan;
	int error;

	plan->to = arguments->to;
	plan->from = arguments->from;
	plan->keys = arguments->keys;
	plan->sources = arguments->sources;
	plan->threads = arguments->threads;
	plan->rate = (double)arguments->rate;
	plan->burst = arguments->burst;
	plan->catch_up_ns = load_clock_from_seconds(arguments->catch_up);
	plan->is_counted = arguments->count > 0;
	atomic_init(&plan->remaining, arguments->count);
	if (getrandom(&plan->run, sizeof(plan->run), 0) < 0)
		return -errno;
	if (arguments->pcap != NULL) {
		error = load_capture_read(arguments->pcap, &run->capture);
		if (error < 0)
			return error;
		plan->capture = &run->capture;
		if (!plan->is_counted && arguments->seconds == 0) {
			plan->is_counted = true;
			atomic_store(&plan->remaining, run->capture.count);
		}
	}
	for (; run->prepared < plan->threads; run->prepared++) {
		error = load_sender_init(
			&run->senders[run->prepared], plan, run->prepared, run->finished);
		if (error < 0) {
			run->prepared++;
			fprintf(stderr, "weirload send: %s: %s\n", plan->to.text, strerror(-error));
			return error;
		}
	}
	return 0;
}

static uint64_t sum(const struct send_run *run, size_t offset)
{
	uint64_t total = 0;

	for (uint64_t i = 0; i < run->prepared; i++) {
		const char *stats = (const char *)&run->senders[i].stats;

		total += atomic_load((const _Atomic uint64_t *)(const void *)(stats + offset));
	}
	return total;
}

#define SUM(run, counter) sum(run, offsetof(struct load_output_stats, counter))

static void wait_for_end(struct send_run *run, bool is_progress)
{
	struct pollfd waiting[] = {
		{.fd = run->signals, .events = POLLIN},
		{.fd = run->finished, .events = POLLIN},
	};
	uint64_t ended = 0, before = 0;

	while (ended < run->started) {
		int ready = poll(waiting, 2, is_progress ? 1000 : -1);
		eventfd_t more;

		if (ready == 0) {
			uint64_t sent = SUM(run, sent);

			fprintf(stderr, "sent %llu (%llu/s)\n", (unsigned long long)sent,
				(unsigned long long)(sent - before));
			before = sent;
			continue;
		}
		if (waiting[0].revents & POLLIN) {
			atomic_store(&run->plan.is_stopped, true);
			waiting[0].fd = -1;
		}
		if (waiting[1].revents & POLLIN && eventfd_read(run->finished, &more) == 0)
			ended += more;
	}
}

static int carry_out(struct send_run *run, const struct send_arguments *arguments)
{
	run->plan.start_ns = load_clock_ns();
	if (arguments->seconds > 0)
		run->plan.end_ns = run->plan.start_ns + load_clock_from_seconds(arguments->seconds);
	for (; run->started < run->prepared; run->started++) {
		struct load_sender *sender = &run->senders[run->started];
		int error = pthread_create(&sender->thread, NULL, load_sender_run, sender);

		if (error != 0) {
			fprintf(stderr, "weirload send: a thread: %s\n", strerror(error));
			atomic_store(&run->plan.is_stopped, true);
			break;
		}
	}
	wait_for_end(run, arguments->is_progress);
	for (uint64_t i = 0; i < run->started; i++)
		pthread_join(run->senders[i].thread, NULL);
	return run->started == run->prepared ? 0 : -EAGAIN;
}

static json_t *make_report(const struct send_run *run)
{
	const struct load_send_plan *plan = &run->plan;
	double seconds = (double)(load_clock_ns() - plan->start_ns) / 1e9;
	uint64_t sent = SUM(run, sent), bytes = SUM(run, bytes);
	uint64_t l3_bytes = bytes + sent * load_endpoint_overhead(&plan->to);
	json_t *report = json_object();
	double slipped_ns = 0;
	int error = 0;

	for (uint64_t i = 0; i < run->prepared; i++) {
		slipped_ns += (double)atomic_load(&run->senders[i].slipped_ns);
		if (atomic_load(&run->senders[i].stats.error) != 0)
			error = atomic_load(&run->senders[i].stats.error);
	}
	load_report_text(
		report, "type", plan->capture != NULL ? "pcap" : load_type_name(plan->type));
	load_report_count(report, "run", plan->run);
	load_report_count(report, "sent", sent);
	load_report_count(report, "bytes", bytes);
	load_report_real(report, "seconds", seconds);
	load_report_real(report, "rate_pps", (double)sent / seconds);
	load_report_real(report, "rate_bps", (double)l3_bytes * 8 / seconds);
	load_report_count(report, "keys", plan->keys);
	load_report_count(report, "retries", SUM(run, retries));
	load_report_count(report, "refused", SUM(run, refused));
	load_report_count(report, "failed", SUM(run, failed));
	load_report_text(report, "error", error != 0 ? strerror(error) : "");
	load_report_real(report, "slipped_ms", slipped_ns / 1e6);
	load_report_count(report, "left_out", run->capture.left_out);
	return report;
}

static void release(struct send_run *run)
{
	for (uint64_t i = 0; i < run->prepared; i++)
		load_sender_free(&run->senders[i]);
	load_capture_free(&run->capture);
	if (run->finished >= 0)
		close(run->finished);
	if (run->signals >= 0)
		close(run->signals);
}

int load_send_command(int argc, char **argv)
{
	struct send_arguments arguments = {
		.type = "ipfix",
		.rate = 1000,
		.catch_up = LOAD_PACER_CATCH_UP_NS / 1e9,
		.keys = 1,
		.sources = 1,
		.threads = 1,
	};
	static struct send_run run;
	int status = LOAD_EXIT_FAILED;
	int parsed = parse(argc, argv, &arguments);

	if (parsed != 0)
		return parsed > 0 ? LOAD_EXIT_OK : LOAD_EXIT_USAGE;
	if (check(&arguments, &run.plan) < 0)
		return LOAD_EXIT_USAGE;
	run.signals = load_signals_open();
	run.finished = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (run.signals >= 0 && run.finished >= 0 && prepare(&run, &arguments) == 0 &&
		carry_out(&run, &arguments) == 0)
		status = load_report_write(make_report(&run), arguments.json);
	if (status == LOAD_EXIT_OK && SUM(&run, failed) > 0)
		status = LOAD_EXIT_FAILED;
	release(&run);
	return status;
}
