/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>

#include <CUnit/Basic.h>

#include "wire_guard.h"
#include "wire_template_fixture.h"

static void test_a_new_consumer_misses_what_went_before(void)
{
	renew(BYTES);
	define(&alice, 256, 2, 8, 10);
	define(&alice, 257, 2, 8, 20);
	define(&bob, 258, 2, 8, 20);
	CU_ASSERT_EQUAL(counts.learned, 3);
	/* Who was there all the time has all. */
	CU_ASSERT_EQUAL(missing(&alice, 3, 30), 0);
	CU_ASSERT_EQUAL(cache->missing[3], 0);
	/* At 20 the message with 257 is still to come. */
	weir_template_forget(cache, 3, 20);
	CU_ASSERT_EQUAL(missing(&alice, 3, 20), 1);
	CU_ASSERT_EQUAL(missing(&alice, 4, 20), 0);
	CU_ASSERT_EQUAL(missing(&bob, 3, 20), 0);
	CU_ASSERT_EQUAL(cache->missing[3], 1);
	weir_template_forget(cache, 3, 21);
	CU_ASSERT_EQUAL(missing(&alice, 3, 21), 3);
	CU_ASSERT_EQUAL(missing(&bob, 3, 21), 4);
	CU_ASSERT_EQUAL(cache->missing[3], 2);
}

static void test_what_was_sent_is_missing_no_more(void)
{
	uint32_t domain;

	renew(BYTES);
	define(&alice, 256, 2, 8, 10);
	define(&alice, 257, 2, 8, 10);
	weir_template_forget(cache, 0, 11);
	domain = weir_template_find(cache, &alice);
	weir_template_set_had(cache, weir_template_after(cache, domain, 0, 11, 1), 0);
	weir_template_settle(cache, domain, 0, 11);
	CU_ASSERT_EQUAL(cache->missing[0], 1);
	weir_template_set_had(cache, weir_template_after(cache, domain, 0, 11, 1), 0);
	CU_ASSERT_EQUAL(weir_template_after(cache, domain, 0, 11, 1), 0);
	weir_template_settle(cache, domain, 0, 11);
	CU_ASSERT_EQUAL(cache->missing[0], 0);
}

/* Lanes behind a change get what held where they stand; the newest counts at the head. */
static void test_each_lane_gets_the_definition_of_its_place(void)
{
	renew(BYTES);
	define(&alice, 256, 2, 8, 10);
	define(&alice, 256, 2, 8, 15);
	define(&alice, 256, 3, 80, 20);
	CU_ASSERT_EQUAL(counts.learned, 1);
	CU_ASSERT_EQUAL(counts.refreshed, 1);
	CU_ASSERT_EQUAL(counts.changed, 1);
	CU_ASSERT_EQUAL(cache->entries, 1);
	CU_ASSERT_EQUAL(element_at(&alice, 9), 0);
	CU_ASSERT_EQUAL(element_at(&alice, 19), 8);
	CU_ASSERT_EQUAL(element_at(&alice, 20), 80);
	weir_template_forget(cache, 1, 15);
	CU_ASSERT_EQUAL(missing(&alice, 1, 15), 1);
	/* It is going to meet the new one. */
	CU_ASSERT_EQUAL(missing(&alice, 1, 20), 0);
}

static void test_a_withdrawal_ends_a_definition(void)
{
	struct template_message message;

	renew(BYTES);
	define(&alice, 256, 2, 8, 10);
	define(&alice, 257, 2, 8, 10);
	message_begin(&message, 10);
	message_set(&message, 2);
	message_template(&message, 256, 0, 0);
	message_close(&message);
	learn(&alice, &message, 20, 0, 20);
	CU_ASSERT_EQUAL(counts.withdrawn, 1);
	CU_ASSERT_EQUAL(element_at(&alice, 19), 8);
	CU_ASSERT_EQUAL(element_at(&alice, 20), 0);
	weir_template_forget(cache, 0, 30);
	CU_ASSERT_EQUAL(missing(&alice, 0, 30), 2);
	message_begin(&message, 10);
	message_set(&message, 3);
	message_template(&message, 3, 0, 0);
	message_close(&message);
	learn(&alice, &message, 21, 0, 21);
	CU_ASSERT_EQUAL(missing(&alice, 0, 30), 2);
	message_begin(&message, 10);
	message_set(&message, 2);
	message_template(&message, 2, 0, 0);
	message_close(&message);
	learn(&alice, &message, 22, 0, 22);
	CU_ASSERT_EQUAL(counts.withdrawn, 2);
	CU_ASSERT_EQUAL(missing(&alice, 0, 30), 0);
	CU_ASSERT_EQUAL(cache->entries, 0);
}

static void test_the_past_goes_when_no_lane_is_there(void)
{
	uint32_t used;
	struct weir_template_moment moment = {30, 20, 1000};

	renew(BYTES);
	define(&alice, 256, 2, 8, 10);
	used = cache->used;
	define(&alice, 256, 2, 80, 20);
	CU_ASSERT_TRUE(cache->used > used);
	weir_template_purge(cache, &moment);
	CU_ASSERT_EQUAL(cache->used, used);
	CU_ASSERT_EQUAL(element_at(&alice, 19), 0);
	CU_ASSERT_EQUAL(element_at(&alice, 25), 80);
}

static void test_what_the_exporter_sends_no_more_expires(void)
{
	struct weir_template_moment moment = {30, 0, 120};

	renew(BYTES);
	cache->lifetime = 100;
	define(&alice, 256, 2, 8, 10);
	define(&alice, 257, 2, 8, 10);
	define(&alice, 257, 2, 8, 50);
	weir_template_forget(cache, 5, 60);
	CU_ASSERT_EQUAL(cache->missing[5], 1);
	weir_template_purge(cache, &moment);
	CU_ASSERT_EQUAL(missing(&alice, 5, 60), 2);
	CU_ASSERT_EQUAL(cache->expired, 1);
	moment.now = 200;
	weir_template_purge(cache, &moment);
	CU_ASSERT_EQUAL(cache->used, 0);
	CU_ASSERT_EQUAL(cache->domains, 0);
	CU_ASSERT_EQUAL(cache->missing[5], 0);
}

static void test_what_was_dropped_is_missing(void)
{
	struct template_message message;

	renew(BYTES);
	message_begin(&message, 10);
	message_set(&message, 2);
	message_template(&message, 256, 2, 8);
	message_close(&message);
	learn(&alice, &message, 10, 0, 10);
	define(&alice, 257, 2, 8, 10);
	weir_template_note(cache, &alice, message.bytes, message.length, 10, 2, false);
	CU_ASSERT_EQUAL(missing(&alice, 2, 11), 1);
	CU_ASSERT_EQUAL(cache->missing[2], 1);
	weir_template_note(cache, &alice, message.bytes, message.length, 12, 2, true);
	CU_ASSERT_EQUAL(missing(&alice, 2, 12), 0);
}

/* A definition that finds no room takes the one along that it was to replace. */
static void test_a_full_cache_is_never_wrong(void)
{
	renew(4096);
	define(&alice, 256, 2, 8, 10);
	for (unsigned int id = 257; counts.refused == 0; id++)
		define(&alice, id, 2, 8, 11);
	/* A quarter of it, and no more, is one domain's. */
	CU_ASSERT_EQUAL(cache->used, 4096 / 128 / 4 + 1);
	CU_ASSERT_EQUAL(element_at(&alice, 12), 8);
	define(&alice, 256, 2, 80, 20);
	CU_ASSERT_EQUAL(element_at(&alice, 20), 0);
	CU_ASSERT_EQUAL(element_at(&alice, 19), 8);
	define(&bob, 256, 2, 8, 21);
	CU_ASSERT_EQUAL(element_at(&bob, 21), 8);
}

static void test_endless_domains_leave_the_known_ones_alone(void)
{
	struct weir_template_exporter other = alice;

	renew(4096);
	define(&alice, 256, 2, 8, 10);
	for (other.domain = 100; other.domain < 10000; other.domain++)
		define(&other, 256, 40, 8, 11);
	CU_ASSERT_TRUE(counts.refused > 9000);
	CU_ASSERT_TRUE(cache->used <= cache->blocks);
	CU_ASSERT_EQUAL(element_at(&alice, 12), 8);
}

/* Of any length: over one block, two, and many. */
static void test_a_set_is_kept_as_it_was(void)
{
	uint8_t set[WEIR_TEMPLATE_LARGEST];

	for (unsigned int fields = 1; fields < 500; fields++) {
		struct template_message message;
		uint32_t entry;

		renew(BYTES);
		message_begin(&message, 9);
		message_set(&message, 0);
		message_template(&message, 256, fields, 1);
		message_close(&message);
		learn(&bob, &message, 1, 0, 1);
		entry = weir_template_after(cache, weir_template_find(cache, &bob), 0, 1, 0);
		CU_ASSERT_NOT_EQUAL_FATAL(entry, 0);
		CU_ASSERT_EQUAL_FATAL(weir_template_entry_at(cache, entry)->length, 8 + 4 * fields);
		weir_template_write(cache, entry, set);
		/* The exporter's version decides the set's id. */
		CU_ASSERT_EQUAL(set[1], 2);
		CU_ASSERT_EQUAL(memcmp(set + 4, message.bytes + 24, 4 + 4 * fields), 0);
	}
}

static void collect(void *context, const struct weir_template_cache *from,
	const struct weir_template_domain *domain, uint32_t entry)
{
	struct weir_template_cache *to = context;
	const struct weir_template_entry *found = weir_template_entry_at(from, entry);
	uint8_t set[WEIR_TEMPLATE_LARGEST];

	weir_template_write(from, entry, set);
	CU_ASSERT_TRUE(weir_template_restore(
		to, &domain->exporter, set, found->length, 500, found->heard));
	/* Once is enough. */
	CU_ASSERT_FALSE(weir_template_restore(
		to, &domain->exporter, set, found->length, 500, found->heard));
}

static void test_a_copy_restores_what_holds(void)
{
	struct weir_template_cache *copy = calloc(1, weir_template_cache_size(BYTES));
	struct weir_template_cache *other = calloc(1, weir_template_cache_size(BYTES));

	renew(BYTES);
	define(&alice, 256, 2, 8, 10);
	define(&alice, 256, 60, 80, 20);
	define(&bob, 257, 2, 8, 10);
	CU_ASSERT_TRUE(weir_template_copy(copy, cache));
	weir_template_cache_init(other, BYTES, 43, PAUSE);
	weir_template_visit_all(copy, collect, other);
	free(cache);
	free(copy);
	cache = other;
	CU_ASSERT_EQUAL(cache->entries, 2);
	CU_ASSERT_EQUAL(element_at(&alice, 499), 0);
	CU_ASSERT_EQUAL(element_at(&alice, 500), 80);
	/* Nobody has had it. */
	CU_ASSERT_EQUAL(missing(&alice, 9, 500), 1);
	weir_template_forget(cache, 9, 501);
	CU_ASSERT_EQUAL(cache->missing[9], 2);
}

static void test_a_copy_made_during_a_change_is_refused(void)
{
	struct weir_template_cache *copy = calloc(1, weir_template_cache_size(BYTES));

	renew(BYTES);
	atomic_fetch_add(&cache->writes, 1);
	CU_ASSERT_FALSE(weir_template_copy(copy, cache));
	atomic_fetch_add(&cache->writes, 1);
	CU_ASSERT_TRUE(weir_template_copy(copy, cache));
	free(copy);
}

static void garble(struct template_message *message, uint64_t *state)
{
	message_begin(message, guard_random(state) & 1 ? 9 : 10);
	for (uint32_t sets = guard_random(state) % 4; sets > 0; sets--) {
		message_set(message, guard_random(state) % 4);
		for (uint32_t i = guard_random(state) % 6; i > 0; i--)
			message_template(message, 254 + guard_random(state) % 12,
				guard_random(state) % 40, guard_random(state) & 0xfff);
	}
	message_close(message);
	for (uint32_t i = guard_random(state) % 3; i > 0; i--)
		message->bytes[guard_random(state) % message->length] =
			(uint8_t)guard_random(state);
}

/* Any messages in any order: memory stays within bounds, counts stay true, all comes back. */
static void test_any_messages_are_survived(void)
{
	uint64_t state = 2463534242ull;
	struct weir_template_moment moment = {0};

	renew(8192);
	cache->lifetime = 5000;
	for (uint64_t seq = 1; seq < 100000; seq++) {
		struct weir_template_exporter exporter = alice;
		struct template_message message;
		uint8_t lane = guard_random(&state) % WEIR_TEMPLATE_LANES;

		garble(&message, &state);
		exporter.domain = guard_random(&state) % 20;
		exporter.version = message.bytes[1];
		learn(&exporter, &message, seq, seq > 100 ? seq - 100 : 0, seq);
		if (guard_random(&state) % 8 == 0)
			weir_template_forget(cache, lane, seq - guard_random(&state) % 50);
		if (guard_random(&state) % 8 == 0)
			weir_template_note(cache, &exporter, message.bytes, message.length,
				seq - guard_random(&state) % 50, lane, guard_random(&state) & 1);
		if (weir_template_find(cache, &exporter) != 0)
			weir_template_settle(
				cache, weir_template_find(cache, &exporter), lane, seq);
		CU_ASSERT_TRUE_FATAL(cache->used <= cache->blocks && cache->top <= cache->blocks);
		CU_ASSERT_TRUE_FATAL(cache->missing[lane] <= cache->domains);
		moment = (struct weir_template_moment){seq, seq, seq + 10000};
	}
	weir_template_purge(cache, &moment);
	CU_ASSERT_EQUAL(cache->used, 0);
	CU_ASSERT_EQUAL(cache->entries, 0);
	CU_ASSERT_EQUAL(cache->domains, 0);
	for (int lane = 0; lane < WEIR_TEMPLATE_LANES; lane++)
		CU_ASSERT_EQUAL(cache->missing[lane], 0);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"a new consumer misses what went before",
			test_a_new_consumer_misses_what_went_before},
		{"what was sent is missing no more", test_what_was_sent_is_missing_no_more},
		{"each lane gets the definition of its place",
			test_each_lane_gets_the_definition_of_its_place},
		{"a withdrawal ends a definition", test_a_withdrawal_ends_a_definition},
		{"the past goes when no lane is there", test_the_past_goes_when_no_lane_is_there},
		{"what the exporter sends no more expires",
			test_what_the_exporter_sends_no_more_expires},
		{"what was dropped is missing", test_what_was_dropped_is_missing},
		{"a full cache is never wrong", test_a_full_cache_is_never_wrong},
		{"endless domains leave the known ones alone",
			test_endless_domains_leave_the_known_ones_alone},
		{"a set is kept as it was", test_a_set_is_kept_as_it_was},
		{"a copy restores what holds", test_a_copy_restores_what_holds},
		{"a copy made during a change is refused",
			test_a_copy_made_during_a_change_is_refused},
		{"any messages are survived", test_any_messages_are_survived},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{"template cache", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
	unsigned int failures;

	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 1;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	free(cache);
	return failures != 0;
}
