/* SPDX-License-Identifier: BSD-3-Clause */
/* Links, addresses and routes of the running kernel, and how their changes are told. */
#include "host_kernel.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "host_kernel_watch.h"

#define PATIENCE_MS 10000

static void count(void *context, const struct weir_host_change *change)
{
	struct host_watch *watch = context;

	watch->told[change->kind]++;
}

void host_watch_open(struct host_watch *watch)
{
	struct weir_error error;

	memset(watch, 0, sizeof(*watch));
	CU_ASSERT_EQUAL_FATAL(weir_host_open(count, watch, &watch->host, &error), 0);
}

void host_watch_close(struct host_watch *watch)
{
	weir_host_close(watch->host);
}

void host_watch_settle(struct host_watch *watch)
{
	while (host_kernel_poll(weir_host_fd(watch->host), POLLIN, 0))
		CU_ASSERT_EQUAL_FATAL(weir_host_process(watch->host), 0);
	memset(watch->told, 0, sizeof(watch->told));
}

bool host_watch_until_told(
	struct host_watch *watch, enum weir_host_change_kind kind, unsigned int before)
{
	uint64_t deadline = host_kernel_now_ms() + PATIENCE_MS;

	while (watch->told[kind] <= before && host_kernel_now_ms() < deadline) {
		(void)host_kernel_poll(weir_host_fd(watch->host), POLLIN, 100);
		CU_ASSERT_EQUAL_FATAL(weir_host_process(watch->host), 0);
	}
	return watch->told[kind] > before;
}

bool host_watch_until_state(
	struct host_watch *watch, int ifindex, const char *address, enum weir_neighbour_state state)
{
	const struct weir_address key = host_kernel_address(address);
	uint64_t deadline = host_kernel_now_ms() + PATIENCE_MS;
	struct weir_host_neighbour neighbour;

	weir_host_neighbour(watch->host, ifindex, &key, &neighbour);
	while (neighbour.state != state && host_kernel_now_ms() < deadline) {
		(void)host_kernel_poll(weir_host_fd(watch->host), POLLIN, 100);
		CU_ASSERT_EQUAL_FATAL(weir_host_process(watch->host), 0);
		weir_host_neighbour(watch->host, ifindex, &key, &neighbour);
	}
	return neighbour.state == state;
}

int host_watch_ifindex(const struct host_watch *watch, const char *name)
{
	struct weir_host_link link;

	CU_ASSERT_EQUAL_FATAL(weir_host_link_by_name(watch->host, name, &link), 0);
	return link.ifindex;
}

static bool has_address(
	const struct host_watch *watch, int ifindex, const char *text, uint8_t length)
{
	const struct weir_address wanted = host_kernel_address(text);
	struct weir_host_address addresses[16];
	unsigned int found = weir_host_addresses(watch->host, ifindex, addresses, 16);

	for (unsigned int i = 0; i < found && i < 16; i++)
		if (weir_address_equal(&addresses[i].address, &wanted) &&
			addresses[i].length == length && addresses[i].is_usable)
			return true;
	return false;
}

static struct weir_host_route route_to(struct host_watch *watch, const char *destination, int ret)
{
	const struct weir_address address = host_kernel_address(destination);
	struct weir_host_route route;

	CU_ASSERT_EQUAL(weir_host_route(watch->host, &address, &route), ret);
	return route;
}

static bool is(const struct weir_address *address, const char *text)
{
	const struct weir_address wanted = host_kernel_address(text);

	return weir_address_equal(address, &wanted);
}

static void test_links_and_addresses_are_known_from_the_start(void)
{
	struct host_watch watch;
	struct weir_host_link link, same;

	host_watch_open(&watch);
	CU_ASSERT_EQUAL(weir_host_link_by_name(watch.host, "near0", &link), 0);
	CU_ASSERT_STRING_EQUAL(link.kind, "veth");
	CU_ASSERT(link.is_up && link.is_running && link.has_mac && !link.is_loopback);
	CU_ASSERT_EQUAL(link.mtu, 1500);
	CU_ASSERT_EQUAL(link.parent, 0);
	CU_ASSERT_EQUAL(link.vlan, 0);
	CU_ASSERT_EQUAL(weir_host_link_by_index(watch.host, link.ifindex, &same), 0);
	CU_ASSERT_STRING_EQUAL(same.name, "near0");
	CU_ASSERT_EQUAL(weir_host_link_by_name(watch.host, "lo", &same), 0);
	CU_ASSERT(same.is_loopback);
	CU_ASSERT(has_address(&watch, link.ifindex, NEAR4, 24));
	CU_ASSERT(has_address(&watch, link.ifindex, NEAR6, 64));
	CU_ASSERT_EQUAL(weir_host_link_by_name(watch.host, "far0", &same), -ENODEV);
	CU_ASSERT_EQUAL(weir_host_link_by_index(watch.host, 9999, &same), -ENODEV);
	CU_ASSERT_EQUAL(weir_host_addresses(watch.host, 9999, NULL, 0), 0);
	host_watch_close(&watch);
}

static void test_changes_of_a_link_are_told(void)
{
	struct host_watch watch;
	struct weir_host_link link, other;

	host_watch_open(&watch);
	CU_ASSERT(host_kernel_run("ip link add more0 mtu 1400 type veth peer name more1"));
	CU_ASSERT(host_watch_until_told(&watch, WEIR_HOST_LINK, 0));
	CU_ASSERT_EQUAL(weir_host_link_by_name(watch.host, "more0", &link), 0);
	CU_ASSERT_EQUAL(link.mtu, 1400);
	/* Asked, the kernel says what the cache has not heard of yet. */
	CU_ASSERT(host_kernel_run("ip link set more0 mtu 1300"));
	CU_ASSERT_EQUAL(weir_host_link_ask(watch.host, link.ifindex, &link), 0);
	CU_ASSERT_EQUAL(link.mtu, 1300);
	CU_ASSERT_STRING_EQUAL(link.name, "more0");
	CU_ASSERT_EQUAL(link.xdp_program, 0);
	CU_ASSERT_EQUAL(weir_host_link_ask(watch.host, 9999, &other), -ENODEV);
	CU_ASSERT_EQUAL(weir_host_link_ask(watch.host, 0, &other), -ENODEV);
	CU_ASSERT_FALSE(link.is_up);
	host_watch_settle(&watch);
	CU_ASSERT(host_kernel_run("ip link set more0 name other0 address 02:00:00:00:00:77 up"));
	CU_ASSERT(host_watch_until_told(&watch, WEIR_HOST_LINK, 0));
	host_watch_settle(&watch);
	CU_ASSERT_EQUAL(weir_host_link_by_name(watch.host, "more0", &link), -ENODEV);
	CU_ASSERT_EQUAL(weir_host_link_by_name(watch.host, "other0", &link), 0);
	CU_ASSERT_EQUAL(link.mac[5], 0x77);
	CU_ASSERT(link.is_up && !link.is_running); /* its other end is down */
	CU_ASSERT(host_kernel_run("ip link del other0"));
	CU_ASSERT(host_watch_until_told(&watch, WEIR_HOST_LINK, 0));
	CU_ASSERT(watch.told[WEIR_HOST_ROUTE] > 0);
	host_watch_settle(&watch);
	CU_ASSERT_EQUAL(weir_host_link_by_index(watch.host, link.ifindex, &link), -ENODEV);
	host_watch_close(&watch);
}

static void test_changes_of_addresses_and_routes_are_told(void)
{
	struct host_watch watch;
	int ifindex;

	host_watch_open(&watch);
	ifindex = host_watch_ifindex(&watch, "near0");
	CU_ASSERT(host_kernel_run("ip addr add 10.8.0.1/30 dev near0"));
	CU_ASSERT(host_watch_until_told(&watch, WEIR_HOST_ADDRESS, 0));
	CU_ASSERT(host_watch_until_told(&watch, WEIR_HOST_ROUTE, 0));
	CU_ASSERT(has_address(&watch, ifindex, "10.8.0.1", 30));
	CU_ASSERT(host_kernel_run("ip addr del 10.8.0.1/30 dev near0"));
	CU_ASSERT(host_watch_until_told(&watch, WEIR_HOST_ADDRESS, 1));
	CU_ASSERT_FALSE(has_address(&watch, ifindex, "10.8.0.1", 30));
	host_watch_settle(&watch);
	/* Many at once are one change. */
	CU_ASSERT(host_kernel_run(
		"for i in 1 2 3 4 5; do ip route add 10.7.$i.0/24 via " FAR4 "; done"));
	CU_ASSERT_EQUAL(weir_host_process(watch.host), 0);
	CU_ASSERT_EQUAL(watch.told[WEIR_HOST_ROUTE], 1);
	CU_ASSERT_EQUAL(watch.told[WEIR_HOST_LINK] + watch.told[WEIR_HOST_ADDRESS], 0);
	CU_ASSERT_EQUAL(weir_host_process(watch.host), 0);
	CU_ASSERT_EQUAL(watch.told[WEIR_HOST_ROUTE], 1);
	host_watch_settle(&watch);
	CU_ASSERT(host_kernel_run("ip rule add to 10.6.0.0/16 table 77 && "
				  "ip rule del to 10.6.0.0/16 table 77"));
	CU_ASSERT(host_watch_until_told(&watch, WEIR_HOST_ROUTE, 0));
	CU_ASSERT(host_kernel_run("for i in 1 2 3 4 5; do ip route del 10.7.$i.0/24; done"));
	host_watch_close(&watch);
}

static void test_a_route_says_the_way(void)
{
	struct weir_host_route route;
	struct host_watch watch;
	int ifindex;

	CU_ASSERT(host_kernel_run("ip route add 198.51.100.0/24 via %s mtu 1280 src %s && "
				  "ip route add 203.0.113.0/24 via inet6 %s dev near0 && "
				  "ip route add 2001:db8:1::/48 via %s",
		FAR4, NEAR4, FAR6, FAR6));
	host_watch_open(&watch);
	ifindex = host_watch_ifindex(&watch, "near0");
	route = route_to(&watch, "10.9.0.77", 0);
	CU_ASSERT(route.type == WEIR_ROUTE_UNICAST && !route.has_gateway);
	CU_ASSERT(route.ifindex == ifindex && route.mtu == 1500);
	CU_ASSERT(is(&route.next_hop, "10.9.0.77") && is(&route.source, NEAR4));
	route = route_to(&watch, "fd00:9::77", 0);
	CU_ASSERT(route.type == WEIR_ROUTE_UNICAST && !route.has_gateway);
	CU_ASSERT(route.ifindex == ifindex && route.mtu == 1500);
	CU_ASSERT(is(&route.next_hop, "fd00:9::77") && is(&route.source, NEAR6));
	route = route_to(&watch, "198.51.100.9", 0);
	CU_ASSERT(route.has_gateway && route.ifindex == ifindex && route.mtu == 1280);
	CU_ASSERT(is(&route.next_hop, FAR4) && is(&route.source, NEAR4));
	route = route_to(&watch, "203.0.113.9", 0);
	CU_ASSERT(route.has_gateway && route.ifindex == ifindex);
	CU_ASSERT(is(&route.next_hop, FAR6) && is(&route.source, NEAR4));
	route = route_to(&watch, "2001:db8:1::9", 0);
	CU_ASSERT(route.has_gateway && route.ifindex == ifindex);
	CU_ASSERT(is(&route.next_hop, FAR6) && is(&route.source, NEAR6));
	host_watch_close(&watch);
	CU_ASSERT(host_kernel_run("ip route del 198.51.100.0/24 && ip route del 203.0.113.0/24 && "
				  "ip route del 2001:db8:1::/48"));
}

static void test_a_route_that_leads_nowhere_says_so(void)
{
	struct host_watch watch;

	for (unsigned int i = 0; i < 3; i++) {
		static const char *const types[] = {"unreachable", "blackhole", "prohibit"};

		CU_ASSERT(host_kernel_run("ip route add %s 100.64.%u.0/24", types[i], i));
		CU_ASSERT(host_kernel_run("ip route add %s 2001:db8:%u::/48", types[i], i + 2));
	}
	host_watch_open(&watch);
	CU_ASSERT_EQUAL(route_to(&watch, "100.64.0.1", 0).type, WEIR_ROUTE_UNREACHABLE);
	CU_ASSERT_EQUAL(route_to(&watch, "100.64.1.1", 0).type, WEIR_ROUTE_BLACKHOLE);
	CU_ASSERT_EQUAL(route_to(&watch, "100.64.2.1", 0).type, WEIR_ROUTE_PROHIBIT);
	CU_ASSERT_EQUAL(route_to(&watch, "2001:db8:2::1", 0).type, WEIR_ROUTE_UNREACHABLE);
	CU_ASSERT_EQUAL(route_to(&watch, "2001:db8:3::1", 0).type, WEIR_ROUTE_BLACKHOLE);
	CU_ASSERT_EQUAL(route_to(&watch, "2001:db8:4::1", 0).type, WEIR_ROUTE_PROHIBIT);
	CU_ASSERT_EQUAL(route_to(&watch, "2001:db8:4::1", 0).ifindex, 0);
	CU_ASSERT_EQUAL(route_to(&watch, NEAR4, 0).type, WEIR_ROUTE_LOCAL);
	CU_ASSERT_EQUAL(route_to(&watch, NEAR6, 0).type, WEIR_ROUTE_LOCAL);
	CU_ASSERT_EQUAL(route_to(&watch, "10.9.0.255", 0).type, WEIR_ROUTE_BROADCAST);
	route_to(&watch, "192.0.2.1", -ENETUNREACH);
	route_to(&watch, "2001:db8:ffff::1", -ENETUNREACH);
	/* The socket is fit for the next question after each of these. */
	CU_ASSERT_EQUAL(route_to(&watch, FAR4, 0).type, WEIR_ROUTE_UNICAST);
	host_watch_close(&watch);
	for (unsigned int i = 0; i < 3; i++)
		CU_ASSERT(host_kernel_run("ip route del 100.64.%u.0/24 && "
					  "ip route del 2001:db8:%u::/48",
			i, i + 2));
}

static void test_after_a_loss_everything_is_fresh(void)
{
	const int smallest = 0;
	struct host_watch watch;
	int ifindex;

	host_watch_open(&watch);
	ifindex = host_watch_ifindex(&watch, "near0");
	host_watch_settle(&watch);
	CU_ASSERT_EQUAL(setsockopt(weir_host_fd(watch.host), SOL_SOCKET, SO_RCVBUF, &smallest,
				sizeof(smallest)),
		0);
	CU_ASSERT(host_kernel_run("for i in $(seq 100); do echo addr add 10.5.$i.1/24 dev near0; "
				  "done | ip -batch -"));
	CU_ASSERT(host_watch_until_told(&watch, WEIR_HOST_EVERYTHING, 0));
	CU_ASSERT(has_address(&watch, ifindex, NEAR4, 24));
	/* 100, and those it had before. */
	CU_ASSERT(weir_host_addresses(watch.host, ifindex, NULL, 0) >= 102);
	host_watch_settle(&watch);
	CU_ASSERT(host_kernel_run("ip link set near0 mtu 1499"));
	CU_ASSERT(host_watch_until_told(&watch, WEIR_HOST_LINK, 0));
	CU_ASSERT(host_kernel_run("ip link set near0 mtu 1500 && for i in $(seq 100); do "
				  "echo addr del 10.5.$i.1/24 dev near0; done | ip -batch -"));
	host_watch_close(&watch);
}

static void test_closing_nothing_is_fine(void)
{
	weir_host_close(NULL);
	CU_ASSERT_STRING_EQUAL(weir_route_type_name(WEIR_ROUTE_PROHIBIT), "prohibit");
	CU_ASSERT_STRING_EQUAL(weir_route_type_name(WEIR_ROUTE_TYPES), "unknown");
}

CU_TestInfo host_kernel_netlink_tests[] = {
	{"links and addresses are known from the start",
		test_links_and_addresses_are_known_from_the_start},
	{"changes of a link are told", test_changes_of_a_link_are_told},
	{"changes of addresses and routes are told", test_changes_of_addresses_and_routes_are_told},
	{"a route says the way", test_a_route_says_the_way},
	{"a route that leads nowhere says so", test_a_route_that_leads_nowhere_says_so},
	{"after a loss everything is fresh", test_after_a_loss_everything_is_fresh},
	{"closing nothing is fine", test_closing_nothing_is_fine},
	CU_TEST_INFO_NULL,
};
