/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CUnit/Basic.h>

#include "secure/handshake.h"

#define SESSION UINT64_C(0xa1b2c3d4e5f60003)
#define NONCE   UINT64_C(0x1122334455667788)
#define CLOCK   (UINT64_C(1700000000) * 1000000000)
#define SKEW    WEIR_HANDSHAKE_SKEW_NS
#define HELLO   (WEIR_DATAGRAM_HEADER + sizeof(struct weir_frame_hello))

/* Keys 7 (0, 1, 2 ...), 8 (all 0xbb), and 9, of "c2" alone (all 0xcc). */
static struct weir_secrets *secrets;

struct hello {
	uint8_t data[HELLO];
	struct weir_frame_hello *frame;
};

struct welcome {
	uint8_t data[256];
	uint32_t length;
};

static void hello_make(struct hello *hello, const char *name)
{
	struct weir_writer writer;

	weir_writer_begin(&writer, hello->data, sizeof(hello->data), 0);
	hello->frame = weir_writer_add(&writer, WEIR_FRAME_HELLO, 0, sizeof(*hello->frame));
	hello->frame->version_min = 1;
	hello->frame->version_max = 1;
	hello->frame->max_datagram = weir_be16(1400);
	hello->frame->nonce = weir_be64(NONCE);
	hello->frame->options = weir_be32(WEIR_OPTION_SOURCE | WEIR_OPTION_BATCH);
	weir_frame_set_name(hello->frame->group, "billing");
	weir_frame_set_name(hello->frame->name, name);
}

/* Bytes first, first + 1, ... in place of random ones. */
static void bytes_count(uint8_t bytes[WEIR_HANDSHAKE_KEY_SIZE], uint8_t first)
{
	for (unsigned int i = 0; i < WEIR_HANDSHAKE_KEY_SIZE; i++)
		bytes[i] = (uint8_t)(first + i);
}

static void client_begin(
	struct weir_handshake *handshake, struct hello *hello, uint32_t key_id, const char *name)
{
	uint8_t random[WEIR_HANDSHAKE_KEY_SIZE];

	bytes_count(random, 1);
	weir_handshake_begin(handshake, random);
	hello_make(hello, name);
	weir_handshake_prove(handshake, weir_secrets_find(secrets, key_id), hello->frame, CLOCK);
}

static int verify(const struct hello *hello)
{
	const struct weir_secret *secret = NULL;
	int result = weir_handshake_verify(secrets, hello->frame, CLOCK, SKEW, &secret);

	CU_ASSERT_EQUAL(result == 0, secret != NULL);
	return result;
}

static void answer(const struct hello *hello, const struct weir_secret *secret, uint8_t random,
	struct welcome *welcome, struct weir_seal *seal)
{
	uint8_t bytes[WEIR_HANDSHAKE_KEY_SIZE];
	struct weir_frame_welcome *frame;
	struct weir_frame_key *key;
	struct weir_writer writer;

	weir_writer_begin(&writer, welcome->data, sizeof(welcome->data), 0);
	frame = weir_writer_add(&writer, WEIR_FRAME_WELCOME, 0, sizeof(*frame));
	frame->version = 1;
	frame->max_datagram = weir_be16(1400);
	frame->nonce = hello->frame->nonce;
	frame->session = weir_be64(SESSION);
	frame->heartbeat_ms = weir_be32(100);
	frame->liveness_ms = weir_be32(1000);
	key = weir_writer_add(&writer, WEIR_FRAME_KEY, 0, sizeof(*key));
	bytes_count(bytes, random);
	CU_ASSERT_EQUAL_FATAL(
		weir_handshake_answer(secret, hello->frame, SESSION, CLOCK + 5, bytes, key, seal),
		0);
	CU_ASSERT_EQUAL(weir_be64(key->timestamp_ns), CLOCK + 5);
	CU_ASSERT_EQUAL_FATAL(weir_seal_add(seal, &writer), 0);
	welcome->length = writer.length;
}

static int accept(const struct weir_handshake *handshake, uint32_t key_id,
	const struct welcome *welcome, struct weir_seal *seal)
{
	const struct weir_frame_welcome *frame =
		(const void *)(welcome->data + WEIR_DATAGRAM_HEADER);
	const struct weir_frame_key *key = (const void *)(frame + 1);

	return weir_handshake_accept(handshake, weir_secrets_find(secrets, key_id), welcome->data,
		welcome->length, frame, key, seal);
}

static void test_agree(void)
{
	struct weir_seal client = {0}, gateway = {0};
	struct weir_handshake handshake;
	struct weir_frame_cursor cursor;
	struct welcome welcome, again;
	struct hello hello;

	client_begin(&handshake, &hello, 7, "c1");
	CU_ASSERT_EQUAL(
		weir_datagram_open(&cursor, WEIR_END_GATEWAY, hello.data, HELLO), WEIR_REASON_NONE);
	CU_ASSERT_EQUAL(verify(&hello), 0);
	answer(&hello, weir_secrets_find(secrets, 7), 101, &welcome, &gateway);
	CU_ASSERT_TRUE(welcome.length < HELLO);
	CU_ASSERT_EQUAL(weir_datagram_open(&cursor, WEIR_END_CLIENT, welcome.data, welcome.length),
		WEIR_REASON_NONE);
	CU_ASSERT_EQUAL(accept(&handshake, 7, &welcome, &client), 0);
	CU_ASSERT_TRUE(client.is_on && gateway.is_on);
	CU_ASSERT_EQUAL(memcmp(client.tx_key, gateway.rx_key, sizeof(client.tx_key)), 0);
	CU_ASSERT_EQUAL(memcmp(client.rx_key, gateway.tx_key, sizeof(client.tx_key)), 0);
	CU_ASSERT_NOT_EQUAL(memcmp(client.rx_key, client.tx_key, sizeof(client.tx_key)), 0);
	/* Taken with its number: a second copy is a replay. */
	CU_ASSERT_EQUAL(weir_seal_check(&client, welcome.data, welcome.length), -EALREADY);
	/* WELCOME lost: the next has the same KEY. Another KEY is another session's. */
	answer(&hello, weir_secrets_find(secrets, 7), 101, &again, &gateway);
	CU_ASSERT_EQUAL(memcmp(client.tx_key, gateway.rx_key, sizeof(client.tx_key)), 0);
	answer(&hello, weir_secrets_find(secrets, 7), 102, &again, &gateway);
	CU_ASSERT_NOT_EQUAL(memcmp(client.tx_key, gateway.rx_key, sizeof(client.tx_key)), 0);
	weir_handshake_end(&handshake);
	CU_ASSERT_EQUAL(handshake.secret_key[5], 0);
}

static void test_hello_wrong(void)
{
	struct weir_handshake handshake;
	struct hello hello;

	client_begin(&handshake, &hello, 8, "c1");
	CU_ASSERT_EQUAL(verify(&hello), 0);
	/* The right id, another's key. */
	hello.frame->authentication.key_id = weir_be32(7);
	CU_ASSERT_EQUAL(verify(&hello), -EBADMSG);
	hello.frame->authentication.key_id = weir_be32(10);
	CU_ASSERT_EQUAL(verify(&hello), -ENOKEY);
	/* Without a key all is zero. */
	hello_make(&hello, "c1");
	CU_ASSERT_EQUAL(verify(&hello), -ENOKEY);
}

static void test_hello_name(void)
{
	struct weir_handshake handshake;
	struct hello hello;

	client_begin(&handshake, &hello, 9, "c2");
	CU_ASSERT_EQUAL(verify(&hello), 0);
	client_begin(&handshake, &hello, 9, "c1");
	CU_ASSERT_EQUAL(verify(&hello), -EACCES);
	client_begin(&handshake, &hello, 9, "c22");
	CU_ASSERT_EQUAL(verify(&hello), -EACCES);
	client_begin(&handshake, &hello, 9, "c");
	CU_ASSERT_EQUAL(verify(&hello), -EACCES);
}

static void test_hello_time(void)
{
	const struct weir_secret *secret;
	struct weir_handshake handshake;
	struct hello hello;

	client_begin(&handshake, &hello, 7, "c1");
#define AT(clock) weir_handshake_verify(secrets, hello.frame, clock, SKEW, &secret)
	CU_ASSERT_EQUAL(AT(CLOCK + SKEW), 0);
	CU_ASSERT_EQUAL(AT(CLOCK - SKEW), 0);
	CU_ASSERT_EQUAL(AT(CLOCK + SKEW + 1), -ETIME);
	CU_ASSERT_EQUAL(AT(CLOCK - SKEW - 1), -ETIME);
	CU_ASSERT_EQUAL(AT(0), -ETIME);
	CU_ASSERT_EQUAL(AT(UINT64_MAX), -ETIME);
#undef AT
}

static void test_hello_bits(void)
{
	struct weir_handshake handshake;
	struct hello hello;

	client_begin(&handshake, &hello, 7, "c1");
	for (unsigned int bit = 0; bit < HELLO * 8; bit++) {
		hello.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		CU_ASSERT_NOT_EQUAL(verify(&hello), 0);
		hello.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	CU_ASSERT_EQUAL(verify(&hello), 0);
}

static void test_welcome_bits(void)
{
	struct weir_seal client = {0}, gateway = {0};
	struct weir_handshake handshake;
	struct welcome welcome;
	struct hello hello;

	client_begin(&handshake, &hello, 7, "c1");
	answer(&hello, weir_secrets_find(secrets, 7), 101, &welcome, &gateway);
	for (unsigned int bit = 0; bit < welcome.length * 8; bit++) {
		welcome.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		CU_ASSERT_NOT_EQUAL(accept(&handshake, 7, &welcome, &client), 0);
		CU_ASSERT_FALSE(client.is_on);
		welcome.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	CU_ASSERT_EQUAL(accept(&handshake, 7, &welcome, &client), 0);
}

static void test_welcome_wrong(void)
{
	struct weir_seal client = {0}, gateway = {0};
	struct weir_handshake handshake, other;
	uint8_t random[WEIR_HANDSHAKE_KEY_SIZE];
	struct welcome welcome;
	struct hello hello;

	client_begin(&handshake, &hello, 7, "c1");
	/* A gateway that saw HELLO but has another key under its id. */
	answer(&hello, weir_secrets_find(secrets, 8), 101, &welcome, &gateway);
	CU_ASSERT_EQUAL(accept(&handshake, 7, &welcome, &client), -EBADMSG);
	/* An answer to an earlier HELLO, sent again. */
	answer(&hello, weir_secrets_find(secrets, 7), 101, &welcome, &gateway);
	bytes_count(random, 2);
	weir_handshake_begin(&other, random);
	CU_ASSERT_EQUAL(accept(&other, 7, &welcome, &client), -EBADMSG);
	/* Without a trailer. */
	welcome.data[3] = 0;
	welcome.length -= WEIR_DATAGRAM_TRAILER;
	CU_ASSERT_EQUAL(accept(&handshake, 7, &welcome, &client), -EBADMSG);
	CU_ASSERT_FALSE(client.is_on);
}

static void test_no_point(void)
{
	uint8_t random[WEIR_HANDSHAKE_KEY_SIZE];
	struct weir_handshake handshake;
	struct weir_seal seal = {0};
	struct weir_frame_key key;
	struct hello hello;

	client_begin(&handshake, &hello, 7, "c1");
	memset(hello.frame->authentication.public_key, 0, WEIR_FRAME_PUBLIC_SIZE);
	bytes_count(random, 101);
	CU_ASSERT_EQUAL(weir_handshake_answer(weir_secrets_find(secrets, 7), hello.frame, SESSION,
				CLOCK, random, &key, &seal),
		-EBADMSG);
	CU_ASSERT_FALSE(seal.is_on);
}

/*
 * With k = bytes(range(32)), client's random bytes 1..32, gateway's 101..132, in Python:
 *	b = lambda text: hashlib.blake2b(text, digest_size=32, key=k).digest()
 *	shared: c9ea6a3f79a000b60b076d4afc990b272f3f0b5aaa3f0b8713c209273e363863 (RFC 7748)
 *	tag = b(hello[:240])
 *	key of a direction = b(shared + struct.pack(">QQB", NONCE, SESSION, direction))
 */
static void test_known_answer(void)
{
	static const uint8_t tag[] = {0xea, 0x05, 0x5b, 0x1c, 0x94, 0xfc, 0x15, 0x21, 0x7c, 0xa8,
		0xf6, 0x16, 0x31, 0x43, 0x3a, 0xbf, 0x20, 0x6e, 0x8f, 0x5f, 0x12, 0x8d, 0xc0, 0x35,
		0x0b, 0x86, 0x05, 0x4b, 0x84, 0xb7, 0x1a, 0xee};
	static const uint8_t to_gateway[] = {0xf6, 0x06, 0xed, 0x5b, 0xf0, 0xbd, 0xd7, 0x53, 0x4f,
		0x06, 0x7a, 0xd9, 0xd9, 0xee, 0xce, 0xd3, 0x2b, 0x51, 0xfa, 0x79, 0x49, 0xf2, 0x22,
		0xc1, 0x88, 0xbe, 0xe8, 0x0d, 0xd0, 0x33, 0x1b, 0x8c};
	static const uint8_t to_client[] = {0x73, 0x44, 0x21, 0x44, 0x0d, 0xcc, 0x21, 0x7e, 0x04,
		0xa8, 0x1b, 0x31, 0xac, 0x7b, 0x47, 0x82, 0x33, 0xf1, 0xe9, 0x14, 0x3d, 0xa0, 0xac,
		0x54, 0x44, 0x49, 0x1e, 0x85, 0xa2, 0x7f, 0x50, 0x43};
	struct weir_seal gateway = {0};
	struct weir_handshake handshake;
	struct welcome welcome;
	struct hello hello;

	client_begin(&handshake, &hello, 7, "c1");
	CU_ASSERT_EQUAL(memcmp(hello.data + HELLO - sizeof(tag), tag, sizeof(tag)), 0);
	answer(&hello, weir_secrets_find(secrets, 7), 101, &welcome, &gateway);
	CU_ASSERT_EQUAL(memcmp(gateway.rx_key, to_gateway, sizeof(to_gateway)), 0);
	CU_ASSERT_EQUAL(memcmp(gateway.tx_key, to_client, sizeof(to_client)), 0);
}

static int secrets_make(void)
{
	static const char text[] =
		"7 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"
		"8 bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\n"
		"9 cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc c2\n";
	char path[] = "/tmp/weir-handshake-XXXXXX";
	int fd = mkstemp(path);
	int result = -1;

	if (fd < 0)
		return -1;
	if (write(fd, text, sizeof(text) - 1) == (ssize_t)sizeof(text) - 1)
		result = weir_secrets_load(path, &secrets, NULL);
	close(fd);
	unlink(path);
	return result;
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"two ends with one key agree on fresh keys", test_agree},
		{"a HELLO without our key is refused", test_hello_wrong},
		{"a key of one name is no other's", test_hello_name},
		{"a HELLO of another time is refused", test_hello_time},
		{"no bit of HELLO can be changed", test_hello_bits},
		{"no bit of WELCOME, KEY and trailer can be changed", test_welcome_bits},
		{"an answer from who lacks the key is refused", test_welcome_wrong},
		{"a public key that yields no secret is refused", test_no_point},
		{"tag and keys are the specified ones", test_known_answer},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {{"handshake", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
	unsigned int failures;

	if (secrets_make() != 0 || CU_initialize_registry() != CUE_SUCCESS ||
		CU_register_suites(suites) != CUE_SUCCESS)
		return EXIT_FAILURE;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	weir_secrets_free(secrets);
	return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
