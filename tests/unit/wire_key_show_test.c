/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include <CUnit/Basic.h>

#include "wire/key_show.h"

/* Ethernet, IP, UDP and a payload of 64 bytes, which begins as the test says. */
static struct weir_packet build(uint8_t *frame, uint8_t version, const uint8_t *start, size_t size)
{
	uint16_t l4 = (uint16_t)(14 + (version == 6 ? 40 : 20));
	uint8_t *ip = frame + 14;

	memset(frame, 0, 256);
	if (version == 4) {
		memcpy(ip + 12, (const uint8_t[]){10, 0, 0, 1, 192, 0, 2, 7}, 8);
	} else {
		memcpy(ip + 8, (const uint8_t[]){0x20, 1, 0xd, 0xb8}, 4);
		memcpy(ip + 24, (const uint8_t[]){0xfd}, 1);
		ip[23] = 9;
		ip[39] = 2;
	}
	memcpy(frame + l4 + 8, start, size);
	return (struct weir_packet){.l3_offset = 14,
		.l4_offset = l4,
		.ip_version = version,
		.payload_length = 64,
		.source_port = 2055,
		.destination_port = 4739};
}

static void expect(const struct weir_key_spec *spec, uint8_t version, const uint8_t *start,
	size_t size, const char *text)
{
	uint8_t frame[256];
	struct weir_packet packet = build(frame, version, start, size);
	struct weir_key_value value;
	char shown[WEIR_KEY_TEXT];
	uint64_t hash;

	CU_ASSERT_EQUAL(weir_key_hash(spec, frame, frame + sizeof(frame), &packet, &hash),
		WEIR_REASON_NONE);
	weir_key_keep(spec, frame, &packet, &value);
	CU_ASSERT_STRING_EQUAL(weir_key_show(&value, shown, sizeof(shown)), text);
}

#define EXPECT(kind_of, version, text, ...)                                                        \
	expect(&(struct weir_key_spec){.kind = (kind_of), .length = 3, .offset = 2}, version,      \
		(const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}), text)

static void test_kinds(void)
{
	EXPECT(WEIR_KEY_IPFIX, 4, "10.0.0.1 domain 258", 0, 10, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		1, 2);
	EXPECT(WEIR_KEY_FLOW, 6, "2001:db8::9 domain 7", 0, 9, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		0, 0, 0, 0, 0, 7);
	EXPECT(WEIR_KEY_FLOW, 4, "10.0.0.1 engine 3/4", 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		0, 0, 0, 0, 0, 3, 4);
	EXPECT(WEIR_KEY_SFLOW5, 4, "10.9.9.9 sub-agent 5", 0, 0, 0, 5, 0, 0, 0, 1, 10, 9, 9, 9, 0,
		0, 0, 5);
	EXPECT(WEIR_KEY_GTPU, 4, "192.0.2.7 TEID 0x0000abcd", 0x30, 0xff, 0, 8, 0, 0, 0xab, 0xcd);
	EXPECT(WEIR_KEY_UDP_NOTIF, 4, "10.0.0.1 publisher 6", 0x20, 12, 0, 12, 0, 0, 0, 6);
	EXPECT(WEIR_KEY_RTP, 4, "SSRC 0x01020304", 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4);
	EXPECT(WEIR_KEY_5TUPLE, 4, "10.0.0.1 port 2055 to 192.0.2.7 port 4739", 0);
	EXPECT(WEIR_KEY_5TUPLE, 6, "2001:db8::9 port 2055 to fd00::2 port 4739", 0);
	EXPECT(WEIR_KEY_SYSLOG, 4, "10.0.0.1", 0);
	EXPECT(WEIR_KEY_SOURCE, 6, "2001:db8::9", 0);
	EXPECT(WEIR_KEY_BYTES, 4, "0xaabbcc", 0, 0, 0xaa, 0xbb, 0xcc, 0xdd);
}

/* The longest there are fit, and a small place is not overrun. */
static void test_lengths(void)
{
	struct weir_key_value value = {.kind = WEIR_KEY_BYTES, .length = WEIR_KEY_BYTES_MAX};
	char text[WEIR_KEY_TEXT];

	memset(value.bytes, 0xff, sizeof(value.bytes));
	CU_ASSERT_EQUAL(strlen(weir_key_show(&value, text, sizeof(text))), 66);
	value.kind = WEIR_KEY_5TUPLE;
	value.ip_version = 6;
	value.id = UINT32_MAX;
	CU_ASSERT_TRUE(strlen(weir_key_show(&value, text, sizeof(text))) > 80);
	for (size_t size = 1; size < 80; size++) {
		memset(text, 'x', sizeof(text));
		value.kind = size % 2 != 0 ? WEIR_KEY_BYTES : WEIR_KEY_5TUPLE;
		weir_key_show(&value, text, size);
		CU_ASSERT_TRUE(strnlen(text, sizeof(text)) < size);
		CU_ASSERT_EQUAL(text[size], 'x');
	}
}

static void expect_read(const struct weir_key_spec *spec, const char *text)
{
	struct weir_key_value value;
	char shown[WEIR_KEY_TEXT];

	CU_ASSERT_EQUAL(weir_key_read(spec, text, &value), 0);
	CU_ASSERT_STRING_EQUAL(weir_key_show(&value, shown, sizeof(shown)), text);
}

static void expect_refused(const struct weir_key_spec *spec, const char *text)
{
	struct weir_key_value value;

	CU_ASSERT_TRUE(weir_key_read(spec, text, &value) < 0);
}

#define SPEC(name) (&(const struct weir_key_spec){.kind = WEIR_KEY_##name})

/* A key is read as it is shown, and in no other way. */
static void test_reading(void)
{
	static const char *const wrong[] = {"", " ", "10.0.0.1 ", "10.0.0.1 domain", "domain 7",
		"10.0.0.1 domain 07", "10.0.0.1 domain -1", "10.0.0.1 domain 4294967296",
		"10.0.0.1 domain 7 ", "10.0.0.1  domain 7", "010.0.0.1 domain 7",
		"10.0.0.1 publisher 7", "2001:DB8::9 domain 7"};
	struct weir_key_spec bytes = {.kind = WEIR_KEY_BYTES, .length = 3};
	char address[100];

	expect_read(SPEC(IPFIX), "10.0.0.1 domain 258");
	expect_read(SPEC(FLOW), "2001:db8::9 domain 7");
	expect_read(SPEC(FLOW), "10.0.0.1 engine 3/4");
	expect_read(SPEC(SFLOW5), "10.9.9.9 sub-agent 5");
	expect_read(SPEC(GTPU), "192.0.2.7 TEID 0x0000abcd");
	expect_read(SPEC(UDP_NOTIF), "10.0.0.1 publisher 6");
	expect_read(SPEC(RTP), "SSRC 0x01020304");
	expect_read(SPEC(5TUPLE), "10.0.0.1 port 2055 to 192.0.2.7 port 4739");
	expect_read(SPEC(5TUPLE), "2001:db8::9 port 2055 to fd00::2 port 4739");
	expect_read(SPEC(SYSLOG), "10.0.0.1");
	expect_read(SPEC(SOURCE), "2001:db8::9");
	expect_read(&bytes, "0xaabbcc");
	expect_refused(&bytes, "0xaabb");
	expect_refused(&bytes, "0xaabbccdd");
	expect_refused(&bytes, "0xaabbc");
	expect_refused(SPEC(SOURCE), "10.0.0.1 domain 7");
	expect_refused(SPEC(5TUPLE), "10.0.0.1 port 2055");
	expect_refused(SPEC(5TUPLE), "10.0.0.1 port 1 to fd00::2 port 2");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		expect_refused(SPEC(IPFIX), wrong[i]);
	memset(address, '1', sizeof(address) - 1);
	address[sizeof(address) - 1] = '\0';
	expect_refused(SPEC(SOURCE), address);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"a key is read as it is shown", test_reading},
		{"keys of all kinds are shown readably", test_kinds},
		{"no key is too long", test_lengths},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {{"keys", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
	unsigned int failures;

	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 1;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures != 0;
}
