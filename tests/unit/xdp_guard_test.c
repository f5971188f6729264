/* SPDX-License-Identifier: BSD-3-Clause */
#include <CUnit/Basic.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "xdp/guard.h"

/* One queue's guard on a state in plain memory; what the program would do is done by hand. */

static struct weir_xdp_queue_state state __attribute__((aligned(64)));
static struct weir_guard guard;

static void open_guard(void)
{
	memset(&state, 0, sizeof(state));
	CU_ASSERT_EQUAL_FATAL(weir_guard_open(&guard, &state), 0);
	guard.idle_cycles = UINT64_MAX / 4;
}

static void beat(bool is_empty)
{
	weir_guard_beat_now(&guard, rte_rdtsc(), is_empty);
}

static void arm(void)
{
	weir_guard_set(&guard, true);
	beat(true);
	CU_ASSERT_NOT_EQUAL_FATAL(state.armed, 0);
}

/* An orderly end on the worker's side, no packet having come for as long as it waits for one. */
static void end_idle(void)
{
	weir_guard_set(&guard, false);
	beat(true);
	CU_ASSERT_NOT_EQUAL(state.armed, 0);
	guard.idle_by = rte_rdtsc();
	guard.disarm_by = rte_rdtsc() + UINT64_MAX / 4;
	beat(true);
	CU_ASSERT_EQUAL(state.armed, 0);
}

static void program_trips(uint32_t reason)
{
	state.trip_reason = reason;
	state.tripped = state.armed;
}

/* Beats until the queue is armed with another number, or for as long as a trip is waited out. */
static bool is_armed_again(bool is_empty)
{
	uint32_t before = state.armed;

	for (int i = 0; i < 3; i++) {
		beat(is_empty);
		guard.arm_after = rte_rdtsc();
	}
	return state.armed > before;
}

static void test_nothing_is_armed_before_it_is_asked_for(void)
{
	open_guard();
	beat(true);
	CU_ASSERT_EQUAL(state.armed, 0);
	CU_ASSERT_NOT_EQUAL(state.heartbeat_ns, 0);
	arm();
	end_idle();
	weir_guard_close(&guard);
}

static void test_an_arming_is_above_all_that_a_predecessor_used(void)
{
	memset(&state, 0, sizeof(state));
	state.armed = 7;
	state.tripped = 9;
	state.redirected = 1000;
	state.consumed = 990;
	CU_ASSERT_EQUAL_FATAL(weir_guard_open(&guard, &state), 0);
	CU_ASSERT_EQUAL(state.armed, 0);
	arm();
	CU_ASSERT_EQUAL(state.armed, 10);
	/* What the predecessor left in its socket is no backlog of ours. */
	CU_ASSERT_EQUAL(state.consumed, 1000);
	weir_guard_consumed(&guard, 5);
	CU_ASSERT_EQUAL(state.consumed, 1005);
	weir_guard_close(&guard);
}

static void test_a_tripped_queue_is_armed_again_when_its_socket_is_empty(void)
{
	open_guard();
	arm();
	CU_ASSERT_FALSE(weir_guard_is_tripped(&guard));
	program_trips(WEIR_XDP_TRIP_BACKLOG);
	CU_ASSERT_TRUE(weir_guard_is_tripped(&guard));
	CU_ASSERT_FALSE(is_armed_again(false));
	state.redirected = 20;
	CU_ASSERT_TRUE(is_armed_again(true));
	CU_ASSERT_FALSE(weir_guard_is_tripped(&guard));
	CU_ASSERT_EQUAL(state.consumed, state.redirected);
	weir_guard_close(&guard);
}

static void test_an_operators_trip_holds_until_the_operator_arms(void)
{
	open_guard();
	arm();
	weir_guard_trip(&guard);
	CU_ASSERT_TRUE(weir_guard_is_tripped(&guard));
	CU_ASSERT_EQUAL(state.trips, 1);
	CU_ASSERT_FALSE(is_armed_again(true));
	weir_guard_set(&guard, true);
	CU_ASSERT_TRUE(is_armed_again(true));
	weir_guard_close(&guard);
}

static void test_what_was_taken_before_a_trip_is_stale_until_the_worker_saw_it(void)
{
	open_guard();
	arm();
	CU_ASSERT_FALSE(weir_guard_has_stale());
	program_trips(WEIR_XDP_TRIP_HEARTBEAT);
	CU_ASSERT_TRUE(weir_guard_has_stale());
	beat(true);
	CU_ASSERT_FALSE(weir_guard_has_stale());
	weir_guard_close(&guard);
}

static void test_an_orderly_end_waits_for_what_is_under_way_to_the_gateway(void)
{
	open_guard();
	arm();
	state.redirected += 3;
	weir_guard_set(&guard, false);
	beat(false);
	guard.disarm_by = rte_rdtsc() + UINT64_MAX / 4;
	CU_ASSERT_NOT_EQUAL(state.armed, 0);
	/* The next turn of the loop looks again. */
	CU_ASSERT_TRUE(weir_guard_is_due(&guard));
	weir_guard_consumed(&guard, 3);
	guard.idle_by = rte_rdtsc();
	beat(true);
	CU_ASSERT_EQUAL(state.armed, 0);
	weir_guard_close(&guard);
}

/* It alone knows that it hands nothing over at this moment. */
static void test_an_orderly_end_under_load_is_the_programs_to_begin(void)
{
	uint32_t armed;

	open_guard();
	arm();
	armed = state.armed;
	weir_guard_set(&guard, false);
	beat(false);
	guard.disarm_by = rte_rdtsc() + UINT64_MAX / 4;
	for (int i = 0; i < 3; i++) {
		state.redirected++;
		weir_guard_consumed(&guard, state.redirected);
		guard.idle_by = rte_rdtsc();
		beat(false);
		CU_ASSERT_EQUAL(state.armed, armed);
		CU_ASSERT_EQUAL(state.is_ending, 1);
	}
	state.ended = state.armed;
	/* What the worker has still to send is older than what the program sends from now on. */
	CU_ASSERT_FALSE(weir_guard_has_stale());
	beat(false);
	CU_ASSERT_EQUAL(state.armed, 0);
	weir_guard_close(&guard);
	/* A successor's number is another one. */
	CU_ASSERT_EQUAL_FATAL(weir_guard_open(&guard, &state), 0);
	CU_ASSERT_EQUAL(state.is_ending, 0);
	arm();
	CU_ASSERT_EQUAL(state.armed, armed + 1);
	weir_guard_close(&guard);
}

static void test_an_orderly_end_that_is_called_off_arms_again(void)
{
	open_guard();
	arm();
	weir_guard_set(&guard, false);
	beat(true);
	guard.disarm_by = rte_rdtsc() + UINT64_MAX / 4;
	beat(true);
	CU_ASSERT_EQUAL(state.is_ending, 1);
	state.ended = state.armed;
	weir_guard_set(&guard, true);
	beat(true);
	CU_ASSERT_EQUAL(state.is_ending, 0);
	CU_ASSERT_NOT_EQUAL(state.armed, 0);
	CU_ASSERT_NOT_EQUAL(state.armed, state.ended);
	weir_guard_close(&guard);
}

/* In any queue's ring, or the device's: the program's packets would pass them by. */
static void test_at_an_orderly_end_what_was_taken_is_told_when_it_has_left(void)
{
	uint32_t given = 40, left = 39;

	open_guard();
	guard.tx_given = &given;
	guard.tx_left = &left;
	arm();
	CU_ASSERT_TRUE(weir_guard_may_tell(&guard));
	weir_guard_set(&guard, false);
	beat(false);
	guard.disarm_by = rte_rdtsc() + UINT64_MAX / 4;
	beat(false);
	CU_ASSERT_FALSE(weir_guard_may_tell(&guard));
	CU_ASSERT_EQUAL(state.is_ending, 0);
	left++;
	CU_ASSERT_TRUE(weir_guard_may_tell(&guard));
	beat(false);
	CU_ASSERT_EQUAL(state.is_ending, 1);
	weir_guard_close(&guard);
}

static void test_an_orderly_end_does_not_wait_for_ever(void)
{
	open_guard();
	arm();
	state.redirected += 3;
	weir_guard_set(&guard, false);
	beat(false);
	guard.disarm_by = rte_rdtsc() + UINT64_MAX / 4;
	CU_ASSERT_NOT_EQUAL(state.armed, 0);
	guard.disarm_by = rte_rdtsc();
	beat(false);
	CU_ASSERT_EQUAL(state.armed, 0);
	weir_guard_set(&guard, true);
	beat(true);
	CU_ASSERT_NOT_EQUAL(state.armed, 0);
	CU_ASSERT_EQUAL(guard.disarm_by, 0);
	weir_guard_close(&guard);
}

static void *worker(void *context)
{
	(void)context;
	arm();
	CU_ASSERT_NOT_EQUAL(state.owner & WEIR_XDP_OWNER_MASK, 0);
	return NULL;
}

/* The kernel's doing: the word that the program looks at. */
static void test_the_end_of_the_workers_thread_is_in_the_state(void)
{
	pthread_t thread;

	open_guard();
	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, worker, NULL), 0);
	pthread_join(thread, NULL);
	CU_ASSERT_NOT_EQUAL(state.armed, 0);
	CU_ASSERT_EQUAL(state.owner & WEIR_XDP_OWNER_MASK, 0);
	weir_guard_close(&guard);
}

static void *next_worker(void *context)
{
	(void)context;
	beat(true);
	CU_ASSERT_NOT_EQUAL(state.owner & WEIR_XDP_OWNER_MASK, 0);
	CU_ASSERT_EQUAL(state.is_moving, 0);
	return NULL;
}

static void test_a_queue_stays_armed_on_its_way_to_another_worker(void)
{
	uint32_t armed;
	pthread_t thread;

	open_guard();
	arm();
	armed = state.armed;
	state.redirected += 3;
	state.heartbeat_ns = 0;
	weir_guard_leave(&guard, rte_rdtsc());
	CU_ASSERT_EQUAL(state.armed, armed);
	CU_ASSERT_EQUAL(state.owner & WEIR_XDP_OWNER_MASK, 0);
	CU_ASSERT_EQUAL(state.is_moving, 1);
	CU_ASSERT_NOT_EQUAL(state.heartbeat_ns, 0);
	CU_ASSERT_TRUE(weir_guard_is_due(&guard));
	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, next_worker, NULL), 0);
	pthread_join(thread, NULL);
	CU_ASSERT_EQUAL(state.armed, armed);
	/* It has ended, as far as the program can see. */
	CU_ASSERT_EQUAL(state.owner & WEIR_XDP_OWNER_MASK, 0);
	CU_ASSERT_EQUAL(state.is_moving, 0);
	weir_guard_close(&guard);
}

/* It was never polled. */
static void test_a_queue_without_an_owner_does_not_move(void)
{
	open_guard();
	weir_guard_leave(&guard, rte_rdtsc());
	CU_ASSERT_EQUAL(state.is_moving, 0);
	CU_ASSERT_EQUAL(state.armed, 0);
	weir_guard_close(&guard);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"a queue stays armed on its way to another worker",
			test_a_queue_stays_armed_on_its_way_to_another_worker},
		{"a queue without an owner does not move",
			test_a_queue_without_an_owner_does_not_move},
		{"the end of the worker's thread is in the state",
			test_the_end_of_the_workers_thread_is_in_the_state},
		{"nothing is armed before it is asked for",
			test_nothing_is_armed_before_it_is_asked_for},
		{"an orderly end waits for what is under way to the gateway",
			test_an_orderly_end_waits_for_what_is_under_way_to_the_gateway},
		{"an orderly end under load is the program's to begin",
			test_an_orderly_end_under_load_is_the_programs_to_begin},
		{"an orderly end that is called off arms again",
			test_an_orderly_end_that_is_called_off_arms_again},
		{"at an orderly end what was taken is told when it has left",
			test_at_an_orderly_end_what_was_taken_is_told_when_it_has_left},
		{"an orderly end does not wait for ever",
			test_an_orderly_end_does_not_wait_for_ever},
		{"an arming is above all that a predecessor used",
			test_an_arming_is_above_all_that_a_predecessor_used},
		{"a tripped queue is armed again when its socket is empty",
			test_a_tripped_queue_is_armed_again_when_its_socket_is_empty},
		{"an operator's trip holds until the operator arms",
			test_an_operators_trip_holds_until_the_operator_arms},
		{"what was taken before a trip is stale until the worker saw it",
			test_what_was_taken_before_a_trip_is_stale_until_the_worker_saw_it},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {{"guard", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};

	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 1;
	CU_basic_run_tests();
	return CU_get_number_of_failures() != 0;
}
