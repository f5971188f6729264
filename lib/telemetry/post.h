/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>

#include "config/config.h"

/*
 * Documents to a collector, by HTTP POST (RFC 9112), one connection for each, on a thread of its
 * own: however slow the collector is, nobody else waits. What waits for it is bounded; beyond that
 * documents are thrown away and counted. None is sent a second time.
 */

#define WEIR_POST_QUEUE      64                 /* documents that wait */
#define WEIR_POST_BYTES      (8u * 1024 * 1024) /* in all */
#define WEIR_POST_TIMEOUT_MS 5000               /* of a connection, and of each step on it */

struct weir_post;

struct weir_post_counters {
	uint64_t sent;   /* documents that were answered with success */
	uint64_t failed; /* that were not */
	uint64_t full;   /* thrown away unsent */
};

/* The thread begins with the first document. NULL without memory. */
struct weir_post *weir_post_open(const struct weir_config_collector *collector);
/* What waits is thrown away, what is being sent is broken off. NULL is fine. */
void weir_post_close(struct weir_post *post);
/* Takes `document`, which free() frees. Never waits. */
void weir_post_send(struct weir_post *post, char *document);
/* Any thread. */
struct weir_post_counters weir_post_counters(struct weir_post *post);
