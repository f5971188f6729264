/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/key.h"
#include "wire_guard.h"
#include "wire_template_fixture.h"
#include "wire_template_table.h"

/* Records of options data, as the cache keeps them. */

/* Of an interface, four bytes, and its name, eight. */
static void put_row(struct template_message *message, uint32_t interface, const char *name)
{
	char padded[8] = {0};

	message_put16(message, interface >> 16);
	message_put16(message, interface & 0xffff);
	memcpy(padded, name, strnlen(name, sizeof(padded)));
	put_bytes(message, padded, sizeof(padded));
}

static const struct field by_scope[] = {{10, 4, 0}, {82, 8, 0}};
/* The scope is "system", as long as an interface's number is behind it. */
static const struct field by_system[] = {{1, 0, 0}, {10, 4, 0}, {82, 8, 0}};

static void define_table(const struct weir_template_exporter *exporter, uint64_t seq)
{
	struct template_message message;

	message_begin(&message, exporter->version);
	if (exporter->version == 10)
		put_template(&message, 300, by_scope, 2, 1);
	else
		put_template(&message, 300, by_system, 3, 1);
	message_close(&message);
	learn(exporter, &message, seq, 0, seq);
}

/* A data set with one row, of which the lanes below `seq` may stand at `tail`. */
static void send_row(const struct weir_template_exporter *exporter, uint32_t interface,
	const char *name, uint64_t seq, uint64_t tail)
{
	struct template_message message;

	message_begin(&message, exporter->version);
	message_set(&message, 300);
	put_row(&message, interface, name);
	message_close(&message);
	learn(exporter, &message, seq, tail, seq);
}

/* The name that an interface has at `seq`, to whoever lacks it in `lanes`; "" when it has none. */
static const char *name_at(const struct weir_template_exporter *exporter, uint32_t interface,
	uint64_t seq, uint64_t lanes)
{
	static uint8_t set[WEIR_TEMPLATE_LARGEST];
	uint32_t domain = weir_template_find(cache, exporter);

	for (uint32_t entry = domain != 0 ? weir_template_after(cache, domain, 0, seq, lanes) : 0;
		entry != 0; entry = weir_template_after(cache, domain, entry, seq, lanes)) {
		const struct weir_template_entry *found = weir_template_entry_at(cache, entry);

		if (found->kind != WEIR_TEMPLATE_OPTION_RECORD)
			continue;
		weir_template_write(cache, entry, set);
		CU_ASSERT_EQUAL(weir_load16be(set), found->id);
		CU_ASSERT_EQUAL(weir_load16be(set + 2), found->length);
		if (weir_load32be(set + 4) == interface)
			return (const char *)set + 8;
	}
	return "";
}

static void test_the_latest_of_a_key_holds(void)
{
	for (unsigned int version = 9; version <= 10; version++) {
		struct weir_template_exporter exporter = alice;

		renew(BYTES);
		exporter.version = (uint8_t)version;
		define_table(&exporter, 10);
		send_row(&exporter, 1, "one", 11, 0);
		send_row(&exporter, 2, "two", 12, 0);
		send_row(&exporter, 1, "one", 13, 0);
		send_row(&exporter, 2, "zwei", 14, 0);
		CU_ASSERT_EQUAL(counts.records_learned, 2);
		CU_ASSERT_EQUAL(counts.records_refreshed, 1);
		CU_ASSERT_EQUAL(counts.records_changed, 1);
		CU_ASSERT_EQUAL(cache->entries, 1);
		CU_ASSERT_EQUAL(cache->records, 2);
		/* A lane gets what held where it stands. */
		CU_ASSERT_STRING_EQUAL(name_at(&exporter, 1, 20, 0), "one");
		CU_ASSERT_STRING_EQUAL(name_at(&exporter, 2, 13, 0), "two");
		CU_ASSERT_STRING_EQUAL(name_at(&exporter, 2, 14, 0), "zwei");
		CU_ASSERT_STRING_EQUAL(name_at(&exporter, 3, 20, 0), "");
	}
}

/* As an interface's name does, but in one place: where no lane is behind it. */
static void test_a_change_takes_no_room_where_no_lane_is_behind(void)
{
	uint32_t used;

	renew(BYTES);
	define_table(&alice, 10);
	send_row(&alice, 1, "one", 11, 11);
	used = cache->used;
	weir_template_forget(cache, 2, 12);
	send_row(&alice, 1, "uno", 12, 12);
	CU_ASSERT_EQUAL(cache->used, used);
	CU_ASSERT_STRING_EQUAL(name_at(&alice, 1, 12, 0), "uno");
	/* It is going to meet it in its message. */
	CU_ASSERT_STRING_EQUAL(name_at(&alice, 1, 12, 1 << 2), "");
	send_row(&alice, 1, "eins", 13, 12);
	CU_ASSERT_TRUE(cache->used > used);
}

static void test_records_come_behind_their_templates(void)
{
	uint32_t domain, entry;
	bool is_behind = false;

	renew(BYTES);
	define_table(&alice, 10);
	send_row(&alice, 1, "one", 11, 0);
	define(&alice, 256, 2, 8, 12);
	send_row(&alice, 2, "two", 13, 0);
	define(&alice, 257, 2, 8, 14);
	weir_template_forget(cache, 0, 20);
	domain = weir_template_find(cache, &alice);
	for (entry = weir_template_after(cache, domain, 0, 20, 1); entry != 0;
		entry = weir_template_after(cache, domain, entry, 20, 1)) {
		bool is_record =
			weir_template_entry_at(cache, entry)->kind == WEIR_TEMPLATE_OPTION_RECORD;

		CU_ASSERT_TRUE(is_record || !is_behind);
		is_behind |= is_record;
	}
	CU_ASSERT_TRUE(is_behind);
}

/* By withdrawal, of one and of all, by another definition, and by age. */
static void test_records_go_with_their_template(void)
{
	for (unsigned int i = 0; i < 4; i++) {
		struct weir_template_moment moment = {30, 30, 150};
		struct template_message message;

		renew(BYTES);
		cache->lifetime = 100;
		define_table(&alice, 10);
		define(&alice, 256, 2, 8, 10);
		send_row(&alice, 1, "one", 11, 0);
		message_begin(&message, 10);
		message_set(&message, 3);
		if (i < 2)
			message_template(&message, i == 0 ? 300 : 3, 0, 0);
		else
			put_template(&message, 300, by_scope, 2, 2);
		message_close(&message);
		if (i < 3) {
			learn(&alice, &message, 20, 0, 20);
			CU_ASSERT_STRING_EQUAL(name_at(&alice, 1, 19, 0), "one");
		} else {
			cache->purged = 0;
			send_row(&alice, 1, "one", 25, 0);
			/* The record is younger than its template. */
			moment.now = 112;
		}
		CU_ASSERT_STRING_EQUAL(name_at(&alice, 1, 29, 0), i < 3 ? "" : "one");
		weir_template_purge(cache, &moment);
		CU_ASSERT_EQUAL(cache->records, 0);
		CU_ASSERT_EQUAL(cache->record_blocks, 0);
		CU_ASSERT_STRING_EQUAL(name_at(&alice, 1, 29, 0), "");
	}
}

/* All plain templates, and no record with them. */
static void test_records_stay_when_others_are_withdrawn(void)
{
	struct template_message message;

	renew(BYTES);
	define_table(&alice, 10);
	define(&alice, 256, 2, 8, 10);
	send_row(&alice, 1, "one", 11, 0);
	message_begin(&message, 10);
	message_set(&message, 2);
	message_template(&message, 2, 0, 0);
	message_close(&message);
	learn(&alice, &message, 20, 0, 20);
	CU_ASSERT_EQUAL(counts.withdrawn, 1);
	CU_ASSERT_STRING_EQUAL(name_at(&alice, 1, 20, 0), "one");
}

static void test_a_lane_lacks_what_it_was_not_sent(void)
{
	struct template_message message;

	renew(BYTES);
	define_table(&alice, 10);
	send_row(&alice, 1, "one", 11, 0);
	CU_ASSERT_STRING_EQUAL(name_at(&alice, 1, 12, 1 << 3), "");
	weir_template_forget(cache, 3, 12);
	CU_ASSERT_STRING_EQUAL(name_at(&alice, 1, 12, 1 << 3), "one");
	CU_ASSERT_EQUAL(cache->missing[3], 1);
	/* Dropped for another lane, and then sent to it. */
	message_begin(&message, 10);
	message_set(&message, 300);
	put_row(&message, 1, "one");
	message_close(&message);
	weir_template_note(cache, &alice, message.bytes, message.length, 11, 4, false);
	CU_ASSERT_EQUAL(cache->missing[4], 1);
	CU_ASSERT_STRING_EQUAL(name_at(&alice, 1, 12, 1 << 4), "one");
	weir_template_note(cache, &alice, message.bytes, message.length, 12, 4, true);
	CU_ASSERT_STRING_EQUAL(name_at(&alice, 1, 12, 1 << 4), "");
	/* A message of flows that looked like one concerns no lane. */
	define(&alice, 256, 2, 8, 13);
	message_begin(&message, 10);
	message_set(&message, 256);
	put_row(&message, 1, "");
	message_close(&message);
	weir_template_note(cache, &alice, message.bytes, message.length, 14, 5, false);
	CU_ASSERT_EQUAL(cache->missing[5], 0);
}

/* Too many fields, records of no length, and records that could not be told from padding. */
static void test_what_cannot_be_kept_is_counted(void)
{
	struct field many[WEIR_OPTIONS_FIELDS + 1];
	const struct field nothing[] = {{10, 0, 0}}, tiny[] = {{10, 1, 0}, {82, 0, 0}};
	struct template_message message;

	renew(BYTES);
	for (unsigned int i = 0; i <= WEIR_OPTIONS_FIELDS; i++)
		many[i] = (struct field){100, 1, 0};
	message_begin(&message, 10);
	put_template(&message, 300, many, WEIR_OPTIONS_FIELDS + 1, 1);
	put_template(&message, 301, nothing, 1, 1);
	put_template(&message, 302, tiny, 2, 1);
	for (unsigned int id = 300; id <= 302; id++) {
		message_set(&message, id);
		for (unsigned int i = 0; i < 40; i++)
			message_put16(&message, i);
	}
	message_close(&message);
	learn(&alice, &message, 10, 0, 10);
	CU_ASSERT_EQUAL(cache->entries, 3);
	CU_ASSERT_EQUAL(cache->records, 0);
	CU_ASSERT_EQUAL(counts.records_refused, 1 + 1 + 80);
}

/* Padding behind records, shorter than one, is none. */
static void test_padding_is_no_record(void)
{
	for (unsigned int version = 9; version <= 10; version++) {
		struct weir_template_exporter exporter = alice;
		struct template_message message;

		renew(BYTES);
		exporter.version = (uint8_t)version;
		define_table(&exporter, 10);
		message_begin(&message, exporter.version);
		message_set(&message, 300);
		put_row(&message, 1, "one");
		put_row(&message, 2, "two");
		put_bytes(&message, "\0\0\0\0\0\0\0\0\0\0\0", 11);
		message_close(&message);
		learn(&exporter, &message, 11, 0, 11);
		CU_ASSERT_EQUAL(cache->records, 2);
		CU_ASSERT_EQUAL(counts.malformed, 0);
	}
}

/* Templates find room beside any number of records, and what has no room harms nothing. */
static void test_records_are_bounded(void)
{
	struct weir_template_exporter other = alice;

	renew(16384);
	define_table(&alice, 10);
	for (uint32_t interface = 0; interface < 1000; interface++)
		send_row(&alice, interface, "name", 11, 0);
	/* Three quarters of a quarter of 128 blocks. */
	CU_ASSERT_EQUAL(cache->records, 24);
	CU_ASSERT_EQUAL(counts.records_refused, 1000 - 24);
	CU_ASSERT_STRING_EQUAL(name_at(&alice, 23, 12, 0), "name");
	/* A change that finds no room takes what it was to replace along. */
	send_row(&alice, 5, "other", 12, 0);
	CU_ASSERT_EQUAL(counts.records_refused, 1001 - 24);
	CU_ASSERT_STRING_EQUAL(name_at(&alice, 5, 12, 0), "");
	CU_ASSERT_STRING_EQUAL(name_at(&alice, 5, 11, 0), "name");
	for (other.domain = 100; other.domain < 120; other.domain++) {
		define_table(&other, 20);
		for (uint32_t interface = 0; interface < 100; interface++)
			send_row(&other, interface, "name", 21, 0);
	}
	CU_ASSERT_TRUE(cache->record_blocks <= 96);
	/* 128 blocks less 96 of records: a block each for 16 domains and their template. */
	CU_ASSERT_EQUAL(counts.refused, 21 - 16);
	CU_ASSERT_TRUE(cache->used <= cache->blocks);
}

static uint64_t hash_of(const struct weir_template_exporter *exporter)
{
	return weir_key_hash_address(exporter->address, 0, exporter->domain);
}

/* Known from the message with the template on, until the template is gone. */
static void test_sets_of_options_are_marked(void)
{
	struct weir_template_moment moment = {30, 30, 1000};
	struct template_message message;

	renew(BYTES);
	define(&alice, 256, 2, 8, 10);
	CU_ASSERT_FALSE(weir_template_is_marked(cache->marks, hash_of(&alice), 300));
	define_table(&alice, 11);
	CU_ASSERT_TRUE(weir_template_is_marked(cache->marks, hash_of(&alice), 300));
	CU_ASSERT_FALSE(weir_template_is_marked(cache->marks, hash_of(&alice), 256));
	message_begin(&message, 10);
	message_set(&message, 256);
	message_put16(&message, 0);
	message_set(&message, 300);
	put_row(&message, 1, "one");
	message_close(&message);
	/* Behind a set of flows, too. */
	CU_ASSERT_TRUE(weir_template_is_present(
		message.bytes, message.length, cache->marks, hash_of(&alice)));
	CU_ASSERT_FALSE(weir_template_is_present(
		message.bytes, message.length, cache->marks, hash_of(&alice) + (1 << 20)));
	cache->lifetime = 100;
	weir_template_purge(cache, &moment);
	CU_ASSERT_FALSE(weir_template_is_marked(cache->marks, hash_of(&alice), 300));
	/* By who sees the message before the owner does. */
	message_begin(&message, 10);
	put_template(&message, 301, by_scope, 2, 1);
	message_close(&message);
	weir_template_mark_message(cache, hash_of(&alice), message.bytes, message.length);
	CU_ASSERT_TRUE(weir_template_is_marked(cache->marks, hash_of(&alice), 301));
}

static void restore(void *context, const struct weir_template_cache *from,
	const struct weir_template_domain *domain, uint32_t entry)
{
	const struct weir_template_entry *found = weir_template_entry_at(from, entry);
	uint8_t set[WEIR_TEMPLATE_LARGEST];

	weir_template_write(from, entry, set);
	CU_ASSERT_TRUE(weir_template_restore(
		context, &domain->exporter, set, found->length, 0, found->heard));
	CU_ASSERT_FALSE(weir_template_restore(
		context, &domain->exporter, set, found->length, 0, found->heard));
}

static bool is_wanted(const void *context, const struct weir_template_exporter *exporter)
{
	(void)context;
	(void)exporter;
	return true;
}

/* Into a cache with another seed; and what is heard later is caught up with. */
static void test_another_cache_goes_on_with_them(void)
{
	struct weir_template_cache *old, *other = calloc(1, weir_template_cache_size(BYTES));
	uint8_t orphan[16] = {1, 44, 0, 16};

	renew(BYTES);
	define_table(&alice, 10);
	send_row(&alice, 1, "one", 11, 0);
	send_row(&alice, 2, "two", 11, 0);
	weir_template_cache_init(other, BYTES, 43, PAUSE);
	/* Without its template a record is none. */
	CU_ASSERT_FALSE(weir_template_restore(other, &alice, orphan, sizeof(orphan), 0, 11));
	weir_template_visit_all(cache, restore, other);
	CU_ASSERT_EQUAL(other->records, 2);
	send_row(&alice, 2, "zwei", 20, 0);
	send_row(&alice, 3, "drei", 20, 0);
	CU_ASSERT_TRUE(weir_template_catch_up(other, cache, is_wanted, NULL));
	CU_ASSERT_FALSE(weir_template_catch_up(other, cache, is_wanted, NULL));
	old = cache;
	cache = other;
	CU_ASSERT_EQUAL(cache->records, 3);
	CU_ASSERT_STRING_EQUAL(name_at(&alice, 1, 0, 0), "one");
	CU_ASSERT_STRING_EQUAL(name_at(&alice, 2, 0, 0), "zwei");
	CU_ASSERT_STRING_EQUAL(name_at(&alice, 3, 0, 1 << 7), "drei");
	CU_ASSERT_TRUE(weir_template_is_marked(cache->marks, hash_of(&alice), 300));
	/* It knows a record by its key, though its hashes are others. */
	send_row(&alice, 3, "drei", 30, 0);
	CU_ASSERT_EQUAL(counts.records_refreshed, 1);
	free(old);
}

/* Any messages in any order: memory stays within bounds, counts stay true, all comes back. */
static void test_any_messages_are_survived(void)
{
	uint64_t state = 2463534242ull;

	renew(16384);
	cache->lifetime = 5000;
	for (uint64_t seq = 1; seq < 60000; seq++) {
		struct weir_template_exporter exporter = alice;
		struct template_message message;
		uint64_t tail = seq - (guard_random(&state) % 3 != 0 && seq > 100 ? 100 : 0);
		uint8_t lane = guard_random(&state) % WEIR_TEMPLATE_LANES;

		exporter.domain = guard_random(&state) % 5;
		exporter.version = exporter.domain & 1 ? 9 : 10;
		message_begin(&message, exporter.version);
		if (guard_random(&state) % 8 == 0)
			put_template(&message, 300 + guard_random(&state) % 3,
				exporter.version == 10 ? by_scope : by_system,
				exporter.version == 10 ? 2 : 3, guard_random(&state) % 3);
		for (uint32_t i = guard_random(&state) % 20; i > 0; i--) {
			message_set(&message, 300 + guard_random(&state) % 3);
			put_row(&message, guard_random(&state) % 40,
				guard_random(&state) & 1 ? "a" : "b");
		}
		message_close(&message);
		if (message.length > weir_template_header(exporter.version) &&
			guard_random(&state) % 4 == 0)
			message.bytes[guard_random(&state) % message.length] =
				(uint8_t)guard_random(&state);
		learn(&exporter, &message, seq, tail, seq);
		if (guard_random(&state) % 8 == 0)
			weir_template_forget(cache, lane, seq);
		weir_template_note(cache, &exporter, message.bytes, message.length, seq, lane,
			guard_random(&state) & 1);
		if (weir_template_find(cache, &exporter) != 0)
			weir_template_settle(
				cache, weir_template_find(cache, &exporter), lane, seq);
		CU_ASSERT_TRUE_FATAL(cache->used <= cache->blocks && cache->top <= cache->blocks);
		CU_ASSERT_TRUE_FATAL(cache->record_blocks <= cache->blocks * 3 / 4);
		CU_ASSERT_TRUE_FATAL(cache->records <= cache->record_blocks);
	}
	CU_ASSERT_TRUE(counts.records_learned > 1000 && counts.records_changed > 1000);
	weir_template_purge(cache, &(struct weir_template_moment){70000, 70000, 80000});
	CU_ASSERT_EQUAL(cache->used, 0);
	CU_ASSERT_EQUAL(cache->entries, 0);
	CU_ASSERT_EQUAL(cache->records, 0);
	CU_ASSERT_EQUAL(cache->record_blocks, 0);
	for (uint32_t i = 0; i < WEIR_TEMPLATE_MARKS; i++)
		CU_ASSERT_EQUAL(cache->marks[i], 0);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"the latest of a key holds", test_the_latest_of_a_key_holds},
		{"a change takes no room where no lane is behind",
			test_a_change_takes_no_room_where_no_lane_is_behind},
		{"records come behind their templates", test_records_come_behind_their_templates},
		{"records go with their template", test_records_go_with_their_template},
		{"records stay when others are withdrawn",
			test_records_stay_when_others_are_withdrawn},
		{"a lane lacks what it was not sent", test_a_lane_lacks_what_it_was_not_sent},
		{"what cannot be kept is counted", test_what_cannot_be_kept_is_counted},
		{"padding is no record", test_padding_is_no_record},
		{"records are bounded", test_records_are_bounded},
		{"sets of options are marked", test_sets_of_options_are_marked},
		{"another cache goes on with them", test_another_cache_goes_on_with_them},
		{"any messages are survived", test_any_messages_are_survived},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{"records of options", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
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
