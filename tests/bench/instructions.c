/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <CUnit/Basic.h>
#include <callgrind.h>

#include "dataplane/direct.h"
#include "dataplane/trace.h"
#include "dataplane_client.h"
#include "dataplane_fixture.h"

/*
 * What one burst after another takes from classification to the port's queue, for callgrind to
 * count: data plane and pools are real, the port costs next to nothing. One dump for each case,
 * under its name; without callgrind it shows that all that is counted is delivered.
 *
 * Standard output has a line "NAME MESSAGES" for each case, of messages received, the seconds that
 * they took in "time NAME SECONDS", and the compiler in "compiler NAME". instructions [BURSTS]: so
 * many are counted instead of 32, to be timed.
 */

#ifdef __clang__
#define COMPILER __VERSION__
#else
#define COMPILER "gcc " __VERSION__
#endif
#ifdef __OPTIMIZE__
#define OPTIMIZED ""
#else
#define OPTIMIZED ", not optimized"
#endif

#define STREAM      "[{'name':'s','match':{'udp_port':4739},'key':'ipfix','partitions':16}]"
#define PARTITIONS  16
#define KEYS        1000 /* observation domains */
#define WARM_ROUNDS 16   /* bursts */
#define ROUNDS      32   /* that are counted, unless told otherwise */

struct shape {
	const char *name;
	uint32_t groups; /* of one blind consumer; 0: one of a native consumer */
	uint16_t payload;
	bool is_watched; /* one message in so many is to be traced, as it may be at all times */
};

static uint32_t rounds = ROUNDS;

static double now(void)
{
	struct timespec clock;

	clock_gettime(CLOCK_MONOTONIC, &clock);
	return (double)clock.tv_sec + (double)clock.tv_nsec / 1e9;
}

/* An IPFIX message of a domain; where there is room, with a data set. */
static void fill(uint8_t *payload, uint16_t length, uint32_t domain)
{
	const uint8_t header[] = {0, 10, (uint8_t)(length >> 8), (uint8_t)length};
	const uint8_t set[] = {1, 0, (uint8_t)((length - 16) >> 8), (uint8_t)(length - 16)};

	memset(payload, 0xa5, length);
	memcpy(payload, header, sizeof(header));
	for (int i = 0; i < 4; i++)
		payload[12 + i] = (uint8_t)(domain >> (24 - 8 * i));
	if (length >= 16 + sizeof(set))
		memcpy(payload + 16, set, sizeof(set));
}

static void make_burst(
	struct plane *plane, uint16_t length, uint32_t first, struct rte_mbuf *packets[WEIR_BURST])
{
	uint8_t payload[FRAME_MAX];
	struct frame_spec spec = {.version = 4,
		.source = {4, {10, 0, 0, 1}},
		.destination = {4, {192, 0, 2, 1}},
		.source_port = 2055,
		.destination_port = 4739,
		.payload = payload,
		.payload_length = length};

	for (uint32_t i = 0; i < WEIR_BURST; i++) {
		fill(payload, length, (first + i) % KEYS);
		packets[i] = plane_packet(plane, &spec);
	}
}

static void forward(struct plane *plane, struct rte_mbuf *packets[WEIR_BURST])
{
	weir_direct_allow(plane->worker);
	if (plane->worker->trace_rules != 0)
		weir_trace_receive(plane->worker, packets, WEIR_BURST);
	weir_classify(plane->worker, &plane->ports[0], packets, WEIR_BURST);
	while (plane_turn_worker(plane, 0) != 0)
		;
}

/* All that came was done with. */
static void acknowledge(struct client *client)
{
	client_take(client);
	for (uint16_t i = 0; i < PARTITIONS; i++)
		if (client->lanes[i].is_known)
			client_ack(client, i, client->lanes[i].next_seq, client->lanes[i].next_seq);
	client_forget(client);
}

static void run(struct plane *plane, const struct shape *shape, struct client *client)
{
	struct rte_mbuf *packets[WEIR_BURST];
	double spent = 0, begin;

	CALLGRIND_START_INSTRUMENTATION;
	for (uint32_t round = 0; round < WARM_ROUNDS + rounds; round++) {
		bool is_counted = round >= WARM_ROUNDS;

		make_burst(plane, shape->payload, round * WEIR_BURST, packets);
		plane_advance(plane, 10);
		begin = now();
		if (is_counted)
			CALLGRIND_TOGGLE_COLLECT;
		forward(plane, packets);
		if (is_counted)
			CALLGRIND_TOGGLE_COLLECT;
		spent += is_counted ? now() - begin : 0;
		if (client == NULL) {
			CU_ASSERT_EQUAL(plane->sent_count, shape->groups * WEIR_BURST);
			plane_forget_sent(plane);
		} else {
			acknowledge(client);
		}
	}
	CALLGRIND_DUMP_STATS_AT(shape->name);
	CALLGRIND_STOP_INSTRUMENTATION;
	printf("\n%s %u\ntime %s %.6f\n", shape->name, rounds * WEIR_BURST, shape->name, spent);
}

static void blind_groups(char *text, size_t size, uint32_t count)
{
	size_t used = 0;

	for (uint32_t i = 0; i < count; i++)
		used += (size_t)snprintf(text + used, size - used,
			"%c{'name':'g%u','streams':'s','consumers':[{'name':'c%u','address':"
			"'198.51.100.%u','port':9995,'source':'keep'}]}",
			i == 0 ? '[' : ',', i, i, 10 + i);
	snprintf(text + used, size - used, "]");
}

static void watch(struct plane *plane)
{
	struct weir_dataplane *dataplane = plane->dataplane;

	CU_ASSERT_EQUAL_FATAL(weir_trace_prepare(dataplane), 0);
	dataplane->traces[0].number++;
	dataplane->traces[0].sample = 10000;
	atomic_store(&dataplane->traces[0].left, INT64_MAX);
	weir_trace_switch(dataplane, 0, true);
	plane->worker->trace_rules = atomic_load(&dataplane->trace_rules);
	CU_ASSERT_NOT_EQUAL(plane->worker->trace_rules, 0);
}

static void run_blind(const struct shape *shape)
{
	char groups[2048];
	struct plane *plane;

	blind_groups(groups, sizeof(groups), shape->groups);
	plane = plane_open(STREAM, groups);
	plane_reach_all(plane);
	if (shape->is_watched)
		watch(plane);
	run(plane, shape, NULL);
	plane_close(plane);
}

static void run_native(const struct shape *shape)
{
	static struct client client;
	struct plane *plane = plane_open(STREAM, "[{'name':'n','class':'native','streams':'s'}]");

	client_join(&client, plane, &(const struct client_options){.is_reliable = true});
	client_grant_all(&client);
	run(plane, shape, &client);
	CU_ASSERT_EQUAL(
		plane_group(plane, "s", "n").delivered, (WARM_ROUNDS + rounds) * WEIR_BURST);
	plane_close(plane);
}

static void test_forward(void)
{
	run_blind(&(const struct shape){.name = "forward", .groups = 1, .payload = 18});
}

static void test_forward_512(void)
{
	run_blind(&(const struct shape){.name = "forward_512", .groups = 1, .payload = 466});
}

static void test_watched(void)
{
	run_blind(&(const struct shape){
		.name = "watched", .groups = 1, .payload = 18, .is_watched = true});
}

static void test_copies(void)
{
	run_blind(&(const struct shape){.name = "groups_4", .groups = 4, .payload = 18});
}

static void test_native(void)
{
	run_native(&(const struct shape){.name = "native", .payload = 32});
}

int main(int argc, char **argv)
{
	CU_TestInfo tests[] = {{"forwarding", test_forward},
		{"forwarding 512 bytes", test_forward_512},
		{"forwarding, with traces", test_watched}, {"copies for four groups", test_copies},
		{"native framing", test_native}, CU_TEST_INFO_NULL};
	CU_SuiteInfo suites[] = {
		{"instructions", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
	unsigned int failures;

	if (argc > 1)
		rounds = (uint32_t)strtoul(argv[1], NULL, 10);
	if (!plane_environment()) {
		fprintf(stderr, "the environment layer does not start\n");
		return 1;
	}
	printf("compiler " COMPILER OPTIMIZED "\n");
	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 1;
	CU_basic_set_mode(CU_BRM_NORMAL);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures != 0;
}
