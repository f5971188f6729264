/* SPDX-License-Identifier: BSD-3-Clause */
#include <CUnit/Basic.h>
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/udp.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dataplane/port.h"
#include "wire/bytes.h"
#include "xdp/segments.h"

/* Datagrams that go as one, over the loopback interface of a namespace of our own. */

#define PORT      4711
#define FRAME     2048
#define MOST      80
#define ETHER     14
#define DATAGRAMS 5
#define LENGTH    1000 /* of the payload */

static uint8_t frames[MOST][FRAME];
static struct rte_mbuf mbufs[MOST];
static struct rte_mbuf *packets[MOST];

static void put16(uint8_t *to, uint16_t value)
{
	value = htons(value);
	memcpy(to, &value, sizeof(value));
}

static void put_ipv4(uint8_t *ip, uint16_t length)
{
	ip[0] = 0x45;
	put16(ip + 2, (uint16_t)(28 + length));
	put16(ip + 6, 0x4000);
	ip[8] = 64;
	ip[9] = IPPROTO_UDP;
	ip[12] = ip[16] = 10;
	ip[15] = 2;
	ip[19] = 1;
}

static void put_ipv6(uint8_t *ip, uint16_t length)
{
	ip[0] = 0x60;
	put16(ip + 4, (uint16_t)(8 + length));
	ip[6] = IPPROTO_UDP;
	ip[7] = 64;
	ip[23] = ip[39] = 1;
}

/* As the gateway makes them: its payload is its number over and over. */
static void make(uint16_t number, uint16_t l3_length, uint16_t length)
{
	uint8_t *frame = frames[number], *ip = frame + ETHER, *udp = ip + l3_length;

	memset(frame, 0, FRAME);
	put16(frame + 12, l3_length == 20 ? 0x0800 : 0x86dd);
	if (l3_length == 20)
		put_ipv4(ip, length);
	else
		put_ipv6(ip, length);
	put16(udp, PORT);
	put16(udp + 2, PORT);
	put16(udp + 4, (uint16_t)(8 + length));
	put16(udp + 6, (uint16_t)(1 + number)); /* each has one of its own */
	memset(udp + 8, number, length);
	mbufs[number] = (struct rte_mbuf){.buf_addr = frame,
		.nb_segs = 1,
		.pkt_len = ETHER + l3_length + 8u + length,
		.data_len = (uint16_t)(ETHER + l3_length + 8 + length),
		.ol_flags = WEIR_PORT_JOINS};
	mbufs[number].l2_len = ETHER;
	mbufs[number].l3_len = l3_length;
	packets[number] = &mbufs[number];
}

static void make_all(uint16_t count, uint16_t l3_length, uint16_t length)
{
	for (uint16_t i = 0; i < count; i++)
		make(i, l3_length, length);
}

static void test_count(void)
{
	make_all(MOST, 20, 100);
	CU_ASSERT_EQUAL(weir_xdp_segments_count(packets, 5), 5);
	CU_ASSERT_EQUAL(weir_xdp_segments_count(packets, 1), 1);
	CU_ASSERT_EQUAL(weir_xdp_segments_count(packets, MOST), 64);
	/* The whole is an IP packet. */
	make_all(MOST, 20, 1400);
	CU_ASSERT_EQUAL(weir_xdp_segments_count(packets, MOST), (65535 - 28) / 1400);
	make_all(MOST, 40, 1400);
	CU_ASSERT_EQUAL(weir_xdp_segments_count(packets, MOST), (65535 - 48) / 1400);
	/* The last may be shorter, and nothing may be longer. */
	make_all(5, 20, 100);
	make(2, 20, 60);
	CU_ASSERT_EQUAL(weir_xdp_segments_count(packets, 5), 3);
	make(2, 20, 101);
	CU_ASSERT_EQUAL(weir_xdp_segments_count(packets, 5), 2);
}

/* The third of five differs in a byte of its headers, or is another kind of packet. */
static uint16_t count_with(uint32_t offset, uint16_t l3_length)
{
	make_all(5, l3_length, 100);
	frames[2][offset] ^= 4;
	return weir_xdp_segments_count(packets, 5);
}

static void test_unlike(void)
{
	static const uint8_t of_ipv4[] = {0, 13, ETHER + 1, ETHER + 5, ETHER + 8, ETHER + 12,
		ETHER + 19, ETHER + 20, ETHER + 23};
	static const uint8_t of_ipv6[] = {
		5, ETHER + 1, ETHER + 3, ETHER + 7, ETHER + 8, ETHER + 39, ETHER + 41, ETHER + 43};

	for (size_t i = 0; i < sizeof(of_ipv4); i++)
		CU_ASSERT_EQUAL(count_with(of_ipv4[i], 20), 2);
	for (size_t i = 0; i < sizeof(of_ipv6); i++)
		CU_ASSERT_EQUAL(count_with(of_ipv6[i], 40), 2);
	make_all(5, 20, 100);
	make(2, 40, 80);
	CU_ASSERT_EQUAL(weir_xdp_segments_count(packets, 5), 2);
	make_all(5, 20, 100);
	mbufs[2].nb_segs = 2;
	CU_ASSERT_EQUAL(weir_xdp_segments_count(packets, 5), 2);
	mbufs[1].ol_flags = 0;
	CU_ASSERT_EQUAL(weir_xdp_segments_count(packets, 5), 1);
	mbufs[0].l2_len = ETHER + 4;
	mbufs[1].ol_flags = WEIR_PORT_JOINS;
	CU_ASSERT_EQUAL(weir_xdp_segments_count(packets, 5), 1);
}

static int open_receiver(int family, bool collects)
{
	struct sockaddr_in ipv4 = {.sin_family = AF_INET, .sin_port = htons(PORT)};
	struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6, .sin6_port = htons(PORT)};
	int fd = socket(family, SOCK_DGRAM, 0), yes = collects;
	struct timeval wait = {.tv_sec = 5};

	CU_ASSERT_EQUAL_FATAL(setsockopt(fd, SOL_UDP, UDP_GRO, &yes, sizeof(yes)), 0);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	CU_ASSERT_EQUAL_FATAL(family == AF_INET ? bind(fd, (struct sockaddr *)&ipv4, sizeof(ipv4))
						: bind(fd, (struct sockaddr *)&ipv6, sizeof(ipv6)),
		0);
	return fd;
}

static bool is_datagram(const uint8_t *bytes, size_t length, uint8_t number)
{
	for (size_t i = 0; i < length; i++)
		if (bytes[i] != number)
			return false;
	return true;
}

/* The last is shorter. To a socket that takes them as one, or one by one. */
static void pass(int family, bool collects)
{
	struct weir_xdp_queue queue = {.segments_fd = weir_xdp_segments_open("lo"), .joins = true};
	static uint8_t room[65536];
	int fd = open_receiver(family, collects);
	uint16_t l3_length = family == AF_INET ? 20 : 40;
	size_t whole = (DATAGRAMS - 1) * LENGTH + LENGTH / 2;

	CU_ASSERT_TRUE_FATAL(queue.segments_fd >= 0);
	make_all(DATAGRAMS, l3_length, LENGTH);
	make(DATAGRAMS - 1, l3_length, LENGTH / 2);
	CU_ASSERT_TRUE(weir_xdp_segments_send(&queue, packets, DATAGRAMS));
	CU_ASSERT_TRUE(queue.joins);
	if (collects) {
		CU_ASSERT_EQUAL(recv(fd, room, sizeof(room), 0), (ssize_t)whole);
	} else {
		for (size_t at = 0; at < whole; at += LENGTH)
			CU_ASSERT_EQUAL(recv(fd, room + at, sizeof(room) - at, 0),
				(ssize_t)RTE_MIN((size_t)LENGTH, whole - at));
	}
	for (uint8_t i = 0; i < DATAGRAMS; i++)
		CU_ASSERT_TRUE(is_datagram(
			room + i * LENGTH, i == DATAGRAMS - 1 ? LENGTH / 2 : LENGTH, i));
	CU_ASSERT_EQUAL(recv(fd, room, sizeof(room), MSG_DONTWAIT), -1);
	close(fd);
	close(queue.segments_fd);
}

static void test_ipv4(void)
{
	pass(AF_INET, true);
	pass(AF_INET, false);
}

static void test_ipv6(void)
{
	pass(AF_INET6, true);
	pass(AF_INET6, false);
}

/* What will not work another time either is not tried again; an interface that is down may come. */
static void test_refused(void)
{
	struct weir_xdp_queue queue = {.segments_fd = weir_xdp_segments_open("lo"), .joins = true};
	struct ifreq change = {.ifr_name = "lo"};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	CU_ASSERT_EQUAL(weir_xdp_segments_open("none-such"), -1);
	make_all(DATAGRAMS, 20, LENGTH);
	CU_ASSERT_EQUAL(ioctl(fd, SIOCSIFFLAGS, &change), 0);
	CU_ASSERT_FALSE(weir_xdp_segments_send(&queue, packets, DATAGRAMS));
	CU_ASSERT_TRUE(queue.joins);
	change.ifr_flags = IFF_UP;
	CU_ASSERT_EQUAL(ioctl(fd, SIOCSIFFLAGS, &change), 0);
	CU_ASSERT_TRUE(weir_xdp_segments_send(&queue, packets, DATAGRAMS));
	close(queue.segments_fd);
	CU_ASSERT_FALSE(weir_xdp_segments_send(&queue, packets, DATAGRAMS));
	CU_ASSERT_FALSE(queue.joins);
	close(fd);
}

/* With 10.0.0.1 and ::1. False: not as root, or not on this machine. */
static bool enter_namespace(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a000001)};
	struct ifreq change = {.ifr_name = "lo"};
	int fd, result;

	if (unshare(CLONE_NEWNET) != 0)
		return false;
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	memcpy(&change.ifr_addr, &address, sizeof(address));
	result = ioctl(fd, SIOCSIFADDR, &change);
	change.ifr_flags = IFF_UP;
	if (result == 0)
		result = ioctl(fd, SIOCSIFFLAGS, &change);
	close(fd);
	return result == 0;
}

int main(void)
{
	CU_TestInfo tests[] = {{"how many go as one", test_count}, {"what does not", test_unlike},
		{"IPv4, to a socket that takes them as one, and to another", test_ipv4},
		{"IPv6, likewise", test_ipv6}, {"what the kernel refuses", test_refused},
		CU_TEST_INFO_NULL};
	CU_SuiteInfo suites[] = {{"segments", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
	unsigned int failures;

	if (!enter_namespace()) {
		printf("skipped: it takes a network namespace\n");
		return 77;
	}
	CU_initialize_registry();
	CU_register_suites(suites);
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures != 0;
}
