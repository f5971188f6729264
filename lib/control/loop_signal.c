/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "control/loop_private.h"

static void on_signal_fd(void *context, int fd, uint32_t events)
{
	struct weir_loop *loop = context;
	struct signalfd_siginfo info;

	(void)events;
	while (read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		const struct weir_loop_signal *entry =
			info.ssi_signo < _NSIG ? &loop->signal_callbacks[info.ssi_signo] : NULL;

		if (entry != NULL && entry->callback != NULL)
			entry->callback(entry->context, (int)info.ssi_signo);
	}
}

void weir_loop_signals_close(struct weir_loop *loop)
{
	if (loop->signal_fd < 0)
		return;
	weir_loop_remove_fd(loop, loop->signal_fd);
	close(loop->signal_fd);
	loop->signal_fd = -1;
	pthread_sigmask(SIG_UNBLOCK, &loop->signals_blocked, NULL);
}

void weir_loop_wake_deliver(struct weir_loop_source *source)
{
	uint64_t count;

	if (read(source->fd, &count, sizeof(count)) == (ssize_t)sizeof(count))
		source->wake(source->wake_context);
}

int weir_loop_add_signal(
	struct weir_loop *loop, int signal_number, weir_loop_signal_fn callback, void *context)
{
	sigset_t wanted = loop->signals;
	sigset_t one;
	sigset_t before;
	int fd;
	int rc;

	sigemptyset(&one);
	if (sigaddset(&one, signal_number) < 0 || signal_number >= _NSIG)
		return -EINVAL;
	if (sigismember(&loop->signals, signal_number))
		return -EEXIST;
	sigaddset(&wanted, signal_number);
	fd = signalfd(loop->signal_fd, &wanted, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (loop->signal_fd < 0) {
		rc = weir_loop_add_fd(loop, fd, EPOLLIN, on_signal_fd, loop);
		if (rc < 0) {
			close(fd);
			return rc;
		}
		loop->signal_fd = fd;
	}
	pthread_sigmask(SIG_BLOCK, &one, &before);
	if (!sigismember(&before, signal_number))
		sigaddset(&loop->signals_blocked, signal_number);
	loop->signals = wanted;
	loop->signal_callbacks[signal_number] =
		(struct weir_loop_signal){.callback = callback, .context = context};
	return 0;
}

int weir_loop_add_wake(struct weir_loop *loop, weir_loop_wake_fn callback, void *context)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	int rc;

	if (fd < 0)
		return -errno;
	rc = weir_loop_add_fd(loop, fd, EPOLLIN, NULL, NULL);
	if (rc < 0) {
		close(fd);
		return rc;
	}
	loop->sources[fd]->wake = callback;
	loop->sources[fd]->wake_context = context;
	return fd;
}

void weir_loop_remove_wake(struct weir_loop *loop, int wake_fd)
{
	if (weir_loop_remove_fd(loop, wake_fd) == 0)
		close(wake_fd);
}

void weir_loop_wake(int wake_fd)
{
	const uint64_t one = 1;
	int saved = errno;

	/* Fails only when the counter is full, and then the loop is awake already. */
	if (write(wake_fd, &one, sizeof(one)) < 0)
		errno = saved;
}
