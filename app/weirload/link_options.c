/* SPDX-License-Identifier: BSD-3-Clause */
#include "link_options.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "options.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MAX_DELAY_NS (3600 * 1000000000ull)
#define NAME_SIZE    32

static const char usage[] =
	"Usage: weirload link A B [options]\n"
	"Joins two interfaces like a cable, and impairs what passes. Runs until SIGINT, unless\n"
	"--seconds gives an end; SIGUSR1 prints the counters at once. Of each direction there is\n"
	"packets + duplicated = sent + lost + cut + queue_full + failed + held. What the kernel\n"
	"dropped before or behind the link, which nobody asked for, is in overrun and "
	"device_drops.\n"
	"\n"
	"The interfaces should have no address, and IPv6 off. Offloads of their peers may be on;\n"
	"a segment that is still to be cut (TSO) is one packet here.\n"
	"\n"
	"SHARE is 1% or 0.01, TIME is 5ms, 20us or in seconds 0.005. With -ab or -ba behind its\n"
	"name an impairment is of one direction: --loss 1% --loss-ba 0 --delay-ab 5ms.\n"
	"\n"
	"Impairments:";

/* The impairments; `value` is set for each direction, and `offset` says where it is. */
static const struct impairment {
	struct load_option option;
	size_t offset;
} impairments[] = {
#define AT(member) offsetof(struct load_impair_plan, member)
	{{"loss", LOAD_OPTION_SHARE, NULL, "SHARE", "packets that are lost", 0, 0}, AT(loss)},
	{{"burst", LOAD_OPTION_NUMBER, NULL, "N",
		 "mean packets lost in a row (default: each by its own chance)", 1, 1000000},
		AT(burst)},
	{{"duplicate", LOAD_OPTION_SHARE, NULL, "SHARE", "packets that come twice", 0, 0},
		AT(duplicate)},
	{{"delay", LOAD_OPTION_DURATION, NULL, "TIME", "of every packet", 0, MAX_DELAY_NS},
		AT(delay_ns)},
	{{"jitter", LOAD_OPTION_DURATION, NULL, "TIME",
		 "random delay besides, from 0 to TIME; keeps the order", 0, MAX_DELAY_NS},
		AT(jitter_ns)},
	{{"reorder", LOAD_OPTION_SHARE, NULL, "SHARE",
		 "packets held back, so that later ones overtake,", 0, 0},
		AT(reorder)},
	{{"reorder-delay", LOAD_OPTION_DURATION, NULL, "TIME", "for so long (default 1ms)", 0,
		 MAX_DELAY_NS},
		AT(hold_ns)},
	{{"rate", LOAD_OPTION_NUMBER, NULL, "BITS", "of frames a second (default: no limit);", 1000,
		 1000000000000},
		AT(rate_bps)},
	{{"queue", LOAD_OPTION_DURATION, NULL, "TIME",
		 "a packet that would wait longer for it is dropped (default 50ms)", 0,
		 MAX_DELAY_NS},
		AT(queue_ns)},
	{{"cut", LOAD_OPTION_SPAN, NULL, "AT,FOR",
		 "AT from the start nothing gets in, FOR so long (both TIME)", 0, MAX_DELAY_NS},
		AT(cut)},
#undef AT
};

/* Two further rows of each, which help does not show. */
struct table {
	struct load_option rows[3 * COUNT(impairments) + 5];
	char names[2 * COUNT(impairments)][NAME_SIZE];
	size_t count;
};

static void add(struct table *table, struct load_option row)
{
	table->rows[table->count++] = row;
}

static void add_impairment(struct table *table, size_t index, struct load_impair_plan *both,
	struct load_impair_plan plans[LOAD_LINK_WAYS])
{
	static const char *const endings[LOAD_LINK_WAYS] = {"ab", "ba"};
	struct load_option row = impairments[index].option;
	const char *name = row.name;

	row.value = (char *)both + impairments[index].offset;
	add(table, row);
	row.help = NULL;
	for (int way = 0; way < LOAD_LINK_WAYS; way++) {
		char *directed = table->names[2 * index + (size_t)way];

		snprintf(directed, NAME_SIZE, "%s-%s", name, endings[way]);
		row.name = directed;
		row.value = (char *)&plans[way] + impairments[index].offset;
		add(table, row);
	}
}

static void make_table(
	struct table *table, struct load_link_arguments *to, struct load_impair_plan *both)
{
	table->count = 0;
	for (size_t i = 0; i < COUNT(impairments); i++)
		add_impairment(table, i, both, to->plans);
	add(table, (struct load_option){"only-udp", LOAD_OPTION_NUMBER, &to->only_udp, "PORT",
			   "impair UDP from or to PORT, the rest passes at once", 1, 65535});
	add(table, (struct load_option){"seed", LOAD_OPTION_NUMBER, &to->seed, "N",
			   "of the random numbers (default 1)", 0, 0});
	add(table, (struct load_option){"limit", LOAD_OPTION_NUMBER, &to->limit, "N",
			   "packets on their way at most, each way (default 65536)", 64, 1u << 20});
	add(table, (struct load_option){
			   "seconds", LOAD_OPTION_SECONDS, &to->seconds, "S", "end after S", 0, 0});
	add(table, (struct load_option){"json", LOAD_OPTION_TEXT, &to->json, "FILE",
			   "counters, instead of stdout", 0, 0});
}

static int check(const struct load_link_arguments *arguments)
{
	for (int way = 0; way < LOAD_LINK_WAYS; way++) {
		const char *fault = load_impair_fault(&arguments->plans[way]);

		if (fault == NULL && strlen(arguments->ports[way]) >= IF_NAMESIZE)
			fault = "an interface's name has at most 15 characters";
		if (fault != NULL) {
			fprintf(stderr, "weirload link: %s\n", fault);
			return -EINVAL;
		}
	}
	if (strcmp(arguments->ports[0], arguments->ports[1]) == 0) {
		fprintf(stderr, "weirload link: A and B must be two interfaces\n");
		return -EINVAL;
	}
	return 0;
}

int load_link_arguments_parse(int argc, char **argv, struct load_link_arguments *arguments)
{
	struct load_impair_plan both = {.hold_ns = 1000000, .queue_ns = 50000000};
	struct table table;
	int options = 1, error;

	for (; options < argc && options <= LOAD_LINK_WAYS && argv[options][0] != '-'; options++)
		arguments->ports[options - 1] = argv[options];
	make_table(&table, arguments, &both);
	/* Parsed twice: first what is for both ways counts, then what is for one. */
	for (int pass = 0; pass < 2; pass++) {
		error = load_options_parse(
			usage, table.rows, table.count, argc - options + 1, argv + options - 1);
		if (error != 0)
			return error;
		if (pass == 0)
			for (int way = 0; way < LOAD_LINK_WAYS; way++)
				arguments->plans[way] = both;
	}
	if (arguments->ports[1] == NULL) {
		fprintf(stderr, "weirload link: two interfaces are needed\n");
		return -EINVAL;
	}
	return check(arguments);
}
