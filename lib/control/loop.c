/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "control/loop_private.h"

#define EVENTS_PER_WAIT 64

static void free_dead_sources(struct weir_loop *loop)
{
	while (!weir_list_is_empty(&loop->dead)) {
		struct weir_loop_source *source =
			weir_list_entry(loop->dead.next, struct weir_loop_source, node);

		weir_list_remove(&source->node);
		free(source);
	}
}

static struct weir_loop_source *find_source(const struct weir_loop *loop, int fd)
{
	return fd >= 0 && (size_t)fd < loop->source_count ? loop->sources[fd] : NULL;
}

static int reserve_slot(struct weir_loop *loop, int fd)
{
	size_t count = loop->source_count > 0 ? loop->source_count : 64;
	struct weir_loop_source **sources;

	if ((size_t)fd < loop->source_count)
		return 0;
	while (count <= (size_t)fd)
		count *= 2;
	sources = reallocarray(loop->sources, count, sizeof(*sources));
	if (sources == NULL)
		return -ENOMEM;
	memset(sources + loop->source_count, 0, (count - loop->source_count) * sizeof(*sources));
	loop->sources = sources;
	loop->source_count = count;
	return 0;
}

static void on_stop(void *context)
{
	(void)context; /* the wake was all that was wanted: the run loop reads is_stopped */
}

static void deliver(struct weir_loop *loop, const struct epoll_event *events, int count)
{
	for (int i = 0; i < count; i++) {
		struct weir_loop_source *source = events[i].data.ptr;

		if (source->is_dead)
			continue;
		if (source->wake != NULL)
			weir_loop_wake_deliver(source);
		else
			source->callback(source->context, source->fd, events[i].events);
	}
	free_dead_sources(loop);
}

int weir_loop_create(struct weir_loop **result)
{
	struct weir_loop *loop = calloc(1, sizeof(*loop));
	int rc = 0;

	if (loop == NULL)
		return -ENOMEM;
	weir_list_init(&loop->dead);
	loop->signal_fd = -1;
	loop->heap.timer_fd = -1;
	sigemptyset(&loop->signals);
	sigemptyset(&loop->signals_blocked);
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll_fd < 0)
		rc = -errno;
	if (rc == 0)
		rc = loop->stop_fd = weir_loop_add_wake(loop, on_stop, loop);
	if (rc >= 0)
		rc = weir_loop_heap_init(loop);
	if (rc < 0) {
		weir_loop_destroy(loop);
		return rc;
	}
	*result = loop;
	return 0;
}

void weir_loop_destroy(struct weir_loop *loop)
{
	if (loop == NULL)
		return;
	weir_loop_signals_close(loop);
	weir_loop_heap_close(loop);
	for (size_t fd = 0; fd < loop->source_count; fd++) {
		struct weir_loop_source *source = loop->sources[fd];

		if (source == NULL)
			continue;
		if (source->wake != NULL)
			weir_loop_remove_wake(loop, source->fd);
		else
			weir_loop_remove_fd(loop, source->fd);
	}
	free_dead_sources(loop);
	free(loop->sources);
	if (loop->epoll_fd >= 0)
		close(loop->epoll_fd);
	free(loop);
}

int weir_loop_run(struct weir_loop *loop)
{
	struct epoll_event events[EVENTS_PER_WAIT];

	while (!atomic_exchange(&loop->is_stopped, 0)) {
		bool has_work = loop->prepare != NULL && loop->prepare(loop->hook_context);
		int rc = weir_loop_heap_prepare(loop);
		int count;

		if (rc < 0)
			return rc;
		count = epoll_wait(loop->epoll_fd, events, EVENTS_PER_WAIT, has_work ? 0 : -1);
		if (count < 0 && errno != EINTR)
			return -errno;
		if (loop->after != NULL)
			loop->after(loop->hook_context);
		deliver(loop, events, count);
	}
	return 0;
}

void weir_loop_stop(struct weir_loop *loop)
{
	atomic_store(&loop->is_stopped, 1);
	weir_loop_wake(loop->stop_fd);
}

void weir_loop_set_hooks(struct weir_loop *loop, weir_loop_prepare_fn prepare,
	weir_loop_after_fn after, void *context)
{
	loop->prepare = prepare;
	loop->after = after;
	loop->hook_context = context;
}

uint64_t weir_loop_clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * WEIR_S_NS + (uint64_t)now.tv_nsec;
}

int weir_loop_add_fd(
	struct weir_loop *loop, int fd, uint32_t events, weir_loop_fd_fn callback, void *context)
{
	struct epoll_event event = {.events = events};
	struct weir_loop_source *source;
	int rc;

	if (fd < 0)
		return -EBADF;
	if (find_source(loop, fd) != NULL)
		return -EEXIST;
	rc = reserve_slot(loop, fd);
	if (rc < 0)
		return rc;
	source = calloc(1, sizeof(*source));
	if (source == NULL)
		return -ENOMEM;
	weir_list_init(&source->node);
	source->fd = fd;
	source->callback = callback;
	source->context = context;
	event.data.ptr = source;
	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
		rc = -errno;
		free(source);
		return rc;
	}
	loop->sources[fd] = source;
	return 0;
}

int weir_loop_modify_fd(struct weir_loop *loop, int fd, uint32_t events)
{
	struct weir_loop_source *source = find_source(loop, fd);
	struct epoll_event event = {.events = events, .data.ptr = source};

	if (source == NULL)
		return -ENOENT;
	return epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, fd, &event) < 0 ? -errno : 0;
}

int weir_loop_remove_fd(struct weir_loop *loop, int fd)
{
	struct weir_loop_source *source = find_source(loop, fd);

	if (source == NULL)
		return -ENOENT;
	loop->sources[fd] = NULL;
	source->is_dead = true;
	weir_list_add_tail(&loop->dead, &source->node);
	return epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, fd, NULL) < 0 ? -errno : 0;
}
