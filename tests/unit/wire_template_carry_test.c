/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire_template_fixture.h"

/* A cache that goes on from another one's definitions. */

static void collect_from_the_beginning(void *context, const struct weir_template_cache *from,
	const struct weir_template_domain *domain, uint32_t entry)
{
	const struct weir_template_entry *found = weir_template_entry_at(from, entry);
	uint8_t set[WEIR_TEMPLATE_LARGEST];

	weir_template_write(from, entry, set);
	CU_ASSERT_TRUE(weir_template_restore(
		context, &domain->exporter, set, found->length, 0, found->heard));
}

static bool is_wanted(const void *context, const struct weir_template_exporter *exporter)
{
	return context == NULL || memcmp(context, exporter, sizeof(*exporter)) == 0;
}

/* The cache as another stream's begins with it; the caller goes on with `cache` and frees it. */
static struct weir_template_cache *carry(uint32_t bytes)
{
	struct weir_template_cache *other = calloc(1, weir_template_cache_size(bytes));

	CU_ASSERT_PTR_NOT_NULL_FATAL(other);
	weir_template_cache_init(other, bytes, 43, PAUSE);
	weir_template_visit_all(cache, collect_from_the_beginning, other);
	return other;
}

static void test_what_came_after_the_copy_is_caught_up_with(void)
{
	struct weir_template_cache *other, *old;
	uint32_t changes;

	renew(BYTES);
	define(&alice, 256, 2, 8, 10);
	define(&alice, 257, 2, 8, 10);
	other = carry(BYTES);
	changes = cache->changes;
	CU_ASSERT_FALSE(weir_template_catch_up(other, cache, is_wanted, NULL));
	/* Another definition, a new one, the same again, and an exporter that is not wanted. */
	define(&alice, 256, 2, 80, 20);
	define(&alice, 258, 60, 8, 21);
	define(&alice, 257, 2, 8, 30);
	define(&bob, 259, 2, 8, 22);
	CU_ASSERT_EQUAL(cache->changes, changes + 4);
	CU_ASSERT_TRUE(weir_template_catch_up(other, cache, is_wanted, &alice));
	CU_ASSERT_FALSE(weir_template_catch_up(other, cache, is_wanted, &alice));
	old = cache;
	cache = other;
	CU_ASSERT_EQUAL(cache->entries, 3);
	CU_ASSERT_EQUAL(weir_template_find(cache, &bob), 0);
	CU_ASSERT_EQUAL(element_at(&alice, 0), 80);
	CU_ASSERT_EQUAL(missing(&alice, 5, 1), 7);
	/* It was heard again at 30 and lives until 50; the others do not. */
	cache->lifetime = 20;
	weir_template_purge(cache, &(struct weir_template_moment){1, 0, 45});
	CU_ASSERT_EQUAL(missing(&alice, 5, 1), 2);
	free(old);
}

static void test_what_was_heard_later_is_not_caught_up_with(void)
{
	struct weir_template_cache *other, *old;

	renew(BYTES);
	define(&alice, 256, 2, 8, 10);
	other = carry(BYTES);
	define(&alice, 256, 2, 80, 20);
	old = cache;
	cache = other;
	define(&alice, 256, 2, 90, 21);
	CU_ASSERT_FALSE(weir_template_catch_up(cache, old, is_wanted, NULL));
	CU_ASSERT_EQUAL(element_at(&alice, 30), 90);
	free(old);
}

/* A definition that could not be kept has ended the one before: that must not go on elsewhere. */
static void test_what_ended_after_the_copy_is_replayed_no_more(void)
{
	struct weir_template_cache *other, *old;
	struct template_message message;

	renew(BYTES);
	define(&alice, 256, 2, 8, 10);
	define(&alice, 257, 2, 8, 10);
	other = carry(BYTES);
	message_begin(&message, 10);
	message_set(&message, 2);
	message_put16(&message, 256);
	message_put16(&message, 0);
	message_close(&message);
	learn(&alice, &message, 20, 0, 20);
	CU_ASSERT_EQUAL(counts.withdrawn, 1);
	old = cache;
	cache = other;
	CU_ASSERT_FALSE(weir_template_catch_up(cache, old, is_wanted, NULL));
	CU_ASSERT_EQUAL(missing(&alice, 5, 1), 2);
	free(old);
	/* And without room: the other one is smaller. */
	renew(4096);
	define(&alice, 256, 2, 8, 10);
	other = carry(4096);
	renew(BYTES);
	define(&alice, 256, 400, 8, 20);
	CU_ASSERT_FALSE(weir_template_catch_up(other, cache, is_wanted, NULL));
	CU_ASSERT_EQUAL(other->entries, 0);
	free(other);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"what came after the copy is caught up with",
			test_what_came_after_the_copy_is_caught_up_with},
		{"what was heard later is not caught up with",
			test_what_was_heard_later_is_not_caught_up_with},
		{"what ended after the copy is replayed no more",
			test_what_ended_after_the_copy_is_replayed_no_more},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{"template carry", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
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
