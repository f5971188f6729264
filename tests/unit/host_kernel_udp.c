/* SPDX-License-Identifier: BSD-3-Clause */
/* The sink keeps the kernel from refusing datagrams; the probe notices a refusal. */
#include "host_kernel.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/probe.h"
#include "host/sink.h"

#define PATIENCE_MS 5000

static int far_sender(const char *to, uint16_t port)
{
	int fd;

	host_kernel_far();
	fd = host_kernel_udp(NULL, 0, to, port);
	host_kernel_near();
	CU_ASSERT_FATAL(fd >= 0);
	return fd;
}

static int pending_error(int fd)
{
	socklen_t length = sizeof(int);
	int error = 0;

	CU_ASSERT_EQUAL(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length), 0);
	return error;
}

/*
 * Does a datagram from far to this port of near bring a refusal? Whether none came is known once
 * a later datagram, to a port that nobody holds, was refused: the pair keeps the order.
 */
static bool is_refused(const char *to, uint16_t port)
{
	int later = far_sender(to, 9);
	int fd = far_sender(to, port);
	bool is_refused;

	CU_ASSERT_EQUAL(send(fd, "x", 1, 0), 1);
	CU_ASSERT_EQUAL(send(later, "x", 1, 0), 1);
	CU_ASSERT(host_kernel_poll(later, POLLERR, PATIENCE_MS));
	CU_ASSERT_EQUAL(pending_error(later), ECONNREFUSED);
	is_refused = pending_error(fd) == ECONNREFUSED;
	close(fd);
	close(later);
	return is_refused;
}

static void test_a_sink_keeps_refusals_away(void)
{
	const struct weir_sink_range flow = {2055, 2056}, other = {2056, 2057};
	struct weir_sink *sink;

	CU_ASSERT_EQUAL_FATAL(weir_sink_open("near0", &sink), 0);
	CU_ASSERT(is_refused(NEAR4, 2055) && is_refused(NEAR6, 2055));
	CU_ASSERT_EQUAL(weir_sink_set(sink, &flow, 1), 0);
	CU_ASSERT_EQUAL(weir_sink_count(sink), 2);
	CU_ASSERT(!is_refused(NEAR4, 2055) && !is_refused(NEAR6, 2055));
	CU_ASSERT(!is_refused(NEAR4, 2056) && is_refused(NEAR4, 2057));
	/* The new set replaces the old one. */
	CU_ASSERT_EQUAL(weir_sink_set(sink, &other, 1), 0);
	CU_ASSERT_EQUAL(weir_sink_count(sink), 2);
	CU_ASSERT(is_refused(NEAR4, 2055) && is_refused(NEAR6, 2055));
	CU_ASSERT(!is_refused(NEAR6, 2056) && !is_refused(NEAR4, 2057));
	CU_ASSERT_EQUAL(weir_sink_set(sink, NULL, 0), 0);
	CU_ASSERT_EQUAL(weir_sink_count(sink), 0);
	CU_ASSERT(is_refused(NEAR4, 2056));
	CU_ASSERT_EQUAL(weir_sink_set(sink, &flow, 1), 0);
	weir_sink_close(sink);
	CU_ASSERT(is_refused(NEAR4, 2055));
}

/* Nothing must wait in a queue that nobody reads: a full one would only be less visible. */
static void test_a_sink_queues_nothing(void)
{
	const struct weir_sink_range flow = {2055, 2055};
	struct weir_sink *sink;
	int fd = far_sender(NEAR4, 2055);

	CU_ASSERT_EQUAL_FATAL(weir_sink_open("near0", &sink), 0);
	CU_ASSERT_EQUAL(weir_sink_set(sink, &flow, 1), 0);
	for (int i = 0; i < 20; i++)
		CU_ASSERT_EQUAL(send(fd, "x", 1, 0), 1);
	CU_ASSERT_FALSE(is_refused(NEAR4, 2055));
	/* Port 2055 (0807) and its transmit and receive queues, in bytes. */
	CU_ASSERT(host_kernel_run(
		"grep -q ':0807 .* 00000000:00000000 ' /proc/thread-self/net/udp6"));
	weir_sink_close(sink);
	close(fd);
}

static void test_a_sink_is_for_its_interface_only(void)
{
	const struct weir_sink_range flow = {2055, 2055};
	struct weir_sink *sink;
	int fd;

	CU_ASSERT_EQUAL_FATAL(weir_sink_open("near0", &sink), 0);
	CU_ASSERT_EQUAL(weir_sink_set(sink, &flow, 1), 0);
	fd = host_kernel_udp(NULL, 0, "127.0.0.1", 2055);
	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL(send(fd, "x", 1, 0), 1);
	CU_ASSERT(host_kernel_poll(fd, POLLERR, PATIENCE_MS));
	CU_ASSERT_EQUAL(pending_error(fd), ECONNREFUSED);
	close(fd);
	weir_sink_close(sink);
}

static void test_a_port_in_use_is_left_to_its_owner(void)
{
	const struct weir_sink_range flow = {2055, 2056};
	struct weir_sink *sink;
	int owner = host_kernel_udp("::", 2055, NULL, 0);
	int sender = far_sender(NEAR4, 2055);
	char byte;

	CU_ASSERT_FATAL(owner >= 0);
	CU_ASSERT_EQUAL_FATAL(weir_sink_open("near0", &sink), 0);
	CU_ASSERT_EQUAL(weir_sink_set(sink, &flow, 1), 0);
	CU_ASSERT_EQUAL(weir_sink_count(sink), 1);
	CU_ASSERT_EQUAL(send(sender, "x", 1, 0), 1);
	CU_ASSERT(host_kernel_poll(owner, POLLIN, PATIENCE_MS));
	CU_ASSERT_EQUAL(recv(owner, &byte, 1, 0), 1);
	/* Once the owner is gone, setting again takes the port. */
	close(owner);
	CU_ASSERT_EQUAL(weir_sink_set(sink, &flow, 1), 0);
	CU_ASSERT_EQUAL(weir_sink_count(sink), 2);
	CU_ASSERT_FALSE(is_refused(NEAR4, 2055));
	close(sender);
	weir_sink_close(sink);
}

static void test_too_many_ports_change_nothing(void)
{
	const struct weir_sink_range few[] = {{2055, 2057}, {2056, 2060}, {0, 0}};
	const struct weir_sink_range many[] = {{1000, 1127}, {1100, 1256}};
	const struct weir_sink_range enough[] = {{1000, 1127}, {1100, 1255}};
	const struct weir_sink_range all = {0, 65535};
	struct weir_sink *sink;

	CU_ASSERT_EQUAL_FATAL(weir_sink_open("near0", &sink), 0);
	CU_ASSERT_EQUAL(weir_sink_set(sink, few, 3), 0);
	CU_ASSERT_EQUAL(weir_sink_count(sink), 6);
	CU_ASSERT_EQUAL(weir_sink_set(sink, many, 2), -E2BIG);
	CU_ASSERT_EQUAL(weir_sink_set(sink, &all, 1), -E2BIG);
	CU_ASSERT_EQUAL(weir_sink_count(sink), 6);
	CU_ASSERT_FALSE(is_refused(NEAR4, 2060));
	CU_ASSERT_EQUAL(weir_sink_set(sink, enough, 2), 0);
	CU_ASSERT_EQUAL(weir_sink_count(sink), WEIR_SINK_MAX_PORTS);
	CU_ASSERT(is_refused(NEAR4, 2060) && !is_refused(NEAR4, 1255));
	weir_sink_close(sink);
}

static void test_a_sink_without_its_interface_says_so(void)
{
	const struct weir_sink_range flow = {2055, 2055};
	struct weir_sink *sink;

	CU_ASSERT_EQUAL(weir_sink_open("", &sink), -EINVAL);
	CU_ASSERT_EQUAL(weir_sink_open("sixteen-bytes-xx", &sink), -EINVAL);
	CU_ASSERT_PTR_NULL(sink);
	CU_ASSERT_EQUAL_FATAL(weir_sink_open("nowhere0", &sink), 0);
	CU_ASSERT_EQUAL(weir_sink_set(sink, &flow, 1), -ENODEV);
	CU_ASSERT_EQUAL(weir_sink_count(sink), 0);
	weir_sink_close(sink);
	weir_sink_close(NULL);
}

static void test_a_closed_port_refuses_the_probe(void)
{
	static const char *const both[] = {FAR4, FAR6};

	for (unsigned int i = 0; i < 2; i++) {
		const struct weir_address far = host_kernel_address(both[i]);
		struct weir_probe probe;

		CU_ASSERT_EQUAL_FATAL(weir_probe_start(&far, 2055, &probe), 0);
		CU_ASSERT(host_kernel_poll(probe.fd, POLLIN, PATIENCE_MS));
		CU_ASSERT_EQUAL(weir_probe_result(&probe, 1), WEIR_PROBE_REFUSED);
		CU_ASSERT_EQUAL(probe.error, ECONNREFUSED);
		CU_ASSERT_EQUAL(weir_probe_result(&probe, 1000), WEIR_PROBE_REFUSED);
		weir_probe_close(&probe);
		weir_probe_close(&probe);
	}
}

static void test_a_listener_is_alive_when_the_wait_is_over(void)
{
	static const char *const both[] = {FAR4, FAR6};
	int listener;
	char byte;

	host_kernel_far();
	listener = host_kernel_udp("::", 2055, NULL, 0);
	host_kernel_near();
	CU_ASSERT_FATAL(listener >= 0);
	for (unsigned int i = 0; i < 2; i++) {
		const struct weir_address far = host_kernel_address(both[i]);
		struct weir_probe probe;

		CU_ASSERT_EQUAL_FATAL(weir_probe_start(&far, 2055, &probe), 0);
		CU_ASSERT(host_kernel_poll(listener, POLLIN, PATIENCE_MS));
		CU_ASSERT_EQUAL(recv(listener, &byte, 1, 0), 0);
		CU_ASSERT_EQUAL(weir_probe_result(&probe, 0), WEIR_PROBE_PENDING);
		CU_ASSERT_EQUAL(
			weir_probe_result(&probe, WEIR_PROBE_WAIT_MS - 1), WEIR_PROBE_PENDING);
		CU_ASSERT_EQUAL(weir_probe_result(&probe, WEIR_PROBE_WAIT_MS), WEIR_PROBE_ALIVE);
		weir_probe_close(&probe);
	}
	close(listener);
}

static void test_a_router_that_knows_no_way_refuses_the_probe(void)
{
	const struct weir_address beyond = host_kernel_address("203.0.113.5");
	struct weir_probe probe;

	CU_ASSERT(host_kernel_run("ip route add 203.0.113.0/24 via " FAR4));
	host_kernel_far();
	CU_ASSERT(host_kernel_run("echo 1 >/proc/sys/net/ipv4/ip_forward && "
				  "ip route add unreachable 203.0.113.0/24"));
	host_kernel_near();
	CU_ASSERT_EQUAL_FATAL(weir_probe_start(&beyond, 2055, &probe), 0);
	CU_ASSERT(host_kernel_poll(probe.fd, POLLIN, PATIENCE_MS));
	CU_ASSERT_EQUAL(weir_probe_result(&probe, 1), WEIR_PROBE_REFUSED);
	CU_ASSERT_EQUAL(probe.error, EHOSTUNREACH);
	weir_probe_close(&probe);
	CU_ASSERT(host_kernel_run("ip route del 203.0.113.0/24"));
	CU_ASSERT_EQUAL(weir_probe_start(&beyond, 2055, &probe), -ENETUNREACH);
	CU_ASSERT_EQUAL(probe.fd, -1);
	CU_ASSERT_EQUAL(weir_probe_start(&(struct weir_address){0}, 2055, &probe), -EINVAL);
}

CU_TestInfo host_kernel_udp_tests[] = {
	{"a sink keeps refusals away", test_a_sink_keeps_refusals_away},
	{"a sink queues nothing", test_a_sink_queues_nothing},
	{"a sink is for its interface only", test_a_sink_is_for_its_interface_only},
	{"a port in use is left to its owner", test_a_port_in_use_is_left_to_its_owner},
	{"too many ports change nothing", test_too_many_ports_change_nothing},
	{"a sink without its interface says so", test_a_sink_without_its_interface_says_so},
	{"a closed port refuses the probe", test_a_closed_port_refuses_the_probe},
	{"a listener is alive when the wait is over",
		test_a_listener_is_alive_when_the_wait_is_over},
	{"a router that knows no way refuses the probe",
		test_a_router_that_knows_no_way_refuses_the_probe},
	CU_TEST_INFO_NULL,
};
