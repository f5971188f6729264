/* SPDX-License-Identifier: BSD-3-Clause */
#include <CUnit/Basic.h>
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "base/sanitizer.h"
#include "wire/match.h"
#include "wire_guard.h"

#define RULES_MAX  4097
#define LIST_MAX   3
#define FRAME_SIZE 40

/* Rules with room for their lists. */
struct rule_store {
	struct weir_match_rule rules[RULES_MAX];
	struct weir_prefix prefixes[RULES_MAX][2][LIST_MAX];
	struct weir_port_range ports[RULES_MAX][LIST_MAX];
	unsigned int count;
};

static struct rule_store store;
static uint64_t state = 88172645463325252ull;

/* A datagram as the look-up sees it: an IP header at the start and what was parsed. */
struct datagram {
	uint8_t bytes[FRAME_SIZE];
	struct weir_packet packet;
};

static uint32_t pick(uint32_t below)
{
	return guard_random(&state) % below;
}

static void clear_rules(void)
{
	store.count = 0;
}

static struct weir_match_rule *add_rule(void)
{
	struct weir_match_rule *rule = &store.rules[store.count++];

	*rule = (struct weir_match_rule){
		.vlan = WEIR_MATCH_VLAN_ANY, .outer_vlan = WEIR_MATCH_VLAN_ANY};
	return rule;
}

static void set_ports(struct weir_match_rule *rule, uint16_t first, uint16_t last)
{
	struct weir_port_range *ports = store.ports[rule - store.rules];

	ports[rule->port_count++] = (struct weir_port_range){first, last};
	rule->ports = ports;
}

static struct weir_prefix make_prefix(uint8_t family, const uint8_t *bytes, uint8_t length)
{
	struct weir_prefix prefix = {.address.family = family, .length = length};

	for (unsigned int bit = 0; bit < length; bit++)
		prefix.address.bytes[bit / 8] |= bytes[bit / 8] & (0x80 >> bit % 8);
	return prefix;
}

static void set_prefix(struct weir_match_rule *rule, bool is_source, struct weir_prefix prefix)
{
	struct weir_prefix *list = store.prefixes[rule - store.rules][is_source];

	if (is_source) {
		list[rule->source_count++] = prefix;
		rule->sources = list;
	} else {
		list[rule->destination_count++] = prefix;
		rule->destinations = list;
	}
}

/* Few different octets, so that prefixes nest and packets meet them. */
static void random_address(uint8_t *bytes, unsigned int size)
{
	for (unsigned int i = 0; i < size; i++)
		bytes[i] = (uint8_t)(i == 0 ? 10 + pick(2) : pick(3) * 85);
}

static struct weir_prefix random_prefix(void)
{
	uint8_t family = pick(3) == 0 ? 6 : 4, bytes[16];

	random_address(bytes, 16);
	return make_prefix(family, bytes, (uint8_t)pick(family == 4 ? 33 : 129));
}

static void random_rule(unsigned int odds, unsigned int vlans)
{
	struct weir_match_rule *rule = add_rule();

	if (pick(odds) == 0)
		rule->vlan = (uint16_t)pick(vlans);
	if (pick(odds) == 0)
		rule->outer_vlan = (uint16_t)pick(vlans);
	for (unsigned int i = pick(odds) == 0 ? 1 + pick(LIST_MAX) : 0; i > 0; i--)
		set_prefix(rule, false, random_prefix());
	for (unsigned int i = pick(odds) == 0 ? 1 + pick(LIST_MAX) : 0; i > 0; i--)
		set_prefix(rule, true, random_prefix());
	for (unsigned int i = pick(odds) == 0 ? 1 + pick(LIST_MAX) : 0; i > 0; i--) {
		uint16_t first = (uint16_t)(pick(4) == 0 ? 65530 + pick(4) : pick(40));

		set_ports(rule, first, (uint16_t)(first + pick(3)));
	}
}

static void random_datagram(struct datagram *datagram, unsigned int vlans)
{
	bool six = pick(3) == 0;

	memset(datagram, 0, sizeof(*datagram));
	random_address(datagram->bytes + (six ? 8 : 12), six ? 16 : 4);
	random_address(datagram->bytes + (six ? 24 : 16), six ? 16 : 4);
	datagram->packet.ip_version = six ? 6 : 4;
	datagram->packet.vlan = (uint16_t)pick(vlans + 1);
	datagram->packet.outer_vlan = (uint16_t)pick(vlans + 1);
	datagram->packet.destination_port = (uint16_t)(pick(4) == 0 ? 65528 + pick(8) : pick(45));
}

static bool is_in_prefixes(
	const struct weir_prefix *list, unsigned int count, const struct weir_address *address)
{
	for (unsigned int i = 0; i < count; i++)
		if (weir_prefix_contains(&list[i], address))
			return true;
	return count == 0;
}

static bool is_in_ports(const struct weir_match_rule *rule, uint16_t port)
{
	for (unsigned int i = 0; i < rule->port_count; i++)
		if (port >= rule->ports[i].first && port <= rule->ports[i].last)
			return true;
	return rule->port_count == 0;
}

/* The promise in its plainest form: the first rule all of whose conditions hold. */
static uint16_t reference(const struct datagram *datagram)
{
	bool six = datagram->packet.ip_version == 6;
	struct weir_address source = {.family = datagram->packet.ip_version};
	struct weir_address destination = source;

	memcpy(source.bytes, datagram->bytes + (six ? 8 : 12), six ? 16 : 4);
	memcpy(destination.bytes, datagram->bytes + (six ? 24 : 16), six ? 16 : 4);
	for (unsigned int i = 0; i < store.count; i++) {
		const struct weir_match_rule *rule = &store.rules[i];

		if (rule->vlan != WEIR_MATCH_VLAN_ANY && rule->vlan != datagram->packet.vlan)
			continue;
		if (rule->outer_vlan != WEIR_MATCH_VLAN_ANY &&
			rule->outer_vlan != datagram->packet.outer_vlan)
			continue;
		if (is_in_ports(rule, datagram->packet.destination_port) &&
			is_in_prefixes(rule->sources, rule->source_count, &source) &&
			is_in_prefixes(rule->destinations, rule->destination_count, &destination))
			return (uint16_t)i;
	}
	return WEIR_MATCH_NONE;
}

/* Of this thread: what else runs on the machine does not count. */
static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static struct weir_match *build(void)
{
	struct weir_match *match = NULL;

	CU_ASSERT_EQUAL_FATAL(weir_match_build(store.rules, store.count, &match), 0);
	return match;
}

static void the_first_rule_that_matches_wins(void)
{
	unsigned int wrong = 0, matched = 0, planes = 0, one_plane = 0;

	for (unsigned int round = 0; round < 300; round++) {
		/* A few large sets, of so many VLANs that one plane cannot hold them. */
		bool is_large = round % 50 == 0;
		unsigned int rules = is_large ? 800 : pick(60), vlans = is_large ? 200 : 4;
		unsigned int odds = is_large ? 3 : 1 + pick(5);
		struct weir_match *match;

		clear_rules();
		for (unsigned int i = 0; i < rules; i++)
			random_rule(odds, vlans);
		for (unsigned int i = 0; is_large && i < rules; i++)
			if (store.rules[i].vlan == WEIR_MATCH_VLAN_ANY && i % 2 == 0)
				store.rules[i].vlan = (uint16_t)pick(vlans);
			else if (store.rules[i].outer_vlan == WEIR_MATCH_VLAN_ANY && i % 2 == 1)
				store.rules[i].outer_vlan = (uint16_t)pick(vlans);
		match = build();
		planes = match->plane_count > planes ? match->plane_count : planes;
		one_plane += match->plane_count == 1;
		for (unsigned int i = 0; i < 1000; i++) {
			struct datagram datagram;
			uint16_t want;

			random_datagram(&datagram, vlans);
			want = reference(&datagram);
			wrong += weir_match_lookup(match, datagram.bytes, &datagram.packet) != want;
			matched += want != WEIR_MATCH_NONE;
		}
		weir_match_free(match);
	}
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT(matched > 30000 && matched < 270000);
	CU_ASSERT(planes > 8);
	CU_ASSERT(one_plane > 250);
	printf("%u of 300000 matched, up to %u planes ", matched, planes);
}

/* A packet for rule `index` of the sets below. */
static void aim(struct datagram *datagram, unsigned int index)
{
	memset(datagram, 0, sizeof(*datagram));
	datagram->packet.ip_version = 4;
	datagram->packet.destination_port = (uint16_t)(2000 + index);
	datagram->packet.vlan = (uint16_t)(1 + index % 4000);
	memcpy(datagram->bytes + 12, (uint8_t[]){10, (uint8_t)(index >> 8), (uint8_t)index, 9}, 4);
	memcpy(datagram->bytes + 16, (uint8_t[]){192, 0, 2, 1}, 4);
}

enum rule_sort { BY_PORT, BY_SOURCE, BY_VLAN, BY_PORT_AND_SOURCE, SORTS, MIXED = SORTS };

static void add_sorted_rule(enum rule_sort sort, unsigned int index)
{
	uint8_t source[4] = {10, (uint8_t)(index >> 8), (uint8_t)index};
	struct weir_match_rule *rule = add_rule();

	if (sort == MIXED)
		sort = index % SORTS;
	if (sort == BY_PORT || sort == BY_PORT_AND_SOURCE)
		set_ports(rule, (uint16_t)(2000 + index), (uint16_t)(2000 + index));
	if (sort == BY_SOURCE || sort == BY_PORT_AND_SOURCE)
		set_prefix(rule, true, make_prefix(4, source, 24));
	if (sort == BY_VLAN)
		rule->vlan = (uint16_t)(1 + index % 4000);
}

/* Nanoseconds a look-up takes, over packets that meet all rules in turn. */
static double cost(const struct weir_match *match, unsigned int rules)
{
	static struct datagram datagrams[256];
	unsigned int found = 0, rounds = WEIR_HAS_SANITIZER ? 500 : 20000;
	double best = 1e9;

	for (unsigned int i = 0; i < 256; i++)
		aim(&datagrams[i], i * 97 % rules);
	for (unsigned int attempt = 0; attempt < 5; attempt++) {
		double from = now(), spent;

		for (unsigned int round = 0; round < rounds / 5; round++)
			for (unsigned int i = 0; i < 256; i++)
				found += weir_match_lookup(match, datagrams[i].bytes,
						 &datagrams[i].packet) != WEIR_MATCH_NONE;
		spent = (now() - from) * 1e9 / (rounds / 5 * 256.0);
		best = spent < best ? spent : best;
	}
	CU_ASSERT_EQUAL(found, rounds / 5 * 5 * 256);
	return best;
}

static double measure(enum rule_sort sort, unsigned int rules, const char *name)
{
	struct weir_match *match;
	double from, built, spent;

	clear_rules();
	for (unsigned int i = 0; i < rules; i++)
		add_sorted_rule(sort, i);
	from = now();
	match = build();
	built = now() - from;
	for (unsigned int i = 0; i < rules; i++) {
		struct datagram datagram;

		aim(&datagram, i);
		CU_ASSERT_EQUAL(weir_match_lookup(match, datagram.bytes, &datagram.packet),
			reference(&datagram));
	}
	spent = cost(match, rules);
	printf("\n  %4u rules %-18s %5.2f ns, built in %5.1f ms, %8.1f KiB, %u planes", rules, name,
		spent, built * 1e3, (double)match->bytes / 1024, match->plane_count);
	CU_ASSERT(built < 2);
	weir_match_free(match);
	return spent;
}

static void a_thousand_rules_cost_as_much_as_one(void)
{
	static const char *const names[] = {
		"by port", "by source", "by VLAN", "by port and source", "mixed"};

	for (unsigned int sort = 0; sort < SORTS; sort++) {
		double one = measure(sort, 1, names[sort]);
		double many = measure(sort, 1000, names[sort]);

		CU_ASSERT(many < 3 * one + 2);
	}
	/* Mixed rules are of four sorts, so four are compared with a thousand. */
	CU_ASSERT(measure(MIXED, 1000, names[MIXED]) < 3 * measure(MIXED, 4, names[MIXED]) + 5);
	measure(BY_PORT, RULES_MAX, names[BY_PORT]);
	measure(BY_PORT_AND_SOURCE, RULES_MAX, names[BY_PORT_AND_SOURCE]);
	measure(MIXED, RULES_MAX, names[MIXED]);
	printf("\n ");
}

static void rules_with_every_set_of_fields_still_build(void)
{
	struct weir_match *match;
	double from = now();

	clear_rules();
	for (unsigned int i = 0; i < 1000; i++) {
		struct weir_match_rule *rule = add_rule();
		uint8_t address[4] = {10, (uint8_t)(i >> 8), (uint8_t)i};

		if (i & 1)
			set_ports(rule, (uint16_t)(2000 + i), (uint16_t)(2000 + i));
		if (i & 2)
			rule->vlan = (uint16_t)(1 + i);
		if (i & 4)
			rule->outer_vlan = (uint16_t)(1 + i);
		if (i & 8)
			set_prefix(rule, true, make_prefix(4, address, 24));
		if (i & 16 || (i & 15) == 0)
			set_prefix(rule, false, make_prefix(4, address, 24));
	}
	match = build();
	CU_ASSERT(now() - from < 2);
	CU_ASSERT(match->plane_count > 1);
	printf("%u planes, %.0f ms, %.0f KiB ", match->plane_count, (now() - from) * 1e3,
		(double)match->bytes / 1024);
	for (unsigned int i = 0; i < 20000; i++) {
		unsigned int near = pick(1000);
		struct datagram datagram;

		aim(&datagram, near);
		datagram.packet.outer_vlan = (uint16_t)(1 + near + pick(2));
		datagram.packet.vlan = (uint16_t)(1 + near + pick(2));
		memcpy(datagram.bytes + 16, datagram.bytes + 12, 4);
		CU_ASSERT_EQUAL(weir_match_lookup(match, datagram.bytes, &datagram.packet),
			reference(&datagram));
	}
	weir_match_free(match);
}

static void no_rule_matches_nothing(void)
{
	struct weir_match *match = NULL;
	struct datagram datagram;

	aim(&datagram, 0);
	CU_ASSERT_EQUAL_FATAL(weir_match_build(NULL, 0, &match), 0);
	CU_ASSERT_EQUAL(
		weir_match_lookup(match, datagram.bytes, &datagram.packet), WEIR_MATCH_NONE);
	weir_match_free(match);
	clear_rules();
	add_rule();
	match = build();
	CU_ASSERT_EQUAL(weir_match_lookup(match, datagram.bytes, &datagram.packet), 0);
	weir_match_free(match);
}

static void impossible_rules_are_refused(void)
{
	struct weir_match *match = (void *)&store;
	static struct weir_match_rule many[WEIR_MATCH_RULES_MAX + 1];

	clear_rules();
	add_rule()->vlan = 4096;
	CU_ASSERT_EQUAL(weir_match_build(store.rules, 1, &match), -EINVAL);
	CU_ASSERT_PTR_NULL(match);
	clear_rules();
	set_ports(add_rule(), 2, 1);
	CU_ASSERT_EQUAL(weir_match_build(store.rules, 1, &match), -EINVAL);
	clear_rules();
	set_prefix(add_rule(), true, make_prefix(5, NULL, 0));
	CU_ASSERT_EQUAL(weir_match_build(store.rules, 1, &match), -EINVAL);
	clear_rules();
	set_prefix(add_rule(), false, make_prefix(4, (const uint8_t[5]){0}, 33));
	CU_ASSERT_EQUAL(weir_match_build(store.rules, 1, &match), -EINVAL);
	CU_ASSERT_EQUAL(weir_match_build(many, WEIR_MATCH_RULES_MAX + 1, &match), -E2BIG);
}

/* Rules that all look at three fields, and overlap in each with most of the others. */
static void tables_beyond_the_limit_are_refused(void)
{
	struct weir_match *match = NULL;
	double from = now();

	clear_rules();
	for (unsigned int i = 0; i < 3000; i++) {
		struct weir_match_rule *rule = add_rule();

		set_ports(rule, (uint16_t)pick(30000), (uint16_t)(30000 + pick(30000)));
		for (unsigned int field = 0; field < 2; field++)
			for (unsigned int k = 0; k < LIST_MAX; k++) {
				uint8_t address[4] = {(uint8_t)pick(256), (uint8_t)pick(256)};

				set_prefix(rule, field,
					make_prefix(4, address, (uint8_t)(1 + pick(16))));
			}
	}
	CU_ASSERT_EQUAL(weir_match_build(store.rules, store.count, &match), -E2BIG);
	CU_ASSERT_PTR_NULL(match);
	printf("in %.0f ms ", (now() - from) * 1e3);
}

static void a_prefix_set_contains_what_its_prefixes_do(void)
{
	unsigned int inside = 0;

	for (unsigned int round = 0; round < 300; round++) {
		struct weir_prefix prefixes[20];
		unsigned int count = pick(20);
		struct weir_prefix_set *set = NULL;

		for (unsigned int i = 0; i < count; i++) {
			prefixes[i] = random_prefix();
			if (prefixes[i].length < 12 && pick(4) != 0)
				prefixes[i] = make_prefix(4, prefixes[i].address.bytes, 32);
		}
		CU_ASSERT_EQUAL_FATAL(weir_prefix_set_build(prefixes, count, &set), 0);
		for (unsigned int i = 0; i < 100; i++) {
			struct weir_address address = {.family = pick(2) ? 4 : 6};
			bool want;

			random_address(address.bytes, address.family == 4 ? 4 : 16);
			want = count > 0 && is_in_prefixes(prefixes, count, &address);
			inside += want;
			CU_ASSERT_EQUAL(
				weir_prefix_set_contains(set, address.family, address.bytes), want);
		}
		weir_prefix_set_free(set);
	}
	CU_ASSERT(inside > 1000 && inside < 29000);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"the first rule that matches wins", the_first_rule_that_matches_wins},
		{"a thousand rules cost as much as one", a_thousand_rules_cost_as_much_as_one},
		{"rules with every set of fields still build",
			rules_with_every_set_of_fields_still_build},
		{"no rule matches nothing", no_rule_matches_nothing},
		{"impossible rules are refused", impossible_rules_are_refused},
		{"tables beyond the limit are refused", tables_beyond_the_limit_are_refused},
		{"a prefix set contains what its prefixes do",
			a_prefix_set_contains_what_its_prefixes_do},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {{.pName = "wire match", .pTests = tests}, CU_SUITE_INFO_NULL};

	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 2;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	if (CU_basic_run_tests() != CUE_SUCCESS || CU_get_number_of_tests_run() == 0)
		return 2;
	return CU_get_number_of_failures() != 0;
}
