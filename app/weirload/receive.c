/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "commands.h"
#include "course.h"
#include "report.h"
#include "source.h"

#define ROUND 1024 /* messages taken before looking at the clock again */

/* As given. */
struct receive_arguments {
	struct load_endpoints listen;
	struct load_native_options native;
	struct load_course_plan course;
	const char *json;
	uint64_t buffer;
	bool is_late;
	bool is_strict;
	bool is_progress;
	bool with_keys;
};

struct receive_run {
	struct load_source *source;
	struct load_sink sink;
	struct load_course course;
	int signals;
	bool is_progress;
	uint64_t progress_ns; /* when the next line is due */
	uint64_t shown;       /* messages at the last line */
};

static const char usage[] =
	"Usage: weirload receive --listen ADDRESS:PORT [--listen ...] [options]\n"
	"       weirload receive --native ADDRESS:PORT --group NAME [options]\n"
	"Receives until SIGINT, unless --seconds, --count or --idle gives an end.\n";

static struct receive_arguments arguments;

static const struct load_option options[] = {
	{"listen", LOAD_OPTION_ENDPOINTS, &arguments.listen, "ADDR:PORT",
		"blind: a socket here; all of them are verified together", 0, 0},
	{"buffer", LOAD_OPTION_NUMBER, &arguments.buffer, "BYTES",
		"blind: the sockets' receive buffers (default 4 MiB)", 1, 1u << 30},
	{"native", LOAD_OPTION_ENDPOINT, &arguments.native.gateway, "ADDR:PORT",
		"native: the gateway", 0, 0},
	{"group", LOAD_OPTION_TEXT, &arguments.native.group, "NAME", "native: the group", 0, 0},
	{"name", LOAD_OPTION_TEXT, &arguments.native.name, "NAME", "native: this consumer's name",
		0, 0},
	{"window-messages", LOAD_OPTION_NUMBER, &arguments.native.window_messages, "N",
		"native: credit in messages", 1, 1u << 20},
	{"window-bytes", LOAD_OPTION_NUMBER, &arguments.native.window_bytes, "N",
		"native: credit in bytes", 1, 1u << 30},
	{"pull", LOAD_OPTION_NUMBER, &arguments.native.pull, "N",
		"native: ask for N messages at a time", 1, 1u << 20},
	{"max-datagram", LOAD_OPTION_NUMBER, &arguments.native.max_datagram, "BYTES",
		"native: largest UDP payload to take (default 1400)", 512, 9000},
	{"start", LOAD_OPTION_TEXT, &arguments.native.start, "PLACE",
		"native: resume (default), latest, earliest, sequence=N or time=NS", 0, 0},
	{"unreliable", LOAD_OPTION_FLAG, &arguments.native.is_unreliable, NULL,
		"native: what is lost on the way is not sent again", 0, 0},
	{"key-file", LOAD_OPTION_TEXT, &arguments.native.key_file, "FILE",
		"native: pre-shared keys, as the gateway's", 0, 0},
	{"seek", LOAD_OPTION_TEXT, &arguments.native.seek, "PLACE",
		"native: go to this place, as --start has them,", 0, 0},
	{"seek-after", LOAD_OPTION_SECONDS, &arguments.native.seek_after, "S",
		"S after the first message", 0, 0},
	{"places", LOAD_OPTION_FLAG, &arguments.native.with_places, NULL,
		"native: hold the gateway's numbers against what the messages say", 0, 0},
	{"rate", LOAD_OPTION_NUMBER, &arguments.course.rate, "N",
		"take at most N messages a second", 1, 0},
	{"pause-after", LOAD_OPTION_SECONDS, &arguments.course.pause_after, "S",
		"stop taking S after the first message,", 0, 0},
	{"pause-for", LOAD_OPTION_SECONDS, &arguments.course.pause_for, "S", "for so long", 0, 0},
	{"seconds", LOAD_OPTION_SECONDS, &arguments.course.seconds, "S", "end after S", 0, 0},
	{"count", LOAD_OPTION_NUMBER, &arguments.course.count, "N", "end after N messages", 1, 0},
	{"idle", LOAD_OPTION_SECONDS, &arguments.course.idle, "S", "end after S without a message",
		0, 0},
	{"late", LOAD_OPTION_FLAG, &arguments.is_late, NULL,
		"a key begins with its first message here, not with its first at all", 0, 0},
	{"strict", LOAD_OPTION_FLAG, &arguments.is_strict, NULL,
		"exit status 3 unless everything came once and in order", 0, 0},
	{"per-key", LOAD_OPTION_FLAG, &arguments.with_keys, NULL,
		"a row for each key in the report", 0, 0},
	{"json", LOAD_OPTION_TEXT, &arguments.json, "FILE", "report, instead of stdout", 0, 0},
	{"progress", LOAD_OPTION_FLAG, &arguments.is_progress, NULL, "a line a second on stderr", 0,
		0},
};

static int check(void)
{
	const char *fault = NULL;

	if ((arguments.listen.count > 0) == (arguments.native.gateway.length != 0))
		fault = "either --listen or --native is needed";
	else if (arguments.native.gateway.length != 0 && arguments.native.group == NULL)
		fault = "--native needs --group";
	else if ((arguments.course.pause_after > 0) && arguments.course.pause_for == 0)
		fault = "--pause-after needs --pause-for";
	if (fault == NULL)
		return 0;
	fprintf(stderr, "weirload receive: %s\n", fault);
	return -EINVAL;
}

static void show_progress(struct receive_run *run, uint64_t now_ns)
{
	uint64_t messages = load_sink_messages(&run->sink);
	struct load_verify_total total;

	if (!run->is_progress || now_ns < run->progress_ns)
		return;
	load_verifier_total(run->sink.verifier, &total);
	fprintf(stderr, "received %llu (%llu/s) lost %llu duplicates %llu reordered %llu\n",
		(unsigned long long)messages, (unsigned long long)(messages - run->shown),
		(unsigned long long)total.lost, (unsigned long long)total.duplicates,
		(unsigned long long)total.reordered);
	run->shown = messages;
	run->progress_ns = now_ns + LOAD_NS_PER_S;
}

/*
 * Until something can be read, or is due; `has_more`: a glance only. 1 when a signal came, else 0
 * or negative errno.
 */
static int wait_for_more(struct receive_run *run, uint64_t now_ns, bool has_more)
{
	struct pollfd polls[1 + LOAD_MAX_ENDPOINTS] = {{.fd = run->signals, .events = POLLIN}};
	const struct load_source_kind *kind = run->source->kind;
	bool is_open = load_course_room(&run->course, now_ns, 1) > 0;
	nfds_t count = 1 + kind->polls(run->source, is_open, polls + 1);
	uint64_t next = load_course_next(&run->course, now_ns);
	int source_ms = kind->timeout_ms(run->source);
	struct timespec timeout;

	if (run->is_progress && run->progress_ns < next)
		next = run->progress_ns;
	if (source_ms >= 0 && now_ns + (uint64_t)source_ms * 1000000 < next)
		next = now_ns + (uint64_t)source_ms * 1000000;
	timeout = load_clock_timespec(next > now_ns && !has_more ? next - now_ns : 0);
	if (ppoll(polls, count, next != UINT64_MAX || has_more ? &timeout : NULL, NULL) < 0 &&
		errno != EINTR)
		return -errno;
	return polls[0].revents & POLLIN ? 1 : 0;
}

static int carry_out(struct receive_run *run)
{
	uint64_t now_ns = load_clock_ns();

	while (!load_course_is_over(&run->course, now_ns)) {
		uint64_t room = load_course_room(&run->course, now_ns, ROUND);
		int64_t taken = run->source->kind->take(run->source, &run->sink, room);
		int woken;

		if (taken < 0)
			return (int)taken;
		now_ns = load_clock_ns();
		load_course_note(&run->course, now_ns, (uint64_t)taken);
		show_progress(run, now_ns);
		/* A full round may have left messages that no descriptor tells of. */
		woken = wait_for_more(run, now_ns, room > 0 && (uint64_t)taken == room);
		if (woken != 0)
			return woken < 0 ? woken : 0;
		now_ns = load_clock_ns();
	}
	return 0;
}

static int finish(struct receive_run *run)
{
	json_t *report = load_sink_report(&run->sink, arguments.with_keys);
	int status;

	if (report != NULL)
		run->source->kind->report(run->source, report);
	status = load_report_write(report, arguments.json);
	if (status == LOAD_EXIT_OK && arguments.is_strict && !load_sink_is_clean(&run->sink))
		status = LOAD_EXIT_UNCLEAN;
	return status;
}

int load_receive_command(int argc, char **argv)
{
	static struct receive_run run;
	int status = LOAD_EXIT_FAILED;
	int error = load_options_parse(
		usage, options, sizeof(options) / sizeof(options[0]), argc, argv);

	if (error != 0)
		return error > 0 ? LOAD_EXIT_OK : LOAD_EXIT_USAGE;
	if (check() < 0)
		return LOAD_EXIT_USAGE;
	run.is_progress = arguments.is_progress;
	run.signals = load_signals_open();
	if (run.signals < 0 || load_sink_init(&run.sink, arguments.is_late) < 0)
		return LOAD_EXIT_FAILED;
	run.source = arguments.listen.count > 0
			     ? load_source_udp(&arguments.listen, arguments.buffer)
			     : load_source_native(&arguments.native);
	if (run.source != NULL) {
		uint64_t now_ns = load_clock_ns();

		run.progress_ns = now_ns + LOAD_NS_PER_S;
		load_course_init(&run.course, &arguments.course, now_ns);
		error = carry_out(&run);
		if (error < 0)
			fprintf(stderr, "weirload receive: %s\n", strerror(-error));
		status = finish(&run);
		if (error < 0)
			status = LOAD_EXIT_FAILED;
		run.source->kind->close(run.source);
	}
	load_sink_free(&run.sink);
	close(run.signals);
	return status;
}
