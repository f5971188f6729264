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
		{"at least once", NULL, NULL, NULL, NULL, dataplane_reliable_tests},
		{"windows", NULL, NULL, NULL, NULL, dataplane_window_tests},
		{"handover", NULL, NULL, NULL, NULL, dataplane_handover_tests},
		{"moves", NULL, NULL, NULL, NULL, dataplane_moves_tests},
		{"places", NULL, NULL, NULL, NULL, dataplane_seek_tests},
		{"sealed sessions", NULL, NULL, NULL, NULL, dataplane_seal_tests},
		{"changes", NULL, NULL, NULL, NULL, dataplane_change_tests},
		{"succession", NULL, NULL, NULL, NULL, dataplane_succession_tests},
		{"agents", NULL, NULL, NULL, NULL, dataplane_agent_tests},
		{"producers", NULL, NULL, NULL, NULL, dataplane_produce_tests},
		{"past the ring", NULL, NULL, NULL, NULL, dataplane_direct_tests},
		{"past the ring to several groups", NULL, NULL, NULL, NULL, dataplane_fan_tests},
		{"shedding", NULL, NULL, NULL, NULL, dataplane_shed_tests},
		{"features", NULL, NULL, NULL, NULL, dataplane_feature_tests},
		{"latency", NULL, NULL, NULL, NULL, dataplane_latency_tests},
		{"missed by the gateway", NULL, NULL, NULL, NULL, dataplane_missed_tests},
		{"left for the program", NULL, NULL, NULL, NULL, dataplane_will_tests},
		{"out of quarantine", NULL, NULL, NULL, NULL, dataplane_requeue_tests},
		{"partitions that move", NULL, NULL, NULL, NULL, dataplane_transit_tests},
		{"workers that come and go", NULL, NULL, NULL, NULL, dataplane_staff_tests},
		{"hot keys and partitions", NULL, NULL, NULL, NULL, dataplane_hot_tests},
		{"captures", NULL, NULL, NULL, NULL, dataplane_capture_tests},
		{"injected faults", NULL, NULL, NULL, NULL, dataplane_chaos_tests},
		{"trace contexts", NULL, NULL, NULL, NULL, dataplane_context_tests},
		{"traces", NULL, NULL, NULL, NULL, dataplane_trace_tests},
		{"taking over", NULL, NULL, NULL, NULL, dataplane_estate_tests},
		{"templates", NULL, NULL, NULL, NULL, dataplane_templates_tests},
		{"options data", NULL, NULL, NULL, NULL, dataplane_options_tests},
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
