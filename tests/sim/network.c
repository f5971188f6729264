/* SPDX-License-Identifier: BSD-3-Clause */
#include "network.h"

#include <stdlib.h>
#include <string.h>

#include "world.h"

#define OVERTAKEN 3 /* delays that a datagram falls back at most */

static bool is_before(const struct sim_packet *a, const struct sim_packet *b)
{
	return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

static void push(struct sim_network *network, struct sim_packet *packet)
{
	size_t i = network->count++;

	if (network->count > network->size) {
		network->size = network->size != 0 ? network->size * 2 : 256;
		network->heap =
			reallocarray(network->heap, network->size, sizeof(struct sim_packet *));
		if (network->heap == NULL)
			sim_no_memory();
	}
	while (i != 0 && is_before(packet, network->heap[(i - 1) / 2])) {
		network->heap[i] = network->heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	network->heap[i] = packet;
}

static bool happens(struct sim_network *network, uint32_t of_10000)
{
	return sim_below(&network->random, 10000) < of_10000;
}

static void post(struct sim_network *network, struct sim_address address, bool is_to_gateway,
	const void *data, size_t length, uint64_t now_ns)
{
	struct sim_packet *packet = malloc(sizeof(*packet) + length);
	uint64_t delay =
		network->plan.delay_ns + sim_below(&network->random, network->plan.jitter_ns);

	if (packet == NULL)
		sim_no_memory();
	if (happens(network, network->plan.reorder))
		delay += sim_below(&network->random, OVERTAKEN * network->plan.delay_ns);
	packet->at_ns = now_ns + delay;
	packet->order = network->order++;
	packet->address = address;
	packet->is_to_gateway = is_to_gateway;
	packet->length = (uint16_t)length;
	memcpy(packet->data, data, length);
	push(network, packet);
}

void sim_network_init(
	struct sim_network *network, const struct sim_network_plan *plan, uint64_t seed)
{
	*network = (struct sim_network){.plan = *plan};
	sim_random_init(&network->random, seed, 2);
}

void sim_network_close(struct sim_network *network)
{
	while (network->count != 0)
		free(network->heap[--network->count]);
	free(network->heap);
}

void sim_network_heal(struct sim_network *network)
{
	network->plan.loss = 0;
	network->plan.duplicate = 0;
	network->plan.reorder = 0;
}

bool sim_network_send(struct sim_network *network, struct sim_address address, bool is_to_gateway,
	const void *data, size_t length, uint64_t now_ns)
{
	const uint32_t *cuts = is_to_gateway ? network->cut_to_gateway : network->cut_to_consumer;
	bool is_lost = happens(network, network->plan.loss);

	if (is_lost || cuts[address.consumer] != 0) {
		network->lost++;
		return false;
	}
	post(network, address, is_to_gateway, data, length, now_ns);
	if (happens(network, network->plan.duplicate))
		post(network, address, is_to_gateway, data, length, now_ns);
	return true;
}

uint64_t sim_network_next_ns(const struct sim_network *network)
{
	return network->count != 0 ? network->heap[0]->at_ns : UINT64_MAX;
}

struct sim_packet *sim_network_take(struct sim_network *network)
{
	struct sim_packet *first = network->heap[0];
	struct sim_packet *last = network->heap[--network->count];
	size_t i = 0;

	for (;;) {
		size_t child = 2 * i + 1;

		if (child >= network->count)
			break;
		if (child + 1 < network->count &&
			is_before(network->heap[child + 1], network->heap[child]))
			child++;
		if (!is_before(network->heap[child], last))
			break;
		network->heap[i] = network->heap[child];
		i = child;
	}
	network->heap[i] = last;
	return first;
}

uint64_t sim_network_longest_ns(const struct sim_network_plan *plan)
{
	return plan->delay_ns * (1 + OVERTAKEN) + plan->jitter_ns;
}
