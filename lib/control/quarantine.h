/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>

#include "base/list.h"
#include "dataplane/quarantine.h"

/*
 * Quarantine: messages that no consumer of a group acknowledged in all attempts, kept for an
 * operator to look at, to send again or to drop. Bounded in messages and in bytes of payload; the
 * oldest goes first. They are kept in memory alone and end with the gateway.
 *
 *   quarantined = evicted + retried + dropped + held
 *
 * Control thread only. Finding costs a look at each older entry.
 */

struct rte_mbuf;
struct weir_gateway;
struct weir_quarantine;

struct weir_quarantine_entry {
	struct weir_list link;
	uint64_t id; /* from 1, rising, never used again */
	uint64_t quarantined_ns;
	struct weir_quarantined note;
	struct weir_quarantined_names names;
	uint8_t payload[]; /* note.length bytes */
};

/* Zero and NULL: any. */
struct weir_quarantine_filter {
	uint64_t id;
	const char *stream;
	const char *group;
	const char *consumer;
};

enum weir_quarantine_end {
	WEIR_QUARANTINE_EVICTED,
	WEIR_QUARANTINE_RETRIED,
	WEIR_QUARANTINE_DROPPED
};

struct weir_quarantine_counters {
	uint64_t quarantined;
	uint64_t evicted; /* to stay within the bounds */
	uint64_t retried; /* sent back to their partition */
	uint64_t dropped; /* by an operator */
	uint64_t messages;
	uint64_t bytes; /* held now; payload */
};

/* Keeps nothing until it is given its bounds. 0 or -ENOMEM. */
int weir_quarantine_create(struct weir_quarantine **quarantine);
/* NULL is allowed. */
void weir_quarantine_destroy(struct weir_quarantine *quarantine);
/* What is too much goes at once. */
void weir_quarantine_set_limits(
	struct weir_quarantine *quarantine, uint64_t messages, uint64_t bytes);
/* Copies all of it. 0, or -ENOMEM: it is counted as evicted. */
int weir_quarantine_add(struct weir_quarantine *quarantine, const struct weir_quarantined *note,
	const struct weir_quarantined_names *names, const uint8_t *payload,
	uint64_t quarantined_ns);
/* The next that fits the filter after `entry`, NULL: the first; they come in the order of ids. */
struct weir_quarantine_entry *weir_quarantine_next(const struct weir_quarantine *quarantine,
	const struct weir_quarantine_entry *entry, const struct weir_quarantine_filter *filter);
/* The entry ends, and is counted. */
void weir_quarantine_remove(struct weir_quarantine *quarantine, struct weir_quarantine_entry *entry,
	enum weir_quarantine_end end);
const struct weir_quarantine_counters *weir_quarantine_counters(
	const struct weir_quarantine *quarantine);

/* quarantine_take.c */
/* A packet from a worker that is marked WEIR_TO_QUARANTINE. Takes the mbuf. */
void weir_quarantine_packet(struct weir_gateway *gateway, struct rte_mbuf *packet);
/* Bounds as the configuration in use has them. */
void weir_quarantine_sync(struct weir_gateway *gateway);
