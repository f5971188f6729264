/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "client/agent_session.h"
#include "client/endpoint.h"
#include "host/udp_queue.h"
#include "options.h"

/*
 * One watched port: the collector's socket, the way to the gateway, and the session between them.
 * What fails for want of a network is tried again for ever. One thread.
 */
struct agent_watcher {
	const struct agent_options *options;
	uint16_t port;
	char name[WEIR_FRAME_NAME_SIZE];
	struct weir_endpoint *endpoint; /* NULL: not open; see open_at */
	struct weir_udp_watch *watch;
	struct weir_agent_session session;
	uint64_t open_at;     /* when to open it again, unless a session was made */
	bool has_complained;  /* that it cannot be opened */
	uint16_t refused;     /* code of the gateway's refusal that was told; 0: none */
	uint64_t dropped;     /* by the collector's socket, and not told yet */
	uint64_t tell_at;     /* when it may be */
	uint64_t show_at;     /* with --verbose */
	uint64_t shown_looks; /* of session.looks */
	uint64_t shown_reports;
};

/* 0, or -errno after it was said what is wrong. */
int agent_watcher_start(
	struct agent_watcher *watcher, const struct agent_options *options, unsigned int index);
void agent_watcher_stop(struct agent_watcher *watcher);
/* Descriptor to poll; -1: none now. */
int agent_watcher_fd(const struct agent_watcher *watcher);
/* When to call agent_watcher_run() at the latest. */
uint64_t agent_watcher_deadline_ns(const struct agent_watcher *watcher);
/* Do whatever there is to do; `has_input`: the descriptor is readable. 0, or -errno after it was
 * said what is wrong: it cannot go on. */
int agent_watcher_run(struct agent_watcher *watcher, bool has_input);
