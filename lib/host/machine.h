/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * What the machine offers a poll-mode gateway: CPUs, huge pages, memory that may be locked. Read
 * at start-up and for reports; nothing is changed. Sets are cpu_set_t, CPUs 0 to 1023. Readers
 * return 0 or -errno (-ENOENT where /sys is not mounted) and clear their result first. Any thread.
 */

#define WEIR_HUGEPAGE_SIZES 8

struct weir_hugepages {
	uint64_t page_bytes;
	uint64_t total; /* pages of this size */
	uint64_t free;
};

/*
 * The kernel's list format: "0-3,8\n"; "" and "\n" are the empty set. 0; -EINVAL when it is
 * anything else; -ERANGE for a CPU above 1023.
 */
int weir_cpu_list_parse(const char *text, cpu_set_t *cpus);
/* The name of a folder of /sys/kernel/mm/hugepages, "hugepages-2048kB", in bytes. 0 or -EINVAL. */
int weir_hugepage_name_parse(const char *name, uint64_t *page_bytes);

/* CPUs that the scheduler keeps ordinary tasks off (isolcpus=); often none. */
int weir_machine_isolated_cpus(cpu_set_t *cpus);
/* CPUs that are online and allowed to this process, by its affinity and cpuset. */
int weir_machine_allowed_cpus(cpu_set_t *cpus);
/* The first of `cpus` that is not in `allowed`, as index; -1: all are. */
int weir_cpus_find_missing(const cpu_set_t *allowed, const uint16_t *cpus, unsigned int count);
/* What `allowed` has besides them; all of it if that is nothing. */
void weir_cpus_besides(
	const cpu_set_t *allowed, const uint16_t *cpus, unsigned int count, cpu_set_t *left);
/* The scheduler may put other tasks on one of them. */
bool weir_cpus_are_shared(const uint16_t *cpus, unsigned int count);
/*
 * Huge pages of every size the kernel knows, smallest first. Returns how many sizes were filled
 * in, at most WEIR_HUGEPAGE_SIZES, or -errno; 0 when the kernel has none.
 */
int weir_machine_hugepages(struct weir_hugepages pages[WEIR_HUGEPAGE_SIZES]);
/*
 * The first line of a file of /proc or /sys, without its end, words one blank apart; cut to `size`.
 * "" and -errno when there is none.
 */
int weir_machine_line(const char *path, char *text, size_t size);
/* CPUs that a thread may run on, by the kernel's number of it. */
int weir_machine_thread_cpus(int thread, cpu_set_t *cpus);
/* As the kernel lists CPUs, "0-3,8"; cut to `size`. */
void weir_cpu_list_format(const cpu_set_t *cpus, char *text, size_t size);
/* Bytes that this process may lock (RLIMIT_MEMLOCK); UINT64_MAX: no limit. */
int weir_machine_memlock(uint64_t *bytes);
