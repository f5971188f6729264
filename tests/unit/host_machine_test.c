/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <CUnit/Basic.h>

#include "host/machine.h"

static void test_a_cpu_list_is_ranges_and_single_ones(void)
{
	cpu_set_t cpus;

	CU_ASSERT_EQUAL(weir_cpu_list_parse("0-2,8,1022-1023\n", &cpus), 0);
	CU_ASSERT_EQUAL(CPU_COUNT(&cpus), 6);
	CU_ASSERT(CPU_ISSET(0, &cpus) && CPU_ISSET(1, &cpus) && CPU_ISSET(2, &cpus));
	CU_ASSERT(CPU_ISSET(8, &cpus) && CPU_ISSET(1022, &cpus) && CPU_ISSET(1023, &cpus));
	CU_ASSERT_EQUAL(weir_cpu_list_parse("5", &cpus), 0);
	CU_ASSERT_EQUAL(CPU_COUNT(&cpus), 1);
	CU_ASSERT(CPU_ISSET(5, &cpus));
}

static void test_an_empty_cpu_list_is_the_empty_set(void)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(3, &cpus);
	CU_ASSERT_EQUAL(weir_cpu_list_parse("", &cpus), 0);
	CU_ASSERT_EQUAL(CPU_COUNT(&cpus), 0);
	CPU_SET(3, &cpus);
	CU_ASSERT_EQUAL(weir_cpu_list_parse("\n", &cpus), 0);
	CU_ASSERT_EQUAL(CPU_COUNT(&cpus), 0);
}

static void test_a_malformed_cpu_list_is_refused(void)
{
	static const char *const bad[] = {"x", "1,", ",1", "1-", "-1", "3-1", "1 2", "1-2-3",
		"1\n2", " 1", "1,,2", "0x3", "1\n\n", "99999999999999999999999999"};
	cpu_set_t cpus;

	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CU_ASSERT_EQUAL(weir_cpu_list_parse(bad[i], &cpus), -EINVAL);
	CU_ASSERT_EQUAL(weir_cpu_list_parse("1024", &cpus), -ERANGE);
	CU_ASSERT_EQUAL(weir_cpu_list_parse("0-999999999999", &cpus), -ERANGE);
}

static void test_a_huge_page_folder_names_its_size(void)
{
	static const char *const bad[] = {"", "hugepages-", "hugepages-kB", "hugepages-2048",
		"hugepages-2048kB ", "hugepages-0kB", "hugepages--1kB", "Hugepages-2048kB", ".",
		"hugepages-2048MB", "hugepages-999999999999999999kB",
		"hugepages-99999999999999999999999kB"};
	uint64_t bytes;

	CU_ASSERT_EQUAL(weir_hugepage_name_parse("hugepages-2048kB", &bytes), 0);
	CU_ASSERT_EQUAL(bytes, 2097152);
	CU_ASSERT_EQUAL(weir_hugepage_name_parse("hugepages-16777216kB", &bytes), 0);
	CU_ASSERT_EQUAL(bytes, UINT64_C(17179869184));
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CU_ASSERT_EQUAL(weir_hugepage_name_parse(bad[i], &bytes), -EINVAL);
}

static void test_this_machine_can_be_read(void)
{
	struct weir_hugepages pages[WEIR_HUGEPAGE_SIZES];
	cpu_set_t allowed, isolated;
	uint64_t memlock;
	int sizes;

	CU_ASSERT_EQUAL(weir_machine_allowed_cpus(&allowed), 0);
	CU_ASSERT(CPU_COUNT(&allowed) > 0);
	CU_ASSERT(CPU_ISSET((size_t)sched_getcpu(), &allowed));
	CU_ASSERT_EQUAL(weir_machine_memlock(&memlock), 0);
	/* A container may hide /sys, and a kernel may be built without huge pages. */
	if (weir_machine_isolated_cpus(&isolated) != 0)
		CU_ASSERT_EQUAL(CPU_COUNT(&isolated), 0);
	sizes = weir_machine_hugepages(pages);
	CU_ASSERT(sizes >= 0 || sizes == -ENOENT);
	for (int i = 0; i < sizes; i++) {
		CU_ASSERT(pages[i].free <= pages[i].total);
		CU_ASSERT(pages[i].page_bytes >= 4096);
		CU_ASSERT(i == 0 || pages[i - 1].page_bytes < pages[i].page_bytes);
	}
}

static void test_allowed_follows_the_affinity(void)
{
	cpu_set_t before, one, read;
	size_t cpu = 0;

	CU_ASSERT_EQUAL_FATAL(sched_getaffinity(0, sizeof(before), &before), 0);
	while (!CPU_ISSET(cpu, &before))
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	CU_ASSERT_EQUAL_FATAL(sched_setaffinity(0, sizeof(one), &one), 0);
	CU_ASSERT_EQUAL(weir_machine_allowed_cpus(&read), 0);
	CU_ASSERT(CPU_EQUAL(&read, &one));
	CU_ASSERT_EQUAL(sched_setaffinity(0, sizeof(before), &before), 0);
}

static void test_a_set_of_cpus_is_written_as_it_is_read(void)
{
	static const char *const lists[] = {"", "0", "0-3,8", "1,3,5-7,1023"};
	char text[64];
	cpu_set_t cpus;

	for (unsigned int i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		CU_ASSERT_EQUAL(weir_cpu_list_parse(lists[i], &cpus), 0);
		weir_cpu_list_format(&cpus, text, sizeof(text));
		CU_ASSERT_STRING_EQUAL(text, lists[i]);
	}
	weir_cpu_list_format(&cpus, text, 6);
	CU_ASSERT_STRING_EQUAL(text, "1,3,5");
}

static void test_a_line_is_read_without_what_surrounds_it(void)
{
	char folder[] = "/tmp/weir-machine.XXXXXX", path[64], text[16];
	FILE *file;

	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/line", folder);
	file = fopen(path, "w");
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	fputs(" 32768\t \t60999 \nmore\n", file);
	fclose(file);
	CU_ASSERT_EQUAL(weir_machine_line(path, text, sizeof(text)), 0);
	CU_ASSERT_STRING_EQUAL(text, "32768 60999");
	CU_ASSERT_EQUAL(weir_machine_line(path, text, 6), 0);
	CU_ASSERT_STRING_EQUAL(text, "3276");
	unlink(path);
	CU_ASSERT_EQUAL(weir_machine_line(path, text, sizeof(text)), -ENOENT);
	CU_ASSERT_STRING_EQUAL(text, "");
	rmdir(folder);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"a cpu list is ranges and single ones", test_a_cpu_list_is_ranges_and_single_ones},
		{"an empty cpu list is the empty set", test_an_empty_cpu_list_is_the_empty_set},
		{"a malformed cpu list is refused", test_a_malformed_cpu_list_is_refused},
		{"a huge page folder names its size", test_a_huge_page_folder_names_its_size},
		{"this machine can be read", test_this_machine_can_be_read},
		{"allowed follows the affinity", test_allowed_follows_the_affinity},
		{"a set of cpus is written as it is read",
			test_a_set_of_cpus_is_written_as_it_is_read},
		{"a line is read without what surrounds it",
			test_a_line_is_read_without_what_surrounds_it},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {{"machine", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};

	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 1;
	CU_basic_run_tests();
	return CU_get_number_of_failures() != 0;
}
