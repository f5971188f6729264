/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/*
 * The system calls that are left to the process: a seccomp filter on all its threads, for good.
 * What is not on the list fails with EPERM and is counted, and the control thread says which it
 * was; the gateway goes on. The list has what the gateway, DPDK and libc call after start-up:
 * files, sockets of a few families, memory that is not both writable and executable, threads. No
 * other program is executed, no process made.
 */
enum weir_sandbox_need {
	WEIR_SANDBOX_BPF = 1 << 0,    /* bpf(2): AF_XDP ports, programs and maps */
	WEIR_SANDBOX_PACKET = 1 << 1, /* sockets of AF_PACKET */
};

/* Needs no_new_privs or CAP_SYS_ADMIN. `needs` is of WEIR_SANDBOX_... 0 or -errno, in `error`. */
int weir_sandbox_enter(unsigned int needs, struct weir_error *error);
/* Calls that were refused so far. Any thread. */
uint64_t weir_sandbox_refused(void);
/*
 * A call that was refused and that this function did not name before, to `name`. False: none.
 * One thread.
 */
bool weir_sandbox_next(char *name, size_t size);
