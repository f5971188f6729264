/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/agent.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <rte_cycles.h>

#include "dataplane/dataplane.h"
#include "dataplane/model_find.h"
#include "dataplane/publish.h"
#include "dataplane/snapshot.h"

/* Agents as the control thread handles them. */

static int free_slot(const struct weir_dataplane *dataplane)
{
	/* The lowest: workers walk up to the highest. */
	for (int slot = 0; slot < WEIR_MAX_AGENTS; slot++)
		if (dataplane->agents[slot] == NULL)
			return slot;
	return -ENOSPC;
}

static bool is_name_taken(const struct weir_dataplane *dataplane, const char *name)
{
	for (uint32_t i = 0; i < WEIR_MAX_AGENTS; i++)
		if (dataplane->agents[i] != NULL && strcmp(dataplane->agents[i]->name, name) == 0)
			return true;
	return false;
}

static struct weir_agent *create(const struct weir_agent_spec *spec, uint16_t slot)
{
	struct weir_agent *agent = calloc(1, sizeof(*agent));
	uint64_t now = rte_rdtsc();

	if (agent == NULL)
		return NULL;
	snprintf(agent->name, sizeof(agent->name), "%s", spec->name);
	snprintf(agent->group, sizeof(agent->group), "%s", spec->group);
	agent->slot = slot;
	agent->session = (spec->random & ~0xffffull) | (WEIR_SLOT_AGENTS + slot);
	agent->peer = spec->peer;
	agent->peer_port = spec->peer_port;
	agent->route = spec->route;
	atomic_store(&agent->last_heard, now);
	atomic_store(&agent->last_heartbeat, now);
	atomic_store(&agent->ask_at, now);
	return agent;
}

int weir_agent_prepare(struct weir_dataplane *dataplane, const struct weir_agent_spec *spec,
	struct weir_agent **out)
{
	const struct weir_model_group *group = weir_model_find_group(dataplane->model, spec->group);
	int slot;

	if (group == NULL || group->config.class != WEIR_CLASS_ASSISTED)
		return -ENOENT;
	if (is_name_taken(dataplane, spec->name))
		return -EEXIST;
	slot = free_slot(dataplane);
	if (slot < 0)
		return slot;
	*out = create(spec, (uint16_t)slot);
	return *out != NULL ? 0 : -ENOMEM;
}

int weir_agent_add(struct weir_dataplane *dataplane, struct weir_agent *agent)
{
	dataplane->agents[agent->slot] = agent;
	if (weir_dataplane_republish(dataplane) == 0)
		return 0;
	dataplane->agents[agent->slot] = NULL;
	return -ENOMEM;
}

void weir_agent_free(void *object)
{
	struct weir_agent *agent = object;

	if (agent == NULL)
		return;
	weir_seal_stop(&agent->seal);
	free(agent);
}

int weir_agent_remove(struct weir_dataplane *dataplane, struct weir_agent *agent)
{
	weir_agent_unbind(dataplane, agent);
	dataplane->agents[agent->slot] = NULL;
	if (weir_dataplane_republish(dataplane) < 0) {
		/* Workers know it still. */
		dataplane->agents[agent->slot] = agent;
		return -ENOMEM;
	}
	weir_retire(dataplane, weir_agent_free, agent);
	return 0;
}

static struct weir_consumer *find_consumer(const struct weir_dataplane *dataplane, const char *name,
	const struct weir_address *address, uint16_t port)
{
	const struct weir_model_group *group = weir_model_find_group(dataplane->model, name);

	if (group == NULL || group->config.class != WEIR_CLASS_ASSISTED)
		return NULL;
	for (uint32_t i = 0; i < group->consumer_count; i++) {
		const struct weir_model_consumer *consumer = &group->consumers[i];

		if (consumer->config.port == port &&
			weir_address_equal(&consumer->config.address, address))
			return consumer->object;
	}
	return NULL;
}

int weir_agent_bind(struct weir_dataplane *dataplane, struct weir_agent *agent,
	const struct weir_address *address, uint16_t port)
{
	struct weir_consumer *consumer;
	struct weir_credit_line *bytes;

	if (agent->address.family != 0 &&
		(agent->port != port || !weir_address_equal(&agent->address, address)))
		return -EINVAL;
	consumer = find_consumer(dataplane, agent->group, address, port);
	if (consumer == NULL)
		return -ENOENT;
	if (atomic_load(&consumer->agent) != 0)
		return atomic_load(&consumer->agent) == agent->slot + 1u ? 0 : -EBUSY;
	agent->address = *address;
	agent->port = port;
	/* No credit is left of an earlier agent's; the first answer gives some. */
	bytes = &consumer->credit->bytes;
	atomic_store(&bytes->limit, atomic_load(&bytes->leased));
	atomic_store(&agent->is_starved, true);
	atomic_store(&agent->consumer, consumer->slot + 1u);
	atomic_store(&consumer->agent, agent->slot + 1u);
	return 0;
}

void weir_agent_unbind(struct weir_dataplane *dataplane, struct weir_agent *agent)
{
	uint32_t number = atomic_exchange(&agent->consumer, 0);
	struct weir_consumer *consumer =
		number != 0 ? dataplane->published->consumers[number - 1] : NULL;

	atomic_store(&agent->is_starved, false);
	/* The slot may have another consumer by now, which is none of ours. */
	if (consumer == NULL || atomic_load(&consumer->agent) != agent->slot + 1u)
		return;
	atomic_store(&consumer->agent, 0);
	atomic_fetch_and(&consumer->closed, ~(uint32_t)WEIR_CLOSED_PEER);
	weir_consumer_wake(dataplane, consumer);
}

struct weir_consumer *weir_agent_consumer(
	const struct weir_dataplane *dataplane, const struct weir_agent *agent)
{
	uint32_t number = atomic_load(&agent->consumer);
	struct weir_consumer *consumer;

	if (number == 0)
		return NULL;
	consumer = find_consumer(dataplane, agent->group, &agent->address, agent->port);
	return consumer != NULL && consumer->slot + 1u == number &&
			       atomic_load(&consumer->agent) == agent->slot + 1u
		       ? consumer
		       : NULL;
}

struct weir_agent *weir_agent_of(
	const struct weir_dataplane *dataplane, const struct weir_consumer *consumer)
{
	uint32_t number = atomic_load(&consumer->agent);

	return number != 0 ? dataplane->agents[number - 1] : NULL;
}

uint64_t weir_agent_silent_ms(const struct weir_agent *agent)
{
	uint64_t age = rte_rdtsc() - atomic_load(&agent->last_heard);

	return (int64_t)age < 0 ? 0 : age / (rte_get_tsc_hz() / 1000);
}
