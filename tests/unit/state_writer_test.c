/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <CUnit/Basic.h>

#include "state/file.h"
#include "state/writer.h"
#include "state_disk.h"
#include "state_fixture.h"

static struct state_folder folder;
static struct weir_state_writer *writer;
static int wake_fd;

static uint64_t offer(uint64_t number)
{
	struct weir_state *state = state_sample(number);
	uint8_t *bytes;
	size_t length;

	CU_ASSERT_EQUAL_FATAL(weir_state_encode(state, &bytes, &length), 0);
	weir_state_free(state);
	return weir_state_writer_offer(writer, bytes, length);
}

static struct weir_state_report report(void)
{
	struct weir_state_report report;

	weir_state_writer_report(writer, &report);
	return report;
}

/* The writer tells of each attempt; ten seconds are for a machine that is very busy. */
static void wait_for_attempts(uint64_t count)
{
	struct pollfd poll_fd = {.fd = wake_fd, .events = POLLIN};
	uint64_t told;

	while (report().writes + report().failures < count) {
		CU_ASSERT_EQUAL_FATAL(poll(&poll_fd, 1, 10000), 1);
		CU_ASSERT_EQUAL(read(wake_fd, &told, sizeof(told)), sizeof(told));
	}
}

static uint64_t loaded(void)
{
	struct weir_state *state;
	bool is_previous;
	uint64_t number = 0;

	if (weir_state_load(folder.file, &state, &is_previous, NULL) == 0 && !is_previous &&
		state_is_sample(state))
		number = state->incarnation;
	weir_state_free(state);
	return number;
}

static void test_writes(void)
{
	struct weir_state_report last;
	struct timespec now;

	CU_ASSERT_EQUAL(report().saved, 0);
	CU_ASSERT_EQUAL(report().success_wall_ns, 0);
	CU_ASSERT_EQUAL(offer(11), 1);
	wait_for_attempts(1);
	CU_ASSERT_EQUAL(report().saved, 1);
	CU_ASSERT_EQUAL(loaded(), 11);
	CU_ASSERT_EQUAL(offer(12), 2);
	CU_ASSERT_EQUAL(weir_state_writer_stop(writer, 10000, &last), 0);
	CU_ASSERT_EQUAL(loaded(), 12);
	CU_ASSERT_TRUE(last.saved == 2 && last.writes == 2 && last.offered == 2);
	CU_ASSERT_TRUE(last.failures == 0 && last.replaced == 0 && last.error.code == 0);
	clock_gettime(CLOCK_REALTIME, &now);
	CU_ASSERT_EQUAL_FATAL(last.success_wall_ns / 10000000000 > 0, 1);
	CU_ASSERT_TRUE((uint64_t)now.tv_sec - last.success_wall_ns / 1000000000 < 60);
	CU_ASSERT_TRUE(last.duration_ns > 0 && last.bytes > 0);
}

static void test_nothing_offered(void)
{
	CU_ASSERT_EQUAL(weir_state_writer_stop(writer, 10000, NULL), 0);
	CU_ASSERT_FALSE(state_exists(folder.file));
}

static void test_newest_wins(void)
{
	struct weir_state_report last;

	state_disk_plan(STATE_DISK_HOLD, 3, 0); /* the fsync of the first */
	offer(1);
	state_disk_wait();
	for (uint64_t number = 2; number <= 6; number++)
		CU_ASSERT_EQUAL(offer(number), number);
	CU_ASSERT_EQUAL(report().saved, 0);
	CU_ASSERT_EQUAL(report().replaced, 4);
	state_disk_release();
	CU_ASSERT_EQUAL(weir_state_writer_stop(writer, 10000, &last), 0);
	CU_ASSERT_EQUAL(loaded(), 6);
	CU_ASSERT_TRUE(last.writes == 2 && last.replaced == 4 && last.saved == 6);
}

static void test_failure(void)
{
	struct weir_state_report last;

	offer(1);
	wait_for_attempts(1);
	state_disk_plan(STATE_DISK_FAIL, 2, ENOSPC);
	offer(2);
	wait_for_attempts(2);
	CU_ASSERT_EQUAL(report().error.code, -ENOSPC);
	CU_ASSERT_STRING_EQUAL(report().error.path, folder.file);
	CU_ASSERT_EQUAL(report().saved, 1);
	CU_ASSERT_EQUAL(report().failures, 1);
	CU_ASSERT_EQUAL(loaded(), 1);
	offer(3);
	wait_for_attempts(3);
	CU_ASSERT_EQUAL(report().error.code, 0);
	CU_ASSERT_EQUAL(report().saved, 3);
	state_disk_plan(STATE_DISK_FAIL, 2, EIO);
	offer(4);
	CU_ASSERT_EQUAL(weir_state_writer_stop(writer, 10000, &last), -EIO);
	CU_ASSERT_EQUAL(loaded(), 3);
	CU_ASSERT_TRUE(last.saved == 3 && last.offered == 4 && last.failures == 2);
}

/* The disk holds the thread: the owner goes, and what waits is not begun any more. */
static void test_stuck_disk(void)
{
	struct weir_state_report last;
	struct timespec pause = {.tv_nsec = 1000000};

	state_disk_plan(STATE_DISK_HOLD, 3, 0);
	offer(1);
	state_disk_wait();
	offer(2);
	CU_ASSERT_EQUAL(weir_state_writer_stop(writer, 20, &last), -ETIMEDOUT);
	CU_ASSERT_TRUE(last.offered == 2 && last.saved == 0);
	CU_ASSERT_EQUAL(loaded(), 0);
	state_disk_release();
	/* Nobody is told any more; a sanitizer tells if the thread leaves anything behind. */
	for (int i = 0; i < 10000 && loaded() != 1; i++)
		nanosleep(&pause, NULL);
	CU_ASSERT_EQUAL(loaded(), 1);
	nanosleep(&pause, NULL);
	CU_ASSERT_EQUAL(loaded(), 1);
}

static void set_up(void)
{
	state_disk_plan(STATE_DISK_GOOD, 0, 0);
	state_folder_make(&folder);
	wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (wake_fd < 0 || weir_state_writer_start(folder.file, wake_fd, &writer) < 0)
		abort();
}

static void tear_down(void)
{
	close(wake_fd);
	state_folder_remove(&folder);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"what is offered is written, and told", test_writes},
		{"without an offer nothing is written", test_nothing_offered},
		{"the newest offer wins", test_newest_wins},
		{"a failure is told and the next offer tried", test_failure},
		{"a disk that stands still holds up nobody", test_stuck_disk},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{"state writer", NULL, NULL, set_up, tear_down, tests},
		CU_SUITE_INFO_NULL,
	};
	unsigned int failures;

	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 1;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures != 0;
}
