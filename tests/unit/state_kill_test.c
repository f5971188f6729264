/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A hundred times: a process that saves one state after the other is killed at some moment. What
 * is found then is a state that it saved, whole, and none older than the last that it had told
 * was saved. Usage: state_kill_test [SEED]
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <CUnit/Basic.h>

#include "state/file.h"
#include "state_fixture.h"

#define ROUNDS      100
#define MOST_NS     40000000u /* that a child lives after its first save */
#define PATIENCE_MS 20000     /* for the first save */

static struct state_folder folder;
static uint64_t seed;

/* Saves the samples from `number` on for ever and writes each number when its save returned. */
static void child_main(uint64_t number, int pipe_fd)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;; number++) {
		struct weir_state *state = state_sample(number);

		if (weir_state_save(folder.file, state, NULL) < 0 ||
			write(pipe_fd, &number, sizeof(number)) != sizeof(number))
			_exit(1);
		weir_state_free(state);
	}
}

/* The newest number that is in the pipe, or `newest`. */
static uint64_t drain(int pipe_fd, uint64_t newest)
{
	uint64_t numbers[512];
	ssize_t got;

	while ((got = read(pipe_fd, numbers, sizeof(numbers))) >= (ssize_t)sizeof(*numbers))
		newest = numbers[(size_t)got / sizeof(*numbers) - 1];
	return newest;
}

/* Let it live until the moment; half of the time from its first save on, else from its start. */
static uint64_t live(int pipe_fd, uint64_t random, uint64_t newest)
{
	struct pollfd poll_fd = {.fd = pipe_fd, .events = POLLIN};
	struct timespec left = {.tv_nsec = (long)(random / 2 % MOST_NS)};

	if (random % 2 == 0)
		CU_ASSERT_EQUAL(poll(&poll_fd, 1, PATIENCE_MS), 1);
	nanosleep(&left, NULL);
	return drain(pipe_fd, newest);
}

/* Kills a child at work. Returns the newest number of which it told. */
static uint64_t run_child(uint64_t from, uint64_t random)
{
	int pipe_fds[2];
	uint64_t newest;
	int status = 0;
	pid_t child;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		abort();
	child = fork();
	if (child == 0)
		child_main(from, pipe_fds[1]);
	close(pipe_fds[1]);
	if (child < 0 || fcntl(pipe_fds[0], F_SETFL, O_NONBLOCK) < 0)
		abort();
	newest = live(pipe_fds[0], random, from - 1);
	kill(child, SIGKILL);
	CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
	CU_ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	newest = drain(pipe_fds[0], newest);
	close(pipe_fds[0]);
	return newest;
}

/* The number of the state that is found; 0, and a failure, when there is none. */
static uint64_t find(uint64_t round, bool *is_previous)
{
	struct weir_error error = {0};
	struct weir_state *state;
	uint64_t number = 0;

	if (weir_state_load(folder.file, &state, is_previous, &error) < 0) {
		printf("\n    round %ju: %s ", (uintmax_t)round, error.reason);
		CU_FAIL("no state was left");
		return 0;
	}
	if (state_is_sample(state))
		number = state->incarnation;
	else
		CU_FAIL("a state was left that nobody saved");
	weir_state_free(state);
	return number;
}

/* A disk may have damaged FILE before the child begins: then FILE.old is all there is. */
static uint64_t damage(uint64_t round)
{
	bool is_previous;
	size_t length;
	uint8_t *bytes = state_read(folder.file, &length);

	CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
	bytes[state_mix(seed - round) % length] ^= 0x10;
	state_write(folder.file, bytes, length);
	free(bytes);
	return find(round, &is_previous);
}

static void test_kill(void)
{
	uint64_t after_damage = 0;
	uint64_t left_new = 0;
	uint64_t not_told = 0;
	uint64_t kept = 0; /* at least this is there */
	uint64_t next = 1;
	bool is_old_all = false; /* FILE is damaged, and no child has lived to mend it */

	for (uint64_t round = 1; round <= ROUNDS; round++) {
		bool is_damaged = round % 5 == 0 && state_exists(folder.old_file);
		bool is_previous = false;
		uint64_t told;
		uint64_t found;

		if (is_damaged)
			kept = damage(round);
		told = run_child(next, state_mix(seed + round));
		if (told >= next)
			kept = told;
		found = kept > 0 || state_exists(folder.file) ? find(round, &is_previous) : 0;
		/* The one under way when the child died may have been saved. */
		CU_ASSERT_TRUE(found == kept || found == (told >= next ? told + 1 : next));
		CU_ASSERT_TRUE(!is_previous || ((is_damaged || is_old_all) && told < next));
		is_old_all = is_previous;
		after_damage += is_damaged;
		left_new += state_exists(folder.new_file);
		not_told += found > kept;
		kept = found;
		next = (found > told ? found : told) + 1;
	}
	printf("\n    %ju saves, %d kills: %ju with a damaged file, %ju left a FILE.new, %ju a "
	       "state "
	       "that was not told of yet ",
		(uintmax_t)next - 1, ROUNDS, (uintmax_t)after_damage, (uintmax_t)left_new,
		(uintmax_t)not_told);
	CU_ASSERT_TRUE(next > ROUNDS);
}

static void set_up(void)
{
	state_folder_make(&folder);
}

static void tear_down(void)
{
	state_folder_remove(&folder);
}

int main(int argc, char **argv)
{
	CU_TestInfo tests[] = {
		{"whenever it is killed, nothing saved is lost", test_kill},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{"state and kill", NULL, NULL, set_up, tear_down, tests},
		CU_SUITE_INFO_NULL,
	};
	unsigned int failures;

	seed = argc > 1 ? strtoull(argv[1], NULL, 0) : (uint64_t)time(NULL) << 16 | getpid();
	printf("seed %ju\n", (uintmax_t)seed);
	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 1;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures != 0;
}
