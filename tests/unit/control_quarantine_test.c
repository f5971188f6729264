/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <string.h>

#include <CUnit/Basic.h>

#include "control/quarantine.h"

static const struct weir_quarantine_filter any;
static struct weir_quarantine *quarantine;

static void begin(uint64_t messages, uint64_t bytes)
{
	CU_ASSERT_EQUAL_FATAL(weir_quarantine_create(&quarantine), 0);
	weir_quarantine_set_limits(quarantine, messages, bytes);
}

static void check_balance(void)
{
	const struct weir_quarantine_counters *counters = weir_quarantine_counters(quarantine);
	const struct weir_quarantine_entry *entry = NULL;
	uint64_t messages = 0, bytes = 0, last = 0;

	while ((entry = weir_quarantine_next(quarantine, entry, &any)) != NULL) {
		CU_ASSERT_TRUE(entry->id > last);
		last = entry->id;
		messages++;
		bytes += entry->note.length;
	}
	CU_ASSERT_EQUAL(counters->messages, messages);
	CU_ASSERT_EQUAL(counters->bytes, bytes);
	CU_ASSERT_EQUAL(counters->quarantined,
		counters->evicted + counters->retried + counters->dropped + messages);
}

static void end(void)
{
	check_balance();
	weir_quarantine_destroy(quarantine);
	quarantine = NULL;
}

static void add(const char *stream, const char *group, const char *consumer, uint16_t length)
{
	static uint8_t payload[UINT16_MAX];
	struct weir_quarantined note = {
		.seq = weir_quarantine_counters(quarantine)->quarantined, .length = length};
	struct weir_quarantined_names names;

	snprintf(names.stream, sizeof(names.stream), "%s", stream);
	snprintf(names.group, sizeof(names.group), "%s", group);
	snprintf(names.consumer, sizeof(names.consumer), "%s", consumer);
	memset(payload, (int)note.seq, length);
	CU_ASSERT_EQUAL(
		weir_quarantine_add(quarantine, &note, &names, payload, 1000 + note.seq), 0);
	memset(payload, 0xee, length);
}

static void add_some(uint32_t count, uint16_t length)
{
	for (uint32_t i = 0; i < count; i++)
		add("s", "g", "c", length);
}

static uint64_t count(const struct weir_quarantine_filter *filter)
{
	const struct weir_quarantine_entry *entry = NULL;
	uint64_t found = 0;

	while ((entry = weir_quarantine_next(quarantine, entry, filter)) != NULL)
		found++;
	return found;
}

static struct weir_quarantine_entry *find(uint64_t id)
{
	return weir_quarantine_next(quarantine, NULL, &(struct weir_quarantine_filter){.id = id});
}

static void test_bound_in_messages(void)
{
	begin(10, 1000000);
	add_some(25, 100);
	CU_ASSERT_EQUAL(weir_quarantine_counters(quarantine)->messages, 10);
	CU_ASSERT_EQUAL(weir_quarantine_counters(quarantine)->evicted, 15);
	CU_ASSERT_PTR_NULL(find(15));
	CU_ASSERT_EQUAL_FATAL(weir_quarantine_next(quarantine, NULL, &any)->id, 16);
	CU_ASSERT_PTR_NOT_NULL(find(25));
	end();
}

static void test_bound_in_bytes(void)
{
	begin(1000, 65536);
	add_some(3, 30000);
	CU_ASSERT_EQUAL(weir_quarantine_counters(quarantine)->messages, 2);
	CU_ASSERT_PTR_NULL(find(1));
	/* The largest there is fits alone. */
	add("s", "g", "c", UINT16_MAX);
	CU_ASSERT_EQUAL(weir_quarantine_counters(quarantine)->messages, 1);
	CU_ASSERT_PTR_NOT_NULL(find(4));
	/* Nothing of nothing is no reason to let the rest go. */
	add("s", "g", "c", 0);
	CU_ASSERT_EQUAL(weir_quarantine_counters(quarantine)->messages, 2);
	end();
}

static void test_bounds_change(void)
{
	begin(100, 1000000);
	add_some(50, 100);
	weir_quarantine_set_limits(quarantine, 20, 1000000);
	CU_ASSERT_EQUAL(weir_quarantine_next(quarantine, NULL, &any)->id, 31);
	weir_quarantine_set_limits(quarantine, 100, 1000);
	CU_ASSERT_EQUAL(weir_quarantine_next(quarantine, NULL, &any)->id, 41);
	CU_ASSERT_EQUAL(weir_quarantine_counters(quarantine)->bytes, 1000);
	weir_quarantine_set_limits(quarantine, 100, 1000000);
	add_some(5, 100);
	CU_ASSERT_EQUAL(weir_quarantine_counters(quarantine)->messages, 15);
	end();
}

static void test_none_is_kept(void)
{
	begin(0, 65536);
	add_some(3, 100);
	CU_ASSERT_EQUAL(weir_quarantine_counters(quarantine)->messages, 0);
	CU_ASSERT_EQUAL(weir_quarantine_counters(quarantine)->quarantined, 3);
	CU_ASSERT_EQUAL(weir_quarantine_counters(quarantine)->evicted, 3);
	CU_ASSERT_PTR_NULL(weir_quarantine_next(quarantine, NULL, &any));
	end();
}

static void test_ids_are_never_used_again(void)
{
	begin(10, 1000000);
	add_some(3, 100);
	weir_quarantine_remove(quarantine, find(3), WEIR_QUARANTINE_DROPPED);
	weir_quarantine_remove(quarantine, find(1), WEIR_QUARANTINE_RETRIED);
	add_some(1, 100);
	CU_ASSERT_PTR_NULL(find(3));
	CU_ASSERT_PTR_NULL(find(1));
	CU_ASSERT_PTR_NOT_NULL(find(2));
	CU_ASSERT_PTR_NOT_NULL(find(4));
	CU_ASSERT_EQUAL(weir_quarantine_counters(quarantine)->dropped, 1);
	CU_ASSERT_EQUAL(weir_quarantine_counters(quarantine)->retried, 1);
	end();
}

static void test_kept_as_it_was(void)
{
	const struct weir_quarantine_entry *entry;

	begin(10, 1000000);
	add_some(2, 300);
	entry = find(2);
	CU_ASSERT_PTR_NOT_NULL_FATAL(entry);
	CU_ASSERT_EQUAL(entry->note.seq, 1);
	CU_ASSERT_EQUAL(entry->quarantined_ns, 1001);
	CU_ASSERT_STRING_EQUAL(entry->names.consumer, "c");
	for (uint32_t i = 0; i < 300; i++)
		CU_ASSERT_EQUAL(entry->payload[i], 1);
	end();
}

static void test_filters(void)
{
	begin(100, 1000000);
	for (int i = 0; i < 3; i++) {
		add("s", "g", "c1", 10);
		add("s", "h", "c2", 10);
		add("t", "g", "c3", 10);
	}
	add("t", "g", "c1", 10);
	CU_ASSERT_EQUAL(count(&any), 10);
	CU_ASSERT_EQUAL(count(&(struct weir_quarantine_filter){.stream = "s"}), 6);
	CU_ASSERT_EQUAL(count(&(struct weir_quarantine_filter){.group = "g"}), 7);
	CU_ASSERT_EQUAL(count(&(struct weir_quarantine_filter){.consumer = "c1"}), 4);
	CU_ASSERT_EQUAL(
		count(&(struct weir_quarantine_filter){.stream = "t", .consumer = "c1"}), 1);
	CU_ASSERT_EQUAL(count(&(struct weir_quarantine_filter){.group = "c1"}), 0);
	CU_ASSERT_EQUAL(count(&(struct weir_quarantine_filter){.group = ""}), 0);
	CU_ASSERT_EQUAL(count(&(struct weir_quarantine_filter){.id = 2, .group = "h"}), 1);
	CU_ASSERT_EQUAL(count(&(struct weir_quarantine_filter){.id = 2, .group = "g"}), 0);
	CU_ASSERT_EQUAL(count(&(struct weir_quarantine_filter){.id = 11}), 0);
	end();
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"the oldest goes when there are too many", test_bound_in_messages},
		{"the oldest go when there are too many bytes", test_bound_in_bytes},
		{"lower bounds hold at once", test_bounds_change},
		{"with room for none, each is counted and none kept", test_none_is_kept},
		{"a number stands for one message for ever", test_ids_are_never_used_again},
		{"a message is kept as it was", test_kept_as_it_was},
		{"filters narrow, together", test_filters},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {{"quarantine", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
	unsigned int failures;

	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 1;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures != 0;
}
