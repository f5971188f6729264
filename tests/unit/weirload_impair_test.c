/* SPDX-License-Identifier: BSD-3-Clause */
#include <CUnit/Basic.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "impair.h"
#include "impair_queue.h"
#include "link_options.h"
#include "link_packet.h"

/* The pure parts of weirload's wire: what happens to a packet, and when. */

#define US    1000ull
#define MS    (1000 * US)
#define S     (1000 * MS)
#define COUNT 200000

/* Fates of packets that come every 10 us, from 1 s on. */
static struct {
	uint64_t due_ns[COUNT];
	uint8_t copies[COUNT];
	struct load_impair impair;
} run, other;

static uint64_t came(size_t packet)
{
	return S + packet * 10 * US;
}

static void play(const struct load_impair_plan *plan, uint64_t seed, unsigned int way)
{
	CU_ASSERT_PTR_NULL(load_impair_fault(plan));
	load_impair_init(&run.impair, plan, seed, way, S);
	for (size_t i = 0; i < COUNT; i++)
		run.copies[i] =
			(uint8_t)load_impair_decide(&run.impair, came(i), 100, &run.due_ns[i]);
	CU_ASSERT_EQUAL(run.impair.packets, COUNT);
}

/* Within five standard deviations of a count of independent chances. */
static void check_share(uint64_t count, double total, double share)
{
	CU_ASSERT_DOUBLE_EQUAL((double)count, total * share, 5 * sqrt(total * share));
}

/* Mean length of the runs of losses. */
static double mean_burst(void)
{
	uint64_t runs = 0;

	for (size_t i = 1; i < COUNT; i++)
		runs += run.copies[i] == 0 && run.copies[i - 1] != 0;
	return (double)run.impair.stats.lost / (double)runs;
}

static void a_wire_without_impairments_changes_nothing(void)
{
	struct load_impair_plan plan = {0};
	struct load_impair_stats none = {0};

	play(&plan, 1, 0);
	for (size_t i = 0; i < COUNT; i++) {
		CU_ASSERT_EQUAL_FATAL(run.copies[i], 1);
		CU_ASSERT_EQUAL_FATAL(run.due_ns[i], came(i));
	}
	CU_ASSERT_EQUAL(memcmp(&run.impair.stats, &none, sizeof(none)), 0);
}

static void as_many_are_lost_and_doubled_as_asked_for(void)
{
	static const double shares[] = {0.001, 0.01, 0.3};

	for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
		struct load_impair_plan plan = {.loss = shares[i], .duplicate = 0.02};
		uint64_t lost = 0, doubled = 0;

		play(&plan, 1 + i, 0);
		for (size_t packet = 0; packet < COUNT; packet++) {
			lost += run.copies[packet] == 0;
			doubled += run.copies[packet] == 2;
		}
		CU_ASSERT_EQUAL(lost, run.impair.stats.lost);
		CU_ASSERT_EQUAL(doubled, run.impair.stats.duplicated);
		check_share(lost, COUNT, shares[i]);
		check_share(doubled, (double)(COUNT - lost), 0.02);
		/* Independent: a run ends with the chance of a packet to get through. */
		CU_ASSERT_DOUBLE_EQUAL(mean_burst(), 1 / (1 - shares[i]), 0.03);
	}
}

static void all_is_lost_of_a_loss_of_one(void)
{
	struct load_impair_plan plan = {.loss = 1};

	play(&plan, 1, 0);
	CU_ASSERT_EQUAL(run.impair.stats.lost, COUNT);
	plan.burst = 3;
	play(&plan, 1, 0);
	CU_ASSERT_EQUAL(run.impair.stats.lost, COUNT);
}

static void losses_come_in_runs_of_the_mean_length(void)
{
	static const uint64_t bursts[] = {1, 2, 8, 50};

	for (size_t i = 0; i < sizeof(bursts) / sizeof(bursts[0]); i++) {
		struct load_impair_plan plan = {.loss = 0.05, .burst = bursts[i]};
		double burst = (double)bursts[i];

		play(&plan, 7, 0);
		CU_ASSERT_DOUBLE_EQUAL(mean_burst(), burst, burst * 0.1);
		/* The runs are what is counted, so the share varies by their length. */
		CU_ASSERT_DOUBLE_EQUAL(run.impair.stats.lost / (double)COUNT, 0.05,
			6 * sqrt(0.05 * burst / COUNT));
	}
}

static void a_plan_that_cannot_be_kept_is_refused(void)
{
	struct load_impair_plan plan = {.loss = 0.5, .burst = 1};

	CU_ASSERT_PTR_NULL(load_impair_fault(&plan));
	plan.loss = 0.51;
	CU_ASSERT_PTR_NOT_NULL(load_impair_fault(&plan));
	plan.burst = 2;
	CU_ASSERT_PTR_NULL(load_impair_fault(&plan));
	plan.loss = 0;
	CU_ASSERT_PTR_NOT_NULL(load_impair_fault(&plan));
}

static void jitter_spreads_the_delay_and_keeps_the_order(void)
{
	struct load_impair_plan plan = {.delay_ns = 5 * MS, .jitter_ns = MS};
	uint64_t shortest = UINT64_MAX, longest = 0;

	play(&plan, 1, 0);
	for (size_t i = 0; i < COUNT; i++) {
		uint64_t delay = run.due_ns[i] - came(i);

		CU_ASSERT_FATAL(i == 0 || run.due_ns[i] >= run.due_ns[i - 1]);
		CU_ASSERT_FATAL(delay >= 5 * MS && delay <= 6 * MS);
		shortest = delay < shortest ? delay : shortest;
		longest = delay > longest ? delay : longest;
	}
	CU_ASSERT_EQUAL(run.impair.stats.delayed, COUNT);
	CU_ASSERT(longest - shortest > MS / 10);

	/* Packets far apart do not wait for each other: the delay is even over the range. */
	load_impair_init(&run.impair, &plan, 1, 0, S);
	for (uint64_t i = 0, below = 0; i < 1000; i++) {
		uint64_t due_ns = 0;

		CU_ASSERT_EQUAL(load_impair_decide(&run.impair, i * S, 100, &due_ns), 1);
		below += due_ns - i * S < 5 * MS + MS / 4;
		CU_ASSERT(i < 999 || (below > 180 && below < 320));
	}
}

static void a_packet_held_back_is_overtaken_and_stops_no_other(void)
{
	struct load_impair_plan plan = {.delay_ns = MS, .reorder = 0.01, .hold_ns = 300 * US};
	uint64_t held = 0;

	play(&plan, 3, 0);
	for (size_t i = 0; i < COUNT; i++) {
		uint64_t delay = run.due_ns[i] - came(i);

		CU_ASSERT_FATAL(delay == MS || delay == MS + 300 * US);
		held += delay != MS;
	}
	CU_ASSERT_EQUAL(held, run.impair.stats.reordered);
	check_share(held, COUNT, 0.01);
}

static void the_fate_of_a_packet_is_the_seed_s(void)
{
	struct load_impair_plan plan = {.loss = 0.1,
		.duplicate = 0.1,
		.reorder = 0.1,
		.hold_ns = MS,
		.delay_ns = MS,
		.jitter_ns = MS,
		.burst = 3};
	size_t same = 0;

	play(&plan, 42, 0);
	memcpy(&other, &run, sizeof(run));
	play(&plan, 42, 0);
	CU_ASSERT_EQUAL(memcmp(&other, &run, sizeof(run)), 0);

	/* Other impairments beside do not change which packets are lost. */
	plan = (struct load_impair_plan){.loss = 0.1, .burst = 3};
	play(&plan, 42, 0);
	for (size_t i = 0; i < COUNT; i++)
		CU_ASSERT_EQUAL_FATAL(run.copies[i] == 0, other.copies[i] == 0);

	/* Another seed, or the other way: of a tenth lost, a tenth is lost in both. */
	for (unsigned int variant = 0; variant < 2; variant++) {
		plan.burst = 0;
		play(&plan, 42, 0);
		memcpy(&other, &run, sizeof(run));
		play(&plan, 42 + variant, 1 - variant);
		same = 0;
		for (size_t i = 0; i < COUNT; i++)
			same += run.copies[i] == 0 && other.copies[i] == 0;
		check_share(same, COUNT, 0.01);
	}
}

/* 100 bytes every 10 us are 80 Mbit/s. */
static void the_rate_is_kept_and_its_queue_is_bounded(void)
{
	struct load_impair_plan plan = {.rate_bps = 20000000, .queue_ns = 2 * MS};
	uint64_t passed = 0, last_ns = 0;

	play(&plan, 1, 0);
	for (size_t i = 0; i < COUNT; i++) {
		if (run.copies[i] == 0)
			continue;
		passed++;
		CU_ASSERT_FATAL(run.due_ns[i] >= last_ns + 40 * US);
		CU_ASSERT_FATAL(run.due_ns[i] <= came(i) + 2 * MS + 40 * US);
		last_ns = run.due_ns[i];
	}
	CU_ASSERT_EQUAL(passed + run.impair.stats.queue_full, COUNT);
	CU_ASSERT_DOUBLE_EQUAL(passed, COUNT / 4, 60);

	plan.rate_bps = 80000000;
	play(&plan, 1, 0);
	CU_ASSERT_EQUAL(run.impair.stats.queue_full, 0);
	CU_ASSERT_EQUAL(run.due_ns[COUNT - 1], came(COUNT - 1) + 10 * US);
}

static void nothing_gets_in_while_it_is_cut(void)
{
	struct load_impair_plan plan = {.cut = {.at_ns = 500 * MS, .for_ns = 250 * MS}};

	play(&plan, 1, 0);
	for (size_t i = 0; i < COUNT; i++)
		CU_ASSERT_EQUAL_FATAL(
			run.copies[i], came(i) < S + 500 * MS || came(i) >= S + 750 * MS);
	CU_ASSERT_EQUAL(run.impair.stats.cut, 25000);
	CU_ASSERT_EQUAL(run.impair.stats.lost, 0);
}

static void the_queue_gives_by_time_and_then_by_order(void)
{
	enum { THINGS = 5000 };
	static struct {
		uint64_t due_ns;
		int number;
	} things[THINGS], *last = NULL, *thing;
	struct load_queue queue;
	size_t taken = 0;

	CU_ASSERT_EQUAL_FATAL(load_queue_init(&queue, THINGS), 0);
	CU_ASSERT_EQUAL(load_queue_next(&queue), UINT64_MAX);
	CU_ASSERT_PTR_NULL(load_queue_take(&queue, UINT64_MAX));
	srand(1);
	for (int i = 0; i < THINGS; i++) {
		things[i].due_ns = 1 + (uint64_t)(rand() % 500);
		things[i].number = i;
		CU_ASSERT_EQUAL(load_queue_put(&queue, things[i].due_ns, &things[i]), 0);
	}
	CU_ASSERT_EQUAL(load_queue_put(&queue, 1, &things[0]), -ENOSPC);
	CU_ASSERT_PTR_NULL(load_queue_take(&queue, 0));
	for (uint64_t now_ns = 0; now_ns <= 500; now_ns += 10) {
		while ((thing = load_queue_take(&queue, now_ns)) != NULL) {
			CU_ASSERT(thing->due_ns <= now_ns);
			CU_ASSERT(last == NULL || last->due_ns < thing->due_ns ||
				  (last->due_ns == thing->due_ns && last->number < thing->number));
			last = thing;
			taken++;
		}
		CU_ASSERT(load_queue_next(&queue) > now_ns);
	}
	CU_ASSERT_EQUAL(taken, THINGS);
	load_queue_free(&queue);
}

static void a_buffer_is_free_again_after_its_last_use(void)
{
	struct load_packet_pool pool;
	struct load_packet *first, *second;

	CU_ASSERT_EQUAL_FATAL(load_packet_pool_init(&pool, 2), 0);
	first = load_packet_get(&pool);
	second = load_packet_get(&pool);
	CU_ASSERT(first != NULL && second != NULL && first != second);
	CU_ASSERT_PTR_NULL(load_packet_get(&pool));
	first->users = 2;
	memset(first->bytes, 1, sizeof(load_link_head) + LOAD_LINK_MAX_FRAME);
	memset(second->bytes, 2, sizeof(load_link_head) + LOAD_LINK_MAX_FRAME);
	CU_ASSERT_EQUAL(first->bytes[sizeof(load_link_head) + LOAD_LINK_MAX_FRAME - 1], 1);
	load_packet_put(&pool, first);
	CU_ASSERT_PTR_NULL(load_packet_get(&pool));
	load_packet_put(&pool, first);
	CU_ASSERT_PTR_EQUAL(load_packet_get(&pool), first);
	load_packet_pool_free(&pool);
}

static void a_tag_goes_back_to_its_place_and_moves_the_checksum(void)
{
	static const uint8_t tag[] = {0x81, 0x00, 0x20, 0x2a};
	load_link_head head = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 34};
	struct load_packet_pool pool;
	struct load_packet *packet;
	uint8_t frame[64];

	CU_ASSERT_EQUAL_FATAL(load_packet_pool_init(&pool, 1), 0);
	packet = load_packet_get(&pool);
	for (size_t i = 0; i < sizeof(frame); i++)
		frame[i] = (uint8_t)(i + 1);
	memcpy(packet->bytes, &head, sizeof(head));
	memcpy(packet->bytes + sizeof(head), frame, sizeof(frame));
	packet->length = sizeof(frame);
	load_packet_tag(packet, 0x8100, 0x202a);
	CU_ASSERT_EQUAL(packet->length, sizeof(frame) + 4);
	memcpy(&head, packet->bytes, sizeof(head));
	CU_ASSERT_EQUAL(head.csum_start, 38);
	CU_ASSERT_EQUAL(head.hdr_len, 0);
	CU_ASSERT_EQUAL(memcmp(packet->bytes + sizeof(head), frame, 12), 0);
	CU_ASSERT_EQUAL(memcmp(packet->bytes + sizeof(head) + 12, tag, 4), 0);
	CU_ASSERT_EQUAL(memcmp(packet->bytes + sizeof(head) + 16, frame + 12, 52), 0);
	load_packet_pool_free(&pool);
}

static int parse(struct load_link_arguments *arguments, char **argv)
{
	int argc = 0;

	while (argv[argc] != NULL)
		argc++;
	memset(arguments, 0, sizeof(*arguments));
	return load_link_arguments_parse(argc, argv, arguments);
}

static void what_is_for_one_way_overrides_what_is_for_both(void)
{
	struct load_link_arguments got;
	char *argv[] = {"link", "a", "b", "--loss-ab", "0.25", "--delay", "5ms", "--loss", "1%",
		"--delay-ba", "20us", "--rate-ba", "100M", "--cut-ab", "2,500ms", "--seed", "9",
		NULL};

	CU_ASSERT_EQUAL_FATAL(parse(&got, argv), 0);
	CU_ASSERT_STRING_EQUAL(got.ports[LOAD_LINK_AB], "a");
	CU_ASSERT_STRING_EQUAL(got.ports[LOAD_LINK_BA], "b");
	CU_ASSERT_EQUAL(got.plans[LOAD_LINK_AB].loss, 0.25);
	CU_ASSERT_EQUAL(got.plans[LOAD_LINK_BA].loss, 0.01);
	CU_ASSERT_EQUAL(got.plans[LOAD_LINK_AB].delay_ns, 5 * MS);
	CU_ASSERT_EQUAL(got.plans[LOAD_LINK_BA].delay_ns, 20 * US);
	CU_ASSERT_EQUAL(got.plans[LOAD_LINK_AB].rate_bps, 0);
	CU_ASSERT_EQUAL(got.plans[LOAD_LINK_BA].rate_bps, 100000000);
	CU_ASSERT_EQUAL(got.plans[LOAD_LINK_AB].cut.at_ns, 2 * S);
	CU_ASSERT_EQUAL(got.plans[LOAD_LINK_AB].cut.for_ns, 500 * MS);
	CU_ASSERT_EQUAL(got.plans[LOAD_LINK_BA].cut.for_ns, 0);
	CU_ASSERT_EQUAL(got.plans[LOAD_LINK_BA].hold_ns, MS);
	CU_ASSERT_EQUAL(got.seed, 9);
}

static void wrong_arguments_are_refused(void)
{
	static char *const wrong[][2] = {{"--loss", "101%"}, {"--loss", "1,5%"}, {"--loss", "-1"},
		{"--delay", "5m"}, {"--delay", "ms"}, {"--delay", "2h"}, {"--delay", "3601"},
		{"--delay-a", "5ms"}, {"--cut", "1s"}, {"--cut", "1s,"}, {"--cut", "1s,2s,"},
		{"--burst", "3"}, {"--burst", "0"}, {"--only-udp", "65536"}, {"--rate", "10"}};
	struct load_link_arguments got;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		char *argv[] = {"link", "a", "b", wrong[i][0], wrong[i][1], NULL};

		CU_ASSERT_EQUAL(parse(&got, argv), -EINVAL);
	}
	CU_ASSERT_EQUAL(parse(&got, (char *[]){"link", "a", NULL}), -EINVAL);
	CU_ASSERT_EQUAL(parse(&got, (char *[]){"link", "a", "a", NULL}), -EINVAL);
	CU_ASSERT_EQUAL(parse(&got, (char *[]){"link", "a", "b", "c", NULL}), -EINVAL);
	CU_ASSERT_EQUAL(parse(&got, (char *[]){"link", "a", "sixteen-letters-", NULL}), -EINVAL);
}

int main(void)
{
	CU_pSuite suite;

	if (CU_initialize_registry() != CUE_SUCCESS)
		return 1;
	suite = CU_add_suite("weirload's wire", NULL, NULL);
	CU_ADD_TEST(suite, a_wire_without_impairments_changes_nothing);
	CU_ADD_TEST(suite, as_many_are_lost_and_doubled_as_asked_for);
	CU_ADD_TEST(suite, all_is_lost_of_a_loss_of_one);
	CU_ADD_TEST(suite, losses_come_in_runs_of_the_mean_length);
	CU_ADD_TEST(suite, a_plan_that_cannot_be_kept_is_refused);
	CU_ADD_TEST(suite, jitter_spreads_the_delay_and_keeps_the_order);
	CU_ADD_TEST(suite, a_packet_held_back_is_overtaken_and_stops_no_other);
	CU_ADD_TEST(suite, the_fate_of_a_packet_is_the_seed_s);
	CU_ADD_TEST(suite, the_rate_is_kept_and_its_queue_is_bounded);
	CU_ADD_TEST(suite, nothing_gets_in_while_it_is_cut);
	CU_ADD_TEST(suite, the_queue_gives_by_time_and_then_by_order);
	CU_ADD_TEST(suite, a_buffer_is_free_again_after_its_last_use);
	CU_ADD_TEST(suite, a_tag_goes_back_to_its_place_and_moves_the_checksum);
	CU_ADD_TEST(suite, what_is_for_one_way_overrides_what_is_for_both);
	CU_ADD_TEST(suite, wrong_arguments_are_refused);
	if (CU_get_error() != CUE_SUCCESS)
		return 1;
	CU_basic_run_tests();
	return CU_get_number_of_failures() != 0;
}
