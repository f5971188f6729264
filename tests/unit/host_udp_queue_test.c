/* SPDX-License-Identifier: BSD-3-Clause */
#include <CUnit/Basic.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "host/udp_queue.h"
#include "host/udp_queue_private.h"

/* Real sockets on loopback, watched from outside as an agent does. */

#define LENGTH 600
#define SMALL  4096 /* of SO_RCVBUF: the kernel doubles it */

static const struct weir_address any4 = {4, {0}};
static const struct weir_address any6 = {6, {0}};
static const struct weir_address loop4 = {4, {127, 0, 0, 1}};
static const struct weir_address other4 = {4, {127, 0, 0, 2}};
static const struct weir_address loop6 = {6, {[15] = 1}};

static socklen_t make(const struct weir_address *address, uint16_t port, struct sockaddr_in6 *out)
{
	struct sockaddr_in *ipv4 = (struct sockaddr_in *)out;

	memset(out, 0, sizeof(*out));
	if (address->family == 4) {
		ipv4->sin_family = AF_INET;
		ipv4->sin_port = htons(port);
		memcpy(&ipv4->sin_addr, address->bytes, 4);
		return sizeof(*ipv4);
	}
	out->sin6_family = AF_INET6;
	out->sin6_port = htons(port);
	memcpy(&out->sin6_addr, address->bytes, 16);
	return sizeof(*out);
}

/* A socket on `port`, or on any when that is 0, which is filled in. */
static int listen_on(const struct weir_address *address, uint16_t *port, int buffer)
{
	int fd = socket(address->family == 4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	struct sockaddr_in6 local;
	socklen_t length = make(address, *port, &local);
	int on = 1;

	CU_ASSERT_FATAL(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	if (buffer != 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
	CU_ASSERT_EQUAL_FATAL(bind(fd, (struct sockaddr *)&local, length), 0);
	length = sizeof(local);
	getsockname(fd, (struct sockaddr *)&local, &length);
	*port = ntohs(local.sin6_port);
	return fd;
}

static void send_to(const struct weir_address *address, uint16_t port, int count)
{
	int fd = socket(address->family == 4 ? AF_INET : AF_INET6, SOCK_DGRAM, 0);
	struct sockaddr_in6 to;
	socklen_t length = make(address, port, &to);
	char payload[LENGTH] = {0};

	for (int i = 0; i < count; i++)
		sendto(fd, payload, sizeof(payload), 0, (struct sockaddr *)&to, length);
	close(fd);
}

static struct weir_udp_queue look(const struct weir_address *address, uint16_t port, int expected)
{
	struct weir_udp_queue queue = {0};
	struct weir_udp_watch *watch;

	CU_ASSERT_EQUAL_FATAL(weir_udp_watch_open(address, port, &watch), 0);
	CU_ASSERT_EQUAL(weir_udp_watch_look(watch, &queue), expected);
	weir_udp_watch_close(watch);
	return queue;
}

static void test_queue_is_told(void)
{
	struct weir_udp_queue queue;
	struct weir_udp_watch *watch;
	uint16_t port = 0;
	int fd = listen_on(&loop4, &port, 0);
	socklen_t length = sizeof(int);
	char taken[LENGTH];
	int limit = 0;
	uint32_t one;

	getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &limit, &length);
	CU_ASSERT_EQUAL_FATAL(weir_udp_watch_open(&loop4, port, &watch), 0);
	CU_ASSERT_EQUAL(weir_udp_watch_look(watch, &queue), 0);
	CU_ASSERT_EQUAL(queue.queue_bytes, 0);
	CU_ASSERT_EQUAL(queue.limit_bytes, (uint32_t)limit);
	CU_ASSERT_EQUAL(queue.sockets, 1);
	send_to(&loop4, port, 1);
	CU_ASSERT_EQUAL(weir_udp_watch_look(watch, &queue), 0);
	one = queue.queue_bytes;
	CU_ASSERT_TRUE(one >= LENGTH);
	send_to(&loop4, port, 9);
	CU_ASSERT_EQUAL(weir_udp_watch_look(watch, &queue), 0);
	CU_ASSERT_EQUAL(queue.queue_bytes, 10 * one);
	CU_ASSERT_EQUAL(queue.drops, 0);
	for (int i = 0; i < 10; i++)
		CU_ASSERT_EQUAL(recv(fd, taken, sizeof(taken), 0), LENGTH);
	CU_ASSERT_EQUAL(weir_udp_watch_look(watch, &queue), 0);
	CU_ASSERT_EQUAL(queue.queue_bytes, 0);
	close(fd);
	weir_udp_watch_close(watch);
}

static void test_drops_are_told(void)
{
	struct weir_udp_queue queue;
	uint16_t port = 0;
	int fd = listen_on(&loop4, &port, SMALL);
	int held = 0;
	char taken[LENGTH];

	send_to(&loop4, port, 100);
	queue = look(&loop4, port, 0);
	CU_ASSERT_EQUAL(queue.limit_bytes, 2 * SMALL);
	CU_ASSERT_TRUE(queue.queue_bytes > SMALL);
	while (recv(fd, taken, sizeof(taken), 0) == LENGTH)
		held++;
	CU_ASSERT_EQUAL(queue.drops, (uint64_t)(100 - held));
	close(fd);
}

/* The collector goes and comes while it is watched. */
static void test_restart_is_seen(void)
{
	struct weir_udp_queue queue;
	struct weir_udp_watch *watch;
	uint16_t port = 0;
	int fd = listen_on(&loop4, &port, 0);

	CU_ASSERT_EQUAL_FATAL(weir_udp_watch_open(&loop4, port, &watch), 0);
	for (int i = 0; i < 3; i++) {
		CU_ASSERT_EQUAL(weir_udp_watch_look(watch, &queue), 0);
		close(fd);
		CU_ASSERT_EQUAL(weir_udp_watch_look(watch, &queue), -ENOENT);
		CU_ASSERT_EQUAL(weir_udp_watch_look(watch, &queue), -ENOENT);
		fd = listen_on(i == 1 ? &any6 : &any4, &port, 0);
		send_to(&loop4, port, 1);
		CU_ASSERT_EQUAL(weir_udp_watch_look(watch, &queue), 0);
		CU_ASSERT_TRUE(queue.queue_bytes >= LENGTH);
	}
	close(fd);
	weir_udp_watch_close(watch);
}

static void test_addresses(void)
{
	uint16_t port = 0;
	int fd = listen_on(&loop4, &port, 0);
	int six;

	look(&loop4, port, 0);
	look(&other4, port, -ENOENT);
	look(&loop6, port, -ENOENT);
	six = listen_on(&loop6, &port, 0);
	send_to(&loop6, port, 1);
	CU_ASSERT_TRUE(look(&loop6, port, 0).queue_bytes >= LENGTH);
	CU_ASSERT_EQUAL(look(&loop4, port, 0).queue_bytes, 0);
	close(six);
	close(fd);
	/* Any address, and one of IPv6 for both. */
	fd = listen_on(&any6, &port, 0);
	look(&loop4, port, 0);
	look(&other4, port, 0);
	look(&loop6, port, 0);
	/* What is bound to the address itself goes first. */
	six = listen_on(&loop4, &port, SMALL);
	CU_ASSERT_EQUAL(look(&loop4, port, 0).limit_bytes, 2 * SMALL);
	CU_ASSERT_NOT_EQUAL(look(&other4, port, 0).limit_bytes, 2 * SMALL);
	close(six);
	close(fd);
}

/* Sockets that share a port: the fullest is told, and the drops of all. */
static void test_shared_port(void)
{
	struct weir_udp_queue queue;
	struct weir_udp_watch *watch;
	struct timespec start, now;
	uint16_t port = 0;
	int first = listen_on(&loop4, &port, 0), second;

	CU_ASSERT_EQUAL_FATAL(weir_udp_watch_open(&loop4, port, &watch), 0);
	CU_ASSERT_EQUAL(weir_udp_watch_look(watch, &queue), 0);
	CU_ASSERT_EQUAL(queue.sockets, 1);
	/* One that comes later is noticed within about a second. */
	second = listen_on(&loop4, &port, SMALL);
	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		CU_ASSERT_EQUAL(weir_udp_watch_look(watch, &queue), 0);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (queue.sockets != 2 && now.tv_sec - start.tv_sec < 3);
	CU_ASSERT_EQUAL(queue.sockets, 2);
	/* Each sender's socket is another flow: they are spread over both. */
	for (int i = 0; i < 64; i++)
		send_to(&loop4, port, 1);
	CU_ASSERT_EQUAL(weir_udp_watch_look(watch, &queue), 0);
	CU_ASSERT_EQUAL(queue.limit_bytes, 2 * SMALL);
	CU_ASSERT_TRUE(queue.drops > 0);
	close(first);
	close(second);
	weir_udp_watch_close(watch);
}

/* A socket with a peer gets nothing from a gateway. */
static void test_connected_is_not_it(void)
{
	struct sockaddr_in6 peer;
	socklen_t length = make(&loop4, 9, &peer);
	uint16_t port = 0;
	int fd = listen_on(&loop4, &port, 0);

	CU_ASSERT_EQUAL(connect(fd, (struct sockaddr *)&peer, length), 0);
	look(&loop4, port, -ENOENT);
	close(fd);
}

/* Where sock_diag is refused: the same, but for the limit. */
static void test_proc_agrees(void)
{
	static const struct weir_address *const bound[] = {&loop4, &any4, &any6};

	for (unsigned int i = 0; i < sizeof(bound) / sizeof(bound[0]); i++) {
		struct weir_udp_choice choice = {.wanted = loop4};
		uint16_t port = 0;
		int fd = listen_on(bound[i], &port, SMALL);
		struct weir_udp_queue queue;

		send_to(&loop4, port, 100);
		queue = look(&loop4, port, 0);
		CU_ASSERT_EQUAL(weir_udp_proc_all(port, &choice), 0);
		CU_ASSERT_EQUAL(choice.queue.sockets, 1);
		CU_ASSERT_EQUAL(choice.queue.queue_bytes, queue.queue_bytes);
		CU_ASSERT_EQUAL(choice.queue.drops, queue.drops);
		CU_ASSERT_TRUE(choice.queue.limit_bytes >= 4096);
		close(fd);
	}
}

static void test_proc_lines(void)
{
	static const char good[] = " 5627: 0100007F:4E1B 00000000:0000 07 00000000:0000AFC0 "
				   "00:00000000 00000000     0        0 1035763 2 "
				   "00000000605163cf 42   \n";
	struct weir_udp_socket socket;
	char line[sizeof(good)];

	CU_ASSERT_TRUE(weir_udp_proc_line(good, 4, 0x4e1b, &socket));
	CU_ASSERT_EQUAL(socket.queue_bytes, 0xafc0);
	CU_ASSERT_EQUAL(socket.drops, 42);
	CU_ASSERT_EQUAL(socket.inode, 1035763);
	CU_ASSERT_FALSE(socket.is_connected);
	if (ntohl(1) != 1)
		CU_ASSERT_TRUE(weir_address_equal(&socket.local, &loop4));
	CU_ASSERT_FALSE(weir_udp_proc_line(good, 4, 0x4e1c, &socket));
	CU_ASSERT_FALSE(weir_udp_proc_line(good, 6, 0x4e1b, &socket));
	CU_ASSERT_FALSE(weir_udp_proc_line("  sl  local_address rem_address   st", 4, 0, &socket));
	/* Cut anywhere before its last number it is no line. */
	for (size_t length = 0; length < strlen(good) - 6; length++) {
		memcpy(line, good, length);
		line[length] = '\0';
		CU_ASSERT_FALSE(weir_udp_proc_line(line, 4, 0x4e1b, &socket));
	}
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"a queue is told as the kernel counts it", test_queue_is_told},
		{"what the socket dropped is told", test_drops_are_told},
		{"a socket that goes and comes is seen at once", test_restart_is_seen},
		{"the socket is the one that a datagram would get", test_addresses},
		{"of sockets on one port the fullest is told", test_shared_port},
		{"a connected socket is another's", test_connected_is_not_it},
		{"/proc/net/udp tells the same", test_proc_agrees},
		{"only whole lines of the port are read", test_proc_lines},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{"queues of others' UDP sockets", NULL, NULL, NULL, NULL, tests},
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
