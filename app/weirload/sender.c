/* SPDX-License-Identifier: BSD-3-Clause */
#include "sender.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "clock.h"
#include "pacer.h"

#define LONGEST_SLEEP_NS 100000000 /* so that a stop is noticed */

struct batch {
	struct mmsghdr messages[LOAD_BATCH];
	struct iovec parts[LOAD_BATCH];
};

static int open_sources(struct load_sender *sender, uint64_t index)
{
	const struct load_send_plan *plan = sender->plan;

	for (uint64_t source = index; source < plan->sources; source += plan->threads) {
		struct load_endpoint from = plan->from;
		uint16_t port = load_endpoint_port(&from);
		int fd;

		if (port != 0)
			load_endpoint_set_port(&from, (uint16_t)(port + source));
		fd = load_output_open(&from, &plan->to);
		if (fd < 0)
			return fd;
		sender->sources[sender->source_count++] = fd;
	}
	return 0;
}

static void assign_keys(struct load_sender *sender, uint64_t index)
{
	const struct load_send_plan *plan = sender->plan;
	uint32_t source = 0;

	for (uint64_t first = index; first < plan->sources; first += plan->threads, source++)
		for (uint64_t key = first; key < plan->keys; key += plan->sources)
			sender->keys[sender->key_count++] = (struct load_sender_key){
				.key = (uint32_t)key,
				.source = source,
			};
}

/* How many messages the next batch could take from where the cursor is: from one source. */
static size_t run_length(const struct load_sender *sender, size_t most)
{
	size_t length = 1;

	if (sender->plan->capture != NULL)
		return most;
	while (length < most) {
		size_t next = (sender->cursor + length) % sender->key_count;

		if (sender->keys[next].source != sender->keys[sender->cursor].source)
			break;
		length++;
	}
	return length;
}

/* Take up to `wanted` messages of what is left to send in all. */
static size_t claim(struct load_send_plan *plan, size_t wanted)
{
	uint64_t left = atomic_load(&plan->remaining);
	uint64_t taken;

	if (!plan->is_counted)
		return wanted;
	do {
		taken = left < wanted ? left : wanted;
	} while (!atomic_compare_exchange_weak(&plan->remaining, &left, left - taken));
	return (size_t)taken;
}

static void fill_from_capture(struct load_sender *sender, struct batch *batch, size_t count)
{
	const struct load_capture *capture = sender->plan->capture;

	for (size_t i = 0; i < count; i++) {
		const struct load_capture_datagram *datagram = &capture->datagrams[sender->cursor];

		batch->parts[i].iov_base = capture->bytes + datagram->offset;
		batch->parts[i].iov_len = datagram->length;
		sender->cursor = (sender->cursor + 1) % capture->count;
	}
}

static void fill_from_keys(
	struct load_sender *sender, struct batch *batch, size_t count, uint64_t now_ns)
{
	const struct load_send_plan *plan = sender->plan;
	uint32_t unix_s = (uint32_t)time(NULL);

	for (size_t i = 0; i < count; i++) {
		struct load_sender_key *key = &sender->keys[sender->cursor];
		struct load_record record = {
			.run = plan->run,
			.key = key->key,
			.sequence = key->sequence++,
			.sent_ns = now_ns,
		};

		load_payload_stamp(
			plan->type, batch->parts[i].iov_base, plan->size, &record, unix_s);
		sender->cursor = (sender->cursor + 1) % sender->key_count;
	}
}

static void send_messages(
	struct load_sender *sender, struct batch *batch, size_t count, uint64_t now_ns)
{
	int fd = sender->sources[0];

	if (sender->plan->capture != NULL) {
		fill_from_capture(sender, batch, count);
	} else {
		fd = sender->sources[sender->keys[sender->cursor].source];
		fill_from_keys(sender, batch, count, now_ns);
	}
	load_output_send(fd, batch->messages, (unsigned int)count, &sender->stats);
}

static void sleep_until(uint64_t time_ns, uint64_t now_ns)
{
	struct timespec until;

	if (time_ns > now_ns + LONGEST_SLEEP_NS)
		time_ns = now_ns + LONGEST_SLEEP_NS;
	until = load_clock_timespec(time_ns);
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

static void prepare_batch(struct load_sender *sender, struct batch *batch)
{
	size_t size = sender->plan->size;

	memset(batch, 0, sizeof(*batch));
	for (size_t i = 0; i < LOAD_BATCH; i++) {
		batch->messages[i].msg_hdr.msg_iov = &batch->parts[i];
		batch->messages[i].msg_hdr.msg_iovlen = 1;
		batch->parts[i].iov_base = sender->buffers + i * size;
		batch->parts[i].iov_len = size;
		load_payload_prepare(sender->plan->type, batch->parts[i].iov_base, size);
	}
}

int load_sender_init(
	struct load_sender *sender, struct load_send_plan *plan, uint64_t index, int finished)
{
	memset(sender, 0, sizeof(*sender));
	sender->plan = plan;
	sender->finished = finished;
	sender->sources = calloc(plan->sources, sizeof(*sender->sources));
	sender->keys = calloc(plan->keys, sizeof(*sender->keys));
	sender->buffers = calloc(LOAD_BATCH, plan->size);
	if (sender->sources == NULL || sender->keys == NULL || sender->buffers == NULL)
		return -ENOMEM;
	assign_keys(sender, index);
	sender->rate = plan->rate * (double)sender->key_count / (double)plan->keys;
	return open_sources(sender, index);
}

void load_sender_free(struct load_sender *sender)
{
	for (size_t i = 0; i < sender->source_count; i++)
		close(sender->sources[i]);
	free(sender->sources);
	free(sender->keys);
	free(sender->buffers);
}

void *load_sender_run(void *argument)
{
	struct load_sender *sender = argument;
	struct load_send_plan *plan = sender->plan;
	struct load_pacer pacer;
	struct batch batch;

	/* The default slack of 50 us would bunch short bursts together. */
	prctl(PR_SET_TIMERSLACK, 1);
	prepare_batch(sender, &batch);
	load_pacer_init(&pacer, sender->rate, plan->burst, plan->start_ns);
	pacer.catch_up_ns = plan->catch_up_ns;
	while (!atomic_load_explicit(&plan->is_stopped, memory_order_relaxed)) {
		uint64_t now_ns = load_clock_ns();
		size_t due = load_pacer_due(&pacer, now_ns);

		if (plan->end_ns != 0 && now_ns >= plan->end_ns)
			break;
		if (due == 0) {
			sleep_until(load_pacer_next(&pacer), now_ns);
			continue;
		}
		due = claim(plan, run_length(sender, due < LOAD_BATCH ? due : LOAD_BATCH));
		if (due == 0)
			break;
		send_messages(sender, &batch, due, now_ns);
		pacer.sent += due;
		atomic_store_explicit(&sender->slipped_ns, pacer.slipped_ns, memory_order_relaxed);
	}
	eventfd_write(sender->finished, 1);
	return NULL;
}
