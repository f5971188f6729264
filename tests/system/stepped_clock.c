/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Loaded before the C library (LD_PRELOAD): the wall clock of one process, which a test steps as
 * time servers and operators do, without touching that of the machine. The file in
 * WEIR_STEPPED_CLOCK holds by how many seconds, as eight bytes, and may change at any time.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *step_s;

__attribute__((constructor)) static void load(void)
{
	const char *path = getenv("WEIR_STEPPED_CLOCK");
	int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *mapped = MAP_FAILED;

	if (fd >= 0) {
		mapped = mmap(NULL, sizeof(*step_s), PROT_READ, MAP_SHARED, fd, 0);
		close(fd);
	}
	if (mapped != MAP_FAILED)
		step_s = mapped;
}

/* Other constructors ask for the time before this one has run. */
static int true_time(clockid_t clock, struct timespec *time)
{
	static int (*function)(clockid_t, struct timespec *);

	if (function == NULL)
		*(void **)&function = dlsym(RTLD_NEXT, "clock_gettime");
	return function(clock, time);
}

int clock_gettime(clockid_t clock, struct timespec *time)
{
	int rc = true_time(clock, time);

	if (rc == 0 && clock == CLOCK_REALTIME && step_s != NULL)
		time->tv_sec += *step_s;
	return rc;
}
