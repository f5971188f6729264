/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include "dataplane/agent.h"
#include "dataplane_fixture.h"
#include "dataplane_tests.h"

#define STREAM "[{'name':'s','key':'source','partitions':4,'ring':{'messages':4096,'age_ms':0}}]"
#define GROUP                                                                                      \
	"[{'name':'g','class':'assisted','streams':'s','consumers':["                              \
	"{'name':'c','address':'198.51.100.7','port':9995}]}]"
#define LENGTH 100
#define EACH   (LENGTH + WEIR_AGENT_EXTRA) /* what a message counts */
#define LIMIT  200000                      /* of the socket's queue */

static const struct weir_address own = {4, {192, 0, 2, 9}};
static const struct weir_address host = {4, {198, 51, 100, 7}};

/* An agent, and what came to its host. */
struct scene {
	struct plane *plane;
	struct weir_agent *agent;
	uint32_t counter;
	uint32_t messages;  /* since the scene began */
	uint32_t questions; /* HEARTBEATs with STARVED */
	uint32_t heartbeats;
	uint64_t clock_ns; /* of the newest HEARTBEAT */
	uint32_t behind;   /* messages that came behind it */
};

static struct weir_agent *add_agent(struct plane *plane, const char *name, uint16_t port)
{
	struct weir_route_spec route = {.port = 1,
		.mtu = 1500,
		.source = own,
		.destination = host,
		.source_port = 4150,
		.destination_port = port};
	struct weir_agent_spec spec = {.group = "g",
		.name = name,
		.peer = host,
		.peer_port = port,
		.random = 0x123456789abcdef0};
	struct weir_agent *agent = NULL;

	CU_ASSERT_EQUAL(weir_route_build(&route, &spec.route), 0);
	CU_ASSERT_EQUAL_FATAL(weir_agent_prepare(plane->dataplane, &spec, &agent), 0);
	CU_ASSERT_EQUAL_FATAL(weir_agent_add(plane->dataplane, agent), 0);
	weir_worker_apply(plane->worker, plane->dataplane->published);
	return agent;
}

/* Agents are made in real time; the worker's stands still. */
static void set_time(struct scene *scene)
{
	atomic_store(&scene->agent->ask_at, scene->plane->worker->now);
	atomic_store(&scene->agent->last_heartbeat, scene->plane->worker->now);
}

static struct scene begin(void)
{
	struct scene scene = {.plane = plane_open(STREAM, GROUP)};

	CU_ASSERT_EQUAL(weir_dataplane_set_addresses(scene.plane->dataplane, &own, 1), 0);
	plane_reach_all(scene.plane);
	scene.agent = add_agent(scene.plane, "a", 6000);
	set_time(&scene);
	return scene;
}

static void bind_it(struct scene *scene)
{
	CU_ASSERT_EQUAL_FATAL(
		weir_agent_bind(scene->plane->dataplane, scene->agent, &host, 9995), 0);
}

static void take_heartbeat(struct scene *scene, const struct frame_view *view)
{
	const struct weir_frame_heartbeat *frame;
	struct weir_frame_cursor cursor;

	CU_ASSERT_EQUAL_FATAL(
		weir_datagram_open(&cursor, WEIR_END_CLIENT, view->payload, view->payload_length),
		WEIR_REASON_NONE);
	CU_ASSERT_EQUAL(cursor.session, scene->agent->session);
	frame = (const void *)weir_frame_next(&cursor);
	CU_ASSERT_EQUAL_FATAL(frame->header.type, WEIR_FRAME_HEARTBEAT);
	CU_ASSERT_TRUE(weir_be64(frame->clock_ns) > scene->clock_ns);
	scene->clock_ns = weir_be64(frame->clock_ns);
	scene->heartbeats++;
	scene->questions += frame->header.flags & WEIR_HEARTBEAT_STARVED ? 1 : 0;
	scene->behind = 0;
}

/* Deliver; returns how many messages came to the consumer. */
static uint32_t collect(struct scene *scene)
{
	struct plane *plane = scene->plane;
	uint32_t messages = 0;

	plane_deliver(plane);
	for (uint32_t i = 0; i < plane->sent_count; i++) {
		struct frame_view view = plane_view(plane, i);

		if (view.destination_port == 9995) {
			messages++;
			scene->behind++;
		} else {
			take_heartbeat(scene, &view);
		}
	}
	plane_forget_sent(plane);
	scene->messages += messages;
	return messages;
}

static uint32_t tick(struct scene *scene)
{
	weir_agents_tick(scene->plane->worker);
	weir_tx_flush_all(scene->plane->worker);
	return collect(scene);
}

static void send_load(struct scene *scene, const struct frame_spec *from, uint64_t session,
	uint64_t echo_ns, uint32_t queue, uint32_t limit)
{
	struct frame_spec spec = *from;
	struct weir_frame_load *load;
	struct weir_writer writer;
	uint8_t payload[128];

	weir_writer_begin(&writer, payload, sizeof(payload), session);
	load = weir_writer_add(&writer, WEIR_FRAME_LOAD, 0, sizeof(*load));
	load->counter = weir_be32(++scene->counter);
	weir_address_map(&host, load->address);
	load->port = weir_be16(9995);
	load->queue_bytes = weir_be32(queue);
	load->limit_bytes = weir_be32(limit);
	load->echo_ns = weir_be64(echo_ns);
	spec.payload = payload;
	spec.payload_length = (uint16_t)writer.length;
	plane_receive(scene->plane, &spec);
}

static struct frame_spec from_agent(void)
{
	return (struct frame_spec){.version = 4,
		.source = host,
		.destination = own,
		.source_port = 6000,
		.destination_port = 4150};
}

static void report(struct scene *scene, uint64_t echo_ns, uint32_t queue, uint32_t limit)
{
	struct frame_spec from = from_agent();

	send_load(scene, &from, scene->agent->session, echo_ns, queue, limit);
}

static void test_blind_without(void)
{
	struct scene scene = begin();

	plane_receive_numbered(scene.plane, 1, 0, 1000, LENGTH);
	CU_ASSERT_EQUAL(collect(&scene), 1000);
	CU_ASSERT_EQUAL(scene.heartbeats, 0);
	plane_close(scene.plane);
}

static void test_rule(void)
{
	struct scene scene = begin();
	uint32_t most = LIMIT / 2 / EACH;
	uint64_t first;

	plane_receive_numbered(scene.plane, 1, 0, 10, LENGTH);
	collect(&scene);
	bind_it(&scene);
	plane_receive_numbered(scene.plane, 1, 10, 1000, LENGTH);
	/* Nothing goes before an answer; the question goes at once. */
	CU_ASSERT_EQUAL(collect(&scene), 0);
	CU_ASSERT_EQUAL(scene.questions, 1);
	first = scene.clock_ns;
	report(&scene, first, 0, LIMIT);
	CU_ASSERT_EQUAL(collect(&scene), most);
	/* It is asked again behind all of it, and nothing came behind the question. */
	CU_ASSERT_EQUAL(scene.questions, 2);
	CU_ASSERT_EQUAL(scene.behind, 0);
	/* The same answer again, and a question unknown, give nothing. */
	report(&scene, first, 0, LIMIT);
	report(&scene, scene.clock_ns + 1, 0, LIMIT);
	report(&scene, 0, 0, LIMIT);
	CU_ASSERT_EQUAL(collect(&scene), 0);
	/* Half of it was read: as much goes again. */
	report(&scene, scene.clock_ns, 10 * EACH, LIMIT);
	CU_ASSERT_EQUAL(collect(&scene), most - 10);
	/* A queue longer than it should be gives nothing. */
	report(&scene, scene.clock_ns, LIMIT, LIMIT);
	CU_ASSERT_EQUAL(collect(&scene), 0);
	CU_ASSERT_NOT_EQUAL(
		plane_consumer(scene.plane, "c").stats.closed[WEIR_GATE_CREDIT_BYTES], 0);
	plane_close(scene.plane);
}

/* An answer to an older question gives what it can: the newest is not needed. */
static void test_old_answers(void)
{
	struct scene scene = begin();
	uint64_t marks[WEIR_AGENT_MARKS + 1];

	bind_it(&scene);
	tick(&scene);
	report(&scene, scene.clock_ns, 0, LIMIT);
	for (int i = 0; i <= WEIR_AGENT_MARKS; i++) {
		plane_advance(scene.plane, 300000);
		plane_receive_numbered(scene.plane, 1, 0, 1, LENGTH);
		collect(&scene);
		tick(&scene);
		marks[i] = scene.clock_ns;
	}
	plane_receive_numbered(scene.plane, 1, 0, 200, LENGTH);
	collect(&scene);
	/* The first is too old by now; the one after it still gives two messages' worth more. */
	report(&scene, marks[0], 0, LIMIT);
	CU_ASSERT_EQUAL(collect(&scene), 0);
	report(&scene, marks[2], 0, LIMIT);
	CU_ASSERT_EQUAL(collect(&scene), 3);
	plane_close(scene.plane);
}

static void test_small_queue(void)
{
	struct scene scene = begin();
	uint32_t sent;

	bind_it(&scene);
	plane_receive_numbered(scene.plane, 1, 0, 100, LENGTH);
	tick(&scene);
	/* However small its buffer is: what is empty takes something. */
	for (sent = 0; sent < 100; plane_advance(scene.plane, 100000)) {
		uint32_t now;

		report(&scene, scene.clock_ns, 0, 2304);
		now = collect(&scene);
		CU_ASSERT_TRUE_FATAL(now > 0);
		sent += now;
		tick(&scene);
	}
	CU_ASSERT_EQUAL(sent, 100);
	plane_close(scene.plane);
}

static void test_questions(void)
{
	struct scene scene = begin();
	uint32_t before;

	bind_it(&scene);
	plane_receive_numbered(scene.plane, 1, 0, 1000, LENGTH);
	collect(&scene);
	CU_ASSERT_EQUAL(scene.questions, 1);
	/* Not again while the answer may be under way; then every two milliseconds. */
	for (int i = 0; i < 19; i++) {
		plane_advance(scene.plane, 100);
		tick(&scene);
	}
	CU_ASSERT_EQUAL(scene.questions, 1);
	plane_advance(scene.plane, 200);
	tick(&scene);
	CU_ASSERT_EQUAL(scene.questions, 2);
	/* Answers that give nothing are asked for ever more seldom: 1 to 16 ms. */
	before = scene.questions;
	for (int i = 0; i < 100; i++) {
		if (scene.questions != before)
			report(&scene, scene.clock_ns, LIMIT, LIMIT);
		before = scene.questions;
		plane_advance(scene.plane, 1000);
		tick(&scene);
	}
	CU_ASSERT_TRUE(scene.questions >= 8 && scene.questions <= 16);
	/* A report that nobody asked for opens the gate. */
	report(&scene, scene.clock_ns, 0, LIMIT);
	CU_ASSERT_EQUAL(collect(&scene), LIMIT / 2 / EACH);
	plane_close(scene.plane);
}

static void test_heartbeats(void)
{
	struct scene scene = begin();

	/* Also before it is bound; and one with questions needs none besides. */
	plane_advance(scene.plane, 150000);
	tick(&scene);
	CU_ASSERT_EQUAL(scene.heartbeats, 0);
	plane_advance(scene.plane, 60000);
	tick(&scene);
	CU_ASSERT_EQUAL(scene.heartbeats, 1);
	CU_ASSERT_EQUAL(scene.questions, 0);
	bind_it(&scene);
	tick(&scene);
	CU_ASSERT_EQUAL(scene.questions, 1);
	report(&scene, scene.clock_ns, 0, LIMIT);
	plane_advance(scene.plane, 150000);
	tick(&scene);
	CU_ASSERT_EQUAL(scene.heartbeats, 2);
	plane_close(scene.plane);
}

static void test_gone(void)
{
	struct scene scene = begin();

	bind_it(&scene);
	plane_receive_numbered(scene.plane, 1, 0, 500, LENGTH);
	CU_ASSERT_EQUAL(collect(&scene), 0);
	CU_ASSERT_EQUAL(weir_agent_remove(scene.plane->dataplane, scene.agent), 0);
	weir_worker_apply(scene.plane->worker, scene.plane->dataplane->published);
	CU_ASSERT_EQUAL(collect(&scene), 500);
	/* The next begins anew, with the slot of the first, and without its credit. */
	weir_dataplane_reclaim(scene.plane->dataplane);
	scene.agent = add_agent(scene.plane, "a", 6000);
	set_time(&scene);
	scene.clock_ns = 0;
	scene.counter = 0;
	bind_it(&scene);
	plane_receive_numbered(scene.plane, 1, 500, 500, LENGTH);
	CU_ASSERT_EQUAL(collect(&scene), 0);
	report(&scene, scene.clock_ns, 0, LIMIT);
	CU_ASSERT_EQUAL(collect(&scene), LIMIT / 2 / EACH);
	plane_close(scene.plane);
}

static void test_socketless(void)
{
	struct scene scene = begin();

	bind_it(&scene);
	tick(&scene);
	report(&scene, scene.clock_ns, 0, LIMIT);
	/* There is credit, but nobody to take it. */
	report(&scene, scene.clock_ns, 0, 0);
	plane_receive_numbered(scene.plane, 1, 0, 10, LENGTH);
	CU_ASSERT_EQUAL(collect(&scene), 0);
	report(&scene, scene.clock_ns, 0, LIMIT);
	CU_ASSERT_EQUAL(collect(&scene), 10);
	report(&scene, scene.clock_ns, 0, 0);
	plane_receive_numbered(scene.plane, 1, 10, 10, LENGTH);
	CU_ASSERT_EQUAL(collect(&scene), 0);
	/* And without the agent it is sent to all the same. */
	weir_agent_unbind(scene.plane->dataplane, scene.agent);
	CU_ASSERT_EQUAL(collect(&scene), 10);
	plane_close(scene.plane);
}

static void test_strangers(void)
{
	struct scene scene = begin();
	struct frame_spec from = from_agent();
	struct weir_worker *worker = scene.plane->worker;
	uint64_t before = worker->native_dropped[WEIR_REASON_FRAME_SESSION];

	bind_it(&scene);
	plane_receive_numbered(scene.plane, 1, 0, 10, LENGTH);
	collect(&scene);
	from.source_port = 6001;
	send_load(&scene, &from, scene.agent->session, scene.clock_ns, 0, LIMIT);
	from = from_agent();
	from.source.bytes[3]++;
	send_load(&scene, &from, scene.agent->session, scene.clock_ns, 0, LIMIT);
	from = from_agent();
	send_load(&scene, &from, scene.agent->session + (1ull << 16), scene.clock_ns, 0, LIMIT);
	send_load(&scene, &from, scene.agent->session + 1, scene.clock_ns, 0, LIMIT);
	send_load(&scene, &from, scene.agent->session | 0xffff, scene.clock_ns, 0, LIMIT);
	CU_ASSERT_EQUAL(worker->native_dropped[WEIR_REASON_FRAME_SESSION] - before, 5);
	CU_ASSERT_EQUAL(collect(&scene), 0);
	/* One that was overtaken says nothing new. */
	scene.counter = 100;
	report(&scene, scene.clock_ns, LIMIT, LIMIT);
	scene.counter = 50;
	report(&scene, scene.clock_ns, 0, LIMIT);
	CU_ASSERT_EQUAL(collect(&scene), 0);
	CU_ASSERT_EQUAL(atomic_load(&scene.agent->reports), 1);
	plane_close(scene.plane);
}

static void test_binding(void)
{
	struct scene scene = begin();
	struct weir_dataplane *dataplane = scene.plane->dataplane;
	struct weir_agent *second = add_agent(scene.plane, "b", 6001);
	struct weir_agent_spec spec = {.group = "g", .name = "a"};
	struct weir_agent *third;

	CU_ASSERT_EQUAL(weir_agent_prepare(dataplane, &spec, &third), -EEXIST);
	spec.name = "z";
	spec.group = "nobody";
	CU_ASSERT_EQUAL(weir_agent_prepare(dataplane, &spec, &third), -ENOENT);
	CU_ASSERT_EQUAL(weir_agent_bind(dataplane, scene.agent, &host, 9996), -ENOENT);
	CU_ASSERT_EQUAL(weir_agent_bind(dataplane, scene.agent, &own, 9995), -ENOENT);
	bind_it(&scene);
	bind_it(&scene);
	CU_ASSERT_EQUAL(weir_agent_bind(dataplane, scene.agent, &host, 9996), -EINVAL);
	CU_ASSERT_EQUAL(weir_agent_bind(dataplane, second, &host, 9995), -EBUSY);
	CU_ASSERT_PTR_EQUAL(
		weir_agent_consumer(dataplane, scene.agent), weir_consumer_find(dataplane, "c"));
	/* The consumer goes with the configuration; its agent is bound to nobody then. */
	plane_apply(scene.plane, STREAM,
		"[{'name':'g','class':'assisted','streams':'s','consumers':["
		"{'name':'d','address':'198.51.100.8','port':9995}]}]");
	CU_ASSERT_PTR_NULL(weir_agent_consumer(dataplane, scene.agent));
	weir_agent_unbind(dataplane, scene.agent);
	CU_ASSERT_EQUAL(weir_agent_bind(dataplane, scene.agent, &host, 9995), -ENOENT);
	plane_apply(scene.plane, STREAM, GROUP);
	bind_it(&scene);
	plane_close(scene.plane);
}

/* Against a socket that counts up to twice as much, and is read in fits and starts. */
static void test_never_overrun(void)
{
	struct scene scene = begin();
	static uint32_t charges[100000];
	uint32_t first = 0, last = 0, seed = 7, most = 0;
	uint64_t queue = 0;

	bind_it(&scene);
	for (int step = 0; step < 4000; step++) {
		uint32_t arrived, reads;

		seed = seed * 1664525 + 1013904223;
		plane_receive_numbered(scene.plane, (uint8_t)(seed >> 28), 0, seed >> 29, LENGTH);
		plane_advance(scene.plane, 400);
		arrived = tick(&scene);
		for (uint32_t i = 0; i < arrived && last < 100000; i++) {
			seed = seed * 1664525 + 1013904223;
			charges[last] = EACH / 4 + (seed >> 8) % (2 * EACH - EACH / 4);
			queue += charges[last++];
		}
		most = queue > most ? (uint32_t)queue : most;
		CU_ASSERT_TRUE(queue <= LIMIT);
		reads = step / 200 % 2 ? seed >> 29 : 0;
		while (reads-- > 0 && first < last)
			queue -= charges[first++];
		/* Two of three answers arrive. */
		if (seed >> 16 & 3)
			report(&scene, scene.clock_ns, (uint32_t)queue, LIMIT);
	}
	CU_ASSERT_TRUE(scene.messages > 2000 && most > LIMIT / 4);
	plane_close(scene.plane);
}

CU_TestInfo dataplane_agent_tests[] = {
	{"without a report an assisted consumer is a blind one", test_blind_without},
	{"credit is what the queue lacks to its target", test_rule},
	{"an answer counts from its own question", test_old_answers},
	{"the smallest queue takes something", test_small_queue},
	{"questions come once a round trip and then more seldom", test_questions},
	{"an agent hears of the gateway every heartbeat", test_heartbeats},
	{"a consumer whose agent went is sent all", test_gone},
	{"without a socket all waits", test_socketless},
	{"what is not the agent's own gives no credit", test_strangers},
	{"an agent has one consumer, and a consumer one agent", test_binding},
	{"a socket that counts twice as much is never overrun", test_never_overrun},
	CU_TEST_INFO_NULL,
};
