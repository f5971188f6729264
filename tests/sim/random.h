/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * All chance in the simulator comes from the seed, through independent streams of this generator
 * (splitmix64, Steele, Lea and Flood 2014): what one part draws does not move what another gets.
 */
struct sim_random {
	uint64_t state;
};

static inline uint64_t sim_mix(uint64_t value)
{
	value = (value ^ (value >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	value = (value ^ (value >> 27)) * UINT64_C(0x94d049bb133111eb);
	return value ^ (value >> 31);
}

static inline uint64_t sim_random(struct sim_random *random)
{
	random->state += UINT64_C(0x9e3779b97f4a7c15);
	return sim_mix(random->state);
}

static inline void sim_random_init(struct sim_random *random, uint64_t seed, uint64_t stream)
{
	random->state = sim_mix(seed * UINT64_C(0x9e3779b97f4a7c15) + stream);
}

/* 0 to below - 1; `below` may be 0, which gives 0. */
static inline uint64_t sim_below(struct sim_random *random, uint64_t below)
{
	uint64_t value = sim_random(random);

	return below != 0 ? value % below : 0;
}

/* least to most, both included. */
static inline uint64_t sim_between(struct sim_random *random, uint64_t least, uint64_t most)
{
	return least + sim_below(random, most - least + 1);
}

static inline bool sim_chance(struct sim_random *random, uint32_t percent)
{
	return sim_below(random, 100) < percent;
}

/* As often small as large: the exponent is drawn, then the rest. */
static inline uint64_t sim_scale(struct sim_random *random, uint64_t least, uint64_t most)
{
	unsigned int doublings = 0;

	while (least << doublings < most)
		doublings++;
	least <<= sim_below(random, doublings + 1);
	return least < most ? sim_between(random, least, 2 * least < most ? 2 * least : most)
			    : most;
}
