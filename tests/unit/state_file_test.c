/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CUnit/Basic.h>

#include "state/file.h"
#include "state/format.h"
#include "state_disk.h"
#include "state_fixture.h"

static struct state_folder folder;

static int save(uint64_t number)
{
	struct weir_state *state = state_sample(number);
	struct weir_error error = {0};
	int rc = weir_state_save(folder.file, state, &error);

	CU_ASSERT_EQUAL(error.code, rc);
	weir_state_free(state);
	return rc;
}

/* The number of the sample that is loaded; or a negative errno, and then there is a reason. */
static int64_t load(bool *is_previous)
{
	struct weir_error error = {0};
	struct weir_state *state;
	int64_t number;
	int rc;

	rc = weir_state_load(folder.file, &state, is_previous, &error);
	if (rc < 0) {
		CU_ASSERT_PTR_NULL(state);
		CU_ASSERT_EQUAL(error.code, rc);
		CU_ASSERT_NOT_EQUAL(error.reason[0], '\0');
		CU_ASSERT_EQUAL(strncmp(error.path, folder.file, strlen(folder.file)), 0);
		return rc;
	}
	CU_ASSERT_EQUAL(error.code != 0, *is_previous);
	CU_ASSERT_TRUE(state_is_sample(state));
	number = (int64_t)state->incarnation;
	weir_state_free(state);
	return number;
}

static void damage(const char *path)
{
	size_t length;
	uint8_t *bytes = state_read(path, &length);

	CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
	bytes[length / 2] ^= 1;
	state_write(path, bytes, length);
	free(bytes);
}

static void test_save(void)
{
	char below[120];
	struct weir_state *state = state_sample(5);
	struct state_folder before = folder;
	struct stat status;
	mode_t mask = umask(0077);
	bool is_previous;

	CU_ASSERT_EQUAL(load(&is_previous), -ENOENT);
	snprintf(below, sizeof(below), "%s/below", folder.path);
	snprintf(folder.file, sizeof(folder.file), "%s/below/state", folder.path);
	CU_ASSERT_EQUAL(load(&is_previous), -ENOENT);
	CU_ASSERT_EQUAL(weir_state_save(folder.file, state, NULL), 0);
	umask(mask);
	CU_ASSERT_EQUAL(load(&is_previous), 5);
	CU_ASSERT_FALSE(is_previous);
	CU_ASSERT_TRUE(stat(below, &status) == 0 && (status.st_mode & 07777) == 0755);
	CU_ASSERT_TRUE(stat(folder.file, &status) == 0 && (status.st_mode & 07777) == 0600);
	unlink(folder.file);
	CU_ASSERT_EQUAL(rmdir(below), 0); /* nothing else is there */
	folder = before;
	weir_state_free(state);
}

static void test_previous(void)
{
	bool is_previous;

	for (uint64_t number = 1; number <= 4; number++)
		CU_ASSERT_EQUAL(save(number), 0);
	CU_ASSERT_FALSE(state_exists(folder.new_file));
	CU_ASSERT_EQUAL(load(&is_previous), 4);
	CU_ASSERT_EQUAL(unlink(folder.file), 0);
	CU_ASSERT_EQUAL(load(&is_previous), 3);
	CU_ASSERT_TRUE(is_previous);
}

/* FILE is `length` bytes now, and no more a state. */
static void expect_fall_back(const uint8_t *bytes, size_t length)
{
	bool is_previous;

	state_write(folder.file, bytes, length);
	CU_ASSERT_EQUAL(load(&is_previous), 1);
	CU_ASSERT_TRUE(is_previous);
}

static void test_damage(void)
{
	size_t length;
	uint8_t *bytes;

	CU_ASSERT_EQUAL(save(1), 0);
	CU_ASSERT_EQUAL(save(2), 0);
	bytes = state_read(folder.file, &length);
	CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
	for (size_t cut = 0; cut < length; cut++)
		expect_fall_back(bytes, cut);
	for (size_t at = 0; at < length; at++)
		for (unsigned int bit = 0; bit < 8; bit++) {
			bytes[at] ^= (uint8_t)(1u << bit);
			expect_fall_back(bytes, length);
			bytes[at] ^= (uint8_t)(1u << bit);
		}
	bytes[length] = 0;
	expect_fall_back(bytes, length + 1);
	free(bytes);
}

static void test_both_damaged(void)
{
	struct weir_error error = {0};
	struct weir_state *state;
	bool is_previous;

	CU_ASSERT_EQUAL(save(1), 0);
	damage(folder.file);
	CU_ASSERT_EQUAL(load(&is_previous), -EBADMSG);
	CU_ASSERT_EQUAL(save(2), 0);
	CU_ASSERT_EQUAL(load(&is_previous), 2);
	damage(folder.file);
	CU_ASSERT_EQUAL(weir_state_load(folder.file, &state, &is_previous, &error), -EBADMSG);
	CU_ASSERT_PTR_NOT_NULL(strstr(error.reason, "checksum"));
	CU_ASSERT_PTR_NOT_NULL(strstr(error.hint, "anew"));
	unlink(folder.file);
	CU_ASSERT_EQUAL(load(&is_previous), -EBADMSG);
}

static void test_newer(void)
{
	bool is_previous;
	size_t length;
	size_t length_after;
	uint8_t *bytes;
	uint8_t *after;

	CU_ASSERT_EQUAL(save(1), 0);
	CU_ASSERT_EQUAL(save(2), 0);
	bytes = state_read(folder.file, &length);
	CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
	bytes[WEIR_STATE_AT_VERSION + 3] = 200;
	state_seal(bytes, length);
	state_write(folder.file, bytes, length);
	CU_ASSERT_EQUAL(load(&is_previous), -ENOTSUP);
	CU_ASSERT_FALSE(is_previous);
	after = state_read(folder.file, &length_after);
	CU_ASSERT_TRUE(length == length_after && memcmp(bytes, after, length) == 0);
	/* The newer one's predecessor, when the newer one is damaged, is newer too. */
	state_write(folder.old_file, bytes, length);
	damage(folder.file);
	CU_ASSERT_EQUAL(load(&is_previous), -ENOTSUP);
	free(bytes);
	free(after);
}

static void test_rest(void)
{
	static const uint8_t rest[] = "the rest of something";
	bool is_previous;

	state_write(folder.new_file, rest, sizeof(rest));
	CU_ASSERT_EQUAL(load(&is_previous), -ENOENT);
	CU_ASSERT_EQUAL(save(1), 0);
	CU_ASSERT_EQUAL(load(&is_previous), 1);
	CU_ASSERT_FALSE(state_exists(folder.new_file));
	CU_ASSERT_EQUAL(symlink("/dev/null", folder.new_file), 0);
	CU_ASSERT_EQUAL(save(2), 0);
	CU_ASSERT_EQUAL(load(&is_previous), 2);
}

static void test_no_file(void)
{
	char long_path[400];
	struct weir_state *state = state_sample(1);
	struct weir_error error;
	bool is_previous;

	CU_ASSERT_EQUAL(mkfifo(folder.file, 0600), 0);
	CU_ASSERT_EQUAL(load(&is_previous), -EINVAL);
	unlink(folder.file);
	CU_ASSERT_EQUAL(mkdir(folder.file, 0700), 0);
	CU_ASSERT_EQUAL(load(&is_previous), -EINVAL);
	rmdir(folder.file);
	snprintf(long_path, sizeof(long_path), "%s/%0300d", folder.path, 0);
	CU_ASSERT_EQUAL(weir_state_save(long_path, state, &error), -ENAMETOOLONG);
	snprintf(long_path, sizeof(long_path), "%s/", folder.path);
	CU_ASSERT_EQUAL(weir_state_save(long_path, state, &error), -EINVAL);
	snprintf(long_path, sizeof(long_path), "%s/a/b/c", folder.path);
	CU_ASSERT_EQUAL(weir_state_save(long_path, state, &error), -ENOENT);
	CU_ASSERT_STRING_EQUAL(error.path, long_path);
	CU_ASSERT_NOT_EQUAL(error.hint[0], '\0');
	weir_state_free(state);
}

static unsigned int calls_of_a_save(void)
{
	CU_ASSERT_EQUAL(save(1), 0);
	CU_ASSERT_EQUAL(save(2), 0);
	state_disk_plan(STATE_DISK_GOOD, 0, 0);
	CU_ASSERT_EQUAL(save(2), 0);
	return state_disk_calls();
}

static void test_failing_disk(void)
{
	static const int errors[] = {EIO, ENOSPC, EDQUOT, EROFS};
	unsigned int calls = calls_of_a_save();
	int64_t before = 2;
	int64_t after;
	bool is_previous;

	CU_ASSERT_TRUE(calls >= 6); /* unlink, write, fsync, rename, fsync, rename */
	for (unsigned int at = 1; at <= calls; at++)
		for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
			state_disk_plan(STATE_DISK_FAIL, at, errors[i]);
			CU_ASSERT_EQUAL(save((uint64_t)before + 1), -errors[i]);
			state_disk_plan(STATE_DISK_GOOD, 0, 0);
			after = load(&is_previous);
			CU_ASSERT_FALSE(is_previous);
			/* Only what fails after FILE has its name leaves the new one. */
			CU_ASSERT_EQUAL(after, before + (at > calls - 2));
			CU_ASSERT_EQUAL(save((uint64_t)before + 2), 0);
			before += 2;
			CU_ASSERT_EQUAL(load(&is_previous), before);
		}
}

/* The file system cannot exchange two names. */
static void test_no_exchange(void)
{
	unsigned int calls = calls_of_a_save();
	bool is_previous;

	for (unsigned int number = 3; number < 6; number++) {
		state_disk_plan(STATE_DISK_FAIL, calls - 2, EINVAL);
		CU_ASSERT_EQUAL(save(number), 0);
		state_disk_plan(STATE_DISK_GOOD, 0, 0);
		CU_ASSERT_EQUAL(load(&is_previous), number);
		CU_ASSERT_FALSE(state_exists(folder.new_file));
	}
}

/* A child runs `act` and ends; whatever it printed or counted is its own. */
static void in_child(void (*act)(uint64_t), uint64_t number)
{
	pid_t child = fork();
	int status = -1;

	if (child == 0) {
		act(number);
		_exit(0);
	}
	CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
	CU_ASSERT_EQUAL(status, 0);
}

static unsigned int death;

static void save_and_die(uint64_t number)
{
	state_disk_plan(STATE_DISK_DIE, death, 0);
	_exit(save(number) == 0 ? 0 : 1);
}

static void test_death(void)
{
	unsigned int calls = calls_of_a_save();
	uint64_t number = 2;
	bool is_previous;
	int64_t found;

	for (death = 1; death <= calls + 1; death++) {
		number = (uint64_t)load(&is_previous);
		in_child(save_and_die, number + 1);
		found = load(&is_previous);
		CU_ASSERT_FALSE(is_previous);
		CU_ASSERT_TRUE(found == (int64_t)number || found == (int64_t)number + 1);
		CU_ASSERT_EQUAL(save(number + 2), 0);
	}
	/* The same, beginning with a damaged FILE: what is good is never touched first. */
	for (death = 1; death <= calls + 1; death++) {
		CU_ASSERT_EQUAL(save(number + 3), 0);
		CU_ASSERT_EQUAL(save(number + 4), 0);
		damage(folder.file);
		in_child(save_and_die, number + 5);
		found = load(&is_previous);
		CU_ASSERT_EQUAL(found, (int64_t)number + (is_previous ? 3 : 5));
		CU_ASSERT_EQUAL(is_previous, death <= calls - 2);
	}
}

static void test_file_limit(void)
{
	struct rlimit before;
	struct rlimit tight;
	bool is_previous;

	CU_ASSERT_EQUAL(save(1), 0);
	getrlimit(RLIMIT_FSIZE, &before);
	tight = (struct rlimit){.rlim_cur = 100, .rlim_max = before.rlim_max};
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &tight);
	CU_ASSERT_EQUAL(save(2), -EFBIG);
	setrlimit(RLIMIT_FSIZE, &before);
	signal(SIGXFSZ, SIG_DFL);
	CU_ASSERT_EQUAL(load(&is_previous), 1);
	CU_ASSERT_FALSE(is_previous);
	CU_ASSERT_FALSE(state_exists(folder.new_file));
}

/* Two pages for everything: once both are taken, the next state finds no room. */
static void fill_small_disk(uint64_t number)
{
	char filler[120];
	uint8_t page[4096] = {0};
	bool is_previous;

	snprintf(filler, sizeof(filler), "%s/filler", folder.path);
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		mount("none", folder.path, "tmpfs", 0, "size=8k") < 0) {
		printf("\n    no mount namespace to be had: a full file system is not tried ");
		fflush(stdout);
		return;
	}
	if (save(number) != 0)
		_exit(1);
	state_write(filler, page, sizeof(page));
	if (save(number + 1) != -ENOSPC || load(&is_previous) != (int64_t)number || is_previous)
		_exit(2);
	if (state_exists(folder.new_file) || unlink(filler) < 0 || save(number + 1) != 0)
		_exit(3);
	_exit(load(&is_previous) == (int64_t)number + 1 ? 0 : 4);
}

static void test_full_disk(void)
{
	in_child(fill_small_disk, 1);
}

static void set_up(void)
{
	state_disk_plan(STATE_DISK_GOOD, 0, 0);
	state_folder_make(&folder);
}

static void tear_down(void)
{
	state_folder_remove(&folder);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"a state is saved for its owner alone, its folder made", test_save},
		{"the one before is kept", test_previous},
		{"whatever is cut or flipped, the one before is loaded", test_damage},
		{"two damaged files are told", test_both_damaged},
		{"a newer gateway's file is left alone", test_newer},
		{"the rest of a save is never read", test_rest},
		{"what is no file is refused at once", test_no_file},
		{"a save that fails at any step leaves a whole state", test_failing_disk},
		{"without an exchange of names states are saved", test_no_exchange},
		{"a death at any step leaves a whole state", test_death},
		{"a state over the file limit leaves the old one", test_file_limit},
		{"a full file system leaves the old one", test_full_disk},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{"state file", NULL, NULL, set_up, tear_down, tests},
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
