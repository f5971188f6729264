/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <signal.h>
#include <stdatomic.h>

#include "base/list.h"
#include "control/loop.h"

/* The parts of the loop as its own files see them. All of it belongs to the loop's thread,
 * except `is_stopped` and `stop_fd`. */

/* One descriptor in epoll. Removed while events are being delivered, it waits in `dead`: an event
 * collected earlier may still point at it. */
struct weir_loop_source {
	struct weir_list node; /* in loop->dead once removed */
	int fd;
	bool is_dead;
	weir_loop_fd_fn callback;
	void *context;
	weir_loop_wake_fn wake; /* not NULL: the fd is the loop's eventfd */
	void *wake_context;
};

struct weir_loop_heap {
	struct weir_loop_timer **timers; /* binary heap by (deadline, order) */
	size_t count;
	size_t capacity;
	uint64_t next_order;
	uint64_t armed_ns; /* what timer_fd is set to; 0: nothing */
	int timer_fd;
};

struct weir_loop_signal {
	weir_loop_signal_fn callback;
	void *context;
};

struct weir_loop {
	int epoll_fd;
	int stop_fd;
	int signal_fd;                     /* -1 until the first signal is added */
	_Atomic int is_stopped;            /* written by any thread, read and cleared by the loop */
	struct weir_loop_source **sources; /* by fd; NULL: none */
	size_t source_count;
	struct weir_list dead;
	struct weir_loop_heap heap;
	sigset_t signals;         /* those in signal_fd */
	sigset_t signals_blocked; /* those of them that were not blocked before */
	struct weir_loop_signal signal_callbacks[_NSIG];
	weir_loop_prepare_fn prepare;
	weir_loop_after_fn after;
	void *hook_context;
};

/* loop_timer.c */
int weir_loop_heap_init(struct weir_loop *loop);
void weir_loop_heap_close(struct weir_loop *loop);
/* Set the timerfd to the earliest deadline. */
int weir_loop_heap_prepare(struct weir_loop *loop);

/* loop_signal.c */
void weir_loop_signals_close(struct weir_loop *loop);
void weir_loop_wake_deliver(struct weir_loop_source *source);
