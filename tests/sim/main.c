/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "world.h"

/*
 * Runs seeds in a few processes, and says which break a promise. With a rule broken on purpose it
 * succeeds when the promise that the rule serves is found broken.
 */

#define WORKERS      2
#define REPLAY_EVERY 100 /* of so many seeds one is run twice: both runs must be the same */
#define FAILURES_MAX 5   /* then it ends, unless told to go on */

struct shared {
	_Atomic uint64_t next;
	_Atomic uint64_t events;
	_Atomic uint32_t replays;
	_Atomic uint32_t failures;
	_Atomic uint32_t caught; /* by the promise that was meant */
};

struct options {
	uint64_t first;
	uint64_t count;
	bool is_verbose;
	bool goes_on;
};

static void usage(FILE *out)
{
	fputs("Usage: weir-sim [--seeds COUNT] [--first SEED] [--break RULE] [--verbose]\n"
	      "                [--go-on]\n"
	      "       weir-sim --rules\n"
	      "  --go-on  do not end after a few seeds that break promises\n"
	      "  --break  break a rule on purpose: succeeds when it is noticed\n"
	      "  --rules  the rules that can be broken, the promise each serves, what is broken\n",
		out);
}

static void print_rules(void)
{
	for (int rule = SIM_BREAK_NONE + 1; rule < SIM_BREAK_COUNT; rule++)
		printf("%s\t%s\t%s\n", sim_break_name((enum sim_break)rule),
			sim_break_promise((enum sim_break)rule),
			sim_break_text((enum sim_break)rule));
}

static int parse_number(const char *text, uint64_t *number)
{
	char *end;

	errno = 0;
	*number = strtoull(text, &end, 10);
	return errno != 0 || *end != '\0' || end == text || *text == '-' ? -EINVAL : 0;
}

/* 0, 1 for what needs no run, negative for what is wrong. */
static int parse(int argc, char **argv, struct options *options)
{
	for (int i = 1; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : "";
		int rule;

		if (strcmp(argv[i], "--verbose") == 0) {
			options->is_verbose = true;
		} else if (strcmp(argv[i], "--go-on") == 0) {
			options->goes_on = true;
		} else if (strcmp(argv[i], "--rules") == 0) {
			print_rules();
			return 1;
		} else if (strcmp(argv[i], "--help") == 0) {
			usage(stdout);
			return 1;
		} else if (strcmp(argv[i], "--seeds") == 0) {
			if (parse_number(value, &options->count) != 0)
				return -EINVAL;
			i++;
		} else if (strcmp(argv[i], "--first") == 0) {
			if (parse_number(value, &options->first) != 0)
				return -EINVAL;
			i++;
		} else if (strcmp(argv[i], "--break") == 0) {
			rule = sim_break_find(value);
			if (rule < 0)
				return -EINVAL;
			sim_broken = (enum sim_break)rule;
			i++;
		} else {
			return -EINVAL;
		}
	}
	return 0;
}

static void judge(struct shared *shared, uint64_t seed, const struct sim_result *result,
	bool is_replayed, bool is_verbose)
{
	struct sim_result again;

	atomic_fetch_add(&shared->events, result->events);
	if (result->promise != NULL) {
		atomic_fetch_add(&shared->failures, 1);
		if (strcmp(result->promise, sim_break_promise(sim_broken)) == 0)
			atomic_fetch_add(&shared->caught, 1);
		return;
	}
	if (!is_replayed)
		return;
	again = sim_world_run(seed, false, is_verbose);
	atomic_fetch_add(&shared->replays, 1);
	if (again.digest == result->digest && again.events == result->events)
		return;
	printf("seed %" PRIu64 " does not replay\n", seed);
	atomic_fetch_add(&shared->failures, 1);
}

static void work(struct shared *shared, const struct options *options)
{
	bool is_broken = sim_broken != SIM_BREAK_NONE;

	for (;;) {
		uint64_t i = atomic_fetch_add(&shared->next, 1);
		uint64_t seed = options->first + i;
		struct sim_result result;

		if (i >= options->count || atomic_load(&shared->caught) != 0 ||
			(!is_broken && !options->goes_on &&
				atomic_load(&shared->failures) >= FAILURES_MAX))
			return;
		result =
			sim_world_run(seed, !is_broken || options->is_verbose, options->is_verbose);
		judge(shared, seed, &result, !is_broken && i % REPLAY_EVERY == 0, false);
		fflush(stdout);
	}
}

/* Processes, not threads: one that dies of a seed does not take the others along. */
static void work_all(struct shared *shared, const struct options *options)
{
	int workers = options->count > 1 ? WORKERS : 1;

	/* What a seed has to say is written at once. */
	setvbuf(stdout, NULL, _IOFBF, 1 << 17);
	for (int i = 0; i < workers; i++) {
		pid_t child = fork();

		if (child < 0)
			atomic_fetch_add(&shared->failures, 1);
		if (child != 0)
			continue;
		work(shared, options);
		_exit(0);
	}
	for (int i = 0; i < workers; i++) {
		int status = 0;

		if (wait(&status) > 0 && status == 0)
			continue;
		printf("a worker died, status %d, near seed %" PRIu64 "\n", status,
			options->first + atomic_load(&shared->next) - 1);
		atomic_fetch_add(&shared->failures, 1);
	}
}

int main(int argc, char **argv)
{
	struct options options = {.first = 1, .count = 10000};
	struct shared *shared;
	int parsed = parse(argc, argv, &options);
	uint64_t done;

	if (parsed != 0) {
		if (parsed < 0)
			usage(stderr);
		return parsed < 0 ? 2 : 0;
	}
	shared = mmap(
		NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED) {
		perror("mmap");
		return 1;
	}
	work_all(shared, &options);
	done = shared->next < options.count ? shared->next : options.count;
	printf("%" PRIu64 " seeds from %" PRIu64 ", %" PRIu64 " events, %u replayed, %u failed\n",
		done, options.first, shared->events, shared->replays, shared->failures);
	if (sim_broken == SIM_BREAK_NONE)
		return shared->failures != 0;
	printf("broken rule %s: promise \"%s\" %s\n", sim_break_name(sim_broken),
		sim_break_promise(sim_broken),
		shared->caught != 0 ? "caught it" : "did not notice");
	return shared->caught == 0;
}
