/* SPDX-License-Identifier: BSD-3-Clause */
#include "telemetry/alert.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "telemetry/alert_rules.h"

#define SHORT_S 60
#define LONG_S  900

static const char *rules_folder;
static struct weir_samples samples;
static struct weir_alerts *alerts;
static int64_t now_ms;
static uint32_t raised, ended;
static char subject[WEIR_ALERT_SUBJECT];

static void changed(
	void *context, const struct weir_alert *alert, const struct weir_alert_descriptor *about)
{
	(void)context;
	(void)about;
	if (alert->state == WEIR_ALERT_ACTIVE)
		raised++;
	else
		ended++;
	memcpy(subject, alert->subject, sizeof(subject));
}

static void begin(void)
{
	CU_ASSERT_EQUAL_FATAL(weir_alerts_create(&alerts), 0);
	weir_alerts_set_windows(alerts, SHORT_S, LONG_S);
	now_ms = 100000000;
	raised = ended = 0;
}

static void end(void)
{
	weir_alerts_destroy(alerts);
	weir_samples_free(&samples);
}

/* So many seconds in which a port has or has not a link. */
static void port_for(uint32_t seconds, bool is_up)
{
	for (uint32_t i = 0; i < seconds; i++) {
		weir_samples_reset(&samples);
		weir_samples_label(&samples, 0, "port", "lan");
		weir_samples_add(&samples, WEIR_METRIC_ID_PORT_UP, is_up);
		weir_alerts_look(alerts, &samples, now_ms, changed, NULL);
		now_ms += 1000;
	}
}

static void test_a_blip_raises_nothing(void)
{
	begin();
	port_for(1000, true);
	for (int i = 0; i < 10; i++) {
		port_for(20, false);
		port_for(200, true);
	}
	CU_ASSERT_EQUAL(raised, 0);
	end();
}

static void test_what_lasts_is_raised_once_and_ends(void)
{
	begin();
	port_for(1000, true);
	port_for(SHORT_S / 2 + SHORT_S / 2 - 5, false);
	CU_ASSERT_EQUAL(raised, 0);
	port_for(300, false);
	CU_ASSERT_EQUAL(raised, 1);
	CU_ASSERT_EQUAL(weir_alerts_active(alerts, WEIR_ALERT_ID_PORT_DOWN), 1);
	CU_ASSERT_STRING_EQUAL(subject, "port=lan");
	CU_ASSERT_EQUAL(ended, 0);
	port_for(SHORT_S, true);
	CU_ASSERT_EQUAL(ended, 1);
	CU_ASSERT_EQUAL(raised, 1);
	CU_ASSERT_EQUAL(weir_alerts_active(alerts, WEIR_ALERT_ID_PORT_DOWN), 0);
	end();
}

static void test_a_start_in_trouble_waits_too(void)
{
	begin();
	port_for(SHORT_S / 2, false);
	CU_ASSERT_EQUAL(raised, 0);
	port_for(SHORT_S, false);
	CU_ASSERT_EQUAL(raised, 1);
	end();
}

/* A second of a stream: so many received, so many of them dropped. */
static void stream_for(uint32_t seconds, double received, double dropped)
{
	static double all_received, all_dropped;

	for (uint32_t i = 0; i < seconds; i++) {
		all_received += received;
		all_dropped += dropped;
		weir_samples_reset(&samples);
		weir_samples_label(&samples, 0, "stream", "flows");
		weir_samples_label(&samples, 1, "tier", "bulk");
		weir_samples_add(&samples, WEIR_METRIC_ID_STREAM_RECEIVED, all_received);
		weir_samples_add_with(
			&samples, WEIR_METRIC_ID_STREAM_DROPPED, "reason", "shed", all_dropped / 2);
		weir_samples_add_with(&samples, WEIR_METRIC_ID_STREAM_DROPPED, "reason", "budget",
			all_dropped / 2);
		weir_alerts_look(alerts, &samples, now_ms, changed, NULL);
		now_ms += 1000;
	}
}

static void test_losses_count_by_their_share(void)
{
	begin();
	/* What was lost before the first look is nobody's. */
	stream_for(1, 1000, 900);
	stream_for(300, 1000, 5);
	CU_ASSERT_EQUAL(raised, 0);
	stream_for(120, 1000, 50);
	CU_ASSERT_EQUAL(raised, 1);
	CU_ASSERT_STRING_EQUAL(subject, "stream=flows");
	stream_for(120, 1000, 0);
	CU_ASSERT_EQUAL(ended, 1);
	end();
}

static void test_what_is_gone_is_forgotten(void)
{
	begin();
	port_for(300, false);
	CU_ASSERT_EQUAL(raised, 1);
	for (uint32_t i = 0; i < 3 * LONG_S; i++) {
		weir_samples_reset(&samples);
		weir_alerts_look(alerts, &samples, now_ms, changed, NULL);
		now_ms += 1000;
	}
	CU_ASSERT_EQUAL(ended, 1);
	CU_ASSERT_EQUAL(alerts->count, 0);
	end();
}

static void test_filters(void)
{
	CU_ASSERT_TRUE(weir_alert_admits("pool", "pool"));
	CU_ASSERT_FALSE(weir_alert_admits("pool", "poo"));
	CU_ASSERT_FALSE(weir_alert_admits("!a|bc", "bc"));
	CU_ASSERT_TRUE(weir_alert_admits("!a|bc", "b"));
	CU_ASSERT_TRUE(weir_alert_admits("a|bc", "bc"));
}

/* The shipped rules are what the table says. */
static void test_shipped_rules_say_the_same(void)
{
	char path[512], shipped[32768] = "", *printed = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&printed, &length), *file;

	CU_ASSERT_PTR_NOT_NULL_FATAL(out);
	weir_alert_rules_print(out, SHORT_S, LONG_S);
	fclose(out);
	snprintf(path, sizeof(path), "%s/weir.rules.yml", rules_folder);
	file = fopen(path, "r");
	CU_ASSERT_PTR_NOT_NULL(file);
	if (file != NULL) {
		CU_ASSERT_TRUE(fread(shipped, 1, sizeof(shipped) - 1, file) > 0);
		fclose(file);
	}
	CU_ASSERT_STRING_EQUAL(shipped, printed);
	if (strcmp(shipped, printed) != 0)
		fprintf(stderr, "%s should be:\n%s", path, printed);
	free(printed);
}

/* Whoever is woken by an alert finds its page. */
static void test_each_alert_has_its_runbook(void)
{
	static const char *const parts[] = {"## What it means", "## What to look at",
		"## What to do", "## How to see that it worked"};

	for (int id = 0; id < WEIR_ALERT_COUNT; id++) {
		char path[512], text[16384] = "";
		FILE *file;

		snprintf(path, sizeof(path), "%s/../../docs/runbooks/%s.md", rules_folder,
			weir_alert_descriptors[id].name);
		file = fopen(path, "r");
		CU_ASSERT_PTR_NOT_NULL(file);
		if (file == NULL) {
			fprintf(stderr, "%s is missing\n", path);
			continue;
		}
		CU_ASSERT_TRUE(fread(text, 1, sizeof(text) - 1, file) > 0);
		fclose(file);
		for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
			CU_ASSERT_PTR_NOT_NULL(strstr(text, parts[i]));
	}
}

int main(int argc, char **argv)
{
	CU_TestInfo tests[] = {
		{"a blip raises nothing", test_a_blip_raises_nothing},
		{"what lasts is raised once, and ends", test_what_lasts_is_raised_once_and_ends},
		{"a start in trouble waits too", test_a_start_in_trouble_waits_too},
		{"losses count by their share", test_losses_count_by_their_share},
		{"what is gone is forgotten", test_what_is_gone_is_forgotten},
		{"filters let through what they name", test_filters},
		{"the shipped rules say the same", test_shipped_rules_say_the_same},
		{"each alert has its runbook", test_each_alert_has_its_runbook},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {{"alerts", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
	unsigned int failures;

	rules_folder = argc > 1 ? argv[1] : ".";
	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 1;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures != 0;
}
