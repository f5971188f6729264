/* SPDX-License-Identifier: BSD-3-Clause */
/* The TAP twin, with the test as the wire; the kernel's ICMP errors through the parser. */
#include "host_kernel.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/icmp.h"
#include "host/netlink.h"
#include "host/tap.h"

#define PATIENCE_MS 5000

static const uint8_t tap_mac[6] = {2, 0, 0, 0, 0, 0x55};
static const uint8_t peer_mac[6] = {2, 0, 0, 0, 0, 0x66};

static struct weir_tap *open_tap(uint16_t mtu)
{
	const struct weir_prefix addresses[] = {
		{host_kernel_address("192.0.2.1"), 24},
		{host_kernel_address("2001:db8:5::1"), 64},
	};
	struct weir_tap_options options = {.name = "tap-test",
		.has_mac = true,
		.mtu = mtu,
		.addresses = addresses,
		.address_count = 2};
	struct weir_error error;
	struct weir_tap *tap;

	memcpy(options.mac, tap_mac, 6);
	CU_ASSERT_EQUAL_FATAL(weir_tap_open(&options, &tap, &error), 0);
	return tap;
}

/* The next frame of this EtherType from the kernel; 0 when none comes. */
static size_t read_frame(struct weir_tap *tap, uint16_t type, uint8_t *frame, size_t size)
{
	uint64_t deadline = host_kernel_now_ms() + PATIENCE_MS;

	while (host_kernel_now_ms() < deadline) {
		ssize_t length = weir_tap_read(tap, frame, size);

		if (length == -EAGAIN)
			(void)host_kernel_poll(weir_tap_fd(tap), POLLIN, 100);
		else if (length < 14)
			return 0;
		else if (weir_icmp_read16(frame + 12) == type)
			return (size_t)length;
	}
	return 0;
}

static void put_ether(uint8_t *frame, uint16_t type)
{
	memcpy(frame, tap_mac, 6);
	memcpy(frame + 6, peer_mac, 6);
	frame[12] = (uint8_t)(type >> 8);
	frame[13] = (uint8_t)type;
}

static void put_checksum(uint8_t *at, uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~((sum & 0xffff) + (sum >> 16));
	at[0] = (uint8_t)(sum >> 8);
	at[1] = (uint8_t)sum;
}

static void test_a_twin_is_up_with_its_addresses(void)
{
	struct weir_tap *tap = open_tap(1400);
	struct weir_host_address addresses[4];
	struct weir_host_link link;
	struct weir_host *host;
	unsigned int count;
	bool is_usable = true;

	CU_ASSERT_EQUAL_FATAL(weir_host_open(NULL, NULL, &host, NULL), 0);
	CU_ASSERT_EQUAL(weir_host_link_by_name(host, "tap-test", &link), 0);
	CU_ASSERT_EQUAL(link.ifindex, weir_tap_ifindex(tap));
	CU_ASSERT_STRING_EQUAL(link.kind, "tun"); /* one kind for both */
	CU_ASSERT(link.is_up && link.is_running);
	CU_ASSERT_EQUAL(link.mtu, 1400);
	CU_ASSERT_EQUAL(memcmp(link.mac, tap_mac, 6), 0);
	count = weir_host_addresses(host, link.ifindex, addresses, 4);
	CU_ASSERT(count >= 2 && count <= 3); /* the kernel adds a link-local one */
	for (unsigned int i = 0; i < count && i < 4; i++)
		if (addresses[i].address.bytes[0] != 0xfe)
			is_usable = is_usable && addresses[i].is_usable;
	CU_ASSERT(is_usable);
	weir_host_close(host);
	weir_tap_close(tap);
	weir_tap_close(NULL);
	CU_ASSERT(host_kernel_run("! ip link show tap-test >/dev/null 2>&1"));
	CU_ASSERT(host_kernel_run("! ip -4 route show table all | grep -q 192.0.2"));
}

static void test_the_kernel_answers_through_the_twin(void)
{
	static const uint8_t arp_request[] = {0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 0x66, 192, 0,
		2, 9, 0, 0, 0, 0, 0, 0, 192, 0, 2, 1};
	struct weir_tap *tap = open_tap(0);
	uint8_t frame[1518];

	put_ether(frame, 0x0806);
	memcpy(frame + 14, arp_request, sizeof(arp_request));
	CU_ASSERT_EQUAL(weir_tap_write(tap, frame, 14 + sizeof(arp_request)), 0);
	CU_ASSERT_FATAL(read_frame(tap, 0x0806, frame, sizeof(frame)) >= 42);
	CU_ASSERT_EQUAL(frame[21], 2); /* a reply */
	CU_ASSERT_EQUAL(memcmp(frame, peer_mac, 6), 0);
	CU_ASSERT_EQUAL(memcmp(frame + 22, tap_mac, 6), 0);
	CU_ASSERT_EQUAL(weir_tap_write(tap, frame, 13), -EINVAL);
	weir_tap_close(tap);
}

static void test_a_frame_too_long_for_the_buffer_is_not_cut(void)
{
	struct weir_tap *tap = open_tap(0);
	uint8_t frame[1518];
	int fd;

	CU_ASSERT(host_kernel_run("ip neigh add 192.0.2.9 lladdr 02:00:00:00:00:66 dev tap-test"));
	while (weir_tap_read(tap, frame, sizeof(frame)) > 0)
		;
	fd = host_kernel_udp(NULL, 0, "192.0.2.9", 2055);
	CU_ASSERT_FATAL(fd >= 0);
	memset(frame, 0, sizeof(frame));
	/* 14 + 20 + 8 bytes of headers before 958: a frame of 1000. */
	for (int i = 0; i < 2; i++)
		CU_ASSERT_EQUAL(send(fd, frame, 958, 0), 958);
	for (int i = 0; i < 2; i++) {
		ssize_t expected = i == 0 ? -EMSGSIZE : 1000;
		ssize_t length;

		do {
			CU_ASSERT_FATAL(host_kernel_poll(weir_tap_fd(tap), POLLIN, PATIENCE_MS));
			length = weir_tap_read(tap, frame, i == 0 ? 999 : 1000);
		} while (length > 0 && length != 1000); /* the kernel's own IPv6 chatter */
		CU_ASSERT_EQUAL(length, expected);
	}
	close(fd);
	weir_tap_close(tap);
}

/* Write a datagram to a closed port and have the kernel's refusal parsed. */
static bool provoke(struct weir_tap *tap, uint8_t *frame, size_t length, uint16_t type,
	struct weir_icmp_unreachable *out)
{
	CU_ASSERT_EQUAL(weir_tap_write(tap, frame, length), 0);
	for (int i = 0; i < 20; i++) {
		size_t got = read_frame(tap, type, frame, 1518);

		if (got == 0)
			return false;
		if (weir_icmp_parse(frame + 14, frame + got, out))
			return true;
	}
	return false;
}

static void test_the_parser_reads_the_kernels_refusals(void)
{
	struct weir_tap *tap = open_tap(0);
	struct weir_icmp_unreachable out;
	uint8_t frame[1518] = {0};
	uint8_t *ip = frame + 14;

	CU_ASSERT(host_kernel_run(
		"ip neigh add 192.0.2.9 lladdr 02:00:00:00:00:66 dev tap-test && "
		"ip neigh add 2001:db8:5::9 lladdr 02:00:00:00:00:66 dev tap-test"));
	put_ether(frame, 0x0800);
	memcpy(ip,
		(const uint8_t[]){0x45, 0, 0, 32, 0, 1, 0, 0, 64, 17, 0, 0, 192, 0, 2, 9, 192, 0, 2,
			1, 0x12, 0x83, 0x08, 0x07, 0, 12, 0, 0},
		28);
	put_checksum(ip + 10, weir_icmp_sum(0, ip, ip + 20));
	CU_ASSERT_FATAL(provoke(tap, frame, 14 + 32, 0x0800, &out));
	CU_ASSERT(out.cause == WEIR_ICMP_PORT && out.code == 3);
	CU_ASSERT(out.source_port == 4739 && out.destination_port == 2055);
	CU_ASSERT(out.source.bytes[3] == 9 && out.destination.bytes[3] == 1);
	CU_ASSERT(weir_address_equal(&out.reporter, &out.destination));
	memset(frame, 0, sizeof(frame));
	put_ether(frame, 0x86dd);
	memcpy(ip, (const uint8_t[]){0x60, 0, 0, 0, 0, 12, 17, 64}, 8);
	inet_pton(AF_INET6, "2001:db8:5::9", ip + 8);
	inet_pton(AF_INET6, "2001:db8:5::1", ip + 24);
	memcpy(ip + 40, (const uint8_t[]){0x12, 0x83, 0x08, 0x07, 0, 12}, 6);
	put_checksum(ip + 46, weir_icmp_sum(12 + 17, ip + 8, ip + 52));
	CU_ASSERT_FATAL(provoke(tap, frame, 14 + 52, 0x86dd, &out));
	CU_ASSERT(out.cause == WEIR_ICMP_PORT && out.code == 4);
	CU_ASSERT(out.source_port == 4739 && out.destination_port == 2055);
	CU_ASSERT(out.source.bytes[15] == 9 && out.destination.bytes[15] == 1);
	CU_ASSERT(weir_address_equal(&out.reporter, &out.destination));
	weir_tap_close(tap);
}

static int refused(struct weir_tap_options options, struct weir_error *error)
{
	struct weir_tap *tap;
	int ret;

	memset(error, 0, sizeof(*error));
	ret = weir_tap_open(&options, &tap, error);
	CU_ASSERT_PTR_NULL(tap);
	CU_ASSERT_EQUAL(error->code, ret);
	CU_ASSERT(error->reason[0] != '\0' && error->hint[0] != '\0' && error->path[0] != '\0');
	return ret;
}

static void test_what_cannot_be_made_is_explained_and_leaves_nothing(void)
{
	const struct weir_prefix six = {host_kernel_address("2001:db8:5::1"), 64};
	const struct weir_prefix twice[] = {
		{host_kernel_address("192.0.2.1"), 24}, {host_kernel_address("192.0.2.1"), 24}};
	struct weir_error error;

	CU_ASSERT_EQUAL(refused((struct weir_tap_options){.name = "near0"}, &error), -EBUSY);
	CU_ASSERT_STRING_EQUAL(error.path, "near0");
	CU_ASSERT_EQUAL(
		refused((struct weir_tap_options){.name = "sixteen-bytes-xx"}, &error), -EINVAL);
	CU_ASSERT_EQUAL(refused((struct weir_tap_options){.name = "tap%d"}, &error), -EINVAL);
	CU_ASSERT_EQUAL(refused((struct weir_tap_options){.name = "a/b"}, &error), -EINVAL);
	CU_ASSERT(refused((struct weir_tap_options){.name = "tap-test",
				  .has_mac = true,
				  .mac = {1, 0, 0, 0, 0, 1}}, /* a multicast MAC */
			  &error) < 0);
	CU_ASSERT(refused((struct weir_tap_options){.name = "tap-test", .mtu = 67}, &error) < 0);
	CU_ASSERT(refused((struct weir_tap_options){.name = "tap-test",
				  .mtu = 1000,
				  .addresses = &six,
				  .address_count = 1},
			  &error) < 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(error.reason, "2001:db8:5::1/64"));
	CU_ASSERT_EQUAL(refused(
				(struct weir_tap_options){
					.name = "tap-test", .addresses = twice, .address_count = 2},
				&error),
		-EEXIST);
	CU_ASSERT(host_kernel_run("! ip link show tap-test >/dev/null 2>&1"));
}

CU_TestInfo host_kernel_tap_tests[] = {
	{"a twin is up with its addresses", test_a_twin_is_up_with_its_addresses},
	{"the kernel answers through the twin", test_the_kernel_answers_through_the_twin},
	{"a frame too long for the buffer is not cut",
		test_a_frame_too_long_for_the_buffer_is_not_cut},
	{"the parser reads the kernel's refusals", test_the_parser_reads_the_kernels_refusals},
	{"what cannot be made is explained and leaves nothing",
		test_what_cannot_be_made_is_explained_and_leaves_nothing},
	CU_TEST_INFO_NULL,
};
