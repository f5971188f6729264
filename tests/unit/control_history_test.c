/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <CUnit/Basic.h>
#include <sodium.h>

#include "control/config_diff.h"
#include "control/history.h"

static struct weir_history *history;

/* As weir_config_parse leaves it: `number` makes it differ, `bytes` makes it long. */
static struct weir_version *make(unsigned int number, size_t bytes)
{
	struct weir_config config = {0};
	unsigned char hash[crypto_hash_sha256_BYTES];
	struct weir_version *version;

	config.json = malloc(bytes + 64);
	snprintf(config.json, 64, "{\"a\":%u,\"b\":\"", number);
	memset(config.json + strlen(config.json), 'x', bytes + 1);
	strcpy(config.json + strlen("{\"a\":1000,\"b\":\"") + bytes, "\"}");
	crypto_hash_sha256(hash, (unsigned char *)config.json, strlen(config.json));
	sodium_bin2hex(config.digest, sizeof(config.digest), hash, sizeof(hash));
	version = weir_version_make(&config, "why \"so\"", 1000000000ull * number);
	free(config.json);
	CU_ASSERT_PTR_NOT_NULL_FATAL(version);
	return version;
}

static void begin(unsigned int versions)
{
	history = weir_history_create();
	for (unsigned int i = 0; i < versions; i++)
		weir_history_add(history, make(1000 + i, 10));
}

static void end(void)
{
	weir_history_destroy(history);
	history = NULL;
}

static void test_oldest_goes_first(void)
{
	begin(40);
	CU_ASSERT_EQUAL(history->count, WEIR_HISTORY_VERSIONS);
	CU_ASSERT_EQUAL(history->versions[0]->number, 9);
	CU_ASSERT_EQUAL(weir_history_running(history)->number, 40);
	CU_ASSERT_EQUAL(weir_history_before(history)->number, 39);
	CU_ASSERT_PTR_NULL(weir_history_find(history, 8));
	end();
}

static void test_bound_in_bytes(void)
{
	begin(3);
	for (unsigned int i = 0; i < 4; i++)
		weir_history_add(history, make(1010 + i, 6u << 20));
	CU_ASSERT_TRUE(history->bytes <= WEIR_HISTORY_BYTES);
	CU_ASSERT_EQUAL(history->count, 2);
	CU_ASSERT_EQUAL(weir_history_before(history)->number, 6);
	end();
}

static void test_running_and_way_back_are_never_let_go(void)
{
	begin(1);
	weir_history_add(history, make(1500, 10));
	weir_history_select(history, 1);
	for (unsigned int i = 0; i < 50; i++) {
		weir_history_add(history, make(1100 + i, 10));
		weir_history_begin_trial(history, 1);
		weir_history_select(history, history->next - 1);
	}
	CU_ASSERT_PTR_NOT_NULL(weir_history_find(history, 1));
	CU_ASSERT_PTR_NULL(weir_history_find(history, 2));
	weir_history_revert(history);
	CU_ASSERT_EQUAL(weir_history_running(history)->number, 1);
	end();
}

static void test_undo_twice_goes_two_back(void)
{
	begin(3);
	weir_history_select(history, weir_history_before(history)->number);
	CU_ASSERT_EQUAL(weir_history_running(history)->number, 2);
	weir_history_select(history, weir_history_before(history)->number);
	CU_ASSERT_EQUAL(weir_history_running(history)->number, 1);
	CU_ASSERT_PTR_NULL(weir_history_before(history));
	/* What comes next follows the one that ran. */
	weir_history_add(history, make(1200, 10));
	CU_ASSERT_EQUAL(weir_history_before(history)->number, 1);
	end();
}

static void test_trial_is_kept_or_taken_back(void)
{
	begin(2);
	weir_history_begin_trial(history, 1);
	weir_history_revert(history);
	CU_ASSERT_EQUAL(history->running, 1);
	CU_ASSERT_EQUAL(history->back, 0);
	CU_ASSERT_TRUE(weir_history_find(history, 2)->is_reverted);
	weir_history_select(history, 2);
	weir_history_begin_trial(history, 1);
	weir_history_confirm(history);
	CU_ASSERT_EQUAL(history->running, 2);
	CU_ASSERT_FALSE(weir_history_find(history, 2)->is_reverted);
	end();
}

static int decode(const uint8_t *bytes, size_t length, struct weir_history **read)
{
	struct weir_error error = {0};
	uint8_t *tight = malloc(length + (length == 0));
	int rc;

	*read = NULL;
	memcpy(tight, bytes, length);
	rc = weir_history_kind.decode(tight, length, "here", read, &error);
	CU_ASSERT_EQUAL(error.code, rc);
	CU_ASSERT_TRUE((rc == 0) == (*read != NULL));
	free(tight);
	return rc;
}

static void encode(uint8_t **bytes, size_t *length)
{
	CU_ASSERT_EQUAL_FATAL(weir_history_encode(history, bytes, length), 0);
}

static void test_file_gives_back_what_was_written(void)
{
	struct weir_history *read;
	uint8_t *bytes;
	size_t length;

	begin(5);
	history->versions[3]->is_reverted = true;
	history->versions[0]->is_from_start = true;
	weir_history_begin_trial(history, 3);
	encode(&bytes, &length);
	CU_ASSERT_EQUAL_FATAL(decode(bytes, length, &read), 0);
	CU_ASSERT_EQUAL(read->count, 5);
	CU_ASSERT_EQUAL(read->next, 6);
	CU_ASSERT_EQUAL(read->running, 5);
	CU_ASSERT_EQUAL(read->back, 3);
	CU_ASSERT_EQUAL(read->bytes, history->bytes);
	for (uint32_t i = 0; i < 5; i++) {
		const struct weir_version *a = history->versions[i], *b = read->versions[i];

		CU_ASSERT_EQUAL(a->number, b->number);
		CU_ASSERT_EQUAL(a->before, b->before);
		CU_ASSERT_EQUAL(a->wall_ns, b->wall_ns);
		CU_ASSERT_EQUAL(a->is_reverted, b->is_reverted);
		CU_ASSERT_EQUAL(a->is_from_start, b->is_from_start);
		CU_ASSERT_STRING_EQUAL(a->json, b->json);
		CU_ASSERT_STRING_EQUAL(a->digest, b->digest);
		CU_ASSERT_STRING_EQUAL(a->comment, b->comment);
	}
	weir_history_destroy(read);
	free(bytes);
	end();
}

static void test_any_damage_is_noticed(void)
{
	struct weir_history *read;
	uint8_t *bytes;
	size_t length;

	begin(2);
	encode(&bytes, &length);
	for (size_t cut = 0; cut < length; cut++)
		CU_ASSERT_EQUAL(decode(bytes, cut, &read), -EBADMSG);
	for (size_t i = 0; i < length; i++)
		for (unsigned int bit = 0; bit < 8; bit++) {
			int rc;

			bytes[i] ^= (uint8_t)(1u << bit);
			rc = decode(bytes, length, &read);
			CU_ASSERT_TRUE(rc == -EBADMSG || (rc == -ENOTSUP && i < 16));
			bytes[i] ^= (uint8_t)(1u << bit);
		}
	free(bytes);
	end();
}

/* What has a right checksum and lies all the same. */
static int decode_forged(const char *json)
{
	unsigned char hash[crypto_hash_sha256_BYTES];
	char hex[2 * sizeof(hash) + 1];
	struct weir_history *read;
	char *text = NULL;
	int rc;

	crypto_hash_sha256(hash, (const unsigned char *)json, strlen(json));
	sodium_bin2hex(hex, sizeof(hex), hash, sizeof(hash));
	CU_ASSERT_TRUE_FATAL(asprintf(&text, "weir-versions 1 %s\n%s", hex, json) > 0);
	rc = decode((const uint8_t *)text, strlen(text), &read);
	weir_history_destroy(read);
	free(text);
	return rc;
}

#define EMPTY_DIGEST "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
#define VERSION_REST ",\"wall_ns\":1,\"start\":false,\"reverted\":false,\"comment\":\"\","
#define VERSION(number, before, digest)                                                            \
	"{\"version\":" number ",\"before\":" before VERSION_REST "\"digest\":\"" digest           \
	"\",\"config\":{}}"
#define HISTORY_REST(running, back, versions)                                                      \
	"\"running\":" running ",\"back\":" back ",\"versions\":[" versions "]}"
#define HISTORY(next, running, back, versions)                                                     \
	"{\"next\":" next "," HISTORY_REST(running, back, versions)

static void test_file_that_contradicts_itself_is_refused(void)
{
	static const char *const forged[] = {"", "[]", "{}", "null", HISTORY("1", "1", "0", ""),
		HISTORY("-1", "0", "0", ""), HISTORY("\"1\"", "0", "0", ""),
		HISTORY("2", "0", "1", VERSION("1", "0", EMPTY_DIGEST)),
		HISTORY("2", "1", "1", VERSION("1", "0", EMPTY_DIGEST)),
		HISTORY("1", "1", "0", VERSION("1", "0", EMPTY_DIGEST)),
		HISTORY("2", "1", "0", VERSION("0", "0", EMPTY_DIGEST)),
		HISTORY("2", "1", "0", VERSION("1", "1", EMPTY_DIGEST)),
		HISTORY("9", "1", "0",
			VERSION("1", "0", EMPTY_DIGEST) "," VERSION("1", "0", EMPTY_DIGEST)),
		HISTORY("2", "1", "0", VERSION("1", "0", "00")),
		HISTORY("2", "1", "0", VERSION("1.5", "0", EMPTY_DIGEST)),
		HISTORY("2", "1", "0", "7"),
		HISTORY("2", "1", "0", VERSION("1", "0", EMPTY_DIGEST)) "x"};

	CU_ASSERT_EQUAL(decode_forged(HISTORY("2", "1", "0", VERSION("1", "0", EMPTY_DIGEST))), 0);
	for (size_t i = 0; i < sizeof(forged) / sizeof(forged[0]); i++)
		CU_ASSERT_EQUAL(decode_forged(forged[i]), -EBADMSG);
}

/* `expected`: the changes, as JSON. */
static void expect_diff(const char *old, const char *next, const char *expected)
{
	json_t *from = json_loads(old, 0, NULL), *to = json_loads(next, 0, NULL);
	json_t *changes = weir_config_diff(from, to);
	json_t *wanted = json_loads(expected, 0, NULL);

	CU_ASSERT_PTR_NOT_NULL_FATAL(wanted);
	CU_ASSERT_TRUE(json_equal(changes, wanted));
	json_decref(from);
	json_decref(to);
	json_decref(changes);
	json_decref(wanted);
}

static void test_diff_names_what_differs(void)
{
	expect_diff("{\"a\":{\"b\":1},\"c\":2}", "{\"c\":2,\"a\":{\"b\":1}}", "[]");
	expect_diff("{\"a\":{\"b\":1,\"c\":2}}", "{\"a\":{\"b\":3,\"d\":4}}",
		"[{\"path\":\"$.a.b\",\"old\":1,\"new\":3},"
		"{\"path\":\"$.a.c\",\"old\":2,\"new\":null},"
		"{\"path\":\"$.a.d\",\"old\":null,\"new\":4}]");
	expect_diff("{\"p\":[1,2]}", "{\"p\":[2,1]}",
		"[{\"path\":\"$.p\",\"old\":[1,2],\"new\":[2,1]}]");
}

static void test_diff_follows_names_through_lists(void)
{
	expect_diff("{\"s\":[{\"name\":\"x\",\"v\":1},{\"name\":\"y\"}]}",
		"{\"s\":[{\"name\":\"z\"},{\"name\":\"x\",\"v\":2},{\"name\":\"y\"}]}",
		"[{\"path\":\"$.s[\\\"x\\\"].v\",\"old\":1,\"new\":2},"
		"{\"path\":\"$.s[\\\"z\\\"]\",\"old\":null,\"new\":{\"name\":\"z\"}}]");
	expect_diff("{\"s\":[{\"name\":\"x\"},{\"name\":\"y\"}]}",
		"{\"s\":[{\"name\":\"y\"},{\"name\":\"x\"}]}",
		"[{\"path\":\"$.s\",\"old\":[\"x\",\"y\"],\"new\":[\"y\",\"x\"]}]");
	expect_diff("{\"s\":[{\"name\":\"x\"}]}", "{\"s\":[]}",
		"[{\"path\":\"$.s[\\\"x\\\"]\",\"old\":{\"name\":\"x\"},\"new\":null}]");
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"the oldest version goes first", test_oldest_goes_first},
		{"versions are bounded in bytes", test_bound_in_bytes},
		{"what runs, and the way back, are never let go",
			test_running_and_way_back_are_never_let_go},
		{"undone twice, it is two versions back", test_undo_twice_goes_two_back},
		{"a trial is kept or taken back", test_trial_is_kept_or_taken_back},
		{"the file gives back what was written", test_file_gives_back_what_was_written},
		{"any damage of the file is noticed", test_any_damage_is_noticed},
		{"a file that contradicts itself is refused",
			test_file_that_contradicts_itself_is_refused},
		{"a diff names what differs, old and new", test_diff_names_what_differs},
		{"a diff follows names through lists", test_diff_follows_names_through_lists},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {{"history", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
	unsigned int failures;

	CU_initialize_registry();
	CU_register_suites(suites);
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures != 0;
}
