/* SPDX-License-Identifier: BSD-3-Clause */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <CUnit/Basic.h>

#include "client/weir.h"
#include "wire/frame_data.h"

/*
 * The consumer on a real socket: a gateway on loopback in the same thread. The protocol itself
 * is tested without a socket; here, that datagrams, time and the descriptor are wired up right.
 */

#define SESSION     UINT64_C(0x1234567890ab0001)
#define PATIENCE_MS 5000

struct peer {
	int fd;
	uint16_t port;
	int family;
	struct sockaddr_storage client;
	socklen_t client_length;
	unsigned int hellos;
	unsigned int leaves;
	uint64_t limit;
	uint32_t service_ns;   /* as it was told last */
	uint32_t time_left_us; /* of the messages that are sent */
};

static int peer_open(struct peer *peer, int family)
{
	struct sockaddr_storage address = {.ss_family = (sa_family_t)family};
	struct sockaddr_in *ipv4 = (struct sockaddr_in *)&address;
	struct sockaddr_in6 *ipv6 = (struct sockaddr_in6 *)&address;
	socklen_t length = family == AF_INET ? sizeof(*ipv4) : sizeof(*ipv6);

	memset(peer, 0, sizeof(*peer));
	peer->family = family;
	if (family == AF_INET)
		ipv4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		ipv6->sin6_addr = in6addr_loopback;
	peer->fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (peer->fd < 0 || bind(peer->fd, (struct sockaddr *)&address, length) != 0 ||
		getsockname(peer->fd, (struct sockaddr *)&address, &length) != 0)
		return -errno;
	peer->port = ntohs(family == AF_INET ? ipv4->sin_port : ipv6->sin6_port);
	return 0;
}

static void peer_send(const struct peer *peer, const struct weir_writer *writer)
{
	CU_ASSERT_EQUAL(sendto(peer->fd, writer->data, writer->length, 0,
				(const struct sockaddr *)&peer->client, peer->client_length),
		(ssize_t)writer->length);
}

static void answer_hello(struct peer *peer, const struct weir_frame_hello *hello)
{
	uint8_t buffer[WEIR_DATAGRAM_MIN];
	struct weir_frame_welcome *welcome;
	struct weir_frame_cookie *cookie;
	struct weir_writer writer;

	weir_writer_begin(&writer, buffer, sizeof(buffer), 0);
	if (peer->hellos++ == 0) {
		cookie = weir_writer_add(&writer, WEIR_FRAME_COOKIE, 0, sizeof(*cookie));
		cookie->nonce = hello->nonce;
	} else {
		welcome = weir_writer_add(&writer, WEIR_FRAME_WELCOME, 0, sizeof(*welcome));
		welcome->version = WEIR_FRAME_VERSION;
		welcome->max_datagram = hello->max_datagram;
		welcome->nonce = hello->nonce;
		welcome->session = weir_be64(SESSION);
		welcome->heartbeat_ms = weir_be32(20);
		welcome->liveness_ms = weir_be32(200);
	}
	peer_send(peer, &writer);
}

static void answer_subscribe(struct peer *peer)
{
	uint8_t buffer[WEIR_DATAGRAM_MIN];
	struct weir_frame_subscribed *subscribed;
	struct weir_writer writer;

	weir_writer_begin(&writer, buffer, sizeof(buffer), SESSION);
	subscribed = weir_writer_add(&writer, WEIR_FRAME_SUBSCRIBED, 0,
		sizeof(*subscribed) + sizeof(subscribed->streams[0]));
	subscribed->counter = weir_be32(1);
	subscribed->total = weir_be16(1);
	subscribed->count = weir_be16(1);
	subscribed->streams[0].partitions = weir_be16(1);
	weir_frame_set_name(subscribed->streams[0].name, "netflow");
	peer_send(peer, &writer);
}

static void hear_credit(struct peer *peer, const struct weir_frame_credit *credit)
{
	peer->limit = weir_be64(credit->limit_messages);
	peer->service_ns = weir_be32(credit->service_ns);
}

/* Answer one datagram of the client; false when none came in time. */
static bool peer_answer(struct peer *peer)
{
	struct pollfd input = {.fd = peer->fd, .events = POLLIN};
	const struct weir_frame_header *frame;
	struct weir_frame_cursor cursor;
	uint8_t data[WEIR_DATAGRAM_MAX];
	ssize_t length;

	if (poll(&input, 1, PATIENCE_MS) != 1)
		return false;
	peer->client_length = sizeof(peer->client);
	length = recvfrom(peer->fd, data, sizeof(data), 0, (struct sockaddr *)&peer->client,
		&peer->client_length);
	if (length < 0 || weir_datagram_open(&cursor, WEIR_END_GATEWAY, data, (size_t)length) != 0)
		return false;
	while ((frame = weir_frame_next(&cursor)) != NULL) {
		if (frame->type == WEIR_FRAME_HELLO)
			answer_hello(peer, (const void *)frame);
		else if (frame->type == WEIR_FRAME_SUBSCRIBE)
			answer_subscribe(peer);
		else if (frame->type == WEIR_FRAME_CREDIT)
			hear_credit(peer, (const void *)frame);
		else if (frame->type == WEIR_FRAME_LEAVE)
			peer->leaves++;
	}
	return true;
}

static int consumer_step(struct weir_consumer *consumer)
{
	struct pollfd input = {.fd = weir_consumer_fd(consumer), .events = POLLIN};

	CU_ASSERT(poll(&input, 1, weir_consumer_timeout_ms(consumer)) >= 0);
	return weir_consumer_process(consumer);
}

static struct weir_consumer *join(struct peer *peer, const char *gateway, int family)
{
	struct weir_consumer_options options = {
		.gateway = gateway, .group = "billing", .window_messages = 16};
	struct weir_consumer *consumer = NULL;
	struct weir_event event;

	CU_ASSERT_EQUAL_FATAL(peer_open(peer, family), 0);
	options.port = peer->port;
	CU_ASSERT_EQUAL_FATAL(weir_consumer_open(&options, &consumer), 0);
	while (peer->limit == 0) {
		CU_ASSERT_TRUE_FATAL(peer_answer(peer));
		CU_ASSERT_FATAL(consumer_step(consumer) >= 0);
	}
	CU_ASSERT_EQUAL(weir_consumer_next_event(consumer, &event), 1);
	CU_ASSERT_EQUAL(event.kind, WEIR_EVENT_JOINED);
	return consumer;
}

static void send_messages(struct peer *peer, uint64_t seq, unsigned int count)
{
	const struct weir_data_lane lane = {.messages = seq, .bytes = seq * 5};
	uint8_t buffer[1400];
	struct weir_data_writer data;
	struct weir_writer writer;

	weir_writer_begin(&writer, buffer, sizeof(buffer), SESSION);
	CU_ASSERT_TRUE_FATAL(weir_data_begin(&data, &writer, &lane, seq));
	for (unsigned int i = 0; i < count; i++) {
		const struct weir_data_item item = {
			.seq = seq + i, .time_left_us = peer->time_left_us, .length = 5};

		memcpy(weir_data_add(&data, &item), "hello", 5);
	}
	weir_data_end(&data, seq + count, 0);
	peer_send(peer, &writer);
}

static void check_delivery(const char *gateway, int family)
{
	struct weir_message message;
	struct weir_consumer *consumer;
	unsigned int taken = 0;
	struct peer peer;

	consumer = join(&peer, gateway, family);
	CU_ASSERT_EQUAL(peer.limit, 16);
	send_messages(&peer, 0, 10);
	while (taken < 10) {
		CU_ASSERT_FATAL(consumer_step(consumer) >= 0);
		while (weir_consumer_next(consumer, &message) == 1) {
			CU_ASSERT_EQUAL(message.sequence, taken);
			CU_ASSERT_EQUAL(message.length, 5);
			CU_ASSERT_EQUAL(memcmp(message.data, "hello", 5), 0);
			taken++;
		}
	}
	while (peer.limit < 26) {
		CU_ASSERT_TRUE_FATAL(peer_answer(&peer));
		(void)consumer_step(consumer);
	}
	CU_ASSERT_EQUAL(peer.limit, 26);
	weir_consumer_close(consumer);
	while (peer.leaves == 0)
		CU_ASSERT_TRUE_FATAL(peer_answer(&peer));
	close(peer.fd);
}

static void test_messages_come_through_a_socket_and_credit_goes_back(void)
{
	check_delivery("127.0.0.1", AF_INET);
}

static void test_ipv6_is_the_same(void)
{
	struct peer probe;

	if (peer_open(&probe, AF_INET6) != 0)
		return; /* a machine without it */
	close(probe.fd);
	check_delivery("::1", AF_INET6);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static void work(uint64_t ns)
{
	for (uint64_t begin = now_ns(); now_ns() - begin < ns;)
		;
}

/* Though the clock is not read for every message. */
static void test_the_work_on_a_message_takes_its_time(void)
{
	struct weir_message first, message;
	struct weir_consumer *consumer;
	struct peer peer;

	consumer = join(&peer, "127.0.0.1", AF_INET);
	send_messages(&peer, 0, 4);
	while (weir_consumer_next(consumer, &message) != 1)
		CU_ASSERT_FATAL(consumer_step(consumer) >= 0);
	for (unsigned int i = 1; i < 4; i++) {
		work(5000000);
		CU_ASSERT_EQUAL(weir_consumer_next(consumer, &message), 1);
	}
	CU_ASSERT_EQUAL(weir_consumer_next(consumer, &message), 0);
	peer.service_ns = 0;
	while (peer.service_ns == 0) {
		CU_ASSERT_FATAL(consumer_step(consumer) >= 0);
		CU_ASSERT_TRUE_FATAL(peer_answer(&peer));
	}
	CU_ASSERT(peer.service_ns > 3000000);
	peer.time_left_us = 10000000;
	send_messages(&peer, 4, 2);
	while (weir_consumer_next(consumer, &first) != 1)
		CU_ASSERT_FATAL(consumer_step(consumer) >= 0);
	work(1000000);
	CU_ASSERT_EQUAL_FATAL(weir_consumer_next(consumer, &message), 1);
	CU_ASSERT(message.time_left_us < first.time_left_us - 990);
	weir_consumer_close(consumer);
	close(peer.fd);
}

static void test_an_idle_consumer_keeps_itself_alive_by_its_timeout_alone(void)
{
	struct weir_consumer_stats before, after;
	struct weir_consumer *consumer;
	struct peer peer;

	consumer = join(&peer, "127.0.0.1", AF_INET);
	weir_consumer_stats(consumer, &before);
	CU_ASSERT(weir_consumer_timeout_ms(consumer) <= 20);
	do {
		(void)consumer_step(consumer);
		weir_consumer_stats(consumer, &after);
	} while (after.credits_sent < before.credits_sent + 3);
	CU_ASSERT_EQUAL(after.state, WEIR_CONSUMER_JOINED);
	weir_consumer_close(consumer);
	close(peer.fd);
}

static void test_a_dead_port_is_no_error_and_no_busy_loop(void)
{
	struct weir_consumer_options options = {.gateway = "127.0.0.1", .group = "billing"};
	struct weir_consumer *consumer;
	struct weir_consumer_stats stats;
	unsigned int steps = 0;
	struct peer peer;

	CU_ASSERT_EQUAL_FATAL(peer_open(&peer, AF_INET), 0);
	close(peer.fd);
	options.port = peer.port;
	CU_ASSERT_EQUAL_FATAL(weir_consumer_open(&options, &consumer), 0);
	for (; steps < 8; steps++)
		CU_ASSERT_EQUAL(consumer_step(consumer), 0);
	weir_consumer_stats(consumer, &stats);
	CU_ASSERT_EQUAL(stats.state, WEIR_CONSUMER_CONNECTING);
	weir_consumer_close(consumer);
}

static void test_wrong_addresses_are_refused(void)
{
	struct weir_consumer_options options = {.group = "billing"};
	struct weir_consumer *consumer;

	CU_ASSERT_EQUAL(weir_consumer_open(&options, &consumer), -EINVAL);
	CU_ASSERT_PTR_NULL(consumer);
	options.gateway = "gateway.example";
	CU_ASSERT_EQUAL(weir_consumer_open(&options, &consumer), -EINVAL);
	weir_consumer_close(NULL);
}

static void test_options_of_a_later_library_are_refused(void)
{
	struct weir_consumer_options consuming = {.gateway = "127.0.0.1", .group = "billing"};
	struct weir_producer_options producing = {.gateway = "127.0.0.1", .stream = "orders"};
	size_t last = sizeof(consuming.reserved) / sizeof(consuming.reserved[0]) - 1;
	struct weir_consumer *consumer;
	struct weir_producer *producer;

	consuming.reserved[last] = 1;
	CU_ASSERT_EQUAL(weir_consumer_open(&consuming, &consumer), -EINVAL);
	CU_ASSERT_PTR_NULL(consumer);
	producing.reserved[0] = UINT64_C(1) << 63;
	CU_ASSERT_EQUAL(weir_producer_open(&producing, &producer), -EINVAL);
	CU_ASSERT_PTR_NULL(producer);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"messages come through a socket and credit goes back",
			test_messages_come_through_a_socket_and_credit_goes_back},
		{"ipv6 is the same", test_ipv6_is_the_same},
		{"the work on a message takes its time", test_the_work_on_a_message_takes_its_time},
		{"an idle consumer keeps itself alive by its timeout alone",
			test_an_idle_consumer_keeps_itself_alive_by_its_timeout_alone},
		{"a dead port is no error and no busy loop",
			test_a_dead_port_is_no_error_and_no_busy_loop},
		{"wrong addresses are refused", test_wrong_addresses_are_refused},
		{"options of a later library are refused",
			test_options_of_a_later_library_are_refused},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{"consumer on a socket", NULL, NULL, NULL, NULL, tests},
		CU_SUITE_INFO_NULL,
	};

	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 2;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	if (CU_basic_run_tests() != CUE_SUCCESS)
		return 2;
	return CU_get_number_of_failures() != 0;
}
