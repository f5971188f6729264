/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/watchdog.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <CUnit/Basic.h>

#include "base/log.h"
#include "control/gateway.h"
#include "dataplane/model.h"
#include "dataplane/port_restart.h"

/* Watchdogs on figures that are made here; those of the kernel and the disk are system tests'. */

#define SECOND_NS 1000000000ull

static struct weir_config config;
static struct weir_model model = {.config = &config};
static struct weir_port port = {.name = "lan"};
static struct weir_dataplane dataplane;
static struct weir_gateway gateway;
static struct weir_samples samples;
static uint64_t now_ns;

static void begin(bool acts)
{
	config.watchdog = (struct weir_config_watchdog){
		.act = acts, .per_hour = 2, .pool_percent = 10, .disk_ms = 1000, .clock_ms = 1000};
	dataplane.model = &model;
	dataplane.ports[0] = &port;
	dataplane.port_count = 1;
	atomic_store(&dataplane.shed_bulk, false);
	gateway = (struct weir_gateway){.dataplane = &dataplane};
	now_ns = SECOND_NS;
	CU_ASSERT_EQUAL_FATAL(weir_watchdog_create(&gateway, &gateway.watchdog), 0);
}

static void end(void)
{
	weir_watchdog_destroy(gateway.watchdog);
	weir_samples_free(&samples);
}

static void look(void)
{
	now_ns += SECOND_NS;
	weir_watchdog_look(gateway.watchdog, now_ns, &samples);
}

static void look_at_pool(double free_percent)
{
	weir_samples_reset(&samples);
	weir_samples_label(&samples, 0, "pool", "packets");
	weir_samples_add(&samples, WEIR_METRIC_ID_POOL_SIZE, 1000);
	weir_samples_add(&samples, WEIR_METRIC_ID_POOL_FREE, 10 * free_percent);
	look();
}

static void look_at_port(double errors, double full, double sent)
{
	weir_samples_reset(&samples);
	weir_samples_label(&samples, 0, "port", "lan");
	weir_samples_add(&samples, WEIR_METRIC_ID_PORT_UP, 1);
	weir_samples_add(&samples, WEIR_METRIC_ID_PORT_RX_ERRORS, errors);
	weir_samples_add(&samples, WEIR_METRIC_ID_PORT_FULL, full);
	weir_samples_add(&samples, WEIR_METRIC_ID_PORT_SENT, sent);
	look();
}

static void look_at_worker(bool is_stalled)
{
	weir_samples_reset(&samples);
	weir_samples_label_number(&samples, 0, "worker", 3);
	weir_samples_add(&samples, WEIR_METRIC_ID_WORKER_STALLED, is_stalled);
	look();
}

/* What the last look says: 1 in trouble, 0 well again, -1 never seen. */
static int in_trouble(const char *watchdog, const char *subject)
{
	for (int32_t i = samples.first[WEIR_METRIC_ID_HEALTH]; i >= 0; i = samples.list[i].next)
		if (strcmp(weir_sample_label(&samples, &samples.list[i], "watchdog"), watchdog) ==
				0 &&
			strcmp(weir_sample_label(&samples, &samples.list[i], "subject"), subject) ==
				0)
			return samples.list[i].value != 0;
	return -1;
}

static double remedies(const char *watchdog, const char *outcome)
{
	for (int32_t i = samples.first[WEIR_METRIC_ID_REMEDIES]; i >= 0; i = samples.list[i].next)
		if (strcmp(weir_sample_label(&samples, &samples.list[i], "watchdog"), watchdog) ==
				0 &&
			strcmp(weir_sample_label(&samples, &samples.list[i], "outcome"), outcome) ==
				0)
			return samples.list[i].value;
	return -1;
}

static void bulk_is_shed_until_the_pool_has_twice_the_limit(void)
{
	begin(true);
	look_at_pool(50);
	CU_ASSERT_EQUAL(in_trouble("pool", "pool=packets"), -1);
	CU_ASSERT_FALSE(dataplane.shed_bulk);
	look_at_pool(9);
	CU_ASSERT_EQUAL(in_trouble("pool", "pool=packets"), 1);
	CU_ASSERT_TRUE(dataplane.shed_bulk);
	look_at_pool(15);
	CU_ASSERT_EQUAL(in_trouble("pool", "pool=packets"), 0);
	CU_ASSERT_TRUE(dataplane.shed_bulk);
	look_at_pool(20);
	CU_ASSERT_FALSE(dataplane.shed_bulk);
	CU_ASSERT_EQUAL(remedies("pool", "done"), 1);
	end();
}

static void remedies_are_limited_and_left_out_when_told(void)
{
	begin(true);
	for (int i = 0; i < 3; i++) {
		look_at_pool(5);
		CU_ASSERT_EQUAL(dataplane.shed_bulk, i < 2);
		look_at_pool(50);
	}
	CU_ASSERT_EQUAL(remedies("pool", "done"), 2);
	CU_ASSERT_EQUAL(remedies("pool", "limited"), 1);
	now_ns += 3600 * SECOND_NS;
	look_at_pool(5);
	CU_ASSERT_TRUE(dataplane.shed_bulk);
	CU_ASSERT_EQUAL(remedies("pool", "done"), 3);
	/* From now on only reported: what it did is taken back. */
	config.watchdog.act = false;
	look_at_pool(5);
	CU_ASSERT_FALSE(dataplane.shed_bulk);
	look_at_pool(50);
	look_at_pool(5);
	CU_ASSERT_FALSE(dataplane.shed_bulk);
	CU_ASSERT_EQUAL(remedies("pool", "reported"), 1);
	end();
}

static void a_port_is_in_trouble_by_errors_and_when_nothing_leaves(void)
{
	begin(false);
	look_at_port(100, 100, 1000); /* of before */
	CU_ASSERT_EQUAL(in_trouble("port", "port=lan"), -1);
	look_at_port(100, 100, 1000);
	CU_ASSERT_EQUAL(in_trouble("port", "port=lan"), -1);
	look_at_port(101, 100, 1001);
	CU_ASSERT_EQUAL(in_trouble("port", "port=lan"), 1);
	look_at_port(101, 101, 1002);
	CU_ASSERT_EQUAL(in_trouble("port", "port=lan"), 0);
	look_at_port(101, 102, 1002);
	CU_ASSERT_EQUAL(in_trouble("port", "port=lan"), 1);
	CU_ASSERT_EQUAL(remedies("port", "reported"), 2);
	end();
}

static int restarts, result_of_restart;

static void hold(void *driver, bool on)
{
	*(bool *)driver = on || result_of_restart < 0;
}

static int restart(void *driver)
{
	CU_ASSERT_TRUE(*(bool *)driver);
	restarts++;
	return result_of_restart;
}

/* Let a port that can be restarted stand still, and go on. */
static void stand_still(double full)
{
	look_at_port(0, full, 1000);
	CU_ASSERT_EQUAL(in_trouble("queue", "port=lan"), 1);
	look_at_port(0, full, 1000 + full);
	CU_ASSERT_EQUAL(in_trouble("queue", "port=lan"), 0);
	look_at_port(0, full, 1000);
}

static void a_port_that_nothing_leaves_is_restarted_where_it_can_be(void)
{
	static const struct weir_port_ops ops = {.hold = hold, .restart = restart};
	size_t size = rte_rcu_qsbr_get_memsize(1);
	bool is_held = false;

	dataplane.qsbr = aligned_alloc(RTE_CACHE_LINE_SIZE, RTE_ALIGN(size, RTE_CACHE_LINE_SIZE));
	CU_ASSERT_EQUAL_FATAL(rte_rcu_qsbr_init(dataplane.qsbr, 1), 0);
	rte_rcu_qsbr_thread_register(dataplane.qsbr, 0);
	port.ops = &ops;
	port.driver = &is_held;
	port.can_restart = true;
	begin(true);
	look_at_port(0, 100, 1000);
	stand_still(101);
	CU_ASSERT_EQUAL(restarts, 1);
	CU_ASSERT_EQUAL(remedies("queue", "done"), 1);
	CU_ASSERT_EQUAL(in_trouble("port", "port=lan"), -1);
	CU_ASSERT_FALSE(is_held);
	/* One that does not start stays held; one that a worker is in is left alone. */
	result_of_restart = -EIO;
	stand_still(102);
	CU_ASSERT_EQUAL(restarts, 2);
	CU_ASSERT_EQUAL(remedies("queue", "failed"), 1);
	CU_ASSERT_TRUE(is_held);
	result_of_restart = 0;
	rte_rcu_qsbr_thread_online(dataplane.qsbr, 0);
	CU_ASSERT_EQUAL(weir_port_restart(&dataplane, &port), -EBUSY);
	CU_ASSERT_FALSE(is_held);
	CU_ASSERT_EQUAL(restarts, 2);
	end();
	free(dataplane.qsbr);
	port = (struct weir_port){.name = "lan"};
}

static void a_worker_is_named_while_it_stands(void)
{
	begin(true);
	look_at_worker(false);
	CU_ASSERT_EQUAL(in_trouble("worker", "worker=3"), -1);
	look_at_worker(true);
	CU_ASSERT_EQUAL(in_trouble("worker", "worker=3"), 1);
	look_at_worker(false);
	CU_ASSERT_EQUAL(in_trouble("worker", "worker=3"), 0);
	end();
}

static void look_at_loads(double first, double second)
{
	weir_samples_reset(&samples);
	weir_samples_label_number(&samples, 0, "worker", 0);
	weir_samples_add(&samples, WEIR_METRIC_ID_WORKER_DUTY, first);
	weir_samples_label_number(&samples, 0, "worker", 1);
	weir_samples_add(&samples, WEIR_METRIC_ID_WORKER_DUTY, second);
	look();
}

static void a_busy_worker_is_in_trouble_while_another_has_room(void)
{
	begin(false);
	for (int i = 0; i < 5; i++)
		look_at_loads(0.95, 0.3);
	CU_ASSERT_EQUAL(in_trouble("load", "worker=0"), -1);
	look_at_loads(0.95, 0.3);
	CU_ASSERT_EQUAL(in_trouble("load", "worker=0"), 1);
	CU_ASSERT_EQUAL(remedies("load", "reported"), 1);
	look_at_loads(0.95, 0.7);
	CU_ASSERT_EQUAL(in_trouble("load", "worker=0"), 0);
	/* Both are busy, or the other is parked: there is nothing to spread. */
	for (int i = 0; i < 10; i++)
		look_at_loads(0.95, 0.95);
	CU_ASSERT_EQUAL(in_trouble("load", "worker=0"), 0);
	dataplane.moves.parked = 2;
	for (int i = 0; i < 10; i++)
		look_at_loads(0.95, 0);
	CU_ASSERT_EQUAL(in_trouble("load", "worker=0"), 0);
	dataplane.moves.parked = 0;
	/* A dip begins the time anew. */
	for (int i = 0; i < 10; i++)
		look_at_loads(i % 4 == 3 ? 0.5 : 0.95, 0.3);
	CU_ASSERT_EQUAL(in_trouble("load", "worker=0"), 0);
	CU_ASSERT_EQUAL(in_trouble("load", "worker=1"), -1);
	end();
}

static void a_step_of_the_clock_is_told_for_a_minute(void)
{
	begin(true);
	look_at_worker(false);
	look_at_worker(false);
	CU_ASSERT_EQUAL(in_trouble("clock", "clock=wall"), -1);
	/* As if the wall clock had been ten seconds off, and was set right before the look. */
	weir_watchdog_clock(gateway.watchdog, now_ns, 10 * (int64_t)SECOND_NS);
	look_at_worker(false);
	CU_ASSERT_EQUAL(in_trouble("clock", "clock=wall"), 1);
	now_ns += 58 * SECOND_NS;
	look_at_worker(false);
	CU_ASSERT_EQUAL(in_trouble("clock", "clock=wall"), 1);
	now_ns += 2 * SECOND_NS;
	look_at_worker(false);
	CU_ASSERT_EQUAL(in_trouble("clock", "clock=wall"), 0);
	end();
}

static void look_at_consumers(uint32_t first, uint32_t count)
{
	char name[16];

	weir_samples_reset(&samples);
	for (uint32_t i = first; i < first + count; i++) {
		snprintf(name, sizeof(name), "c%u", i);
		weir_samples_label(&samples, 0, "consumer", name);
		weir_samples_add(&samples, WEIR_METRIC_ID_CONSUMER_UP, 0);
	}
	look();
}

static void troubles_without_end_are_bounded(void)
{
	begin(false);
	look_at_consumers(0, 5000);
	CU_ASSERT_EQUAL(in_trouble("neighbour", "consumer=c0"), 1);
	CU_ASSERT_EQUAL(in_trouble("neighbour", "consumer=c4999"), -1);
	/* Those that are over make way. */
	look_at_consumers(4000, 1000);
	look_at_consumers(4000, 1000);
	CU_ASSERT_EQUAL(in_trouble("neighbour", "consumer=c4999"), 1);
	end();
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"bulk is shed until the pool has twice the limit",
			bulk_is_shed_until_the_pool_has_twice_the_limit},
		{"remedies are limited, and left out when told",
			remedies_are_limited_and_left_out_when_told},
		{"a port is in trouble by errors, and when nothing leaves",
			a_port_is_in_trouble_by_errors_and_when_nothing_leaves},
		{"a port that nothing leaves is restarted where it can be",
			a_port_that_nothing_leaves_is_restarted_where_it_can_be},
		{"a worker is named while it stands", a_worker_is_named_while_it_stands},
		{"a busy worker is in trouble while another has room",
			a_busy_worker_is_in_trouble_while_another_has_room},
		{"a step of the clock is told for a minute",
			a_step_of_the_clock_is_told_for_a_minute},
		{"troubles without end are bounded", troubles_without_end_are_bounded},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {{"watchdogs", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
	unsigned int failures;

	weir_log_set_level(WEIR_LOG_ERROR);
	CU_initialize_registry();
	CU_register_suites(suites);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures != 0;
}
