/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/weir.h"

/*
 * native_take GATEWAY GROUP COUNT: a native consumer that begins at the earliest message and does
 * nothing with them; prints the seconds from the first to the last of COUNT.
 */

#define WAIT_S 60

static double now(void)
{
	struct timespec clock;

	clock_gettime(CLOCK_MONOTONIC, &clock);
	return (double)clock.tv_sec + (double)clock.tv_nsec / 1e9;
}

/* The messages that wait; `missed` are those that will not come. */
static unsigned long take(struct weir_consumer *consumer, unsigned long *missed)
{
	struct weir_message message;
	unsigned long taken = 0;

	while (weir_consumer_next(consumer, &message) == 1) {
		*missed += message.missed;
		taken++;
	}
	return taken;
}

static int run(struct weir_consumer *consumer, unsigned long count)
{
	double begin = 0, give_up = now() + WAIT_S;
	unsigned long taken = 0, missed = 0, some;
	struct pollfd poll_fd = {.fd = weir_consumer_fd(consumer), .events = POLLIN};

	while (taken + missed < count) {
		if (now() > give_up)
			return -ETIMEDOUT;
		poll(&poll_fd, 1, weir_consumer_timeout_ms(consumer));
		weir_consumer_process(consumer);
		some = take(consumer, &missed);
		if (taken == 0 && some > 0)
			begin = now();
		taken += some;
	}
	printf("%lu %lu %.6f\n", taken, missed, now() - begin);
	return 0;
}

int main(int argc, char **argv)
{
	struct weir_consumer_options options = {.start = WEIR_FROM_EARLIEST, .name = "bench"};
	struct weir_consumer *consumer;
	int result;

	if (argc != 4) {
		fprintf(stderr, "usage: native_take GATEWAY GROUP COUNT\n");
		return 2;
	}
	options.gateway = argv[1];
	options.group = argv[2];
	result = weir_consumer_open(&options, &consumer);
	if (result == 0) {
		result = run(consumer, strtoul(argv[3], NULL, 10));
		weir_consumer_close(consumer);
	}
	if (result < 0)
		fprintf(stderr, "native_take: %s\n", strerror(-result));
	return result < 0;
}
