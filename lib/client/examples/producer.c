/* SPDX-License-Identifier: BSD-3-Clause */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weir.h>

/*
 * A whole producer: sends so many numbered messages of ten keys as fast as they are taken, and ends
 * when all are acknowledged.
 */

static int produce(struct weir_producer *producer, unsigned long *next, unsigned long count)
{
	char text[64];

	while (*next < count) {
		unsigned int key = (unsigned int)(*next % 10);
		int length = snprintf(text, sizeof(text), "message %lu of key %u", *next, key);
		enum weir_held_by held_by;
		int result = weir_producer_send(producer, &key, sizeof(key), WEIR_PRODUCE_DEFAULT,
			0, text, (uint16_t)length, &held_by);

		if (result != WEIR_SENT)
			return result;
		++*next;
	}
	return 0;
}

static int run(struct weir_producer *producer, unsigned long count)
{
	struct weir_producer_stats stats = {.state = WEIR_PRODUCER_CONNECTING};
	unsigned long next = 0;

	while (next < count || stats.outstanding != 0) {
		struct pollfd waiting = {.fd = weir_producer_fd(producer), .events = POLLIN};
		int error = produce(producer, &next, count);

		if (error < 0)
			return error;
		weir_producer_flush(producer);
		(void)poll(&waiting, 1, weir_producer_timeout_ms(producer));
		error = weir_producer_process(producer);
		if (error < 0)
			return error;
		weir_producer_stats(producer, &stats);
	}
	printf("acknowledged %llu, sent again %llu, round trip %u us\n",
		(unsigned long long)stats.acknowledged, (unsigned long long)stats.resent,
		stats.rtt_us);
	return 0;
}

int main(int argc, char **argv)
{
	struct weir_producer_options options = {0};
	struct weir_producer *producer;
	int error;

	if (argc != 4) {
		fprintf(stderr, "usage: %s GATEWAY STREAM COUNT\n", argv[0]);
		return 2;
	}
	options.gateway = argv[1];
	options.stream = argv[2];
	error = weir_producer_open(&options, &producer);
	if (error == 0) {
		error = run(producer, strtoul(argv[3], NULL, 10));
		weir_producer_close(producer);
	}
	if (error < 0)
		fprintf(stderr, "%s\n", strerror(-error));
	return error < 0;
}
