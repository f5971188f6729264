/* SPDX-License-Identifier: BSD-3-Clause */
/* Neighbours: resolved, verified and given up by the running kernel. */
#include "host_kernel.h"

#include <errno.h>
#include <string.h>

#include <linux/neighbour.h>

#include "host_kernel_watch.h"

/* Three requests, one a second; the last one gets its second too. */
#define FAILED_AT_LEAST_MS 2000
#define FAILED_AT_MOST_MS  5000

static void far_mac(uint8_t mac[6])
{
	struct weir_host_link link;
	struct weir_host *host;

	host_kernel_far();
	CU_ASSERT_EQUAL_FATAL(weir_host_open(NULL, NULL, &host, NULL), 0);
	CU_ASSERT_EQUAL(weir_host_link_by_name(host, "far0", &link), 0);
	memcpy(mac, link.mac, 6);
	weir_host_close(host);
	host_kernel_near();
}

static int resolve(struct host_watch *watch, int ifindex, const char *text)
{
	const struct weir_address address = host_kernel_address(text);

	return weir_host_neighbour_resolve(watch->host, ifindex, &address);
}

static int probe(struct host_watch *watch, int ifindex, const char *text)
{
	const struct weir_address address = host_kernel_address(text);

	return weir_host_neighbour_probe(watch->host, ifindex, &address);
}

static struct weir_host_neighbour look(struct host_watch *watch, int ifindex, const char *text)
{
	const struct weir_address address = host_kernel_address(text);
	struct weir_host_neighbour neighbour;

	weir_host_neighbour(watch->host, ifindex, &address, &neighbour);
	return neighbour;
}

static void test_a_neighbour_is_resolved(void)
{
	static const char *const both[] = {FAR4, FAR6};
	struct host_watch watch;
	uint8_t mac[6];
	int ifindex;

	far_mac(mac);
	CU_ASSERT(host_kernel_run("ip neigh flush dev near0"));
	host_watch_open(&watch);
	ifindex = host_watch_ifindex(&watch, "near0");
	for (unsigned int i = 0; i < 2; i++) {
		struct weir_host_neighbour found;

		CU_ASSERT_EQUAL(look(&watch, ifindex, both[i]).state, WEIR_NEIGHBOUR_UNKNOWN);
		CU_ASSERT_EQUAL(probe(&watch, ifindex, both[i]), -ENOENT);
		CU_ASSERT_EQUAL(resolve(&watch, ifindex, both[i]), 0);
		CU_ASSERT(
			host_watch_until_state(&watch, ifindex, both[i], WEIR_NEIGHBOUR_REACHABLE));
		found = look(&watch, ifindex, both[i]);
		CU_ASSERT_EQUAL(memcmp(found.mac, mac, 6), 0);
		CU_ASSERT((found.nud & (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE)) != 0);
		/* Again: nothing to do. */
		host_watch_settle(&watch);
		CU_ASSERT_EQUAL(resolve(&watch, ifindex, both[i]), 0);
		CU_ASSERT_EQUAL(weir_host_process(watch.host), 0);
		CU_ASSERT_EQUAL(watch.told[WEIR_HOST_NEIGHBOUR], 0);
	}
	host_watch_close(&watch);
}

static void test_an_absent_neighbour_fails_after_3_s(void)
{
	static const char *const both[] = {"10.9.0.99", "fd00:9::99"};
	uint64_t start = host_kernel_now_ms();
	struct host_watch watch;
	int ifindex;

	host_watch_open(&watch);
	ifindex = host_watch_ifindex(&watch, "near0");
	for (unsigned int i = 0; i < 2; i++) {
		CU_ASSERT_EQUAL(resolve(&watch, ifindex, both[i]), 0);
		CU_ASSERT(
			host_watch_until_state(&watch, ifindex, both[i], WEIR_NEIGHBOUR_RESOLVING));
		CU_ASSERT_EQUAL(probe(&watch, ifindex, both[i]), -ENOENT);
	}
	for (unsigned int i = 0; i < 2; i++) {
		uint64_t elapsed;

		CU_ASSERT(host_watch_until_state(&watch, ifindex, both[i], WEIR_NEIGHBOUR_FAILED));
		elapsed = host_kernel_now_ms() - start;
		CU_ASSERT(elapsed > FAILED_AT_LEAST_MS && elapsed < FAILED_AT_MOST_MS);
	}
	/* And may be tried again. */
	CU_ASSERT_EQUAL(resolve(&watch, ifindex, both[0]), 0);
	CU_ASSERT(host_watch_until_state(&watch, ifindex, both[0], WEIR_NEIGHBOUR_RESOLVING));
	host_watch_close(&watch);
}

static void move_far(const char *verb)
{
	host_kernel_far();
	CU_ASSERT(host_kernel_run("ip addr %s %s/24 dev far0 && ip addr %s %s/64 dev far0 %s", verb,
		FAR4, verb, FAR6, strcmp(verb, "add") == 0 ? "nodad" : ""));
	host_kernel_near();
}

/* The link stays, so only asking finds out. Probing again meanwhile must not put it off. */
static void test_a_neighbour_that_goes_is_found_out_by_probing(void)
{
	static const char *const both[] = {FAR4, FAR6};
	struct host_watch watch;
	uint64_t start;
	int ifindex;

	host_watch_open(&watch);
	ifindex = host_watch_ifindex(&watch, "near0");
	for (unsigned int i = 0; i < 2; i++) {
		CU_ASSERT_EQUAL(resolve(&watch, ifindex, both[i]), 0);
		CU_ASSERT(
			host_watch_until_state(&watch, ifindex, both[i], WEIR_NEIGHBOUR_REACHABLE));
	}
	move_far("del");
	start = host_kernel_now_ms();
	for (unsigned int i = 0; i < 2; i++) {
		CU_ASSERT_EQUAL(probe(&watch, ifindex, both[i]), 0);
		CU_ASSERT_EQUAL(weir_host_process(watch.host), 0);
		CU_ASSERT_EQUAL(look(&watch, ifindex, both[i]).state, WEIR_NEIGHBOUR_REACHABLE);
		CU_ASSERT_EQUAL(look(&watch, ifindex, both[i]).nud, NUD_PROBE);
	}
	for (unsigned int i = 0; i < 2; i++) {
		uint64_t elapsed;

		CU_ASSERT_EQUAL(probe(&watch, ifindex, both[i]), i == 0 ? 0 : -ENOENT);
		CU_ASSERT(host_watch_until_state(&watch, ifindex, both[i], WEIR_NEIGHBOUR_FAILED));
		elapsed = host_kernel_now_ms() - start;
		CU_ASSERT(elapsed > FAILED_AT_LEAST_MS && elapsed < FAILED_AT_MOST_MS);
	}
	move_far("add");
	for (unsigned int i = 0; i < 2; i++) {
		CU_ASSERT_EQUAL(resolve(&watch, ifindex, both[i]), 0);
		CU_ASSERT(
			host_watch_until_state(&watch, ifindex, both[i], WEIR_NEIGHBOUR_REACHABLE));
	}
	host_watch_close(&watch);
}

static void test_a_neighbour_that_is_there_passes_the_probe(void)
{
	static const char *const both[] = {FAR4, FAR6};
	struct host_watch watch;
	int ifindex;

	host_watch_open(&watch);
	ifindex = host_watch_ifindex(&watch, "near0");
	for (unsigned int i = 0; i < 2; i++) {
		uint64_t deadline = host_kernel_now_ms() + 5000;

		CU_ASSERT_EQUAL(resolve(&watch, ifindex, both[i]), 0);
		CU_ASSERT(
			host_watch_until_state(&watch, ifindex, both[i], WEIR_NEIGHBOUR_REACHABLE));
		CU_ASSERT_EQUAL(probe(&watch, ifindex, both[i]), 0);
		CU_ASSERT(host_watch_until_told(
			&watch, WEIR_HOST_NEIGHBOUR, watch.told[WEIR_HOST_NEIGHBOUR]));
		while (look(&watch, ifindex, both[i]).nud != NUD_REACHABLE &&
			host_kernel_now_ms() < deadline)
			CU_ASSERT_FATAL(host_watch_until_told(
				&watch, WEIR_HOST_NEIGHBOUR, watch.told[WEIR_HOST_NEIGHBOUR]));
		CU_ASSERT_EQUAL(look(&watch, ifindex, both[i]).nud, NUD_REACHABLE);
	}
	host_watch_close(&watch);
}

static void test_a_permanent_neighbour_is_left_alone(void)
{
	struct host_watch watch;
	struct weir_host_neighbour kept;
	int ifindex;

	host_watch_open(&watch);
	ifindex = host_watch_ifindex(&watch, "near0");
	/* Not processed yet when the orders are given: the cache knows nothing of it. */
	CU_ASSERT(host_kernel_run("ip neigh add 10.9.0.7 lladdr 02:00:00:00:00:07 nud permanent "
				  "dev near0"));
	CU_ASSERT_EQUAL(probe(&watch, ifindex, "10.9.0.7"), 0);
	CU_ASSERT_EQUAL(resolve(&watch, ifindex, "10.9.0.7"), 0);
	CU_ASSERT(host_watch_until_told(&watch, WEIR_HOST_NEIGHBOUR, 0));
	kept = look(&watch, ifindex, "10.9.0.7");
	CU_ASSERT_EQUAL(kept.state, WEIR_NEIGHBOUR_REACHABLE);
	CU_ASSERT_EQUAL(kept.nud, NUD_PERMANENT);
	CU_ASSERT_EQUAL(kept.mac[5], 7);
	CU_ASSERT(host_kernel_run("ip neigh del 10.9.0.7 dev near0"));
	CU_ASSERT(host_watch_until_state(&watch, ifindex, "10.9.0.7", WEIR_NEIGHBOUR_UNKNOWN) ||
		  look(&watch, ifindex, "10.9.0.7").state == WEIR_NEIGHBOUR_FAILED);
	host_watch_close(&watch);
}

static void test_a_lost_carrier_takes_the_neighbours(void)
{
	struct host_watch watch;
	struct weir_host_link link;
	int ifindex;

	host_watch_open(&watch);
	ifindex = host_watch_ifindex(&watch, "near0");
	CU_ASSERT_EQUAL(resolve(&watch, ifindex, FAR4), 0);
	CU_ASSERT(host_watch_until_state(&watch, ifindex, FAR4, WEIR_NEIGHBOUR_REACHABLE));
	host_watch_settle(&watch);
	host_kernel_far();
	CU_ASSERT(host_kernel_run("ip link set far0 down"));
	host_kernel_near();
	CU_ASSERT(host_watch_until_told(&watch, WEIR_HOST_LINK, 0));
	CU_ASSERT_EQUAL(weir_host_link_by_index(watch.host, ifindex, &link), 0);
	CU_ASSERT(link.is_up && !link.is_running);
	CU_ASSERT(watch.told[WEIR_HOST_ROUTE] > 0);
	CU_ASSERT(host_watch_until_state(&watch, ifindex, FAR4, WEIR_NEIGHBOUR_UNKNOWN));
	host_kernel_far();
	CU_ASSERT(host_kernel_run("ip link set far0 up && ip addr add %s/64 dev far0 nodad", FAR6));
	host_kernel_near();
	CU_ASSERT(host_watch_until_told(&watch, WEIR_HOST_LINK, watch.told[WEIR_HOST_LINK]));
	CU_ASSERT_EQUAL(resolve(&watch, ifindex, FAR4), 0);
	CU_ASSERT(host_watch_until_state(&watch, ifindex, FAR4, WEIR_NEIGHBOUR_REACHABLE));
	host_watch_close(&watch);
}

static void test_orders_that_make_no_sense_are_refused(void)
{
	struct host_watch watch;
	const struct weir_address unset = {0};

	host_watch_open(&watch);
	CU_ASSERT_EQUAL(resolve(&watch, 0, FAR4), -EINVAL);
	CU_ASSERT_EQUAL(weir_host_neighbour_probe(watch.host, 1, &unset), -EINVAL);
	CU_ASSERT_EQUAL(resolve(&watch, 9999, FAR4), -ENODEV);
	CU_ASSERT_STRING_EQUAL(weir_neighbour_state_name(WEIR_NEIGHBOUR_FAILED), "failed");
	CU_ASSERT_STRING_EQUAL(weir_neighbour_state_name(WEIR_NEIGHBOUR_STATES), "unknown");
	host_watch_close(&watch);
}

CU_TestInfo host_kernel_neighbour_tests[] = {
	{"a neighbour is resolved", test_a_neighbour_is_resolved},
	{"an absent neighbour fails after 3 s", test_an_absent_neighbour_fails_after_3_s},
	{"a neighbour that goes is found out by probing",
		test_a_neighbour_that_goes_is_found_out_by_probing},
	{"a neighbour that is there passes the probe",
		test_a_neighbour_that_is_there_passes_the_probe},
	{"a permanent neighbour is left alone", test_a_permanent_neighbour_is_left_alone},
	{"a lost carrier takes the neighbours", test_a_lost_carrier_takes_the_neighbours},
	{"orders that make no sense are refused", test_orders_that_make_no_sense_are_refused},
	CU_TEST_INFO_NULL,
};
