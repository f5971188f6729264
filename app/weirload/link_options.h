/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>

#include "impair.h"

/*
 * The command line of `weirload link`. Each impairment is given for both directions, or with
 * -ab or -ba behind its name for one, which then overrides what is given for both.
 */
enum load_link_way { LOAD_LINK_AB, LOAD_LINK_BA, LOAD_LINK_WAYS };

struct load_link_arguments {
	const char *ports[LOAD_LINK_WAYS]; /* A and B: where the frames of each way come from */
	struct load_impair_plan plans[LOAD_LINK_WAYS];
	uint64_t seed;
	uint64_t only_udp; /* port; 0: all frames */
	uint64_t limit;    /* frames on their way at most, each way */
	double seconds;    /* 0: no end */
	const char *json;
};

/* 0; 1 when help was printed; -EINVAL after a message. */
int load_link_arguments_parse(int argc, char **argv, struct load_link_arguments *arguments);
