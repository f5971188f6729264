/* SPDX-License-Identifier: BSD-3-Clause */
#include <CUnit/Basic.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "control/loop.h"

static struct weir_loop *loop;
static char trace[64];

static void note(char letter)
{
	size_t length = strlen(trace);

	if (length + 1 < sizeof(trace)) {
		trace[length] = letter;
		trace[length + 1] = '\0';
	}
}

static void start(void)
{
	trace[0] = '\0';
	CU_ASSERT_EQUAL_FATAL(weir_loop_create(&loop), 0);
}

static void on_letter_timer(void *context, uint64_t now_ns)
{
	(void)now_ns;
	note(*(const char *)context);
	if (*(const char *)context == 'Z')
		weir_loop_stop(loop);
}

static void timers_fire_by_deadline_then_by_arming(void)
{
	const uint64_t delays_ms[] = {5, 1, 3, 3, 3, 12};
	static const char letters[] = "CABBBZ"; /* each timer's, in the order of arming */
	struct weir_loop_timer timers[6];
	uint64_t begin_ns = weir_loop_clock_ns();

	start();
	for (int i = 0; i < 6; i++) {
		weir_loop_timer_init(&timers[i], on_letter_timer, (void *)(uintptr_t)&letters[i]);
		CU_ASSERT_EQUAL(
			weir_loop_timer_arm(loop, &timers[i], delays_ms[i] * WEIR_MS_NS, 0), 0);
	}
	CU_ASSERT_EQUAL(weir_loop_run(loop), 0);
	CU_ASSERT_STRING_EQUAL(trace, "ABBBCZ");
	CU_ASSERT(weir_loop_clock_ns() - begin_ns >= 12 * WEIR_MS_NS);
	CU_ASSERT_FALSE(weir_loop_timer_is_armed(&timers[0]));
	weir_loop_destroy(loop);
}

static uint64_t fired_order[300];
static size_t fired_count;

static void on_numbered_timer(void *context, uint64_t now_ns)
{
	const struct weir_loop_timer *timer = context;

	CU_ASSERT(timer->deadline_ns <= now_ns);
	fired_order[fired_count++] = timer->deadline_ns;
	if (fired_count == 200)
		weir_loop_stop(loop);
}

static void three_hundred_timers_less_a_third_fire_in_order(void)
{
	static struct weir_loop_timer timers[300];
	uint32_t random = 12345;

	start();
	fired_count = 0;
	for (int i = 0; i < 300; i++) {
		random = random * 1664525 + 1013904223;
		weir_loop_timer_init(&timers[i], on_numbered_timer, &timers[i]);
		weir_loop_timer_arm(loop, &timers[i], (random >> 8) % (5 * WEIR_MS_NS), 0);
	}
	for (int i = 0; i < 300; i += 3)
		weir_loop_timer_cancel(loop, &timers[i]);
	CU_ASSERT_EQUAL(weir_loop_run(loop), 0);
	CU_ASSERT_EQUAL(fired_count, 200);
	for (size_t i = 1; i < fired_count; i++)
		CU_ASSERT(fired_order[i - 1] <= fired_order[i]);
	for (int i = 0; i < 300; i++)
		CU_ASSERT_FALSE(weir_loop_timer_is_armed(&timers[i]));
	weir_loop_destroy(loop);
}

static struct weir_loop_timer periodic;
static struct weir_loop_timer busy;

static void on_periodic(void *context, uint64_t now_ns)
{
	(void)context;
	(void)now_ns;
	note('p');
	if (strlen(trace) == 5) {
		weir_loop_timer_cancel(loop, &periodic);
		weir_loop_stop(loop);
	}
}

static void a_periodic_timer_repeats_until_its_callback_cancels_it(void)
{
	start();
	weir_loop_timer_init(&periodic, on_periodic, NULL);
	weir_loop_timer_arm(loop, &periodic, 0, WEIR_MS_NS);
	CU_ASSERT_EQUAL(weir_loop_run(loop), 0);
	CU_ASSERT_STRING_EQUAL(trace, "ppppp");
	CU_ASSERT_FALSE(weir_loop_timer_is_armed(&periodic));
	weir_loop_destroy(loop);
}

static void on_busy(void *context, uint64_t now_ns)
{
	(void)context;
	(void)now_ns;
	weir_loop_timer_arm(loop, &busy, 0, 0);
}

static void on_readable_stop(void *context, int fd, uint32_t events)
{
	(void)context;
	(void)fd;
	CU_ASSERT(events & EPOLLIN);
	weir_loop_stop(loop);
}

static void a_timer_that_arms_itself_for_now_starves_nobody(void)
{
	int ends[2];

	start();
	CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
	CU_ASSERT_EQUAL(write(ends[1], "x", 1), 1);
	weir_loop_timer_init(&busy, on_busy, NULL);
	weir_loop_timer_arm(loop, &busy, 0, 0);
	weir_loop_add_fd(loop, ends[0], EPOLLIN, on_readable_stop, NULL);
	CU_ASSERT_EQUAL(weir_loop_run(loop), 0);
	weir_loop_destroy(loop);
	close(ends[0]);
	close(ends[1]);
}

static int pipes[2][2];

static void on_end_timer(void *context, uint64_t now_ns)
{
	(void)context;
	(void)now_ns;
	weir_loop_stop(loop);
}

static void on_new_fd(void *context, int fd, uint32_t events)
{
	(void)context;
	(void)fd;
	(void)events;
	note('n'); /* only when data came after it was added */
}

/* Removes both pipes, closes the other, and puts an empty pipe on the other's number. */
static void on_first_of_two(void *context, int fd, uint32_t events)
{
	int other = fd == pipes[0][0] ? 1 : 0;
	int number = pipes[other][0];
	int fresh[2];

	(void)context;
	(void)events;
	note('f');
	CU_ASSERT_EQUAL(weir_loop_remove_fd(loop, fd), 0);
	CU_ASSERT_EQUAL(weir_loop_remove_fd(loop, number), 0);
	CU_ASSERT_EQUAL_FATAL(pipe(fresh), 0);
	CU_ASSERT_EQUAL(dup2(fresh[0], number), number);
	close(fresh[0]);
	close(pipes[other][1]);
	pipes[other][1] = fresh[1];
	CU_ASSERT_EQUAL(weir_loop_add_fd(loop, number, EPOLLIN, on_new_fd, NULL), 0);
}

static void a_removed_fd_gets_no_event_nor_does_its_successor(void)
{
	struct weir_loop_timer end;

	start();
	for (int i = 0; i < 2; i++) {
		CU_ASSERT_EQUAL_FATAL(pipe(pipes[i]), 0);
		CU_ASSERT_EQUAL(write(pipes[i][1], "x", 1), 1);
		CU_ASSERT_EQUAL(
			weir_loop_add_fd(loop, pipes[i][0], EPOLLIN, on_first_of_two, NULL), 0);
	}
	CU_ASSERT_EQUAL(
		weir_loop_add_fd(loop, pipes[0][0], EPOLLIN, on_first_of_two, NULL), -EEXIST);
	weir_loop_timer_init(&end, on_end_timer, NULL);
	weir_loop_timer_arm(loop, &end, 5 * WEIR_MS_NS, 0);
	CU_ASSERT_EQUAL(weir_loop_run(loop), 0);
	CU_ASSERT_STRING_EQUAL(trace, "f");
	weir_loop_destroy(loop);
	for (int i = 0; i < 4; i++)
		close(pipes[i / 2][i % 2]);
}

static void an_unknown_fd_cannot_be_changed(void)
{
	start();
	CU_ASSERT_EQUAL(weir_loop_modify_fd(loop, 500, EPOLLIN), -ENOENT);
	CU_ASSERT_EQUAL(weir_loop_remove_fd(loop, 500), -ENOENT);
	CU_ASSERT_EQUAL(weir_loop_remove_fd(loop, -1), -ENOENT);
	CU_ASSERT_EQUAL(weir_loop_add_fd(loop, -1, EPOLLIN, on_new_fd, NULL), -EBADF);
	weir_loop_destroy(loop);
}

static void on_signal(void *context, int signal_number)
{
	CU_ASSERT_PTR_EQUAL(context, &loop);
	note(signal_number == SIGUSR1 ? '1' : '2');
	if (strlen(trace) == 2)
		weir_loop_stop(loop);
}

static void signals_arrive_in_the_loop_and_are_unblocked_after_it(void)
{
	sigset_t mask;

	start();
	CU_ASSERT_EQUAL(weir_loop_add_signal(loop, SIGUSR1, on_signal, &loop), 0);
	CU_ASSERT_EQUAL(weir_loop_add_signal(loop, SIGUSR2, on_signal, &loop), 0);
	CU_ASSERT_EQUAL(weir_loop_add_signal(loop, SIGUSR1, on_signal, &loop), -EEXIST);
	CU_ASSERT_EQUAL(weir_loop_add_signal(loop, 0, on_signal, &loop), -EINVAL);
	CU_ASSERT_EQUAL(weir_loop_add_signal(loop, 4000, on_signal, &loop), -EINVAL);
	raise(SIGUSR1);
	raise(SIGUSR2);
	CU_ASSERT_EQUAL(weir_loop_run(loop), 0);
	CU_ASSERT(strchr(trace, '1') != NULL && strchr(trace, '2') != NULL);
	weir_loop_destroy(loop);
	pthread_sigmask(SIG_BLOCK, NULL, &mask);
	CU_ASSERT_FALSE(sigismember(&mask, SIGUSR1));
}

static int wake_fd;
static int wake_count;

static void on_wake(void *context)
{
	(void)context;
	wake_count++;
	if (trace[0] == 'w') /* the thread has made its last wake */
		weir_loop_stop(loop);
}

static void *wake_often(void *context)
{
	(void)context;
	for (int i = 0; i < 1000; i++)
		weir_loop_wake(wake_fd);
	return NULL;
}

static void on_join_timer(void *context, uint64_t now_ns)
{
	(void)now_ns;
	pthread_join(*(pthread_t *)context, NULL);
	note('w');
	weir_loop_wake(wake_fd);
}

static void wakes_from_another_thread_are_merged_but_never_lost(void)
{
	struct weir_loop_timer join;
	pthread_t thread;

	start();
	wake_count = 0;
	wake_fd = weir_loop_add_wake(loop, on_wake, NULL);
	CU_ASSERT_FATAL(wake_fd >= 0);
	weir_loop_timer_init(&join, on_join_timer, &thread);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, wake_often, NULL), 0);
	weir_loop_timer_arm(loop, &join, WEIR_MS_NS, 0);
	CU_ASSERT_EQUAL(weir_loop_run(loop), 0);
	CU_ASSERT(wake_count >= 1 && wake_count <= 1001);
	weir_loop_destroy(loop);
}

static void *stop_loop(void *context)
{
	weir_loop_stop(context);
	return NULL;
}

static void another_thread_can_stop_it_before_or_while_it_runs(void)
{
	pthread_t thread;

	start();
	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, stop_loop, loop), 0);
	CU_ASSERT_EQUAL(weir_loop_run(loop), 0);
	pthread_join(thread, NULL);
	weir_loop_destroy(loop);
}

static int prepares;
static int afters;

static bool on_prepare(void *context)
{
	(void)context;
	return ++prepares <= 3; /* work three times, then nothing */
}

static void on_after(void *context)
{
	(void)context;
	if (++afters == 3)
		weir_loop_stop(loop);
}

static void prepare_that_has_work_keeps_the_loop_awake(void)
{
	start();
	prepares = afters = 0;
	weir_loop_set_hooks(loop, on_prepare, on_after, NULL);
	CU_ASSERT_EQUAL(weir_loop_run(loop), 0); /* would sleep for ever if prepare were ignored */
	CU_ASSERT_EQUAL(prepares, 3);
	CU_ASSERT_EQUAL(afters, 3);
	weir_loop_destroy(loop);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"timers fire by deadline, then by arming", timers_fire_by_deadline_then_by_arming},
		{"cancelled timers never fire, the others in order",
			three_hundred_timers_less_a_third_fire_in_order},
		{"a periodic timer repeats until its callback cancels it",
			a_periodic_timer_repeats_until_its_callback_cancels_it},
		{"a timer that arms itself for now starves nobody",
			a_timer_that_arms_itself_for_now_starves_nobody},
		{"a removed fd gets no event, nor does its successor",
			a_removed_fd_gets_no_event_nor_does_its_successor},
		{"an unknown fd cannot be changed", an_unknown_fd_cannot_be_changed},
		{"signals arrive in the loop and are unblocked after it",
			signals_arrive_in_the_loop_and_are_unblocked_after_it},
		{"wakes from another thread are merged but never lost",
			wakes_from_another_thread_are_merged_but_never_lost},
		{"another thread can stop it before or while it runs",
			another_thread_can_stop_it_before_or_while_it_runs},
		{"a prepare that has work keeps the loop awake",
			prepare_that_has_work_keeps_the_loop_awake},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{"control loop", NULL, NULL, NULL, NULL, tests},
		CU_SUITE_INFO_NULL,
	};

	alarm(30); /* a loop that hangs is a failure */
	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 1;
	CU_basic_set_mode(CU_BRM_NORMAL);
	CU_basic_run_tests();
	return CU_get_number_of_failures() != 0 || CU_get_error() != CUE_SUCCESS;
}
