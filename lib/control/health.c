/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/health.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/events.h"
#include "control/gateway.h"
#include "dataplane/snapshot.h"

#define LOOK_MS 100
#define SHARE   1024 /* of `held`: always */
#define AVERAGE 8    /* looks that the average spans, about */

struct entry {
	const struct weir_consumer *consumer; /* NULL: none has the slot */
	uint64_t session;
	struct weir_health_status status;
	uint32_t held;        /* moving average of looks that found a gate closed */
	uint64_t looked_ns;   /* 0: never */
	uint64_t progress_ns; /* when something was last let through, or nothing waited */
};

struct weir_health {
	struct weir_gateway *gateway;
	struct weir_loop_timer timer;
	struct weir_backlog *backlogs; /* of the newest look, by slot */
	struct entry *entries;         /* by slot */
	uint64_t entered[WEIR_HEALTH_STATE_COUNT];
};

const char *weir_health_name(enum weir_health_state state)
{
	static const char *const names[] = {
#define X(id, name) [WEIR_HEALTH_##id] = name,
		WEIR_HEALTH_STATES(X)
#undef X
	};

	return names[state];
}

static void tell(
	const struct weir_health *health, const struct entry *entry, enum weir_health_state state)
{
	char subject[WEIR_NAME_SIZE + 16], text[64];

	snprintf(subject, sizeof(subject), "consumer=%s", entry->consumer->name);
	snprintf(text, sizeof(text), "%s, was %s", weir_health_name(state),
		weir_health_name(entry->status.state));
	weir_event_emit(health->gateway, &(struct weir_event){.kind = WEIR_EVENT_CONSUMER_STATE,
						 .subject = subject,
						 .reason = weir_health_name(state),
						 .count = -1,
						 .text = text});
}

static void enter(struct weir_health *health, struct entry *entry, enum weir_health_state state,
	uint64_t now_ns)
{
	struct weir_health_status *status = &entry->status;

	if (status->state == state && status->since_ns != 0)
		return;
	if (status->since_ns != 0)
		tell(health, entry, state);
	status->state = state;
	status->name = weir_health_name(state);
	status->since_ns = now_ns;
	status->entered[state]++;
	health->entered[state]++;
}

static enum weir_health_state judge(
	const struct weir_health *health, const struct entry *entry, uint64_t now_ns)
{
	const struct weir_config_health *limits =
		&weir_dataplane_config(health->gateway->dataplane)->health;
	const struct weir_backlog *backlog = &entry->status.backlog;

	if (atomic_load(&entry->consumer->closed) & WEIR_CLOSED_UNREACHABLE)
		return WEIR_HEALTH_GONE;
	if (now_ns - entry->progress_ns >= limits->park_ms * WEIR_MS_NS)
		return WEIR_HEALTH_PARKED;
	if (backlog->is_behind && backlog->waiting != 0)
		return WEIR_HEALTH_CATCHING_UP;
	if (entry->status.held_percent >= limits->throttled_percent)
		return WEIR_HEALTH_THROTTLED;
	return WEIR_HEALTH_HEALTHY;
}

static void look_at(struct weir_health *health, struct entry *entry,
	const struct weir_backlog *backlog, uint64_t now_ns)
{
	bool is_held = backlog->waiting != 0 && backlog->gate != WEIR_GATE_OPEN;

	/* Looked at ten times a second, a gate that closes and opens meanwhile counts by its share.
	 */
	if (is_held && entry->looked_ns != 0)
		entry->status.limited_ns[backlog->gate] += now_ns - entry->looked_ns;
	entry->looked_ns = now_ns;
	if (backlog->waiting == 0 || backlog->moved != entry->status.backlog.moved)
		entry->progress_ns = now_ns;
	entry->held += ((is_held ? SHARE : 0) - (int32_t)entry->held) / AVERAGE;
	/* Rounding keeps the average below SHARE. */
	entry->status.held_percent = RTE_MIN(entry->held * 100 / (SHARE - SHARE / AVERAGE), 100u);
	entry->status.backlog = *backlog;
	enter(health, entry, judge(health, entry, now_ns), now_ns);
}

static void look(void *context, uint64_t now_ns)
{
	struct weir_health *health = context;
	const struct weir_dataplane *dataplane = health->gateway->dataplane;

	memset(health->backlogs, 0, WEIR_MAX_CONSUMERS * sizeof(*health->backlogs));
	weir_backlog_take(dataplane, health->backlogs);
	for (uint32_t slot = 0; slot < WEIR_MAX_CONSUMERS; slot++) {
		const struct weir_consumer *consumer = dataplane->published->consumers[slot];
		struct entry *entry = &health->entries[slot];

		if (consumer != entry->consumer ||
			(consumer != NULL && consumer->session != entry->session))
			*entry = (struct entry){.consumer = consumer,
				.session = consumer != NULL ? consumer->session : 0,
				.progress_ns = now_ns};
		if (consumer != NULL)
			look_at(health, entry, &health->backlogs[slot], now_ns);
	}
}

int weir_health_create(struct weir_gateway *gateway, struct weir_health **out)
{
	struct weir_health *health = calloc(1, sizeof(*health));

	*out = health;
	if (health == NULL)
		return -ENOMEM;
	health->gateway = gateway;
	health->backlogs = calloc(WEIR_MAX_CONSUMERS, sizeof(*health->backlogs));
	health->entries = calloc(WEIR_MAX_CONSUMERS, sizeof(*health->entries));
	weir_loop_timer_init(&health->timer, look, health);
	if (health->backlogs == NULL || health->entries == NULL)
		return -ENOMEM;
	return weir_loop_timer_arm(
		gateway->loop, &health->timer, LOOK_MS * WEIR_MS_NS, LOOK_MS * WEIR_MS_NS);
}

void weir_health_destroy(struct weir_health *health)
{
	if (health == NULL)
		return;
	weir_loop_timer_cancel(health->gateway->loop, &health->timer);
	free(health->backlogs);
	free(health->entries);
	free(health);
}

bool weir_health_status(const struct weir_health *health, const struct weir_consumer *consumer,
	struct weir_health_status *status)
{
	const struct entry *entry = &health->entries[consumer->slot];

	if (entry->consumer != consumer || entry->status.since_ns == 0)
		return false;
	*status = entry->status;
	return true;
}

void weir_health_entered(const struct weir_health *health, uint64_t *entered)
{
	memcpy(entered, health->entered, sizeof(health->entered));
}
