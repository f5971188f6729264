/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The event loop of the control thread: file descriptors by epoll, timers by one timerfd,
 * signals by signalfd, wakes from other threads by eventfd. Level triggered.
 *
 * One thread owns a loop and calls everything here, except weir_loop_stop and weir_loop_wake,
 * which any thread and any signal handler may call. A callback may add, change and remove
 * whatever it likes, itself included: an event that was already collected for something that is
 * removed meanwhile is not delivered, not even to a new descriptor of the same number.
 *
 * Times are nanoseconds of CLOCK_MONOTONIC.
 */
struct weir_loop;

#define WEIR_MS_NS 1000000ULL
#define WEIR_S_NS  1000000000ULL

/* `events` are EPOLLIN, EPOLLOUT... The descriptor stays the caller's. */
typedef void (*weir_loop_fd_fn)(void *context, int fd, uint32_t events);
typedef void (*weir_loop_timer_fn)(void *context, uint64_t now_ns);
typedef void (*weir_loop_signal_fn)(void *context, int signal_number);
typedef void (*weir_loop_wake_fn)(void *context);
/* Called before the loop sleeps. True: there is work already, look at the events but don't sleep.
 */
typedef bool (*weir_loop_prepare_fn)(void *context);
typedef void (*weir_loop_after_fn)(void *context);

/* A timer lives in its owner's memory, which must outlast its time in the loop. */
struct weir_loop_timer {
	weir_loop_timer_fn callback;
	void *context;
	uint64_t deadline_ns;
	uint64_t period_ns; /* 0: one shot */
	uint64_t order;     /* of arming: equal deadlines fire first come, first served */
	size_t slot;        /* place in the loop's heap + 1; 0: not armed */
};

int weir_loop_create(struct weir_loop **loop);
/* Forgets every timer, unblocks its signals, closes its wakes; NULL is fine. Not from a callback.
 */
void weir_loop_destroy(struct weir_loop *loop);

/* Run until stopped: 0, or what epoll_wait failed with. */
int weir_loop_run(struct weir_loop *loop);
/* The current or next run returns after the callbacks at hand. Any thread, signal handlers too. */
void weir_loop_stop(struct weir_loop *loop);
/* Either may be NULL. `after` is called when the loop wakes, before the callbacks. */
void weir_loop_set_hooks(struct weir_loop *loop, weir_loop_prepare_fn prepare,
	weir_loop_after_fn after, void *context);
uint64_t weir_loop_clock_ns(void);

/* -EEXIST when the loop has this fd already. */
int weir_loop_add_fd(
	struct weir_loop *loop, int fd, uint32_t events, weir_loop_fd_fn callback, void *context);
int weir_loop_modify_fd(struct weir_loop *loop, int fd, uint32_t events);
/* Call before closing the fd. -ENOENT when it is not in the loop. */
int weir_loop_remove_fd(struct weir_loop *loop, int fd);

void weir_loop_timer_init(
	struct weir_loop_timer *timer, weir_loop_timer_fn callback, void *context);
/*
 * Fire in `delay_ns`, then every `period_ns` (0: once). Arms anew when armed. A period that was
 * missed is skipped, not made up for. 0 or -ENOMEM.
 */
int weir_loop_timer_arm(struct weir_loop *loop, struct weir_loop_timer *timer, uint64_t delay_ns,
	uint64_t period_ns);
/* Harmless when it is not armed. */
void weir_loop_timer_cancel(struct weir_loop *loop, struct weir_loop_timer *timer);
bool weir_loop_timer_is_armed(const struct weir_loop_timer *timer);

/*
 * Blocks the signal in the calling thread and delivers it here. Do this before other threads
 * start, or the signal may find one that doesn't block it. -EEXIST: has a callback already.
 */
int weir_loop_add_signal(
	struct weir_loop *loop, int signal_number, weir_loop_signal_fn callback, void *context);

/*
 * A way for other threads to have `callback` run here: returns an fd to give to weir_loop_wake,
 * or negative errno. The loop owns the fd. Wakes that come faster than the loop are merged.
 */
int weir_loop_add_wake(struct weir_loop *loop, weir_loop_wake_fn callback, void *context);
void weir_loop_remove_wake(struct weir_loop *loop, int wake_fd);
/* Any thread, signal handlers too; keeps errno. */
void weir_loop_wake(int wake_fd);
