/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CUnit/Basic.h>

#include "host/privilege.h"
#include "host/sandbox.h"

/* What is given up does not come back: each test is a process of its own. */

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "line %d: %s (errno %d)\n", __LINE__, #condition, errno);  \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)

static bool holds_in_child(void (*check)(void))
{
	pid_t child = fork();
	int status = -1;

	if (child == 0) {
		check();
		_exit(0);
	}
	return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
	       WEXITSTATUS(status) == 0;
}

static uint64_t status_mask(const char *path, const char *field)
{
	FILE *file = fopen(path, "re");
	char line[256];
	unsigned long long mask = UINT64_MAX;

	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		if (strncmp(line, field, strlen(field)) == 0)
			mask = strtoull(line + strlen(field), NULL, 16);
	if (file != NULL)
		fclose(file);
	return mask;
}

static bool can_raw(void)
{
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static void *have_one_capability(void *context)
{
	uint64_t one = WEIR_CAPABILITY(CAP_NET_RAW);

	(void)context;
	CHECK(status_mask("/proc/thread-self/status", "CapPrm:") == one);
	CHECK(status_mask("/proc/thread-self/status", "CapEff:") == one);
	CHECK(status_mask("/proc/thread-self/status", "CapInh:") == 0);
	CHECK(status_mask("/proc/thread-self/status", "CapAmb:") == 0);
	CHECK(status_mask("/proc/thread-self/status", "CapBnd:") == 0);
	CHECK(status_mask("/proc/thread-self/status", "NoNewPrivs:") == 1);
	CHECK(can_raw());
	CHECK(chown("/proc/self/cwd", 1, 1) < 0 && errno == EPERM);
	return NULL;
}

static void keep_one(const char *user)
{
	uint64_t missing = 1;
	struct weir_error error = {0};
	pthread_t thread;

	CHECK(weir_privilege_confine(
		      WEIR_CAPABILITY(CAP_NET_RAW), user, "no such group", &missing, &error) == 0);
	CHECK(missing == 0);
	have_one_capability(NULL);
	CHECK(pthread_create(&thread, NULL, have_one_capability, NULL) == 0);
	CHECK(pthread_join(thread, NULL) == 0);
}

static void keep_one_as_root(void)
{
	keep_one(NULL);
	CHECK(geteuid() == 0);
}

static void keep_one_as_nobody(void)
{
	const struct passwd *nobody = getpwnam("nobody");

	CHECK(nobody != NULL);
	keep_one("nobody");
	CHECK(getuid() == nobody->pw_uid && geteuid() == nobody->pw_uid);
	CHECK(getgid() == nobody->pw_gid);
	CHECK(setuid(0) < 0);
}

static void become_someone_unknown(void)
{
	uint64_t missing;
	struct weir_error error = {0};

	CHECK(weir_privilege_confine(0, "nobody.of.that.name", NULL, &missing, &error) < 0);
	CHECK(strstr(error.reason, "nobody.of.that.name") != NULL);
}

static void lack_one(void)
{
	uint64_t wanted = WEIR_CAPABILITY(CAP_NET_RAW) | WEIR_CAPABILITY(CAP_NET_ADMIN);
	uint64_t missing = 0;
	struct weir_error error = {0};
	char text[64], cut[12];

	CHECK(weir_privilege_confine(WEIR_CAPABILITY(CAP_NET_RAW), NULL, NULL, &missing, &error) ==
		0);
	CHECK(weir_privilege_confine(wanted, NULL, NULL, &missing, &error) == 0);
	CHECK(missing == WEIR_CAPABILITY(CAP_NET_ADMIN));
	CHECK(strcmp(weir_privilege_names(wanted, text, sizeof(text)),
		      "CAP_NET_ADMIN CAP_NET_RAW") == 0);
	CHECK(strcmp(weir_privilege_names(wanted, cut, sizeof(cut)), "CAP_NET_ADM") == 0);
}

static void *be_refused(void *context)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)context;
	CHECK(ptrace(PTRACE_TRACEME, 0, 0, 0) < 0 && errno == EPERM);
	CHECK(syscall(SYS_fork) < 0 && errno == EPERM);
	CHECK(fork() < 0 && errno == EPERM);
	CHECK(execl("/bin/true", "true", NULL) < 0 && errno == EPERM);
	CHECK(kill(getppid(), 0) < 0 && errno == EPERM);
	CHECK(socket(AF_ALG, SOCK_SEQPACKET, 0) < 0 && errno == EPERM);
	CHECK(syscall(SYS_bpf, -1, NULL, 0) < 0 && errno == EPERM);
	CHECK(page != MAP_FAILED);
	CHECK(mprotect(page, 4096, PROT_READ | PROT_WRITE | PROT_EXEC) < 0 && errno == EPERM);
	CHECK(mprotect(page, 4096, PROT_READ) == 0);
	return NULL;
}

static void *wait_then_be_refused(void *context)
{
	pthread_barrier_t *entered = context;

	pthread_barrier_wait(entered);
	return be_refused(NULL);
}

static void enter(unsigned int needs)
{
	uint64_t missing;
	struct weir_error error = {0};

	CHECK(weir_privilege_confine(0, NULL, NULL, &missing, &error) == 0);
	CHECK(weir_sandbox_enter(needs, &error) == 0);
}

static void refuse_on_all_threads(void)
{
	pthread_barrier_t entered;
	pthread_t before, after;
	char name[64];
	unsigned int named = 0, forks = 0;

	CHECK(pthread_barrier_init(&entered, NULL, 2) == 0);
	CHECK(pthread_create(&before, NULL, wait_then_be_refused, &entered) == 0);
	enter(0);
	CHECK(weir_sandbox_refused() == 0 && !weir_sandbox_next(name, sizeof(name)));
	pthread_barrier_wait(&entered);
	CHECK(pthread_join(before, NULL) == 0);
	CHECK(weir_sandbox_refused() == 8);
	CHECK(pthread_create(&after, NULL, be_refused, NULL) == 0);
	CHECK(pthread_join(after, NULL) == 0);
	CHECK(weir_sandbox_refused() == 16);
	while (weir_sandbox_next(name, sizeof(name))) {
		named++;
		forks += strcmp(name, "fork") == 0;
	}
	CHECK(forks == 1);
	CHECK(named == 8); /* ptrace fork clone execve kill socket bpf mprotect */
}

static void allow_what_is_needed(void)
{
	int fd;

	enter(WEIR_SANDBOX_BPF | WEIR_SANDBOX_PACKET);
	fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	CHECK(fd >= 0 && close(fd) == 0);
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0);
	CHECK(fd >= 0 && close(fd) == 0);
	CHECK(syscall(SYS_bpf, -1, NULL, 0) < 0);
	CHECK(socket(AF_PACKET, SOCK_RAW, 0) < 0); /* no CAP_NET_RAW */
	CHECK(weir_sandbox_refused() == 0);
}

static void test_one_capability_is_kept_and_no_other(void)
{
	CU_ASSERT(holds_in_child(keep_one_as_root));
}

static void test_it_can_become_another_user_and_keep_it(void)
{
	CU_ASSERT(holds_in_child(keep_one_as_nobody));
}

static void test_an_unknown_user_is_named(void)
{
	CU_ASSERT(holds_in_child(become_someone_unknown));
}

static void test_what_was_not_given_is_missing(void)
{
	CU_ASSERT(holds_in_child(lack_one));
}

static void test_threads_are_refused_what_is_not_listed(void)
{
	CU_ASSERT(holds_in_child(refuse_on_all_threads));
}

static void test_what_ports_need_is_allowed(void)
{
	CU_ASSERT(holds_in_child(allow_what_is_needed));
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"one capability is kept and no other", test_one_capability_is_kept_and_no_other},
		{"it can become another user and keep it",
			test_it_can_become_another_user_and_keep_it},
		{"an unknown user is named", test_an_unknown_user_is_named},
		{"what was not given is missing", test_what_was_not_given_is_missing},
		{"threads are refused what is not listed",
			test_threads_are_refused_what_is_not_listed},
		{"what ports need is allowed", test_what_ports_need_is_allowed},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {{"confine", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};

	if (geteuid() != 0) {
		puts("run as root: privileges are given up here");
		return 77;
	}
	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 1;
	CU_basic_run_tests();
	return CU_get_number_of_failures() != 0;
}
