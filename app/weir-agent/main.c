/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/log.h"
#include "watcher.h"

/* The loop: until a signal, or until each port was reported once. */

#define ONCE_NS UINT64_C(5000000000) /* for --once to be taken by the gateway */

struct program {
	struct agent_options options;
	struct agent_watcher watchers[AGENT_PORTS];
	unsigned int count; /* started */
	int signals;
	uint64_t end_ns; /* of --once; UINT64_MAX without it */
};

static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static bool is_reported(const struct program *program)
{
	for (unsigned int i = 0; i < program->count; i++)
		if (program->watchers[i].session.reports == 0)
			return false;
	return true;
}

/* What --once saw. Returns the exit status. */
static int show_once(const struct program *program)
{
	int status = 0;

	for (unsigned int i = 0; i < program->count; i++) {
		const struct agent_watcher *watcher = &program->watchers[i];
		const struct weir_agent_session *session = &watcher->session;

		if (session->reports == 0)
			fprintf(stderr,
				"weir-agent: port %u: the gateway %s did not answer in 5 s\n",
				watcher->port, program->options.gateway);
		else if (session->reading.is_missing)
			fprintf(stderr, "weir-agent: port %u: nobody listens on it\n",
				watcher->port);
		else
			printf("port %u: queue %u of %u bytes, %llu dropped\n", watcher->port,
				session->reading.queue_bytes, session->reading.limit_bytes,
				(unsigned long long)session->reading.drops);
		if (session->reports == 0 || session->reading.is_missing)
			status = 1;
	}
	return status;
}

/* Until a datagram, a signal or the deadline: the last of `fds` is the signals. */
static void sleep_until(struct program *program, struct pollfd *fds, uint64_t deadline)
{
	uint64_t now = weir_endpoint_now_ns();
	uint64_t wait = deadline > now ? deadline - now : 0;
	struct timespec timeout = {(time_t)(wait / 1000000000), (long)(wait % 1000000000)};

	for (unsigned int i = 0; i < program->count; i++)
		fds[i].fd = agent_watcher_fd(&program->watchers[i]);
	fds[program->count].fd = program->signals;
	for (unsigned int i = 0; i <= program->count; i++) {
		fds[i].events = POLLIN;
		fds[i].revents = 0;
	}
	(void)ppoll(fds, program->count + 1, &timeout, NULL);
}

/* Exit status. */
static int run(struct program *program)
{
	struct pollfd fds[AGENT_PORTS + 1] = {0};

	while (fds[program->count].revents == 0) {
		uint64_t deadline = program->end_ns;

		for (unsigned int i = 0; i < program->count; i++) {
			uint64_t next;

			if (agent_watcher_run(&program->watchers[i], fds[i].revents != 0) < 0)
				return 1;
			next = agent_watcher_deadline_ns(&program->watchers[i]);
			deadline = next < deadline ? next : deadline;
		}
		if (program->options.is_once &&
			(is_reported(program) || weir_endpoint_now_ns() >= program->end_ns))
			return show_once(program);
		sleep_until(program, fds, deadline);
	}
	return 0;
}

int main(int argc, char **argv)
{
	static struct program program;
	int status = 1, result = 0;

	if (agent_options_parse(argc, argv, &program.options, &status) < 0)
		return status;
	if (program.options.is_verbose)
		weir_log_set_level(WEIR_LOG_INFO);
	program.signals = open_signals();
	if (program.signals < 0) {
		fprintf(stderr, "weir-agent: no signalfd: %s\n", strerror(errno));
		return 1;
	}
	program.end_ns = program.options.is_once ? weir_endpoint_now_ns() + ONCE_NS : UINT64_MAX;
	for (unsigned int i = 0; result == 0 && i < program.options.port_count; i++) {
		result = agent_watcher_start(&program.watchers[i], &program.options, i);
		program.count = i + 1;
	}
	if (result == 0)
		status = run(&program);
	for (unsigned int i = 0; i < program.count; i++)
		agent_watcher_stop(&program.watchers[i]);
	close(program.signals);
	return status;
}
