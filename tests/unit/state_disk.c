/* SPDX-License-Identifier: BSD-3-Clause */
#include "state_disk.h"

#include <errno.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

/* What the linker's --wrap makes of the calls, and of the real ones. */
int __wrap_fsync(int fd);
int __wrap_renameat(int from_folder, const char *from, int to_folder, const char *to);
int __wrap_renameat2(
	int from_folder, const char *from, int to_folder, const char *to, unsigned int flags);
int __wrap_unlinkat(int folder, const char *name, int flags);
ssize_t __wrap_write(int fd, const void *bytes, size_t length);
int __real_fsync(int fd);
int __real_renameat(int from_folder, const char *from, int to_folder, const char *to);
int __real_renameat2(
	int from_folder, const char *from, int to_folder, const char *to, unsigned int flags);
int __real_unlinkat(int folder, const char *name, int flags);
ssize_t __real_write(int fd, const void *bytes, size_t length);

static enum state_disk_fault plan;
static unsigned int plan_at;
static int plan_error;
static bool is_half_written;
static atomic_uint calls;
static sem_t held;
static sem_t released;

/* True: the call fails, errno is set. */
static bool meets_fault(void)
{
	if (++calls != plan_at || plan == STATE_DISK_GOOD)
		return false;
	if (plan == STATE_DISK_DIE)
		_exit(0);
	if (plan == STATE_DISK_HOLD) {
		sem_post(&held);
		while (sem_wait(&released) < 0)
			continue;
		return false;
	}
	errno = plan_error;
	return true;
}

void state_disk_plan(enum state_disk_fault fault, unsigned int at, int error)
{
	plan = fault;
	plan_at = at;
	plan_error = error;
	is_half_written = false;
	calls = 0;
	sem_init(&held, 0, 0);
	sem_init(&released, 0, 0);
}

unsigned int state_disk_calls(void)
{
	return calls;
}

void state_disk_wait(void)
{
	while (sem_wait(&held) < 0)
		continue;
}

void state_disk_release(void)
{
	sem_post(&released);
}

int __wrap_fsync(int fd)
{
	return meets_fault() ? -1 : __real_fsync(fd);
}

int __wrap_renameat(int from_folder, const char *from, int to_folder, const char *to)
{
	return meets_fault() ? -1 : __real_renameat(from_folder, from, to_folder, to);
}

int __wrap_renameat2(
	int from_folder, const char *from, int to_folder, const char *to, unsigned int flags)
{
	return meets_fault() ? -1 : __real_renameat2(from_folder, from, to_folder, to, flags);
}

int __wrap_unlinkat(int folder, const char *name, int flags)
{
	return meets_fault() ? -1 : __real_unlinkat(folder, name, flags);
}

/* A disk that becomes full, or a process that dies, does so within a write. */
ssize_t __wrap_write(int fd, const void *bytes, size_t length)
{
	bool is_planned = calls + 1 == plan_at;

	if (is_planned && !is_half_written && length > 1 &&
		(plan == STATE_DISK_FAIL || plan == STATE_DISK_DIE)) {
		is_half_written = true;
		return __real_write(fd, bytes, length / 2);
	}
	return meets_fault() ? -1 : __real_write(fd, bytes, length);
}
