/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "clock.h"
#include "commands.h"
#include "link_options.h"
#include "link_way.h"
#include "report.h"

/* A sleep that ends in so short a time is not begun: waking up takes as long. */
#define SPIN_NS 20000
#define NICE    (-10)

struct link_run {
	struct load_link_arguments arguments;
	struct load_port ports[LOAD_LINK_WAYS];
	struct load_way ways[LOAD_LINK_WAYS];
	int signals;
	int questions; /* signalfd of SIGUSR1 */
	int news;      /* of interfaces */
	uint64_t start_ns;
	uint64_t end_ns; /* UINT64_MAX: none */
};

static int questions_open(void)
{
	sigset_t signals;
	int fd;

	sigemptyset(&signals);
	sigaddset(&signals, SIGUSR1);
	if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
		return -errno;
	fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

static int write_report(struct link_run *run)
{
	json_t *report = json_object();

	load_report_real(report, "seconds", (double)(load_clock_ns() - run->start_ns) / 1e9);
	load_report_count(report, "seed", run->arguments.seed);
	load_report_part(report, "ab", load_way_report(&run->ways[LOAD_LINK_AB]));
	load_report_part(report, "ba", load_way_report(&run->ways[LOAD_LINK_BA]));
	return load_report_write(report, run->arguments.json);
}

static int prepare(struct link_run *run)
{
	const struct load_link_arguments *arguments = &run->arguments;
	int error = 0;

	run->start_ns = load_clock_ns();
	run->end_ns = UINT64_MAX;
	if (arguments->seconds > 0)
		run->end_ns = run->start_ns + load_clock_from_seconds(arguments->seconds);
	for (unsigned int i = 0; i < LOAD_LINK_WAYS; i++) {
		struct load_way *way = &run->ways[i];

		if (load_way_init(way, &run->ports[i], &run->ports[1 - i], arguments->limit) < 0) {
			fprintf(stderr, "weirload link: no memory\n");
			return -ENOMEM;
		}
		load_impair_init(
			&way->impair, &arguments->plans[i], arguments->seed, i, run->start_ns);
		way->only_udp = (uint16_t)arguments->only_udp;
	}
	for (unsigned int i = 0; i < LOAD_LINK_WAYS && error == 0; i++)
		error = load_port_open(&run->ports[i], arguments->ports[i]);
	return error;
}

/* What can be done at once. 1: there is more; 0: not; or negative errno. */
static int work(struct link_run *run)
{
	int has_more = 0;

	for (int i = 0; i < LOAD_LINK_WAYS; i++) {
		struct load_way *way = &run->ways[i];
		int taken = load_way_take(way);

		if (taken < 0) {
			fprintf(stderr, "weirload link: %s: %s\n", way->from->name,
				strerror(-taken));
			return taken;
		}
		load_way_release(way);
		has_more |= taken == LOAD_LINK_BATCH;
	}
	return has_more;
}

static short events_of(const struct link_run *run, int port)
{
	int events = 0;

	if (load_way_has_room(&run->ways[port]))
		events |= POLLIN;
	if (load_way_is_stuck(&run->ways[1 - port]))
		events |= POLLOUT;
	return (short)events;
}

/* What came besides frames. 1: a signal ended the run; 0, or negative errno. */
static int take_note(struct link_run *run, const struct pollfd *polls)
{
	struct signalfd_siginfo question;

	if (polls[0].revents & POLLIN)
		return 1;
	if (polls[1].revents & POLLIN &&
		read(run->questions, &question, sizeof(question)) == (ssize_t)sizeof(question) &&
		write_report(run) != LOAD_EXIT_OK)
		return -EIO;
	if (polls[2].revents == 0)
		return 0;
	load_port_news_read(run->news);
	for (int i = 0; i < LOAD_LINK_WAYS; i++) {
		if (!load_port_exists(&run->ports[i])) {
			fprintf(stderr, "weirload link: %s is gone\n", run->ports[i].name);
			return -ENODEV;
		}
	}
	return 0;
}

/* 1: a signal ended the run; 0, or negative errno. */
static int wait_for_more(struct link_run *run, bool has_more)
{
	struct pollfd polls[] = {
		{.fd = run->signals, .events = POLLIN},
		{.fd = run->questions, .events = POLLIN},
		{.fd = run->news, .events = POLLIN},
		{.fd = run->ports[LOAD_LINK_AB].fd, .events = events_of(run, LOAD_LINK_AB)},
		{.fd = run->ports[LOAD_LINK_BA].fd, .events = events_of(run, LOAD_LINK_BA)},
	};
	uint64_t now_ns = load_clock_ns(), next = run->end_ns;
	struct timespec timeout;

	for (int i = 0; i < LOAD_LINK_WAYS; i++)
		if (load_way_next(&run->ways[i]) < next)
			next = load_way_next(&run->ways[i]);
	timeout = load_clock_timespec(
		has_more || next < now_ns + SPIN_NS ? 0 : next - now_ns - SPIN_NS / 2);
	if (ppoll(polls, sizeof(polls) / sizeof(polls[0]),
		    next != UINT64_MAX || has_more ? &timeout : NULL, NULL) < 0 &&
		errno != EINTR)
		return -errno;
	return take_note(run, polls);
}

static int carry_out(struct link_run *run)
{
	int result = 0;

	/* The kernel may else put off a wake-up by 50 us, or let others go first: a wire does not
	 * wait for a processor. Where that is not allowed it is less exact, and overrun tells of
	 * more. */
	prctl(PR_SET_TIMERSLACK, 1000ul);
	setpriority(PRIO_PROCESS, 0, NICE);
	fprintf(stderr, "joined %s %s\n", run->ports[0].name, run->ports[1].name);
	while (result == 0 && load_clock_ns() < run->end_ns) {
		result = work(run);
		if (result >= 0)
			result = wait_for_more(run, result > 0);
	}
	return result < 0 ? result : 0;
}

int load_link_command(int argc, char **argv)
{
	static struct link_run run = {
		.arguments = {.seed = 1, .limit = 65536},
		.ports = {{.fd = -1}, {.fd = -1}},
	};
	int status = LOAD_EXIT_FAILED;
	int error = load_link_arguments_parse(argc, argv, &run.arguments);

	if (error != 0)
		return error > 0 ? LOAD_EXIT_OK : LOAD_EXIT_USAGE;
	run.signals = load_signals_open();
	run.questions = questions_open();
	run.news = load_port_news_open();
	if (run.signals >= 0 && run.questions >= 0 && run.news >= 0 && prepare(&run) == 0) {
		error = carry_out(&run);
		status = write_report(&run);
		if (error < 0)
			status = LOAD_EXIT_FAILED;
	}
	for (int i = 0; i < LOAD_LINK_WAYS; i++) {
		load_port_close(&run.ports[i]);
		load_way_free(&run.ways[i]);
	}
	if (run.news >= 0)
		close(run.news);
	if (run.questions >= 0)
		close(run.questions);
	if (run.signals >= 0)
		close(run.signals);
	return status;
}
