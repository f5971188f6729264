/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <CUnit/Basic.h>
#include <CUnit/TestDB.h>

/* The parts of the data plane's test, one file each; CU_TEST_INFO_NULL ends each. */
extern CU_TestInfo dataplane_ring_tests[];
extern CU_TestInfo dataplane_group_tests[];
extern CU_TestInfo dataplane_schedule_tests[];
extern CU_TestInfo dataplane_rate_tests[];
extern CU_TestInfo dataplane_blind_tests[];
extern CU_TestInfo dataplane_native_tests[];
extern CU_TestInfo dataplane_reliable_tests[];
extern CU_TestInfo dataplane_window_tests[];
extern CU_TestInfo dataplane_handover_tests[];
extern CU_TestInfo dataplane_moves_tests[];
extern CU_TestInfo dataplane_seek_tests[];
extern CU_TestInfo dataplane_seal_tests[];
extern CU_TestInfo dataplane_change_tests[];
extern CU_TestInfo dataplane_feature_tests[];
extern CU_TestInfo dataplane_succession_tests[];
extern CU_TestInfo dataplane_agent_tests[];
extern CU_TestInfo dataplane_produce_tests[];
extern CU_TestInfo dataplane_direct_tests[];
extern CU_TestInfo dataplane_fan_tests[];
extern CU_TestInfo dataplane_shed_tests[];
extern CU_TestInfo dataplane_latency_tests[];
extern CU_TestInfo dataplane_missed_tests[];
extern CU_TestInfo dataplane_will_tests[];
extern CU_TestInfo dataplane_requeue_tests[];
extern CU_TestInfo dataplane_transit_tests[];
extern CU_TestInfo dataplane_hot_tests[];
extern CU_TestInfo dataplane_capture_tests[];
extern CU_TestInfo dataplane_chaos_tests[];
extern CU_TestInfo dataplane_context_tests[];
extern CU_TestInfo dataplane_trace_tests[];
extern CU_TestInfo dataplane_estate_tests[];
extern CU_TestInfo dataplane_templates_tests[];
extern CU_TestInfo dataplane_options_tests[];
extern CU_TestInfo dataplane_staff_tests[];

/* Parts of configurations that many tests use. */
#define CONSUMER(name, address) "{'name':'" name "','address':'" address "','port':9995}"
