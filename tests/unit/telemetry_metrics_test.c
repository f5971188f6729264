/* SPDX-License-Identifier: BSD-3-Clause */
#include <CUnit/Basic.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "telemetry/duty.h"
#include "telemetry/exposition.h"
#include "telemetry/publish.h"

static struct weir_samples samples;

static char *print(void)
{
	char *text = NULL;
	size_t length = 0;

	CU_ASSERT_EQUAL_FATAL(weir_exposition_print(&samples, &text, &length), 0);
	CU_ASSERT_EQUAL(length, strlen(text));
	return text;
}

/* OpenMetrics: a family's name ends in its unit, a counter's not in "_total", and none is twice. */
static void test_table_keeps_the_naming_rules(void)
{
	for (int i = 0; i < WEIR_METRIC_COUNT; i++) {
		const struct weir_metric_descriptor *metric = &weir_metric_descriptors[i];
		size_t length = strlen(metric->name), unit = strlen(metric->unit);

		CU_ASSERT_EQUAL(strncmp(metric->name, "weir_", 5), 0);
		CU_ASSERT_EQUAL(strspn(metric->name, "abcdefghijklmnopqrstuvwxyz_"), length);
		CU_ASSERT_PTR_NULL(strstr(metric->name, "_total"));
		CU_ASSERT_TRUE(strlen(metric->help) >= 5);
		if (unit != 0) {
			CU_ASSERT_TRUE_FATAL(length > unit + 1);
			CU_ASSERT_STRING_EQUAL(metric->name + length - unit, metric->unit);
			CU_ASSERT_EQUAL(metric->name[length - unit - 1], '_');
		}
		for (int j = 0; j < i; j++)
			CU_ASSERT_STRING_NOT_EQUAL(metric->name, weir_metric_descriptors[j].name);
	}
}

static void test_families_are_kept_together(void)
{
	char *text;

	weir_samples_reset(&samples);
	for (int stream = 0; stream < 3; stream++) {
		weir_samples_label_number(&samples, 0, "stream", (uint64_t)stream);
		weir_samples_add(&samples, WEIR_METRIC_ID_STREAM_RECEIVED, 10 + stream);
		weir_samples_add(&samples, WEIR_METRIC_ID_STREAM_BUFFERS, 5);
	}
	text = print();
	CU_ASSERT_PTR_NOT_NULL(strstr(text,
		"# TYPE weir_stream_received_messages counter\n"
		"# UNIT weir_stream_received_messages messages\n"
		"# HELP weir_stream_received_messages datagrams that matched the stream\n"
		"weir_stream_received_messages_total{stream=\"0\"} 10\n"
		"weir_stream_received_messages_total{stream=\"1\"} 11\n"
		"weir_stream_received_messages_total{stream=\"2\"} 12\n"
		"# TYPE weir_stream_buffers gauge\n"));
	CU_ASSERT_STRING_EQUAL(text + strlen(text) - 6, "# EOF\n");
	free(text);
}

static void test_label_values_are_escaped(void)
{
	char *text;

	weir_samples_reset(&samples);
	weir_samples_label(&samples, 0, "stream", "a\"b\\c\nd");
	weir_samples_add_with(&samples, WEIR_METRIC_ID_STREAM_DROPPED, "reason", "shed", 1e15);
	weir_samples_add(&samples, WEIR_METRIC_ID_STREAM_SKEW, 1.25);
	text = print();
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "{stream=\"a\\\"b\\\\c\\nd\",reason=\"shed\"} "
					    "1000000000000000\n"));
	/* The label of one sample alone is not the next one's. */
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "_ratio{stream=\"a\\\"b\\\\c\\nd\"} 1.25\n"));
	free(text);
}

static void test_histogram_is_cumulative(void)
{
	struct weir_latency latency = {0};
	char *text;

	weir_latency_add(&latency, 1000, 3);
	weir_latency_add(&latency, 1000000, 2);
	weir_samples_reset(&samples);
	weir_samples_label(&samples, 0, "stage", "ring");
	weir_samples_add_histogram(&samples, WEIR_METRIC_ID_LATENCY, &latency);
	text = print();
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "_bucket{stage=\"ring\",le=\"2.56e-07\"} 0\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "_bucket{stage=\"ring\",le=\"+Inf\"} 5\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "_count{stage=\"ring\"} 5\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "_sum{stage=\"ring\"} 0.002003\n"));
	free(text);
}

static void test_series_have_their_own_hash(void)
{
	uint64_t first, second;

	weir_samples_reset(&samples);
	weir_samples_label(&samples, 0, "stream", "ab");
	weir_samples_add(&samples, WEIR_METRIC_ID_STREAM_RECEIVED, 1);
	weir_samples_label(&samples, 0, "stream", "abc");
	weir_samples_add(&samples, WEIR_METRIC_ID_STREAM_RECEIVED, 1);
	first = weir_sample_series(&samples, &samples.list[0]);
	second = weir_sample_series(&samples, &samples.list[1]);
	CU_ASSERT_NOT_EQUAL(first, second);
	weir_samples_reset(&samples);
	weir_samples_label(&samples, 0, "stream", "abc");
	weir_samples_add(&samples, WEIR_METRIC_ID_STREAM_RECEIVED, 7);
	CU_ASSERT_EQUAL(weir_sample_series(&samples, &samples.list[0]), second);
}

struct readers {
	struct weir_publisher *publisher;
	_Atomic bool stop;
	_Atomic uint64_t torn;
	_Atomic uint64_t reads;
};

/* Every set that is borrowed has one number in all of its samples. */
static void *read_sets(void *context)
{
	struct readers *readers = context;

	while (!atomic_load(&readers->stop)) {
		const struct weir_samples *set = weir_publisher_borrow(readers->publisher);

		if (set == NULL)
			continue;
		for (size_t i = 0; i < set->count; i++)
			if (set->list[i].value != set->list[0].value)
				atomic_fetch_add(&readers->torn, 1);
		weir_publisher_return(readers->publisher, set);
		atomic_fetch_add(&readers->reads, 1);
	}
	return NULL;
}

static void test_readers_see_whole_sets(void)
{
	struct readers readers = {0};
	pthread_t threads[3];

	CU_ASSERT_EQUAL_FATAL(weir_publisher_create(&readers.publisher), 0);
	CU_ASSERT_PTR_NULL(weir_publisher_borrow(readers.publisher));
	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, read_sets, &readers);
	for (int round = 0; round < 2000 || atomic_load(&readers.reads) < 100; round++) {
		struct weir_samples *set = weir_publisher_begin(readers.publisher);

		CU_ASSERT_PTR_NOT_NULL_FATAL(set);
		for (int i = 0; i < 50; i++)
			weir_samples_add(set, WEIR_METRIC_ID_STREAM_RECEIVED, round);
		CU_ASSERT_EQUAL(weir_publisher_commit(readers.publisher, set), 0);
	}
	atomic_store(&readers.stop, true);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	CU_ASSERT_EQUAL(atomic_load(&readers.torn), 0);
	weir_publisher_destroy(readers.publisher);
}

static void test_a_set_that_failed_is_not_published(void)
{
	struct weir_publisher *publisher;
	struct weir_samples *set;

	CU_ASSERT_EQUAL_FATAL(weir_publisher_create(&publisher), 0);
	set = weir_publisher_begin(publisher);
	weir_samples_label(set, WEIR_SAMPLE_LABELS, "deep", "x");
	CU_ASSERT_TRUE(weir_publisher_commit(publisher, set) < 0);
	CU_ASSERT_PTR_NULL(weir_publisher_borrow(publisher));
	weir_publisher_destroy(publisher);
}

static void test_duty_of_long_loops(void)
{
	uint64_t seen = 1000000, busy = 1000000;

	CU_ASSERT_EQUAL(weir_duty_since(&seen, busy + 25000, 100000), 0.25);
	busy += 25000;
	/* A loop of 180 ms that ended in the second of two looks: busy in both, and a rest. */
	CU_ASSERT_EQUAL(weir_duty_since(&seen, busy, 100000), 0);
	busy += 180000;
	CU_ASSERT_EQUAL(weir_duty_since(&seen, busy, 100000), 1);
	CU_ASSERT_EQUAL(weir_duty_since(&seen, busy, 100000), 0.8);
	CU_ASSERT_EQUAL(weir_duty_since(&seen, busy, 100000), 0);
	/* No more than a second of it, and a worker that began anew was not busy before. */
	busy += 60000000;
	CU_ASSERT_EQUAL(weir_duty_since(&seen, busy, 1000000), 1);
	CU_ASSERT_EQUAL(weir_duty_since(&seen, busy, 1000000), 1);
	CU_ASSERT_EQUAL(weir_duty_since(&seen, busy, 1000000), 0);
	CU_ASSERT_EQUAL(weir_duty_since(&seen, 5000, 100000), 0);
	CU_ASSERT_EQUAL(weir_duty_since(&seen, 55000, 100000), 0.5);
	CU_ASSERT_EQUAL(weir_duty_since(&seen, 55000, 0), 0);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"the table keeps the naming rules", test_table_keeps_the_naming_rules},
		{"families are kept together", test_families_are_kept_together},
		{"label values are escaped", test_label_values_are_escaped},
		{"a histogram is cumulative", test_histogram_is_cumulative},
		{"a series is known again, and no other", test_series_have_their_own_hash},
		{"a worker's long loops count in all the time they took", test_duty_of_long_loops},
		{"readers see whole sets while the next is published", test_readers_see_whole_sets},
		{"a set that failed is not published", test_a_set_that_failed_is_not_published},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {{"metrics", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
	unsigned int failures;

	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 1;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	weir_samples_free(&samples);
	return failures != 0;
}
