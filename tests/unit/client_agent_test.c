/* SPDX-License-Identifier: BSD-3-Clause */
#include <CUnit/Basic.h>
#include <errno.h>
#include <string.h>

#include "client/agent_session.h"
#include "wire/frame_delivery.h"

/* An agent's session against a gateway that is the test, in the test's own time. */

#define MS           UINT64_C(1000000)
#define SESSION      UINT64_C(0x1234567890ab4400)
#define HEARTBEAT_MS 200
#define LIVENESS_MS  1000
#define DATAGRAMS    64

struct scene {
	struct weir_agent_session session;
	uint64_t now;
	uint64_t random;
	uint8_t sent[DATAGRAMS][512];
	size_t length[DATAGRAMS];
	unsigned int sent_count;
	unsigned int looks;
	struct weir_agent_reading reading; /* what a look sees */
	struct weir_agent_event events[64];
	unsigned int event_count;
};

static int take(void *context, const void *data, size_t length)
{
	struct scene *scene = context;

	CU_ASSERT_FATAL(length <= sizeof(scene->sent[0]) && scene->sent_count < DATAGRAMS);
	memcpy(scene->sent[scene->sent_count], data, length);
	scene->length[scene->sent_count++] = length;
	return 0;
}

static uint64_t next_random(void *context)
{
	struct scene *scene = context;

	scene->random = scene->random * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return scene->random;
}

static void tell(void *context, const struct weir_agent_event *event)
{
	struct scene *scene = context;

	CU_ASSERT_FATAL(scene->event_count < 64);
	scene->events[scene->event_count++] = *event;
}

static bool was_told(const struct scene *scene, enum weir_agent_news news)
{
	for (unsigned int i = 0; i < scene->event_count; i++)
		if (scene->events[i].news == news)
			return true;
	return false;
}

static void begin(struct scene *scene)
{
	const struct weir_agent_options options = {
		.group = "collectors",
		.name = "agent",
		.address = {4, {192, 0, 2, 7}},
		.port = 9995,
		.tell = tell,
		.context = scene,
	};
	struct weir_session_io io = {.context = scene, .send = take, .random = next_random};

	memset(scene, 0, sizeof(*scene));
	scene->random = 1;
	scene->now = 1000 * MS;
	scene->reading.limit_bytes = 200000;
	CU_ASSERT_EQUAL(weir_agent_start(&scene->session, &options, &io, scene->now), 0);
}

/* Time passes; the owner does what the header says. */
static void run(struct scene *scene, uint64_t for_ns)
{
	uint64_t end = scene->now + for_ns;

	for (unsigned int i = 0; i < 100000; i++) {
		uint64_t next = weir_agent_deadline_ns(&scene->session);

		if (next > end)
			break;
		scene->now = next > scene->now ? next : scene->now;
		if (weir_agent_tick(&scene->session, scene->now)) {
			scene->looks++;
			weir_agent_looked(&scene->session, &scene->reading, scene->now);
		}
	}
	CU_ASSERT_TRUE(weir_agent_deadline_ns(&scene->session) > end);
	scene->now = end;
}

static const struct weir_frame_header *sent_frame(struct scene *scene, unsigned int index)
{
	static struct weir_frame_cursor cursor;

	CU_ASSERT_FATAL(index < scene->sent_count);
	CU_ASSERT_EQUAL_FATAL(weir_datagram_open(&cursor, WEIR_END_GATEWAY, scene->sent[index],
				      scene->length[index]),
		WEIR_REASON_NONE);
	return weir_frame_next(&cursor);
}

static const struct weir_frame_load *sent_load(struct scene *scene, unsigned int index)
{
	const struct weir_frame_header *frame = sent_frame(scene, index);

	CU_ASSERT_EQUAL_FATAL(frame->type, WEIR_FRAME_LOAD);
	return (const void *)frame;
}

static void *answer(struct weir_writer *writer, void *buffer, size_t size, uint64_t session,
	enum weir_frame_type type, uint8_t flags, uint32_t length)
{
	weir_writer_begin(writer, buffer, (uint32_t)size, session);
	return weir_writer_add(writer, type, flags, length);
}

static void give(struct scene *scene, const struct weir_writer *writer)
{
	weir_agent_receive(&scene->session, writer->data, writer->length, scene->now);
}

static void welcome(struct scene *scene, uint32_t options)
{
	const struct weir_frame_hello *hello = (const void *)sent_frame(scene, 0);
	struct weir_frame_welcome *frame;
	struct weir_writer writer;
	uint8_t buffer[256];

	CU_ASSERT_EQUAL_FATAL(hello->header.type, WEIR_FRAME_HELLO);
	CU_ASSERT_EQUAL(hello->role, WEIR_ROLE_AGENT);
	CU_ASSERT_STRING_EQUAL(hello->group, "collectors");
	frame = answer(&writer, buffer, sizeof(buffer), 0, WEIR_FRAME_WELCOME, 0, sizeof(*frame));
	frame->version = WEIR_FRAME_VERSION;
	frame->max_datagram = weir_be16(WEIR_DATAGRAM_MIN);
	frame->nonce = hello->nonce;
	frame->session = weir_be64(SESSION);
	frame->incarnation = weir_be64(1);
	frame->options = weir_be32(options);
	frame->heartbeat_ms = weir_be32(HEARTBEAT_MS);
	frame->liveness_ms = weir_be32(LIVENESS_MS);
	give(scene, &writer);
	scene->sent_count = 0;
}

static void heartbeat(struct scene *scene, uint64_t clock_ns, bool is_starved)
{
	struct weir_frame_heartbeat *frame;
	struct weir_writer writer;
	uint8_t buffer[256];

	frame = answer(&writer, buffer, sizeof(buffer), SESSION, WEIR_FRAME_HEARTBEAT,
		is_starved ? WEIR_HEARTBEAT_STARVED : 0, sizeof(*frame));
	frame->clock_ns = weir_be64(clock_ns);
	give(scene, &writer);
}

static void join(struct scene *scene)
{
	begin(scene);
	run(scene, 0);
	welcome(scene, WEIR_OPTION_LOAD);
	CU_ASSERT_TRUE(was_told(scene, WEIR_AGENT_JOINED));
	run(scene, 0);
	CU_ASSERT_EQUAL(scene->sent_count, 1);
	CU_ASSERT_EQUAL(weir_be32(sent_load(scene, 0)->counter), 1);
	scene->sent_count = 0;
	scene->looks = 0;
}

static void test_report(void)
{
	static const uint8_t mapped[16] = {[10] = 0xff, [11] = 0xff, 192, 0, 2, 7};
	const struct weir_frame_load *load;
	struct scene scene;

	begin(&scene);
	scene.reading.queue_bytes = 5000;
	scene.reading.drops = 17;
	run(&scene, 0);
	welcome(&scene, WEIR_OPTION_LOAD);
	run(&scene, 0);
	load = sent_load(&scene, 0);
	CU_ASSERT_EQUAL(memcmp(load->address, mapped, 16), 0);
	CU_ASSERT_EQUAL(weir_be16(load->port), 9995);
	CU_ASSERT_EQUAL(weir_be32(load->queue_bytes), 5000);
	CU_ASSERT_EQUAL(weir_be32(load->limit_bytes), 200000);
	CU_ASSERT_EQUAL(weir_be64(load->drops), 17);
	CU_ASSERT_EQUAL(weir_be64(load->echo_ns), 0);
}

static void test_starved(void)
{
	struct scene scene;

	join(&scene);
	heartbeat(&scene, 777, true);
	scene.reading.queue_bytes = 1234;
	run(&scene, 0);
	CU_ASSERT_EQUAL(scene.looks, 1);
	CU_ASSERT_EQUAL(scene.sent_count, 1);
	CU_ASSERT_EQUAL(weir_be64(sent_load(&scene, 0)->echo_ns), 777);
	CU_ASSERT_EQUAL(weir_be32(sent_load(&scene, 0)->queue_bytes), 1234);
	/* One that was overtaken asks for nothing; nor does one that is not starved. */
	heartbeat(&scene, 700, true);
	heartbeat(&scene, 800, false);
	scene.sent_count = 0;
	run(&scene, 0);
	CU_ASSERT_EQUAL(scene.sent_count, 0);
	heartbeat(&scene, 900, true);
	run(&scene, 0);
	CU_ASSERT_EQUAL(weir_be64(sent_load(&scene, 0)->echo_ns), 900);
}

static void test_pace(void)
{
	struct scene scene;

	/* Nothing moves: one look and one report a heartbeat. */
	join(&scene);
	for (int i = 1; i <= 5; i++) {
		run(&scene, HEARTBEAT_MS * MS);
		heartbeat(&scene, (uint64_t)i, false);
	}
	CU_ASSERT_EQUAL(scene.looks, 5);
	CU_ASSERT_EQUAL(scene.sent_count, 5);
	/* Something moves: a look a millisecond, for a second; reports as before. */
	heartbeat(&scene, 10, true);
	scene.looks = 0;
	scene.sent_count = 0;
	run(&scene, 900 * MS);
	CU_ASSERT_TRUE(scene.looks >= 899 && scene.looks <= 902);
	CU_ASSERT_TRUE(scene.sent_count >= 5 && scene.sent_count <= 6);
	heartbeat(&scene, 11, false);
	run(&scene, 200 * MS);
	scene.looks = 0;
	heartbeat(&scene, 12, false);
	run(&scene, 800 * MS);
	CU_ASSERT_TRUE(scene.looks <= 5);
}

static void test_half_and_drops(void)
{
	struct scene scene;

	join(&scene);
	heartbeat(&scene, 1, true);
	run(&scene, 0);
	scene.sent_count = 0;
	scene.reading.queue_bytes = 100000;
	run(&scene, 2 * MS);
	CU_ASSERT_EQUAL(scene.sent_count, 0);
	scene.reading.queue_bytes = 100001;
	run(&scene, 1 * MS);
	CU_ASSERT_EQUAL(scene.sent_count, 1);
	run(&scene, 5 * MS);
	CU_ASSERT_EQUAL(scene.sent_count, 1);
	scene.reading.queue_bytes = 90000;
	run(&scene, 1 * MS);
	CU_ASSERT_EQUAL(scene.sent_count, 2);
	scene.reading.drops = 3;
	run(&scene, 1 * MS);
	CU_ASSERT_EQUAL(scene.sent_count, 3);
	CU_ASSERT_EQUAL(weir_be64(sent_load(&scene, 2)->drops), 3);
	CU_ASSERT_TRUE(was_told(&scene, WEIR_AGENT_DROPPED));
}

/* The collector is restarted: said at once, and what was lost before is not forgotten. */
static void test_missing(void)
{
	struct scene scene;

	join(&scene);
	scene.reading.drops = 8;
	run(&scene, HEARTBEAT_MS * MS);
	scene.sent_count = 0;
	scene.reading = (struct weir_agent_reading){.is_missing = true};
	heartbeat(&scene, 5, true);
	run(&scene, 0);
	CU_ASSERT_EQUAL(scene.sent_count, 1);
	CU_ASSERT_EQUAL(weir_be32(sent_load(&scene, 0)->limit_bytes), 0);
	CU_ASSERT_TRUE(was_told(&scene, WEIR_AGENT_SOCKET_GONE));
	/* Questions are answered without a look each; it is looked for all the same. */
	scene.looks = 0;
	for (uint64_t i = 6; i < 26; i++) {
		heartbeat(&scene, i, true);
		run(&scene, 1 * MS);
	}
	CU_ASSERT_TRUE(scene.looks <= 2);
	CU_ASSERT_EQUAL(scene.sent_count, 21);
	scene.reading = (struct weir_agent_reading){.limit_bytes = 200000, .drops = 2};
	run(&scene, 20 * MS);
	CU_ASSERT_EQUAL(scene.sent_count, 22);
	CU_ASSERT_EQUAL(weir_be32(sent_load(&scene, 21)->limit_bytes), 200000);
	CU_ASSERT_EQUAL(weir_be64(sent_load(&scene, 21)->drops), 10);
	CU_ASSERT_TRUE(was_told(&scene, WEIR_AGENT_SOCKET_FOUND));
}

/* Loss of the gateway, told and untold; a new session counts its reports from 1. */
static void test_gateway_restarts(void)
{
	struct weir_frame_leave *leave;
	struct weir_writer writer;
	uint8_t buffer[256];
	struct scene scene;

	join(&scene);
	heartbeat(&scene, 5000, false);
	run(&scene, (LIVENESS_MS - 1) * MS);
	CU_ASSERT_FALSE(was_told(&scene, WEIR_AGENT_LOST));
	scene.sent_count = 0;
	run(&scene, 1 * MS);
	CU_ASSERT_TRUE(was_told(&scene, WEIR_AGENT_LOST));
	run(&scene, 125 * MS);
	CU_ASSERT_EQUAL(scene.sent_count, 1);
	welcome(&scene, WEIR_OPTION_LOAD);
	run(&scene, 0);
	CU_ASSERT_EQUAL(weir_be32(sent_load(&scene, 0)->counter), 1);
	/* The clock of another gateway is another one. */
	CU_ASSERT_EQUAL(weir_be64(sent_load(&scene, 0)->echo_ns), 0);
	heartbeat(&scene, 3, true);
	scene.sent_count = 0;
	run(&scene, 0);
	CU_ASSERT_EQUAL(weir_be64(sent_load(&scene, 0)->echo_ns), 3);
	leave = answer(
		&writer, buffer, sizeof(buffer), SESSION, WEIR_FRAME_LEAVE, 0, sizeof(*leave));
	leave->reason = weir_be16(WEIR_ERROR_SHUTDOWN);
	give(&scene, &writer);
	CU_ASSERT_EQUAL(scene.session.phase, WEIR_AGENT_GREETING);
	scene.sent_count = 0;
	run(&scene, 125 * MS);
	CU_ASSERT_EQUAL(scene.sent_count, 1);
	CU_ASSERT_EQUAL(sent_frame(&scene, 0)->type, WEIR_FRAME_HELLO);
	/* For ever, but ever more seldom. */
	scene.sent_count = 0;
	run(&scene, 60000 * MS);
	CU_ASSERT_TRUE(scene.sent_count >= 8 && scene.sent_count <= 30);
}

static void test_unwanted(void)
{
	struct scene scene;

	begin(&scene);
	run(&scene, 0);
	welcome(&scene, 0);
	CU_ASSERT_TRUE(was_told(&scene, WEIR_AGENT_UNWANTED));
	run(&scene, 3000 * MS);
	CU_ASSERT_EQUAL(scene.sent_count, 0);
	CU_ASSERT_EQUAL(scene.looks, 0);
	run(&scene, 4000 * MS);
	CU_ASSERT_EQUAL(sent_frame(&scene, 0)->type, WEIR_FRAME_HELLO);
}

static void test_strangers(void)
{
	struct scene scene;
	uint8_t junk[64];

	join(&scene);
	for (size_t length = 0; length <= sizeof(junk); length++) {
		memset(junk, (int)length, sizeof(junk));
		weir_agent_receive(&scene.session, junk, length, scene.now);
	}
	scene.session.link.session ^= 1;
	heartbeat(&scene, 50, true);
	scene.session.link.session ^= 1;
	run(&scene, 0);
	CU_ASSERT_EQUAL(scene.sent_count, 0);
	CU_ASSERT_EQUAL(scene.session.phase, WEIR_AGENT_REPORTING);
	weir_agent_leave(&scene.session);
	CU_ASSERT_EQUAL(sent_frame(&scene, 0)->type, WEIR_FRAME_LEAVE);
	CU_ASSERT_EQUAL(weir_agent_deadline_ns(&scene.session), UINT64_MAX);
	heartbeat(&scene, 60, true);
	CU_ASSERT_FALSE(weir_agent_tick(&scene.session, scene.now));
	CU_ASSERT_EQUAL(scene.sent_count, 1);
}

static void test_options(void)
{
	struct weir_agent_options options = {
		.group = "g", .name = "n", .address = {4, {192, 0, 2, 7}}, .port = 1};
	struct weir_session_io io = {0};
	struct weir_agent_session session = {0};

	options.name = "no name";
	CU_ASSERT_EQUAL(weir_agent_start(&session, &options, &io, 0), -EINVAL);
	options.name = "n";
	options.group = "";
	CU_ASSERT_EQUAL(weir_agent_start(&session, &options, &io, 0), -EINVAL);
	options.group = "g";
	options.port = 0;
	CU_ASSERT_EQUAL(weir_agent_start(&session, &options, &io, 0), -EINVAL);
	options.port = 1;
	options.address.family = 0;
	CU_ASSERT_EQUAL(weir_agent_start(&session, &options, &io, 0), -EINVAL);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"a report says what was seen of which socket", test_report},
		{"a question is answered at once, by a new look", test_starved},
		{"without traffic it looks no more often than it reports", test_pace},
		{"past half and at a loss it reports at once", test_half_and_drops},
		{"a socket that is gone is told, and its drops are kept", test_missing},
		{"a gateway that is lost is greeted for ever", test_gateway_restarts},
		{"a gateway that takes no reports is sent none", test_unwanted},
		{"what others send changes nothing", test_strangers},
		{"names and addresses that are none are refused", test_options},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{"session of an agent", NULL, NULL, NULL, NULL, tests},
		CU_SUITE_INFO_NULL,
	};
	unsigned int failures;

	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 1;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures != 0;
}
