/* SPDX-License-Identifier: BSD-3-Clause */
#include <CUnit/Basic.h>
#include <stdio.h>
#include <string.h>

#include "config/config.h"
#include "config_document.h"

#define SLOTS 2 /* workers that there is room for */

/* The document with the first `from` replaced by `to`. */
static struct weir_config *parse(const char *from, const char *to)
{
	char text[8192], edited[8192];
	const char *at = strstr(WHOLE, from);
	struct weir_config *config;
	struct weir_error error = {0};

	CU_ASSERT_PTR_NOT_NULL_FATAL(at);
	snprintf(edited, sizeof(edited), "%.*s%s%s", (int)(at - WHOLE), WHOLE, to,
		at + strlen(from));
	document_text(edited, text);
	if (weir_config_parse(text, strlen(text), &config, &error) < 0)
		printf("\n  %s: %s (%s)\n", error.path, error.reason, error.hint);
	CU_ASSERT_PTR_NOT_NULL_FATAL(config);
	return config;
}

static void compare(const char *from, const char *to, const char *expected)
{
	struct weir_config *running = parse("'workers'", "'workers'");
	struct weir_config *next = parse(from, to);
	const char *path = weir_config_needs_restart(running, next, SLOTS);

	if (expected == NULL) {
		CU_ASSERT_PTR_NULL(path);
	} else {
		CU_ASSERT_PTR_NOT_NULL_FATAL(path);
		CU_ASSERT_STRING_EQUAL(path, expected);
	}
	/* A change and its reversal need the same. */
	CU_ASSERT_EQUAL(weir_config_needs_restart(next, running, SLOTS) == NULL, path == NULL);
	weir_config_free(running);
	weir_config_free(next);
}

static void test_what_the_machine_is_made_of_needs_a_restart(void)
{
	compare("'idle':'sleep'", "'most':8,'idle':'sleep'", "$.workers.most");
	compare("'hugepages':false", "'hugepages':true", "$.memory.hugepages");
	compare("'buffers':65536", "'buffers':65537", "$.memory.buffers");
	compare("'buffer_bytes':4096", "'buffer_bytes':2048", "$.memory.buffer_bytes");
	compare("'/tmp/w.sock'", "'/tmp/v.sock'", "$.control.socket");
	compare("'udp_port':5000", "'udp_port':5001", "$.native.udp_port");
	compare("'/var/lib/weir/state'", "'/var/lib/weir/other'", "$.state.file");
	compare("'state':{'file':'/var/lib/weir/state','interval_ms':250},", "", "$.state.file");
}

static void compare_cpus(const char *cpus, const char *expected)
{
	struct weir_config *running = parse("'workers'", "'workers'");
	struct weir_config *next = parse("'cpus':[3,1]", cpus);
	const char *path = weir_config_needs_restart(running, next, SLOTS);

	CU_ASSERT_STRING_EQUAL(path != NULL ? path : "", expected);
	weir_config_free(running);
	weir_config_free(next);
}

static void test_workers_come_and_go_as_there_is_room(void)
{
	compare("'cpus':[3,1]", "'cpus':[3,2]", NULL);
	compare("'cpus':[3,1]", "'cpus':[3]", NULL);
	compare("'idle':'sleep'", "'idle':'spin'", NULL);
	compare("'stall_ms':2000", "'stall_ms':2001", NULL);
	compare_cpus("'cpus':[0]", "");
	/* Zero is what an unused place of the array holds too. */
	compare_cpus("'cpus':[3,1,0]", "$.workers.cpus");
}

static void test_ports_need_a_restart(void)
{
	compare("'name':'xdp'", "'name':'xdp2'", "$.ports[2].name");
	compare("'driver':'af_xdp'", "'driver':'af_packet'", "$.ports[2].driver");
	compare("'0000:03:00.0'", "'0000:03:00.1'", "$.ports[0].device");
	compare("'interface':'eth0'", "'interface':'eth2'", "$.ports[1].interface");
	compare("'in.pcap'", "'other.pcap'", "$.ports[5].rx_file");
	compare("'loop':true", "'loop':false", "$.ports[5].loop");
	compare("'id':7", "'id':8", "$.ports[4].id");
	compare("'role':'server'", "'role':'client'", "$.ports[4].role");
	compare("'queues':2", "'queues':1", "$.ports[1].queues");
	compare("'mtu':9000", "'mtu':1500", "$.ports[0].mtu");
	compare("'promiscuous':true", "'promiscuous':false", "$.ports[0].promiscuous");
	compare(",'mac':'02:00:00:00:0a:FF'", "", "$.ports[0].mac");
	compare("'frame_bytes':1400", "'frame_bytes':64", "$.ports[6].frame_bytes");
	compare("'name':'wn'", "'name':'wm'", "$.ports[0].twin");
	compare("192.0.2.1/24", "192.0.2.2/24", "$.ports[0].twin");
	compare("192.0.2.1/24", "192.0.2.1/25", "$.ports[0].twin");
	compare(",'2001:db8::1/64'", "", "$.ports[0].twin");
	compare(",'twin':{}", "", "$.ports[3].twin");
	compare(",\n  {'name':'nul','driver':'null','frame_bytes':1400}", "", "$.ports");
	compare("'mode':'native'", "'mode':'generic'", "$.ports[7].mode");
	compare("'gate':512", "'gate':0", "$.failover.gate");
	compare("'failover':{'enabled':false", "'failover':{'enabled':true", "$.failover.enabled");
}

static void test_the_rest_is_taken_over_live(void)
{
	compare("'workers'", "'workers'", NULL);
	compare("'standard_weight':8", "'standard_weight':9", NULL);
	compare("'heartbeat_ms':100", "'heartbeat_ms':101", NULL);
	compare("'max_frame':8000", "'max_frame':1400", NULL);
	compare("'queue_ms':50", "'queue_ms':0", NULL);
	compare("'probe_ms':500", "'probe_ms':600", NULL);
	compare("'interval_ms':250", "'interval_ms':50", NULL);
	compare("'messages':64,'bytes':'1M'", "'messages':0", NULL);
	compare("'park_ms':300", "'park_ms':301", NULL);
	compare("'retain_ms':60000", "'retain_ms':0", NULL);
	compare("'drain_ms':2000", "'drain_ms':1", NULL);
	compare("'deadline_ms':700", "'deadline_ms':0", NULL);
	compare("'max':3", "'max':0", NULL);
	compare("'/etc/weir/a.key'", "'/etc/weir/b.key'", NULL);
	compare("'reliable':false", "'reliable':true", NULL);
	compare("'attempts':4", "'attempts':5", NULL);
	compare("'class':'assisted','streams':'a','key_file':'/etc/weir/h.key'",
		"'class':'blind','streams':'a'", NULL);
	compare("'partitions':64", "'partitions':128", NULL);
	compare("'messages':1024", "'messages':2048", NULL);
	compare("{'name':'c'}]", "{'name':'c'},{'name':'d'}]", NULL);
	compare("'sample':10", "'sample':11", NULL);
	compare("'packets_per_s':50000", "'packets_per_s':1", NULL);
	compare("'address':'198.51.100.7'", "'address':'198.51.100.8'", NULL);
	/* Spelling is no change. */
	compare("02:00:00:00:0a:FF", "02:00:00:00:0A:ff", NULL);
	compare("{'name':'nul','driver':'null'", "{'driver':'null','queues':1,'name':'nul'", NULL);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"what the machine is made of needs a restart",
			test_what_the_machine_is_made_of_needs_a_restart},
		{"workers come and go, as far as there is room for them",
			test_workers_come_and_go_as_there_is_room},
		{"ports need a restart", test_ports_need_a_restart},
		{"the rest is taken over live", test_the_rest_is_taken_over_live},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {{"restart", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};

	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 1;
	CU_basic_run_tests();
	return CU_get_number_of_failures() != 0;
}
