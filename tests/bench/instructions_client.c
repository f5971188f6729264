/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <string.h>

#include <CUnit/Basic.h>
#include <callgrind.h>

#include "client_gateway.h"

/*
 * What libweir's consumer does with a message, from the datagram to the application that is done
 * with it, for callgrind to count, as instructions.c does for the gateway: without the socket and
 * the clock.
 */

#define TICK        (4 * GATEWAY_MS) /* of the coarse clock */
#define WARM_ROUNDS 16
#define ROUNDS      32   /* that are counted */
#define BURST       32   /* datagrams a round, each with as many messages as it holds */
#define LINE        1408 /* the longest */

/* On their way to the consumer. */
static uint8_t datagrams[BURST][LINE];
static size_t lengths[BURST];
static uint32_t count;

static void keep(struct gateway *gateway, const void *data, size_t length)
{
	(void)gateway;
	memcpy(datagrams[count], data, length);
	lengths[count++] = length;
}

/* How many messages the application took of a burst; `timed` of them need the clock. */
static uint32_t consume(const struct gateway *gateway, uint32_t *timed)
{
	struct weir_message message;
	uint32_t taken = 0;

	for (uint32_t i = 0; i < count; i++)
		weir_session_receive(gateway->client, datagrams[i], lengths[i], gateway->now_ns);
	weir_session_tick(gateway->client, gateway->now_ns);
	do
		*timed += weir_session_needs_time(gateway->client, gateway->now_ns + TICK);
	while (weir_session_next(gateway->client, &message, gateway->now_ns) == 1 && ++taken);
	return taken;
}

static void run(const char *name, uint16_t payload, uint16_t carried)
{
	static struct gateway gateway;

	gateway_open_reliable(&gateway, (struct weir_consumer_options){0});
	gateway.network = keep;
	gateway.is_deaf = true;
	gateway.payload = payload;
	CALLGRIND_START_INSTRUMENTATION;
	for (uint32_t round = 0; round < WARM_ROUNDS + ROUNDS; round++) {
		bool is_counted = round >= WARM_ROUNDS;
		uint32_t taken, timed = 0;

		count = 0;
		gateway.now_ns += GATEWAY_MS / 10;
		for (uint16_t i = 0; i < BURST; i++)
			gateway_data(&gateway, i % GATEWAY_LANES, carried, false);
		if (is_counted)
			CALLGRIND_TOGGLE_COLLECT;
		taken = consume(&gateway, &timed);
		if (is_counted)
			CALLGRIND_TOGGLE_COLLECT;
		CU_ASSERT_EQUAL(taken, BURST * carried);
		CU_ASSERT(timed < BURST);
	}
	CALLGRIND_DUMP_STATS_AT(name);
	CALLGRIND_STOP_INSTRUMENTATION;
	printf("\n%s %d\n", name, ROUNDS * BURST * carried);
	gateway_close(&gateway);
}

static void test_batches(void)
{
	run("consumer", 32, 30);
}

static void test_alone(void)
{
	run("consumer_1288", 1288, 1);
}

int main(void)
{
	CU_TestInfo tests[] = {{"batches of 32 bytes", test_batches},
		{"one in a datagram", test_alone}, CU_TEST_INFO_NULL};
	CU_SuiteInfo suites[] = {
		{"instructions of libweir", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
	unsigned int failures;

	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 1;
	CU_basic_set_mode(CU_BRM_NORMAL);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures != 0;
}
