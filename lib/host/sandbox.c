/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/sandbox.h"

#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <ucontext.h>
#include <unistd.h>

#define CALLS 512 /* numbers of system calls that are told apart; higher ones share the last */

static struct {
	_Atomic uint64_t refused;
	atomic_bool was_refused[CALLS];
	bool was_named[CALLS];
} sandbox;

/* Whatever the arguments. Names that the machine does not have are left out. */
static const char allowed[] =
	/* The workers: packets, and sleep while there are none. */
	"sendto recvfrom sendmsg recvmsg sendmmsg recvmmsg poll ppoll epoll_wait epoll_pwait "
	"clock_nanosleep nanosleep sched_yield futex read write readv writev "
	/* Time, timers, events and signals. */
	"clock_gettime clock_getres gettimeofday time timerfd_create timerfd_settime "
	"timerfd_gettime eventfd2 signalfd4 epoll_create epoll_create1 epoll_ctl select "
	"pselect6 pipe2 rt_sigaction rt_sigprocmask rt_sigreturn sigaltstack restart_syscall "
	/* Files: state, keys, configuration, /proc and /sys. */
	"open openat close close_range fcntl flock dup lseek pread64 pwrite64 preadv pwritev "
	"ftruncate fallocate fsync fdatasync stat fstat lstat newfstatat statx statfs "
	"fstatfs access faccessat faccessat2 readlink readlinkat getdents64 getcwd mkdir "
	"mkdirat rmdir unlink unlinkat rename renameat renameat2 chmod fchmod fchmodat chown "
	"fchown lchown fchownat umask ioctl memfd_create "
	/* Sockets; which families, see below. */
	"bind connect listen accept accept4 shutdown getsockopt setsockopt getsockname "
	"getpeername "
	/* Memory and threads. */
	"brk munmap mremap madvise mlock mlock2 munlock mbind set_mempolicy get_mempolicy "
	"membarrier set_robust_list rseq gettid sched_getaffinity sched_setaffinity exit "
	"exit_group "
	/* Who and where it is. */
	"getpid getppid getuid geteuid getgid getegid getgroups uname sysinfo getcpu "
	"getrandom prlimit64 getrlimit getrusage ";

static const int families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
static const int process_options[] = {
	PR_SET_NAME, PR_GET_NAME, PR_SET_TIMERSLACK, PR_GET_TIMERSLACK, PR_CAPBSET_READ};

/* Of the thread that called; what it calls itself is on the list. */
static void refuse(int signal_number, siginfo_t *info, void *context)
{
	ucontext_t *thread = context;
	unsigned int call = (unsigned int)info->si_syscall;

	(void)signal_number;
	atomic_fetch_add_explicit(&sandbox.refused, 1, memory_order_relaxed);
	atomic_store(&sandbox.was_refused[call < CALLS ? call : CALLS - 1], true);
#if defined(__x86_64__)
	thread->uc_mcontext.gregs[REG_RAX] = -EPERM;
#elif defined(__aarch64__)
	thread->uc_mcontext.regs[0] = (unsigned long long)-EPERM;
#else
#error "the register of a system call's result is not known here"
#endif
}

static int allow_if(scmp_filter_ctx filter, const char *name, struct scmp_arg_cmp condition)
{
	return seccomp_rule_add_array(
		filter, SCMP_ACT_ALLOW, seccomp_syscall_resolve_name(name), 1, &condition);
}

static int allow_memory(scmp_filter_ctx filter, const char *name)
{
	int result = allow_if(filter, name, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));

	if (result == 0)
		result = allow_if(filter, name, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_WRITE, 0));
	return result;
}

static int allow_by_argument(scmp_filter_ctx filter, unsigned int needs)
{
	scmp_datum_t own = (scmp_datum_t)getpid();
	int result = allow_memory(filter, "mmap");

	if (result == 0)
		result = allow_memory(filter, "mprotect");
	for (size_t i = 0; result == 0 && i < sizeof(families) / sizeof(families[0]); i++)
		result =
			allow_if(filter, "socket", SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i]));
	if (result == 0 && needs & (WEIR_SANDBOX_PACKET | WEIR_SANDBOX_BPF))
		result = allow_if(filter, "socket", SCMP_A0(SCMP_CMP_EQ, AF_PACKET));
	if (result == 0 && needs & WEIR_SANDBOX_BPF)
		result = allow_if(filter, "socket", SCMP_A0(SCMP_CMP_EQ, AF_XDP));
	for (size_t i = 0; result == 0 && i < sizeof(process_options) / sizeof(process_options[0]);
		i++)
		result = allow_if(
			filter, "prctl", SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)process_options[i]));
	if (result == 0)
		result = allow_if(
			filter, "clone", SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
	if (result == 0) /* abort(), should it come to that */
		result = allow_if(filter, "tgkill", SCMP_A0(SCMP_CMP_EQ, own));
	return result;
}

static int add_rules(scmp_filter_ctx filter, unsigned int needs)
{
	int result = allow_by_argument(filter, needs);

	for (const char *next = allowed; result == 0 && *next != '\0';) {
		int length = (int)strcspn(next, " ");
		char name[32];
		int call;

		snprintf(name, sizeof(name), "%.*s", length, next);
		next += length + 1;
		call = seccomp_syscall_resolve_name(name);
		if (call >= 0)
			result = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, 0, NULL);
	}
	if (result == 0 && needs & WEIR_SANDBOX_BPF)
		result = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(bpf), 0, NULL);
	/* Its flags are out of a filter's sight; libc then falls back to clone. */
	if (result == 0)
		result = seccomp_rule_add_array(
			filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0, NULL);
	return result;
}

int weir_sandbox_enter(unsigned int needs, struct weir_error *error)
{
	struct sigaction action = {.sa_sigaction = refuse, .sa_flags = SA_SIGINFO | SA_RESTART};
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_TRAP);
	int result = filter != NULL ? 0 : -ENOMEM;

	if (result == 0 && sigaction(SIGSYS, &action, NULL) < 0)
		result = -errno;
	if (result == 0)
		result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	if (result == 0)
		result = add_rules(filter, needs);
	if (result == 0)
		result = seccomp_load(filter);
	seccomp_release(filter);
	if (result < 0)
		return weir_error_set(error, result, "", "--no-sandbox goes on without it",
			"the filter of system calls cannot be set: %s", strerror(-result));
	return 0;
}

uint64_t weir_sandbox_refused(void)
{
	return atomic_load_explicit(&sandbox.refused, memory_order_relaxed);
}

bool weir_sandbox_next(char *name, size_t size)
{
	for (int call = 0; call < CALLS; call++) {
		char *resolved;

		if (sandbox.was_named[call] || !atomic_load(&sandbox.was_refused[call]))
			continue;
		sandbox.was_named[call] = true;
		resolved = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, call);
		if (resolved != NULL)
			snprintf(name, size, "%s", resolved);
		else
			snprintf(name, size, "number %d", call);
		free(resolved);
		return true;
	}
	return false;
}
