/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "capture.h"
#include "output.h"
#include "payload.h"

/*
 * One sending thread: its share of the source ports, the keys that belong to them, and of the
 * rate. A key always leaves from the same source, so its order is the order of one socket.
 */
struct load_send_plan {
	struct load_endpoint to;
	struct load_endpoint from; /* port P: sources use P, P+1, ...; 0: the kernel chooses */
	enum load_type type;
	size_t size; /* UDP payload, fits the type */
	uint64_t keys;
	uint64_t sources;
	uint64_t threads;
	double rate; /* of all threads; 0: no limit */
	uint64_t burst;
	uint64_t catch_up_ns; /* of struct load_pacer */
	uint32_t run;
	uint64_t start_ns;
	uint64_t end_ns;                    /* 0: none */
	const struct load_capture *capture; /* sent as it is instead of the above; NULL: none */
	bool is_counted;
	_Atomic uint64_t remaining; /* with is_counted: messages that no thread has taken yet */
	atomic_bool is_stopped;
};

struct load_sender_key {
	uint64_t sequence;
	uint32_t key;
	uint32_t source; /* index into the sender's descriptors */
};

struct load_sender {
	struct load_send_plan *plan; /* not owned */
	pthread_t thread;
	int finished; /* eventfd, not owned: one is added when the thread ends */
	int *sources; /* descriptors */
	size_t source_count;
	struct load_sender_key *keys; /* those of a source side by side */
	size_t key_count;
	size_t cursor; /* the next key, or datagram of the capture */
	double rate;
	uint8_t *buffers; /* LOAD_BATCH of plan->size */
	struct load_output_stats stats;
	_Atomic uint64_t slipped_ns;
};

/* Share `index` of plan->threads. 0 or negative errno; free in both cases. */
int load_sender_init(
	struct load_sender *sender, struct load_send_plan *plan, uint64_t index, int finished);
void load_sender_free(struct load_sender *sender);
/* The thread: a struct load_sender. Ends with the plan's count or time, or when stopped. */
void *load_sender_run(void *sender);
