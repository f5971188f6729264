/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/elastic.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "control/elastic_policy.h"
#include "control/events.h"
#include "control/gateway.h"
#include "dataplane/load.h"

#define LOOK_MS 250

struct weir_elastic {
	struct weir_gateway *gateway;
	struct weir_loop_timer timer;
	struct weir_elastic_state state;
	uint64_t parked; /* bit a worker: from here, and not woken since */
};

static const struct weir_config_elastic *config_of(const struct weir_elastic *elastic)
{
	return &weir_dataplane_config(elastic->gateway->dataplane)->elastic;
}

void weir_elastic_tell(
	struct weir_gateway *gateway, uint16_t worker, bool is_parked, const char *reason)
{
	char subject[16];

	snprintf(subject, sizeof(subject), "worker=%u", worker);
	weir_event_emit(gateway,
		&(struct weir_event){
			.kind = is_parked ? WEIR_EVENT_WORKER_PARKED : WEIR_EVENT_WORKER_WOKEN,
			.subject = subject,
			.reason = reason,
			.count = __builtin_popcountll(gateway->dataplane->moves.parked),
			.text = is_parked ? "its partitions go to the others, and it sleeps"
					  : "it gets its share of the partitions"});
}

/* An operator may have woken some, and a configuration may have taken some away. */
static void forget_woken(struct weir_elastic *elastic)
{
	const struct weir_dataplane *dataplane = elastic->gateway->dataplane;

	elastic->parked &= dataplane->moves.parked & weir_workers_staying(dataplane);
}

static void wake(struct weir_elastic *elastic, uint16_t worker)
{
	if (weir_worker_wake(elastic->gateway->dataplane, worker) < 0)
		return; /* no memory: at the next look */
	elastic->parked &= ~(UINT64_C(1) << worker);
	weir_elastic_restart(&elastic->state);
	weir_elastic_tell(elastic->gateway, worker, false, "load");
}

static void park(struct weir_elastic *elastic, uint16_t worker)
{
	if (weir_worker_park(elastic->gateway->dataplane, worker) < 0)
		return;
	elastic->parked |= UINT64_C(1) << worker;
	weir_elastic_restart(&elastic->state);
	weir_elastic_tell(elastic->gateway, worker, true, "load");
}

/* Bit a worker: those that the load is for. */
static uint64_t shared_workers(const struct weir_dataplane *dataplane)
{
	return weir_workers_receiving(dataplane) & ~dataplane->moves.reserved;
}

/* The first worker sends for the control thread, and is not parked. */
static int highest_to_park(const struct weir_dataplane *dataplane)
{
	uint64_t may = shared_workers(dataplane) & ~UINT64_C(1);

	return may != 0 ? 63 - __builtin_clzll(may) : -1;
}

static void look(void *context, uint64_t now_ns)
{
	struct weir_elastic *elastic = context;
	struct weir_dataplane *dataplane = elastic->gateway->dataplane;
	struct weir_elastic_look seen = {.now_ms = now_ns / WEIR_MS_NS};
	int parks = highest_to_park(dataplane);

	if (!config_of(elastic)->enabled)
		return;
	forget_woken(elastic);
	for (uint64_t left = shared_workers(dataplane); left != 0; left &= left - 1) {
		seen.awake++;
		seen.busy += weir_worker_duty(dataplane, (uint32_t)__builtin_ctzll(left));
	}
	seen.can_wake = elastic->parked != 0;
	seen.can_park = parks >= 0;
	seen.is_settled = !weir_moves_are_under_way(dataplane);
	switch (weir_elastic_decide(&elastic->state, config_of(elastic), &seen)) {
	case WEIR_ELASTIC_WAKE:
		wake(elastic, (uint16_t)__builtin_ctzll(elastic->parked));
		break;
	case WEIR_ELASTIC_PARK:
		park(elastic, (uint16_t)parks);
		break;
	default:
		break;
	}
}

int weir_elastic_create(struct weir_gateway *gateway, struct weir_elastic **out)
{
	struct weir_elastic *elastic = calloc(1, sizeof(*elastic));

	*out = elastic;
	if (elastic == NULL)
		return -ENOMEM;
	elastic->gateway = gateway;
	weir_loop_timer_init(&elastic->timer, look, elastic);
	return weir_loop_timer_arm(
		gateway->loop, &elastic->timer, LOOK_MS * WEIR_MS_NS, LOOK_MS * WEIR_MS_NS);
}

void weir_elastic_destroy(struct weir_elastic *elastic)
{
	if (elastic == NULL)
		return;
	weir_loop_timer_cancel(elastic->gateway->loop, &elastic->timer);
	free(elastic);
}

void weir_elastic_sync(struct weir_elastic *elastic)
{
	if (config_of(elastic)->enabled)
		return;
	forget_woken(elastic);
	for (uint64_t left = elastic->parked; left != 0; left &= left - 1)
		wake(elastic, (uint16_t)__builtin_ctzll(left));
}

uint64_t weir_elastic_parked(const struct weir_elastic *elastic)
{
	return elastic->parked & elastic->gateway->dataplane->moves.parked;
}
