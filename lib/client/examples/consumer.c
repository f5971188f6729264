/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <weir.h>

/*
 * A whole consumer: joins a group, counts what comes, prints the counts every second and what
 * was missing at once. Ends by SIGINT or SIGTERM.
 */

static volatile sig_atomic_t is_ending;

static void on_signal(int number)
{
	(void)number;
	is_ending = 1;
}

static void print_event(const struct weir_event *event)
{
	switch (event->kind) {
	case WEIR_EVENT_JOINED:
		printf("joined\n");
		break;
	case WEIR_EVENT_LOST:
		printf("session lost: %s\n", event->text);
		break;
	case WEIR_EVENT_GAP:
		printf("missing: %s/%u sequences %llu..%llu (%s)\n", event->stream,
			event->partition, (unsigned long long)event->first,
			(unsigned long long)(event->first + event->count - 1),
			weir_gone_name(event->reason));
		break;
	case WEIR_EVENT_ERROR:
		printf("refused: %s (code %u)\n", event->text, event->code);
		break;
	}
}

static void print_counts(const struct weir_consumer *consumer)
{
	struct weir_consumer_stats stats;

	weir_consumer_stats(consumer, &stats);
	printf("taken %llu messages %llu bytes %llu repaired %llu lost %llu held %u, %s\n",
		(unsigned long long)stats.taken, (unsigned long long)stats.messages,
		(unsigned long long)stats.bytes, (unsigned long long)stats.repaired,
		(unsigned long long)stats.lost_messages, stats.held_messages,
		stats.is_reliable ? "at least once" : "at most once");
}

static int run(struct weir_consumer *consumer)
{
	time_t printed = time(NULL);
	struct weir_message message;
	struct weir_event event;
	struct pollfd input = {.fd = weir_consumer_fd(consumer), .events = POLLIN};

	while (!is_ending) {
		int timeout = weir_consumer_timeout_ms(consumer);
		int result;

		if (poll(&input, 1, timeout < 0 || timeout > 1000 ? 1000 : timeout) < 0 &&
			errno != EINTR)
			return -errno;
		result = weir_consumer_process(consumer);
		if (result < 0)
			return result;
		while (weir_consumer_next_event(consumer, &event) == 1)
			print_event(&event);
		while (weir_consumer_next(consumer, &message) == 1)
			; /* the application's work on message.data goes here */
		if (time(NULL) != printed) {
			printed = time(NULL);
			print_counts(consumer);
		}
		fflush(stdout);
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct weir_consumer_options options = {.want_source = true};
	struct sigaction action = {.sa_handler = on_signal};
	struct weir_consumer *consumer;
	int result;

	if (argc < 3 || argc > 4) {
		fprintf(stderr, "usage: %s GATEWAY GROUP [NAME]\n", argv[0]);
		return 2;
	}
	options.gateway = argv[1];
	options.group = argv[2];
	options.name = argc == 4 ? argv[3] : NULL;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	result = weir_consumer_open(&options, &consumer);
	if (result == 0) {
		result = run(consumer);
		print_counts(consumer);
		weir_consumer_close(consumer);
	}
	if (result != 0)
		fprintf(stderr, "%s: %s\n", argv[0], strerror(-result));
	return result == 0 ? 0 : 1;
}
