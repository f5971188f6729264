/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include <CUnit/Basic.h>

#include "secure/seal.h"

#define SESSION UINT64_C(0xa1b2c3d4e5f60003)
#define THREADS 4
#define EACH    5000 /* datagrams of a thread */
#define MEET    64
#define BUFFER  128

struct datagram {
	uint8_t data[BUFFER];
	uint32_t length;
};

/* Two ends with keys of their own. */
static struct weir_seal client, gateway;

static void start(void)
{
	uint8_t up[WEIR_SEAL_KEY_SIZE], down[WEIR_SEAL_KEY_SIZE];

	memset(up, 0x55, sizeof(up));
	memset(down, 0xaa, sizeof(down));
	weir_seal_start(&client, up, down);
	weir_seal_start(&gateway, down, up);
}

static struct datagram sealed(struct weir_seal *seal)
{
	struct weir_frame_leave *leave;
	struct datagram datagram;
	struct weir_writer writer;

	weir_writer_begin(&writer, datagram.data, BUFFER, SESSION);
	leave = weir_writer_add(&writer, WEIR_FRAME_LEAVE, 0, sizeof(*leave));
	leave->reason = weir_be16(WEIR_ERROR_CLOSED);
	CU_ASSERT_EQUAL(weir_seal_add(seal, &writer), 0);
	datagram.length = writer.length;
	return datagram;
}

/* The datagram of a number that comes late or never came. */
static struct datagram numbered(uint64_t number)
{
	atomic_store(&client.tx_number, number - 1);
	return sealed(&client);
}

static int check(const struct datagram *datagram)
{
	return weir_seal_check(&gateway, datagram->data, datagram->length);
}

static int check_number(uint64_t number)
{
	struct datagram datagram = numbered(number);

	return check(&datagram);
}

static void test_both_ways(void)
{
	start();
	for (unsigned int i = 0; i < 100; i++) {
		struct datagram up = sealed(&client), down = sealed(&gateway);

		CU_ASSERT_EQUAL(check(&up), 0);
		CU_ASSERT_EQUAL(weir_seal_check(&client, down.data, down.length), 0);
		/* What one end says cannot be given back to it as the other's. */
		CU_ASSERT_EQUAL(weir_seal_check(&client, up.data, up.length), -EBADMSG);
		CU_ASSERT_EQUAL(weir_seal_check(&gateway, down.data, down.length), -EBADMSG);
	}
}

static void test_opens(void)
{
	struct weir_frame_cursor cursor;
	struct datagram datagram;

	start();
	datagram = sealed(&client);
	CU_ASSERT_EQUAL(datagram.length, 16 + 8 + WEIR_DATAGRAM_TRAILER);
	CU_ASSERT_EQUAL(
		weir_datagram_open(&cursor, WEIR_END_GATEWAY, datagram.data, datagram.length),
		WEIR_REASON_NONE);
	CU_ASSERT_TRUE(cursor.is_tagged);
	CU_ASSERT_EQUAL(weir_frame_next(&cursor)->type, WEIR_FRAME_LEAVE);
}

static void test_bits(void)
{
	struct datagram good;

	start();
	good = sealed(&client);
	for (uint32_t bit = 0; bit < good.length * 8; bit++) {
		struct datagram bad = good;

		bad.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		CU_ASSERT_EQUAL(check(&bad), -EBADMSG);
	}
	for (uint32_t length = 0; length < good.length; length++)
		CU_ASSERT_EQUAL(weir_seal_check(&gateway, good.data + good.length - length, length),
			-EBADMSG);
	/* None of them took its number. */
	CU_ASSERT_EQUAL(check(&good), 0);
}

static void test_replay(void)
{
	struct datagram sent[100];

	start();
	for (unsigned int i = 0; i < 100; i++)
		sent[i] = sealed(&client);
	for (unsigned int i = 0; i < 100; i++) {
		CU_ASSERT_EQUAL(check(&sent[i]), 0);
		for (unsigned int again = 0; again <= i; again++)
			CU_ASSERT_EQUAL(check(&sent[again]), -EALREADY);
	}
}

static void test_reorder(void)
{
	start();
	CU_ASSERT_EQUAL(check_number(40), 0);
	/* The window is the newest 32: 9 to 40. */
	CU_ASSERT_EQUAL(check_number(8), -EALREADY);
	for (uint64_t number = 39; number >= 9; number--) {
		CU_ASSERT_EQUAL(check_number(number), 0);
		CU_ASSERT_EQUAL(check_number(number), -EALREADY);
	}
	CU_ASSERT_EQUAL(check_number(41), 0);
	CU_ASSERT_EQUAL(check_number(9), -EALREADY);
	/* 31 ahead keeps one of the old bits; 32 ahead none, and what lies between is open. */
	CU_ASSERT_EQUAL(check_number(72), 0);
	CU_ASSERT_EQUAL(check_number(41), -EALREADY);
	CU_ASSERT_EQUAL(check_number(42), 0);
	CU_ASSERT_EQUAL(check_number(104), 0);
	CU_ASSERT_EQUAL(check_number(72), -EALREADY);
	CU_ASSERT_EQUAL(check_number(73), 0);
	CU_ASSERT_EQUAL(check_number(103), 0);
	CU_ASSERT_EQUAL(check_number(103), -EALREADY);
	CU_ASSERT_EQUAL(check_number(104), -EALREADY);
	CU_ASSERT_EQUAL(check_number(0), -EALREADY);
	CU_ASSERT_EQUAL(check_number(UINT64_MAX), -EALREADY);
}

static void test_wrap(void)
{
	const uint64_t wrap = UINT64_C(1) << 32;

	start();
	for (uint64_t number = 1; number < 5 * wrap; number += wrap / 4 - 1000) {
		CU_ASSERT_EQUAL(check_number(number + 20), 0);
		CU_ASSERT_EQUAL(check_number(number), 0);
		CU_ASSERT_EQUAL(check_number(number), -EALREADY);
		/* The same low half in an earlier turn: recorded long ago. */
		for (uint64_t back = wrap; back <= number; back += wrap) {
			CU_ASSERT_EQUAL(check_number(number + 5 - back), -EALREADY);
			CU_ASSERT_EQUAL(check_number(number + 25 - back), -EALREADY);
		}
		/* A later turn that cannot have come. */
		CU_ASSERT_EQUAL(check_number(number + 5 + wrap), -EALREADY);
		CU_ASSERT_EQUAL(check_number(number + 25 + wrap), -EALREADY);
		CU_ASSERT_EQUAL(check_number(number + 5), 0);
	}
	/* Across the turn one by one. */
	start();
	for (uint64_t number = wrap / 4; number < 5 * wrap; number += wrap / 4) {
		for (uint64_t next = number - 50; next < number + 50; next++) {
			CU_ASSERT_EQUAL(check_number(next), 0);
			CU_ASSERT_EQUAL(check_number(next), -EALREADY);
			if (next > number - 50)
				CU_ASSERT_EQUAL(check_number(next - 1), -EALREADY);
		}
	}
}

static void test_off(void)
{
	static struct weir_seal off;
	uint8_t buffer[BUFFER], before[BUFFER];
	struct weir_writer writer;
	struct datagram tagged;

	start();
	tagged = sealed(&client);
	memset(buffer, 0, sizeof(buffer));
	weir_writer_begin(&writer, buffer, sizeof(buffer), SESSION);
	weir_writer_add(&writer, WEIR_FRAME_LEAVE, 0, sizeof(struct weir_frame_leave));
	memcpy(before, buffer, sizeof(before));
	CU_ASSERT_EQUAL(weir_seal_room(&off), 0);
	CU_ASSERT_EQUAL(weir_seal_add(&off, &writer), 0);
	CU_ASSERT_EQUAL(memcmp(buffer, before, sizeof(before)), 0);
	CU_ASSERT_EQUAL(writer.length, 24);
	CU_ASSERT_EQUAL(weir_seal_check(&off, writer.data, writer.length), 0);
	CU_ASSERT_EQUAL(weir_seal_check(&off, tagged.data, tagged.length), -EBADMSG);
	/* And a seal that is on wants a trailer. */
	CU_ASSERT_EQUAL(weir_seal_check(&gateway, writer.data, writer.length), -EBADMSG);
	weir_seal_stop(&client);
	CU_ASSERT_FALSE(client.is_on);
	CU_ASSERT_EQUAL(client.tx_key[0], 0);
}

static void test_room(void)
{
	uint8_t buffer[24 + WEIR_DATAGRAM_TRAILER];
	struct weir_writer writer;

	start();
	CU_ASSERT_EQUAL(weir_seal_room(&client), WEIR_DATAGRAM_TRAILER);
	weir_writer_begin(&writer, buffer, sizeof(buffer) - 1, SESSION);
	weir_writer_add(&writer, WEIR_FRAME_LEAVE, 0, sizeof(struct weir_frame_leave));
	CU_ASSERT_EQUAL(weir_seal_add(&client, &writer), -ENOSPC);
	CU_ASSERT_EQUAL(writer.length, 24);
	writer.size++;
	CU_ASSERT_EQUAL(weir_seal_add(&client, &writer), 0);
	CU_ASSERT_EQUAL(weir_seal_check(&gateway, writer.data, writer.length), 0);
}

static struct datagram crowd[THREADS][EACH];

static void *seal_many(void *argument)
{
	struct datagram *mine = argument;

	for (unsigned int i = 0; i < EACH; i++)
		mine[i] = sealed(&client);
	return NULL;
}

static _Atomic unsigned int takes[THREADS * EACH]; /* by number */
static _Atomic unsigned int arrived;

/* Offer everything, in order, and at the same moment as the other thread: they meet at every 64th.
 */
static void *check_all(void *argument)
{
	(void)argument;
	for (unsigned int i = 0; i < THREADS * EACH; i++) {
		if (i % MEET == 0) {
			atomic_fetch_add(&arrived, 1);
			while (atomic_load(&arrived) < 2 * (i / MEET + 1))
				sched_yield();
		}
		if (check(&crowd[i % THREADS][i / THREADS]) == 0)
			atomic_fetch_add(&takes[i], 1);
	}
	return NULL;
}

static void run(unsigned int count, void *(*function)(void *))
{
	pthread_t threads[THREADS];

	for (unsigned int i = 0; i < count; i++)
		CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, function, crowd[i]), 0);
	for (unsigned int i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
}

static uint64_t number_of(const struct datagram *datagram)
{
	const struct weir_datagram_trailer *trailer =
		(const void *)(datagram->data + datagram->length - sizeof(*trailer));

	return weir_be64(trailer->number);
}

static void test_threads_seal(void)
{
	static bool seen[THREADS * EACH + 1];

	start();
	run(THREADS, seal_many);
	for (unsigned int i = 0; i < THREADS * EACH; i++) {
		uint64_t number = number_of(&crowd[i / EACH][i % EACH]);

		CU_ASSERT_TRUE_FATAL(number >= 1 && number <= THREADS * EACH);
		CU_ASSERT_FALSE(seen[number]);
		seen[number] = true;
	}
}

static void test_threads_check(void)
{
	start();
	for (unsigned int i = 0; i < THREADS * EACH; i++)
		crowd[i % THREADS][i / THREADS] = sealed(&client);
	run(2, check_all);
	for (unsigned int i = 0; i < THREADS * EACH; i++)
		CU_ASSERT_EQUAL(takes[i], 1);
}

/*
 * tag = hashlib.blake2b(datagram[:32], digest_size=16, key=bytes(range(32))).digest(), of LEAVE
 * with number 1.
 */
static void test_known_answer(void)
{
	static const uint8_t known[WEIR_DATAGRAM_TRAILER] = {0, 0, 0, 0, 0, 0, 0, 1, 0xe8, 0x13,
		0xef, 0x31, 0x11, 0xab, 0x93, 0x3a, 0xe3, 0x95, 0xa2, 0xc7, 0xb6, 0x6d, 0xb2, 0xa5};
	uint8_t key[WEIR_SEAL_KEY_SIZE];
	struct datagram datagram;

	for (unsigned int i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)i;
	weir_seal_start(&client, key, key);
	datagram = sealed(&client);
	CU_ASSERT_EQUAL(datagram.data[3], WEIR_DATAGRAM_TAGGED);
	CU_ASSERT_EQUAL(memcmp(datagram.data + 24, known, sizeof(known)), 0);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"what one end seals the other takes, and only the other", test_both_ways},
		{"a sealed datagram opens as one without", test_opens},
		{"no bit can be changed, no byte left out", test_bits},
		{"no number is taken twice", test_replay},
		{"the newest 32 numbers may come in any order", test_reorder},
		{"numbers go on past 2^32, and none returns", test_wrap},
		{"without a key nothing is added and no trailer taken", test_off},
		{"a trailer that does not fit is not written", test_room},
		{"threads never seal with the same number", test_threads_seal},
		{"two threads never both take a datagram", test_threads_check},
		{"the trailer is the specified one", test_known_answer},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {{"seal", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
	unsigned int failures;

	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return EXIT_FAILURE;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
