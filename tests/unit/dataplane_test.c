/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>

#include "dataplane_fixture.h"
#include "dataplane_tests.h"

int main(void)
{
	CU_SuiteInfo suites[] = {
		{"rings", NULL, NULL, NULL, NULL, dataplane_ring_tests},
		{"groups", NULL, NULL, NULL, NULL, dataplane_group_tests},
		{"schedule", NULL, NULL, NULL, NULL, dataplane_schedule_tests},
		{"rates", NULL, NULL, NULL, NULL, dataplane_rate_tests},
		{"blind consumers", NULL, NULL, NULL, NULL, dataplane_blind_tests},
		{"native consumers", NULL, NULL, NULL, NULL, dataplane_native_tests},
		{"changes", NULL, NULL, NULL, NULL, dataplane_change_tests},
		CU_SUITE_INFO_NULL,
	};
	unsigned int failures;

	if (!plane_environment()) {
		fprintf(stderr, "the environment layer does not start\n");
		return 1;
	}
	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 1;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures != 0;
}
