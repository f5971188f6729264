/* SPDX-License-Identifier: BSD-3-Clause */
#include "state/writer.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "state/file.h"

#define NS_PER_S 1000000000ull

/* A state under way to the disk. */
struct letter {
	uint8_t *bytes; /* NULL: none */
	size_t length;
	uint64_t number;
};

struct weir_state_writer {
	char *path;
	int wake_fd;
	pthread_t thread;
	pthread_mutex_t lock; /* over all below */
	pthread_cond_t change;
	struct letter letter; /* waits */
	bool is_stopping;
	bool is_abandoned; /* by its owner: the thread frees it */
	bool is_over;      /* the thread is about to end */
	struct weir_state_report report;
};

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static void free_writer(struct weir_state_writer *writer)
{
	pthread_cond_destroy(&writer->change);
	pthread_mutex_destroy(&writer->lock);
	free(writer->letter.bytes);
	free(writer->path);
	free(writer);
}

static void tell(const struct weir_state_writer *writer)
{
	uint64_t one = 1;

	/* A full eventfd has been told already. */
	if (writer->wake_fd >= 0 && write(writer->wake_fd, &one, sizeof(one)) < 0)
		return;
}

/* With the lock; without it while the disk works. */
static void write_letter(struct weir_state_writer *writer)
{
	struct letter letter = writer->letter;
	struct weir_state_report *report = &writer->report;
	struct weir_error error = {0};
	uint64_t start_ns;
	int rc;

	writer->letter = (struct letter){0};
	pthread_mutex_unlock(&writer->lock);
	start_ns = clock_ns(CLOCK_MONOTONIC);
	rc = weir_state_write(writer->path, letter.bytes, letter.length, &error);
	free(letter.bytes);
	pthread_mutex_lock(&writer->lock);
	report->duration_ns = clock_ns(CLOCK_MONOTONIC) - start_ns;
	report->error = error;
	if (rc < 0) {
		report->failures++;
	} else {
		report->writes++;
		report->saved = letter.number;
		report->bytes = letter.length;
		report->success_wall_ns = clock_ns(CLOCK_REALTIME);
	}
	if (!writer->is_abandoned)
		tell(writer);
}

static void *run(void *context)
{
	struct weir_state_writer *writer = context;
	bool is_abandoned;

	pthread_mutex_lock(&writer->lock);
	while (!writer->is_abandoned) {
		if (writer->letter.bytes != NULL)
			write_letter(writer);
		else if (writer->is_stopping)
			break;
		else
			pthread_cond_wait(&writer->change, &writer->lock);
	}
	is_abandoned = writer->is_abandoned;
	writer->is_over = true;
	pthread_cond_broadcast(&writer->change);
	pthread_mutex_unlock(&writer->lock);
	if (is_abandoned)
		free_writer(writer);
	return NULL;
}

/* With all signals blocked: they belong to the thread that has the loop. */
static int start_thread(struct weir_state_writer *writer)
{
	sigset_t before;
	sigset_t all;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&writer->thread, NULL, run, writer);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -rc;
}

int weir_state_writer_start(const char *path, int wake_fd, struct weir_state_writer **result)
{
	struct weir_state_writer *writer = calloc(1, sizeof(*writer));
	int rc;

	*result = NULL;
	if (writer == NULL)
		return -ENOMEM;
	writer->wake_fd = wake_fd;
	pthread_mutex_init(&writer->lock, NULL);
	pthread_cond_init(&writer->change, NULL);
	writer->path = strdup(path);
	rc = writer->path != NULL ? start_thread(writer) : -ENOMEM;
	if (rc < 0) {
		free_writer(writer);
		return rc;
	}
	*result = writer;
	return 0;
}

uint64_t weir_state_writer_offer(struct weir_state_writer *writer, uint8_t *bytes, size_t length)
{
	struct letter before;
	uint64_t number;

	pthread_mutex_lock(&writer->lock);
	before = writer->letter;
	number = ++writer->report.offered;
	writer->letter = (struct letter){.bytes = bytes, .length = length, .number = number};
	writer->report.replaced += before.bytes != NULL;
	pthread_cond_broadcast(&writer->change);
	pthread_mutex_unlock(&writer->lock);
	free(before.bytes);
	return number;
}

void weir_state_writer_report(struct weir_state_writer *writer, struct weir_state_report *report)
{
	pthread_mutex_lock(&writer->lock);
	*report = writer->report;
	pthread_mutex_unlock(&writer->lock);
}

int weir_state_writer_stop(
	struct weir_state_writer *writer, uint32_t timeout_ms, struct weir_state_report *report)
{
	uint64_t end_ns = clock_ns(CLOCK_MONOTONIC) + (uint64_t)timeout_ms * 1000000;
	struct timespec end = {
		.tv_sec = (time_t)(end_ns / NS_PER_S), .tv_nsec = (long)(end_ns % NS_PER_S)};
	struct weir_state_report last;
	pthread_t thread = writer->thread;
	bool is_over;
	int rc = 0;

	pthread_mutex_lock(&writer->lock);
	writer->is_stopping = true;
	pthread_cond_broadcast(&writer->change);
	while (!writer->is_over && rc == 0)
		rc = pthread_cond_clockwait(&writer->change, &writer->lock, CLOCK_MONOTONIC, &end);
	last = writer->report;
	is_over = writer->is_over;
	writer->is_abandoned = !is_over;
	pthread_mutex_unlock(&writer->lock);
	if (report != NULL)
		*report = last;
	if (!is_over) {
		pthread_detach(thread);
		return -ETIMEDOUT;
	}
	pthread_join(thread, NULL);
	free_writer(writer);
	return last.saved == last.offered ? 0 : last.error.code;
}
