/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "control/loop_private.h"

static bool is_before(const struct weir_loop_timer *a, const struct weir_loop_timer *b)
{
	return a->deadline_ns != b->deadline_ns ? a->deadline_ns < b->deadline_ns
						: a->order < b->order;
}

static void place(struct weir_loop_heap *heap, size_t index, struct weir_loop_timer *timer)
{
	heap->timers[index] = timer;
	timer->slot = index + 1;
}

static void sift_up(struct weir_loop_heap *heap, size_t index)
{
	struct weir_loop_timer *timer = heap->timers[index];

	while (index > 0 && is_before(timer, heap->timers[(index - 1) / 2])) {
		place(heap, index, heap->timers[(index - 1) / 2]);
		index = (index - 1) / 2;
	}
	place(heap, index, timer);
}

static void sift_down(struct weir_loop_heap *heap, size_t index)
{
	struct weir_loop_timer *timer = heap->timers[index];

	for (;;) {
		size_t child = 2 * index + 1;

		if (child + 1 < heap->count &&
			is_before(heap->timers[child + 1], heap->timers[child]))
			child++;
		if (child >= heap->count || !is_before(heap->timers[child], timer))
			break;
		place(heap, index, heap->timers[child]);
		index = child;
	}
	place(heap, index, timer);
}

static int insert(struct weir_loop_heap *heap, struct weir_loop_timer *timer, uint64_t deadline_ns)
{
	if (heap->count == heap->capacity) {
		size_t capacity = heap->capacity > 0 ? heap->capacity * 2 : 16;
		struct weir_loop_timer **timers =
			reallocarray(heap->timers, capacity, sizeof(struct weir_loop_timer *));

		if (timers == NULL)
			return -ENOMEM;
		heap->timers = timers;
		heap->capacity = capacity;
	}
	timer->deadline_ns = deadline_ns;
	timer->order = heap->next_order++;
	heap->timers[heap->count] = timer;
	sift_up(heap, heap->count++);
	return 0;
}

static void take_out(struct weir_loop_heap *heap, struct weir_loop_timer *timer)
{
	size_t index = timer->slot - 1;
	struct weir_loop_timer *last = heap->timers[--heap->count];

	timer->slot = 0;
	if (last == timer)
		return;
	place(heap, index, last);
	sift_down(heap, index);
	sift_up(heap, last->slot - 1);
}

/* The time is read once: a timer that always arms itself for now is due in the next round, and
 * cannot keep the descriptors from being served. */
static void on_timer_fd(void *context, int fd, uint32_t events)
{
	struct weir_loop *loop = context;
	struct weir_loop_heap *heap = &loop->heap;
	uint64_t now_ns = weir_loop_clock_ns();
	uint64_t expirations;

	(void)events;
	if (read(fd, &expirations, sizeof(expirations)) < 0 && errno != EAGAIN)
		return;
	heap->armed_ns = 0;
	while (heap->count > 0 && heap->timers[0]->deadline_ns <= now_ns) {
		struct weir_loop_timer *timer = heap->timers[0];
		uint64_t period_ns = timer->period_ns;
		uint64_t late_ns = now_ns - timer->deadline_ns;

		take_out(heap, timer);
		if (period_ns > 0) /* cannot fail: the slot was just given back */
			insert(heap, timer, now_ns + period_ns - late_ns % period_ns);
		timer->callback(timer->context, now_ns);
	}
}

int weir_loop_heap_init(struct weir_loop *loop)
{
	loop->heap.timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (loop->heap.timer_fd < 0)
		return -errno;
	return weir_loop_add_fd(loop, loop->heap.timer_fd, EPOLLIN, on_timer_fd, loop);
}

void weir_loop_heap_close(struct weir_loop *loop)
{
	for (size_t i = 0; i < loop->heap.count; i++)
		loop->heap.timers[i]->slot = 0;
	free(loop->heap.timers);
	if (loop->heap.timer_fd < 0)
		return;
	weir_loop_remove_fd(loop, loop->heap.timer_fd);
	close(loop->heap.timer_fd);
}

int weir_loop_heap_prepare(struct weir_loop *loop)
{
	struct weir_loop_heap *heap = &loop->heap;
	uint64_t deadline_ns = heap->count > 0 ? heap->timers[0]->deadline_ns : 0;
	struct itimerspec when = {
		.it_value.tv_sec = (time_t)(deadline_ns / WEIR_S_NS),
		.it_value.tv_nsec = (long)(deadline_ns % WEIR_S_NS),
	};

	if (deadline_ns == heap->armed_ns)
		return 0;
	if (timerfd_settime(heap->timer_fd, TFD_TIMER_ABSTIME, &when, NULL) < 0)
		return -errno;
	heap->armed_ns = deadline_ns;
	return 0;
}

void weir_loop_timer_init(struct weir_loop_timer *timer, weir_loop_timer_fn callback, void *context)
{
	*timer = (struct weir_loop_timer){.callback = callback, .context = context};
}

int weir_loop_timer_arm(struct weir_loop *loop, struct weir_loop_timer *timer, uint64_t delay_ns,
	uint64_t period_ns)
{
	uint64_t now_ns = weir_loop_clock_ns();

	weir_loop_timer_cancel(loop, timer);
	timer->period_ns = period_ns;
	if (delay_ns > INT64_MAX - now_ns)
		delay_ns = INT64_MAX - now_ns;
	return insert(&loop->heap, timer, now_ns + delay_ns);
}

void weir_loop_timer_cancel(struct weir_loop *loop, struct weir_loop_timer *timer)
{
	if (timer->slot != 0)
		take_out(&loop->heap, timer);
}

bool weir_loop_timer_is_armed(const struct weir_loop_timer *timer)
{
	return timer->slot != 0;
}
