/* SPDX-License-Identifier: BSD-3-Clause */
/* rtnetlink messages to values, and values to a cache, on messages made here. */
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>

#include <CUnit/Basic.h>

#include "host/cache.h"
#include "host/decode.h"
#include "host_message.h"

static const uint8_t mac_a[6] = {2, 0, 0, 0, 0, 1};
static const uint8_t mac_b[6] = {2, 0, 0, 0, 0, 2};

static struct weir_address address_of(const char *text)
{
	struct weir_address address;

	if (weir_address_parse(text, &address) < 0)
		abort();
	return address;
}

static bool has_text(const struct weir_address *address, const char *text)
{
	struct weir_address expected = address_of(text);

	return weir_address_equal(address, &expected);
}

static void test_a_vlan_device_has_parent_id_and_protocol(void)
{
	struct host_message message;
	struct nlmsghdr *header = host_message_link(&message, RTM_NEWLINK, 7, "eth0.5");
	struct weir_host_link link;

	mnl_attr_put_u32(header, IFLA_LINK, 3);
	mnl_attr_put_u32(header, IFLA_MASTER, 12);
	host_message_vlan(header, 0x8100, 5);
	CU_ASSERT_EQUAL_FATAL(weir_host_decode_link(header, &link), 0);
	CU_ASSERT_EQUAL(link.ifindex, 7);
	CU_ASSERT_STRING_EQUAL(link.name, "eth0.5");
	CU_ASSERT_STRING_EQUAL(link.kind, "vlan");
	CU_ASSERT_EQUAL(link.mtu, 1500);
	CU_ASSERT_EQUAL(link.parent, 3);
	CU_ASSERT_EQUAL(link.master, 12);
	CU_ASSERT_EQUAL(link.vlan, 5);
	CU_ASSERT_EQUAL(link.vlan_protocol, 0x8100);
	CU_ASSERT(link.is_up && link.is_running && link.has_mac && !link.is_loopback);
	CU_ASSERT_EQUAL(link.mac[5], 9);
	header = host_message_link(&message, RTM_NEWLINK, 8, "eth0.s");
	host_message_vlan(header, 0x88a8, 4094);
	CU_ASSERT_EQUAL_FATAL(weir_host_decode_link(header, &link), 0);
	CU_ASSERT_EQUAL(link.vlan, 4094);
	CU_ASSERT_EQUAL(link.vlan_protocol, 0x88a8);
}

static void test_a_link_names_its_xdp_program(void)
{
	struct host_message message;
	struct nlmsghdr *header = host_message_link(&message, RTM_NEWLINK, 7, "v0");
	struct nlattr *xdp = mnl_attr_nest_start(header, IFLA_XDP);
	struct weir_host_link link;

	mnl_attr_put_u8(header, IFLA_XDP_ATTACHED, XDP_ATTACHED_SKB);
	mnl_attr_put_u32(header, IFLA_XDP_PROG_ID, 4711);
	mnl_attr_nest_end(header, xdp);
	CU_ASSERT_EQUAL_FATAL(weir_host_decode_link(header, &link), 0);
	CU_ASSERT_EQUAL(link.xdp_program, 4711);
	header = host_message_link(&message, RTM_NEWLINK, 7, "v0");
	CU_ASSERT_EQUAL_FATAL(weir_host_decode_link(header, &link), 0);
	CU_ASSERT_EQUAL(link.xdp_program, 0);
}

static void test_a_peer_or_a_parent_elsewhere_is_no_parent(void)
{
	struct host_message message;
	struct nlmsghdr *header = host_message_link(&message, RTM_NEWLINK, 7, "v0");
	struct weir_host_link link;

	mnl_attr_put_u32(header, IFLA_LINK, 3);
	host_message_kind(header, "veth");
	CU_ASSERT_EQUAL(weir_host_decode_link(header, &link), 0);
	CU_ASSERT_EQUAL(link.parent, 0);
	header = host_message_link(&message, RTM_NEWLINK, 7, "m0");
	mnl_attr_put_u32(header, IFLA_LINK, 3);
	mnl_attr_put_u32(header, IFLA_LINK_NETNSID, 0);
	host_message_kind(header, "macvlan");
	CU_ASSERT_EQUAL(weir_host_decode_link(header, &link), 0);
	CU_ASSERT_EQUAL(link.parent, 0);
}

static void test_up_without_carrier_is_not_running(void)
{
	struct host_message message;
	struct nlmsghdr *header = host_message_link(&message, RTM_NEWLINK, 7, "eth0");
	struct ifinfomsg *info = mnl_nlmsg_get_payload(header);
	struct weir_host_link link;

	info->ifi_flags = IFF_UP;
	CU_ASSERT_EQUAL(weir_host_decode_link(header, &link), 0);
	CU_ASSERT(link.is_up && !link.is_running);
	info->ifi_flags = IFF_RUNNING | IFF_LOOPBACK;
	CU_ASSERT_EQUAL(weir_host_decode_link(header, &link), 0);
	CU_ASSERT(!link.is_up && !link.is_running && link.is_loopback);
}

static void test_links_that_are_something_else_are_passed_over(void)
{
	struct host_message message;
	struct nlmsghdr *header = host_message_link(&message, RTM_NEWLINK, 7, "eth0");
	struct ifinfomsg *info = mnl_nlmsg_get_payload(header);
	struct weir_host_link link;

	info->ifi_family = AF_BRIDGE;
	CU_ASSERT_EQUAL(weir_host_decode_link(header, &link), -ENOMSG);
	info->ifi_family = AF_UNSPEC;
	info->ifi_index = 0;
	CU_ASSERT_EQUAL(weir_host_decode_link(header, &link), -EINVAL);
	header = host_message_link(&message, RTM_NEWLINK, 7, "wlan0");
	mnl_attr_put_u32(header, IFLA_WIRELESS, 0);
	CU_ASSERT_EQUAL(weir_host_decode_link(header, &link), -ENOMSG);
}

/* Every length of the message, with the header agreeing, in memory of that size and its padding. */
static void decode_cut(const struct nlmsghdr *header)
{
	const struct weir_address destination = address_of("192.0.2.1");

	for (uint32_t length = sizeof(*header); length <= header->nlmsg_len; length++) {
		struct nlmsghdr *cut = calloc(1, NLMSG_ALIGN(length));
		struct weir_host_neighbour neighbour;
		struct weir_host_address address;
		struct weir_host_route route;
		struct weir_host_link link;
		struct weir_address key;
		int ifindex;

		if (cut == NULL)
			abort();
		memcpy(cut, header, length);
		cut->nlmsg_len = length;
		if (length < sizeof(*header) + sizeof(struct ifaddrmsg))
			CU_ASSERT_EQUAL(weir_host_decode_address(cut, &ifindex, &address), -EINVAL);
		(void)weir_host_decode_link(cut, &link);
		(void)weir_host_decode_address(cut, &ifindex, &address);
		(void)weir_host_decode_neighbour(cut, &ifindex, &key, &neighbour);
		(void)weir_host_decode_route(cut, &destination, &route);
		free(cut);
	}
}

static void test_cut_messages_are_read_within_their_bounds(void)
{
	struct host_message message;
	struct nlmsghdr *header = host_message_link(&message, RTM_NEWLINK, 7, "eth0.5");

	host_message_vlan(header, 0x8100, 5);
	decode_cut(header);
	decode_cut(host_message_address(&message, RTM_NEWADDR, 7, "2001:db8::1", 64, 0));
	decode_cut(
		host_message_neighbour(&message, RTM_NEWNEIGH, 7, "192.0.2.1", NUD_STALE, mac_a));
}

static void test_a_name_without_end_is_cut(void)
{
	struct host_message message;
	struct nlmsghdr *header = host_message_link(&message, RTM_NEWLINK, 7, "");
	struct weir_host_link link;
	char name[40];

	memset(name, 'x', sizeof(name));
	mnl_attr_put(header, IFLA_IFNAME, sizeof(name), name);
	mnl_attr_put(header, IFLA_MTU, 2, name);
	mnl_attr_put(header, IFLA_ADDRESS, 20, name);
	CU_ASSERT_EQUAL(weir_host_decode_link(header, &link), 0);
	CU_ASSERT_STRING_EQUAL(link.name, "xxxxxxxxxxxxxxx");
	CU_ASSERT_EQUAL(link.mtu, 0);
	CU_ASSERT_FALSE(link.has_mac);
}

static void test_the_state_of_a_neighbour_says_whether_to_send(void)
{
	static const struct {
		uint16_t nud;
		enum weir_neighbour_state with_mac;
		enum weir_neighbour_state without;
	} cases[] = {
		{NUD_NONE, WEIR_NEIGHBOUR_UNKNOWN, WEIR_NEIGHBOUR_UNKNOWN},
		{NUD_INCOMPLETE, WEIR_NEIGHBOUR_RESOLVING, WEIR_NEIGHBOUR_RESOLVING},
		{NUD_REACHABLE, WEIR_NEIGHBOUR_REACHABLE, WEIR_NEIGHBOUR_UNKNOWN},
		{NUD_STALE, WEIR_NEIGHBOUR_REACHABLE, WEIR_NEIGHBOUR_UNKNOWN},
		{NUD_DELAY, WEIR_NEIGHBOUR_REACHABLE, WEIR_NEIGHBOUR_UNKNOWN},
		{NUD_PROBE, WEIR_NEIGHBOUR_REACHABLE, WEIR_NEIGHBOUR_UNKNOWN},
		{NUD_PERMANENT, WEIR_NEIGHBOUR_REACHABLE, WEIR_NEIGHBOUR_UNKNOWN},
		{NUD_NOARP, WEIR_NEIGHBOUR_REACHABLE, WEIR_NEIGHBOUR_UNKNOWN},
		{NUD_FAILED, WEIR_NEIGHBOUR_FAILED, WEIR_NEIGHBOUR_FAILED},
	};

	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const uint8_t none[6] = {0};
		struct weir_host_neighbour neighbour;
		struct host_message message;
		struct weir_address address;
		int ifindex;

		CU_ASSERT_EQUAL(
			weir_host_decode_neighbour(host_message_neighbour(&message, RTM_NEWNEIGH, 4,
							   "192.0.2.9", cases[i].nud, mac_a),
				&ifindex, &address, &neighbour),
			0);
		CU_ASSERT_EQUAL(neighbour.state, cases[i].with_mac);
		CU_ASSERT_EQUAL(neighbour.nud, cases[i].nud);
		CU_ASSERT_EQUAL(ifindex, 4);
		CU_ASSERT(has_text(&address, "192.0.2.9"));
		CU_ASSERT_EQUAL(
			memcmp(neighbour.mac,
				neighbour.state == WEIR_NEIGHBOUR_REACHABLE ? mac_a : none, 6),
			0);
		CU_ASSERT_EQUAL(
			weir_host_decode_neighbour(host_message_neighbour(&message, RTM_NEWNEIGH, 4,
							   "192.0.2.9", cases[i].nud, NULL),
				&ifindex, &address, &neighbour),
			0);
		CU_ASSERT_EQUAL(neighbour.state, cases[i].without);
	}
}

static void test_forwarding_entries_and_proxies_are_no_neighbours(void)
{
	struct host_message message;
	struct nlmsghdr *header = host_message_neighbour(
		&message, RTM_NEWNEIGH, 4, "192.0.2.9", NUD_REACHABLE, mac_a);
	struct ndmsg *info = mnl_nlmsg_get_payload(header);
	struct weir_host_neighbour neighbour;
	struct weir_address address;
	int ifindex;

	info->ndm_flags = NTF_PROXY;
	CU_ASSERT_EQUAL(
		weir_host_decode_neighbour(header, &ifindex, &address, &neighbour), -ENOMSG);
	info->ndm_flags = 0;
	info->ndm_family = AF_BRIDGE;
	CU_ASSERT_EQUAL(
		weir_host_decode_neighbour(header, &ifindex, &address, &neighbour), -ENOMSG);
	/* An address of the other version's length. */
	info->ndm_family = AF_INET6;
	CU_ASSERT_EQUAL(
		weir_host_decode_neighbour(header, &ifindex, &address, &neighbour), -EINVAL);
}

static void test_the_cache_tells_what_changed_and_only_that(void)
{
	struct weir_host_cache *cache = weir_host_cache_create();
	const struct weir_address key = address_of("2001:db8::9");
	struct weir_host_change change;
	struct host_message message;
	struct nlmsghdr *header;

	CU_ASSERT_PTR_NOT_NULL_FATAL(cache);
	header = host_message_link(&message, RTM_NEWLINK, 4, "eth0");
	CU_ASSERT_EQUAL(weir_host_cache_take(cache, header, &change), 1);
	CU_ASSERT(change.kind == WEIR_HOST_LINK && change.ifindex == 4);
	CU_ASSERT_EQUAL(weir_host_cache_take(cache, header, &change), 0);
	header = host_message_neighbour(&message, RTM_NEWNEIGH, 4, "2001:db8::9", NUD_STALE, mac_a);
	CU_ASSERT_EQUAL(weir_host_cache_take(cache, header, &change), 1);
	CU_ASSERT(change.kind == WEIR_HOST_NEIGHBOUR && change.ifindex == 4);
	CU_ASSERT(weir_address_equal(&change.address, &key));
	CU_ASSERT_EQUAL(weir_host_cache_take(cache, header, &change), 0);
	header = host_message_neighbour(&message, RTM_NEWNEIGH, 4, "2001:db8::9", NUD_STALE, mac_b);
	CU_ASSERT_EQUAL(weir_host_cache_take(cache, header, &change), 1);
	CU_ASSERT_EQUAL(memcmp(weir_host_cache_neighbour(cache, 4, &key)->mac, mac_b, 6), 0);
	CU_ASSERT_PTR_NULL(weir_host_cache_neighbour(cache, 5, &key));
	header = host_message_neighbour(&message, RTM_DELNEIGH, 4, "2001:db8::9", NUD_STALE, mac_b);
	CU_ASSERT_EQUAL(weir_host_cache_take(cache, header, &change), 1);
	CU_ASSERT_PTR_NULL(weir_host_cache_neighbour(cache, 4, &key));
	CU_ASSERT_EQUAL(weir_host_cache_take(cache, header, &change), 0);
	weir_host_cache_destroy(cache);
}

static void test_a_link_takes_its_addresses_and_neighbours_along(void)
{
	struct weir_host_cache *cache = weir_host_cache_create();
	struct weir_host_address addresses[4];
	struct weir_host_change change;
	struct host_message message;
	char text[WEIR_ADDRESS_TEXT];

	CU_ASSERT_PTR_NOT_NULL_FATAL(cache);
	for (int ifindex = 4; ifindex <= 260; ifindex += 256) { /* of one bucket */
		snprintf(text, sizeof(text), "eth%d", ifindex);
		weir_host_cache_take(
			cache, host_message_link(&message, RTM_NEWLINK, ifindex, text), &change);
		CU_ASSERT_EQUAL(weir_host_cache_take(cache,
					host_message_address(
						&message, RTM_NEWADDR, ifindex, "192.0.2.1", 24, 0),
					&change),
			1);
		for (unsigned int i = 0; i < 300; i++) {
			snprintf(text, sizeof(text), "10.0.%u.%u", i / 256, i % 256);
			weir_host_cache_take(cache,
				host_message_neighbour(&message, RTM_NEWNEIGH, ifindex, text,
					NUD_REACHABLE, mac_a),
				&change);
		}
	}
	CU_ASSERT_EQUAL(weir_host_cache_take(cache,
				host_message_link(&message, RTM_DELLINK, 4, "eth4"), &change),
		1);
	CU_ASSERT_PTR_NULL(weir_host_cache_link(cache, 4));
	CU_ASSERT_EQUAL(weir_host_cache_addresses(cache, 4, addresses, 4), 0);
	CU_ASSERT_EQUAL(weir_host_cache_addresses(cache, 260, addresses, 4), 1);
	for (unsigned int i = 0; i < 300; i++) {
		struct weir_address key;

		snprintf(text, sizeof(text), "10.0.%u.%u", i / 256, i % 256);
		key = address_of(text);
		CU_ASSERT_PTR_NULL(weir_host_cache_neighbour(cache, 4, &key));
		CU_ASSERT_PTR_NOT_NULL(weir_host_cache_neighbour(cache, 260, &key));
	}
	weir_host_cache_destroy(cache);
}

static void test_an_address_is_usable_once_it_is_no_duplicate(void)
{
	struct weir_host_cache *cache = weir_host_cache_create();
	struct weir_host_address address;
	struct weir_host_change change;
	struct host_message message;

	CU_ASSERT_PTR_NOT_NULL_FATAL(cache);
	weir_host_cache_take(cache, host_message_link(&message, RTM_NEWLINK, 4, "eth0"), &change);
	weir_host_cache_take(cache,
		host_message_address(&message, RTM_NEWADDR, 4, "2001:db8::1", 64, IFA_F_TENTATIVE),
		&change);
	CU_ASSERT_EQUAL(weir_host_cache_addresses(cache, 4, &address, 1), 1);
	CU_ASSERT_FALSE(address.is_usable);
	CU_ASSERT_EQUAL(weir_host_cache_take(cache,
				host_message_address(&message, RTM_NEWADDR, 4, "2001:db8::1", 64,
					IFA_F_PERMANENT),
				&change),
		1);
	CU_ASSERT(change.kind == WEIR_HOST_ADDRESS && change.ifindex == 4);
	CU_ASSERT_EQUAL(weir_host_cache_addresses(cache, 4, &address, 1), 1);
	CU_ASSERT(address.is_usable && address.length == 64);
	CU_ASSERT(has_text(&address.address, "2001:db8::1"));
	/* How many there are is told also when there is no room for them. */
	weir_host_cache_take(
		cache, host_message_address(&message, RTM_NEWADDR, 4, "192.0.2.1", 24, 0), &change);
	CU_ASSERT_EQUAL(weir_host_cache_addresses(cache, 4, &address, 0), 2);
	CU_ASSERT_EQUAL(weir_host_cache_take(cache,
				host_message_address(&message, RTM_DELADDR, 4, "192.0.2.1", 24, 0),
				&change),
		1);
	CU_ASSERT_EQUAL(weir_host_cache_addresses(cache, 4, &address, 1), 1);
	weir_host_cache_destroy(cache);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"a VLAN device has parent, id and protocol",
			test_a_vlan_device_has_parent_id_and_protocol},
		{"a link names its XDP program", test_a_link_names_its_xdp_program},
		{"a peer or a parent elsewhere is no parent",
			test_a_peer_or_a_parent_elsewhere_is_no_parent},
		{"up without carrier is not running", test_up_without_carrier_is_not_running},
		{"links that are something else are passed over",
			test_links_that_are_something_else_are_passed_over},
		{"cut messages are read within their bounds",
			test_cut_messages_are_read_within_their_bounds},
		{"a name without end is cut", test_a_name_without_end_is_cut},
		{"the state of a neighbour says whether to send",
			test_the_state_of_a_neighbour_says_whether_to_send},
		{"forwarding entries and proxies are no neighbours",
			test_forwarding_entries_and_proxies_are_no_neighbours},
		{"the cache tells what changed and only that",
			test_the_cache_tells_what_changed_and_only_that},
		{"a link takes its addresses and neighbours along",
			test_a_link_takes_its_addresses_and_neighbours_along},
		{"an address is usable once it is no duplicate",
			test_an_address_is_usable_once_it_is_no_duplicate},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{"rtnetlink messages", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};

	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 1;
	CU_basic_run_tests();
	return CU_get_number_of_failures() != 0;
}
