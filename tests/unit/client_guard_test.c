/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <CUnit/Basic.h>

#include "client/greeting.h"
#include "client/link.h"
#include "client/session.h"
#include "secure/handshake.h"

/*
 * A client's link and greeting with a key, against a gateway made of lib/secure: what a session
 * believes, and what it makes the gateway believe.
 */

#define SESSION UINT64_C(0xa1b2c3d4e5f60003)
#define UTC     (UINT64_C(1700000000) * 1000000000)

static char path[] = "/tmp/weir-guard-XXXXXX";
static struct weir_secrets *secrets; /* the gateway's */
static uint64_t now, random_state;

static struct weir_link link_;
static struct weir_greeting greeting;
static struct weir_seal gateway;
static uint8_t sent[512]; /* by the client, last */
static size_t sent_length;
static uint8_t buffer[1024]; /* by the gateway, last */
static struct weir_writer writer;

static int io_send(void *context, const void *data, size_t length)
{
	(void)context;
	CU_ASSERT_TRUE_FATAL(length <= sizeof(sent));
	memcpy(sent, data, length);
	sent_length = length;
	return 0;
}

static uint64_t io_random(void *context)
{
	(void)context;
	random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return random_state ^ random_state >> 29;
}

static uint64_t io_utc(void *context)
{
	(void)context;
	return UTC + now;
}

static const struct weir_frame_hello *hello(void)
{
	return (const void *)(sent + WEIR_DATAGRAM_HEADER);
}

static void client_begin(uint32_t key_id)
{
	weir_guard_close(&link_.guard);
	link_ = (struct weir_link){.io = {NULL, io_send, io_random, io_utc}};
	greeting = (struct weir_greeting){.max_datagram = 1400, .options = WEIR_OPTION_BATCH};
	weir_greeting_set_name(greeting.group, "billing");
	weir_greeting_set_name(greeting.name, "c1");
	if (key_id != 0)
		CU_ASSERT_EQUAL_FATAL(
			weir_guard_load(&link_.guard, path, key_id, greeting.name), 0);
	weir_greeting_begin(&greeting, &link_, now);
	weir_greeting_send(&greeting, &link_, now);
}

static void frame_begin(uint64_t session)
{
	weir_writer_begin(&writer, buffer, sizeof(buffer), session);
}

static void welcome_make(bool has_key, uint64_t nonce)
{
	uint8_t random[WEIR_HANDSHAKE_KEY_SIZE];
	struct weir_frame_welcome *welcome;
	const struct weir_secret *secret = NULL;

	frame_begin(0);
	welcome = weir_writer_add(&writer, WEIR_FRAME_WELCOME, 0, sizeof(*welcome));
	welcome->version = WEIR_FRAME_VERSION;
	welcome->max_datagram = weir_be16(1400);
	welcome->nonce = weir_be64(nonce);
	welcome->session = weir_be64(SESSION);
	welcome->heartbeat_ms = weir_be32(100);
	welcome->liveness_ms = weir_be32(1000);
	if (!has_key)
		return;
	CU_ASSERT_EQUAL_FATAL(weir_handshake_verify(secrets, hello(), UTC + now, 0, &secret), 0);
	memset(random, 0x77, sizeof(random));
	CU_ASSERT_EQUAL_FATAL(
		weir_handshake_answer(secret, hello(), SESSION, UTC, random,
			weir_writer_add(&writer, WEIR_FRAME_KEY, 0, sizeof(struct weir_frame_key)),
			&gateway),
		0);
	CU_ASSERT_EQUAL(weir_seal_add(&gateway, &writer), 0);
}

static enum weir_reason client_open(void)
{
	struct weir_frame_cursor cursor;

	return weir_link_open(&link_, &cursor, writer.data, writer.length);
}

/* Everything of a datagram that is opened goes to the greeting. */
static enum weir_greeting_news client_take(void)
{
	struct weir_greeting_answer answer;
	struct weir_frame_cursor cursor;

	CU_ASSERT_EQUAL_FATAL(
		weir_link_open(&link_, &cursor, writer.data, writer.length), WEIR_REASON_NONE);
	return weir_greeting_take(&greeting, &link_, weir_frame_next(&cursor), now, &answer);
}

static void join(void)
{
	client_begin(7);
	welcome_make(true, greeting.nonce);
	CU_ASSERT_EQUAL(client_take(), WEIR_GREETING_WELCOMED);
	CU_ASSERT_EQUAL(link_.session, SESSION);
}

static void add(enum weir_frame_type type, uint32_t length)
{
	CU_ASSERT_PTR_NOT_NULL_FATAL(weir_writer_add(&writer, type, 0, length));
}

static void add_data(void)
{
	struct weir_frame_data *data = weir_writer_add(&writer, WEIR_FRAME_DATA, 0, sizeof(*data));

	data->covered = weir_be32(1);
}

/* A datagram of the session with one frame, sealed or not. */
static enum weir_reason receive(enum weir_frame_type type, uint32_t length, bool is_sealed)
{
	frame_begin(SESSION);
	if (type == WEIR_FRAME_DATA)
		add_data();
	else
		add(type, length);
	if (is_sealed)
		CU_ASSERT_EQUAL(weir_seal_add(&gateway, &writer), 0);
	return client_open();
}

static void client_send(void)
{
	uint8_t own[256];
	struct weir_writer out;

	weir_link_begin(&link_, &out, own, sizeof(own));
	weir_writer_add(&out, WEIR_FRAME_CREDIT, 0, sizeof(struct weir_frame_credit));
	weir_link_send(&link_, &out);
}

static void test_session(void)
{
	join();
	client_send();
	CU_ASSERT_EQUAL(sent_length, 16 + 56 + WEIR_DATAGRAM_TRAILER);
	CU_ASSERT_EQUAL(weir_seal_check(&gateway, sent, sent_length), 0);
	CU_ASSERT_EQUAL(receive(WEIR_FRAME_HEARTBEAT, sizeof(struct weir_frame_heartbeat), true),
		WEIR_REASON_NONE);
	CU_ASSERT_EQUAL(client_open(), WEIR_REASON_FRAME_REPLAY);
	buffer[39] ^= 1; /* of clock_ns */
	CU_ASSERT_EQUAL(client_open(), WEIR_REASON_FRAME_TAG);
}

static void test_bare(void)
{
	join();
	CU_ASSERT_EQUAL(receive(WEIR_FRAME_DATA, 0, false), WEIR_REASON_NONE);
	CU_ASSERT_EQUAL(receive(WEIR_FRAME_DATA, 0, true), WEIR_REASON_NONE);
	CU_ASSERT_EQUAL(receive(WEIR_FRAME_HEARTBEAT, sizeof(struct weir_frame_heartbeat), false),
		WEIR_REASON_FRAME_TAG);
	CU_ASSERT_EQUAL(receive(WEIR_FRAME_LEAVE, sizeof(struct weir_frame_leave), false),
		WEIR_REASON_FRAME_TAG);
	CU_ASSERT_EQUAL(receive(WEIR_FRAME_ERROR, sizeof(struct weir_frame_error), false),
		WEIR_REASON_FRAME_TAG);
	/* DATA lends its licence to nothing else. */
	frame_begin(SESSION);
	add_data();
	add(WEIR_FRAME_LEAVE, sizeof(struct weir_frame_leave));
	CU_ASSERT_EQUAL(client_open(), WEIR_REASON_FRAME_TAG);
	frame_begin(0);
	add(WEIR_FRAME_COOKIE, sizeof(struct weir_frame_cookie));
	CU_ASSERT_EQUAL(client_open(), WEIR_REASON_FRAME_TAG);
}

static void test_greeting(void)
{
	uint8_t first[WEIR_FRAME_PUBLIC_SIZE];
	struct weir_frame_cookie *cookie;
	uint64_t time;

	client_begin(7);
	memcpy(first, hello()->authentication.public_key, sizeof(first));
	time = weir_be64(hello()->authentication.timestamp_ns);
	CU_ASSERT_EQUAL(time, UTC + now);
	CU_ASSERT_EQUAL(sent_length, WEIR_DATAGRAM_HEADER + sizeof(struct weir_frame_hello));
	/* COOKIE is believed; HELLO goes again with the same ephemeral key. */
	frame_begin(0);
	cookie = weir_writer_add(&writer, WEIR_FRAME_COOKIE, 0, sizeof(*cookie));
	cookie->nonce = weir_be64(greeting.nonce);
	memset(cookie->cookie, 0xcc, sizeof(cookie->cookie));
	CU_ASSERT_EQUAL(client_take(), WEIR_GREETING_AGAIN);
	now += 1000000;
	weir_greeting_send(&greeting, &link_, now);
	CU_ASSERT_EQUAL(memcmp(first, hello()->authentication.public_key, sizeof(first)), 0);
	CU_ASSERT_EQUAL(weir_be64(hello()->authentication.timestamp_ns), time + 1000000);
	/* So is ERROR, as nothing can seal it. */
	frame_begin(0);
	CU_ASSERT_EQUAL(
		weir_writer_add_error(&writer, WEIR_ERROR_NOT_PERMITTED, greeting.nonce, 0, "no"),
		0);
	CU_ASSERT_EQUAL(client_take(), WEIR_GREETING_REFUSED);
	welcome_make(true, greeting.nonce);
	CU_ASSERT_EQUAL(client_take(), WEIR_GREETING_WELCOMED);
}

static void test_welcome(void)
{
	client_begin(7);
	welcome_make(false, greeting.nonce);
	CU_ASSERT_EQUAL(client_open(), WEIR_REASON_FRAME_TAG);
	welcome_make(true, greeting.nonce + 1);
	CU_ASSERT_EQUAL(client_open(), WEIR_REASON_FRAME_SESSION);
	welcome_make(true, greeting.nonce);
	buffer[WEIR_DATAGRAM_HEADER + 16] ^= 1; /* session */
	CU_ASSERT_EQUAL(client_open(), WEIR_REASON_FRAME_TAG);
	CU_ASSERT_FALSE(link_.guard.seal.is_on);
	CU_ASSERT_EQUAL(link_.session, 0);
	/* Anything else that is tagged, before there is a key for it. */
	frame_begin(0);
	add(WEIR_FRAME_COOKIE, sizeof(struct weir_frame_cookie));
	CU_ASSERT_EQUAL(weir_seal_add(&gateway, &writer), 0);
	CU_ASSERT_EQUAL(client_open(), WEIR_REASON_FRAME_TAG);
}

/* Authentic, but of a gateway that grants what was not asked for. */
static void test_malformed(void)
{
	client_begin(7);
	greeting.max_datagram = 1399;
	welcome_make(true, greeting.nonce);
	CU_ASSERT_EQUAL(client_take(), WEIR_GREETING_MALFORMED);
	weir_greeting_send(&greeting, &link_, now);
	CU_ASSERT_EQUAL(sent_length, WEIR_DATAGRAM_HEADER + sizeof(struct weir_frame_hello));
	CU_ASSERT_EQUAL(sent[3], 0);
	greeting.max_datagram = 1400;
	welcome_make(true, greeting.nonce);
	CU_ASSERT_EQUAL(client_take(), WEIR_GREETING_WELCOMED);
}

static void test_again(void)
{
	uint8_t first[WEIR_FRAME_PUBLIC_SIZE];

	join();
	memcpy(first, link_.guard.handshake.public_key, sizeof(first));
	weir_greeting_begin(&greeting, &link_, now);
	CU_ASSERT_FALSE(link_.guard.seal.is_on);
	CU_ASSERT_NOT_EQUAL(memcmp(first, link_.guard.handshake.public_key, sizeof(first)), 0);
	CU_ASSERT_EQUAL(receive(WEIR_FRAME_LEAVE, sizeof(struct weir_frame_leave), true),
		WEIR_REASON_FRAME_SESSION);
	weir_greeting_send(&greeting, &link_, now);
	CU_ASSERT_EQUAL(sent[3], 0);
	welcome_make(true, greeting.nonce);
	CU_ASSERT_EQUAL(client_take(), WEIR_GREETING_WELCOMED);
	CU_ASSERT_EQUAL(
		receive(WEIR_FRAME_LEAVE, sizeof(struct weir_frame_leave), true), WEIR_REASON_NONE);
}

static void test_no_key(void)
{
	static const struct weir_frame_authentication zero;

	client_begin(0);
	CU_ASSERT_EQUAL(memcmp(&hello()->authentication, &zero, sizeof(zero)), 0);
	welcome_make(false, greeting.nonce);
	CU_ASSERT_EQUAL(client_take(), WEIR_GREETING_WELCOMED);
	client_send();
	CU_ASSERT_EQUAL(sent_length, 16 + 56);
	CU_ASSERT_EQUAL(receive(WEIR_FRAME_LEAVE, sizeof(struct weir_frame_leave), false),
		WEIR_REASON_NONE);
	CU_ASSERT_EQUAL(receive(WEIR_FRAME_LEAVE, sizeof(struct weir_frame_leave), true),
		WEIR_REASON_FRAME_MALFORMED);
}

static void test_load(void)
{
	struct weir_guard guard = {0};

	CU_ASSERT_EQUAL(weir_guard_load(&guard, path, 0, "c1"), 0);
	CU_ASSERT_EQUAL(guard.secret.id, 7);
	weir_guard_close(&guard);
	CU_ASSERT_EQUAL(guard.secret.key[5], 0);
	CU_ASSERT_EQUAL(weir_guard_load(&guard, path, 10, "c1"), -ENOKEY);
	CU_ASSERT_EQUAL(weir_guard_load(&guard, path, 9, "c1"), -ENOKEY);
	CU_ASSERT_EQUAL(weir_guard_load(&guard, "/nonexistent", 9, "c1"), -ENOENT);
	CU_ASSERT_EQUAL(guard.secret.id, 0);
	CU_ASSERT_EQUAL(weir_guard_load(&guard, path, 9, "c2"), 0);
	weir_guard_close(&guard);
}

static struct weir_session *session;

static void session_take(void)
{
	weir_session_receive(session, writer.data, writer.length, now);
}

/* Up to the first SUBSCRIBE; `has_key`: the gateway's WELCOME proves it. */
static void session_begin(bool has_key)
{
	struct weir_session_io io = {NULL, io_send, io_random, io_utc};
	struct weir_consumer_options options = {
		.group = "billing", .name = "c1", .key_file = path, .max_datagram = 1400};

	CU_ASSERT_EQUAL_FATAL(weir_session_create(&options, &io, now, &session), 0);
	weir_session_tick(session, now);
	welcome_make(has_key, weir_be64(hello()->nonce));
	session_take();
}

static void test_counted(void)
{
	struct weir_consumer_stats stats;

	session_begin(true);
	weir_session_stats(session, &stats);
	CU_ASSERT_EQUAL(stats.session, SESSION);
	CU_ASSERT_EQUAL(weir_seal_check(&gateway, sent, sent_length), 0);
	frame_begin(SESSION);
	add(WEIR_FRAME_LEAVE, sizeof(struct weir_frame_leave));
	session_take();
	weir_session_stats(session, &stats);
	CU_ASSERT_EQUAL(stats.unauthentic, 1);
	CU_ASSERT_EQUAL(stats.malformed, 0);
	CU_ASSERT_EQUAL(stats.session, SESSION);
	CU_ASSERT_EQUAL(weir_seal_add(&gateway, &writer), 0);
	session_take();
	session_take();
	weir_session_stats(session, &stats);
	CU_ASSERT_EQUAL(stats.session, 0);
	/* The copy is of a session that has ended by now. */
	CU_ASSERT_EQUAL(stats.unauthentic, 1);
	CU_ASSERT_EQUAL(stats.foreign, 1);
	weir_session_destroy(session);
}

static void test_told(void)
{
	struct weir_consumer_stats stats;
	struct weir_event event;

	session_begin(false);
	session_take();
	weir_session_stats(session, &stats);
	CU_ASSERT_EQUAL(stats.unauthentic, 2);
	CU_ASSERT_EQUAL(stats.session, 0);
	CU_ASSERT_EQUAL(weir_session_next_event(session, &event), 1);
	CU_ASSERT_EQUAL(event.kind, WEIR_EVENT_ERROR);
	CU_ASSERT_EQUAL(event.code, WEIR_ERROR_NOT_PERMITTED);
	CU_ASSERT_EQUAL(weir_session_next_event(session, &event), 0);
	weir_session_destroy(session);
}

static void test_options(void)
{
	struct weir_session_io io = {NULL, io_send, io_random, io_utc};
	struct weir_consumer_options options = {
		.group = "billing", .name = "c1", .key_file = path, .key_id = 9};

	CU_ASSERT_EQUAL(weir_session_create(&options, &io, now, &session), -ENOKEY);
	CU_ASSERT_PTR_NULL(session);
	options.key_file = "/nonexistent";
	CU_ASSERT_EQUAL(weir_session_create(&options, &io, now, &session), -ENOENT);
}

static int secrets_make(void)
{
	static const char text[] =
		"7 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"
		"9 cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc c2\n";
	int fd = mkstemp(path);
	int result = -1;

	if (fd < 0)
		return -1;
	if (write(fd, text, sizeof(text) - 1) == (ssize_t)sizeof(text) - 1)
		result = weir_secrets_load(path, &secrets, NULL);
	close(fd);
	return result;
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"a session with a key is sealed both ways", test_session},
		{"without a seal only DATA is believed", test_bare},
		{"a greeting takes COOKIE and ERROR as they are", test_greeting},
		{"only a WELCOME that proves the key makes a session", test_welcome},
		{"a WELCOME that is no good leaves the greeting as it was", test_malformed},
		{"a new greeting forgets the old session's keys", test_again},
		{"without a key nothing is sealed, nothing sealed taken", test_no_key},
		{"a session counts what is not the gateway's, and goes on", test_counted},
		{"a gateway without the key is told once", test_told},
		{"a consumer with a wrong key file does not start", test_options},
		{"a key is found by id, and only by its own client", test_load},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {{"guard", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
	unsigned int failures;

	if (secrets_make() != 0 || CU_initialize_registry() != CUE_SUCCESS ||
		CU_register_suites(suites) != CUE_SUCCESS)
		return EXIT_FAILURE;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	weir_secrets_free(secrets);
	unlink(path);
	return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
