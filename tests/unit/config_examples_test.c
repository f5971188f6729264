/* SPDX-License-Identifier: BSD-3-Clause */
#include <CUnit/Basic.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "config/config.h"

static const char *folder;

static void test_every_example_loads(void)
{
	DIR *directory = opendir(folder);
	unsigned int loaded = 0;
	struct dirent *entry;

	CU_ASSERT_PTR_NOT_NULL_FATAL(directory);
	while ((entry = readdir(directory)) != NULL) {
		const char *ending = strrchr(entry->d_name, '.');
		struct weir_config *config;
		struct weir_error error = {0};
		char path[1024];

		if (ending == NULL || strcmp(ending, ".json") != 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		if (weir_config_load(path, &config, &error) < 0)
			printf("\n  %s: %s: %s (%s)\n", entry->d_name, error.path, error.reason,
				error.hint);
		CU_ASSERT_PTR_NOT_NULL(config);
		if (config != NULL)
			CU_ASSERT(config->stream_count > 0 && config->group_count > 0);
		weir_config_free(config);
		loaded++;
	}
	closedir(directory);
	CU_ASSERT(loaded >= 7);
}

int main(int argc, char **argv)
{
	CU_TestInfo tests[] = {
		{"every example loads", test_every_example_loads}, CU_TEST_INFO_NULL};
	CU_SuiteInfo suites[] = {{"examples", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};

	if (argc != 2)
		return 1;
	folder = argv[1];
	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 1;
	CU_basic_run_tests();
	return CU_get_number_of_failures() != 0;
}
