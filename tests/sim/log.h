/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * What happened in a run: its newest events, a digest of all of them (two runs of a seed must have
 * the same), and the first promise that was broken.
 */

#define SIM_LOG_KEPT 64

#define SIM_EVENTS(X)                                                                              \
	X(PRODUCED, "produced")                                                                    \
	X(DATA, "gateway sends data")                                                              \
	X(RETRANSMIT, "gateway sends again")                                                       \
	X(HEARTBEAT, "gateway sends heartbeat")                                                    \
	X(GAP, "gateway tells gap")                                                                \
	X(ACK, "gateway hears ack")                                                                \
	X(NACK, "gateway hears nack")                                                              \
	X(CREDIT, "gateway hears credit")                                                          \
	X(REFUSED, "gateway refuses answer")                                                       \
	X(STRAY, "gateway hears nack for another's lane")                                          \
	X(DRAIN, "lane is drained")                                                                \
	X(MOVED, "lane moved to session, epoch")                                                   \
	X(GIVEN_UP, "given up")                                                                    \
	X(SETTLED, "settled")                                                                      \
	X(TAKEN, "application takes")                                                              \
	X(DONE, "application is done with")                                                        \
	X(TOLD, "application told gap")                                                            \
	X(STATE, "consumer's session opens or is lost")                                            \
	X(LOST, "network loses")                                                                   \
	X(FAULT, "fault begins")                                                                   \
	X(FAULT_END, "fault ends")                                                                 \
	X(SESSION, "gateway opens session")                                                        \
	X(SESSION_END, "gateway ends session")

enum sim_event_kind {
#define X(id, text) SIM_EVENT_##id,
	SIM_EVENTS(X)
#undef X
		SIM_EVENT_KINDS
};

struct sim_event {
	uint64_t at_ns;
	uint64_t a;
	uint64_t b;
	uint32_t kind;
	uint16_t who;  /* consumer, or 0xffff */
	uint16_t lane; /* partition among all, or 0xffff */
};

#define SIM_NOBODY 0xffffu

struct sim_log {
	struct sim_event events[SIM_LOG_KEPT];
	uint64_t count;
	uint64_t digest;
	const char *promise; /* the first that was broken; NULL: none */
	char text[240];
	bool is_verbose; /* print every event */
};

void sim_log_event(struct sim_log *log, const struct sim_event *event);
/* A promise is broken. Only the first is kept; the run ends at the next step. */
void sim_log_fail(struct sim_log *log, const char *promise, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void sim_log_print(const struct sim_log *log);
