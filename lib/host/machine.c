/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/machine.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define ISOLATED_CPUS   "/sys/devices/system/cpu/isolated"
#define HUGEPAGE_FOLDER "/sys/kernel/mm/hugepages"

/* A decimal number at *text, which is moved past it. At most 18 digits, so it cannot overflow. */
static bool read_number(const char **text, uint64_t *number)
{
	int digits = 0;

	*number = 0;
	for (; **text >= '0' && **text <= '9' && digits < 18; (*text)++, digits++)
		*number = *number * 10 + (uint64_t)(**text - '0');
	return digits > 0 && (**text < '0' || **text > '9');
}

/* The whole of a small file, as text; sysfs gives it in one read. */
static int read_text(int folder, const char *path, char *text, size_t size)
{
	int fd = openat(folder, path, O_RDONLY | O_CLOEXEC);
	ssize_t length;
	int ret = 0;

	if (fd < 0)
		return -errno;
	length = read(fd, text, size);
	if (length < 0)
		ret = -errno;
	else if ((size_t)length == size)
		ret = -EFBIG;
	else
		text[length] = '\0';
	close(fd);
	return ret;
}

static int read_count(int folder, const char *size_name, const char *file, uint64_t *count)
{
	char path[NAME_MAX + 32];
	char text[32];
	const char *at = text;
	int ret;

	snprintf(path, sizeof(path), "%s/%s", size_name, file);
	ret = read_text(folder, path, text, sizeof(text));
	if (ret < 0)
		return ret;
	return read_number(&at, count) && (*at == '\n' || *at == '\0') ? 0 : -EINVAL;
}

static int compare_sizes(const void *a, const void *b)
{
	const struct weir_hugepages *left = a;
	const struct weir_hugepages *right = b;

	return (left->page_bytes > right->page_bytes) - (left->page_bytes < right->page_bytes);
}

/* 1: `pages` is filled; 0: this entry is no page size; -errno. */
static int read_size(int folder, const char *name, struct weir_hugepages *pages)
{
	int ret;

	if (weir_hugepage_name_parse(name, &pages->page_bytes) < 0)
		return 0;
	ret = read_count(folder, name, "nr_hugepages", &pages->total);
	if (ret == 0)
		ret = read_count(folder, name, "free_hugepages", &pages->free);
	return ret < 0 ? ret : 1;
}

int weir_cpu_list_parse(const char *text, cpu_set_t *cpus)
{
	CPU_ZERO(cpus);
	if (text[0] == '\0' || strcmp(text, "\n") == 0)
		return 0;
	for (;;) {
		uint64_t first, last;

		if (!read_number(&text, &first))
			return -EINVAL;
		last = first;
		if (*text == '-') {
			text++;
			if (!read_number(&text, &last) || last < first)
				return -EINVAL;
		}
		if (last >= CPU_SETSIZE)
			return -ERANGE;
		for (uint64_t cpu = first; cpu <= last; cpu++)
			CPU_SET((size_t)cpu, cpus);
		if (*text == '\0' || strcmp(text, "\n") == 0)
			return 0;
		if (*text++ != ',')
			return -EINVAL;
	}
}

int weir_hugepage_name_parse(const char *name, uint64_t *page_bytes)
{
	static const char start[] = "hugepages-";
	const char *at = name + sizeof(start) - 1;

	if (strncmp(name, start, sizeof(start) - 1) != 0 || !read_number(&at, page_bytes) ||
		strcmp(at, "kB") != 0 || *page_bytes == 0 || *page_bytes > UINT64_MAX / 1024)
		return -EINVAL;
	*page_bytes *= 1024;
	return 0;
}

int weir_machine_isolated_cpus(cpu_set_t *cpus)
{
	char text[8192]; /* 1024 CPUs, every other one isolated */
	int ret;

	CPU_ZERO(cpus);
	ret = read_text(AT_FDCWD, ISOLATED_CPUS, text, sizeof(text));
	return ret < 0 ? ret : weir_cpu_list_parse(text, cpus);
}

int weir_machine_allowed_cpus(cpu_set_t *cpus)
{
	return weir_machine_thread_cpus(0, cpus);
}

int weir_cpus_find_missing(const cpu_set_t *allowed, const uint16_t *cpus, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		if (!CPU_ISSET(cpus[i], allowed))
			return (int)i;
	return -1;
}

void weir_cpus_besides(
	const cpu_set_t *allowed, const uint16_t *cpus, unsigned int count, cpu_set_t *left)
{
	*left = *allowed;
	for (unsigned int i = 0; i < count; i++)
		CPU_CLR(cpus[i], left);
	if (CPU_COUNT(left) == 0)
		*left = *allowed;
}

bool weir_cpus_are_shared(const uint16_t *cpus, unsigned int count)
{
	cpu_set_t isolated;

	weir_machine_isolated_cpus(&isolated);
	return weir_cpus_find_missing(&isolated, cpus, count) >= 0;
}

int weir_machine_hugepages(struct weir_hugepages pages[WEIR_HUGEPAGE_SIZES])
{
	DIR *folder = opendir(HUGEPAGE_FOLDER);
	struct dirent *entry;
	int count = 0;
	int ret = 0;

	memset(pages, 0, WEIR_HUGEPAGE_SIZES * sizeof(pages[0]));
	if (folder == NULL)
		return -errno;
	while (ret >= 0 && count < WEIR_HUGEPAGE_SIZES && (entry = readdir(folder)) != NULL) {
		ret = read_size(dirfd(folder), entry->d_name, &pages[count]);
		if (ret == 1)
			count++;
	}
	closedir(folder);
	if (ret < 0)
		return ret;
	qsort(pages, (size_t)count, sizeof(pages[0]), compare_sizes);
	return count;
}

/* Blanks and control characters, as many as there are, are one blank; none at the end. */
static void squeeze(char *text)
{
	char *to = text;

	text[strcspn(text, "\n")] = '\0';
	for (const char *from = text; *from != '\0'; from++)
		if ((unsigned char)*from > ' ')
			*to++ = *from;
		else if (to != text && to[-1] != ' ')
			*to++ = ' ';
	if (to != text && to[-1] == ' ')
		to--;
	*to = '\0';
}

int weir_machine_line(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length;

	text[0] = '\0';
	if (fd < 0)
		return -errno;
	length = read(fd, text, size - 1);
	if (length < 0) {
		int ret = -errno;

		close(fd);
		return ret;
	}
	close(fd);
	text[length] = '\0';
	squeeze(text);
	return 0;
}

int weir_machine_thread_cpus(int thread, cpu_set_t *cpus)
{
	CPU_ZERO(cpus);
	return sched_getaffinity(thread, sizeof(*cpus), cpus) < 0 ? -errno : 0;
}

void weir_cpu_list_format(const cpu_set_t *cpus, char *text, size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	for (size_t first = 0; first < CPU_SETSIZE && used < size; first++) {
		size_t last = first;

		if (!CPU_ISSET(first, cpus))
			continue;
		while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, cpus))
			last++;
		used += (size_t)snprintf(text + used, size - used,
			last == first ? "%s%zu" : "%s%zu-%zu", used == 0 ? "" : ",", first, last);
		first = last;
	}
}

int weir_machine_memlock(uint64_t *bytes)
{
	struct rlimit limit;

	*bytes = 0;
	if (getrlimit(RLIMIT_MEMLOCK, &limit) < 0)
		return -errno;
	*bytes = limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : (uint64_t)limit.rlim_cur;
	return 0;
}
