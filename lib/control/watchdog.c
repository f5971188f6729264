/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/watchdog_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/checkpoint.h"
#include "control/events.h"
#include "control/gateway.h"
#include "control/present.h"
#include "control/reach.h"
#include "dataplane/port_restart.h"
#include "dataplane/shed.h"

#define TROUBLES_MAX 1024
#define HOUR_NS      (3600 * WEIR_S_NS)

static const char *const names[] = {
#define X(id, name, action) name,
	WEIR_WATCHDOGS(X)
#undef X
};

static const char *const actions[] = {
#define X(id, name, action) action,
	WEIR_WATCHDOGS(X)
#undef X
};

static const char *const outcome_names[] = {"done", "reported", "limited", "failed"};

int weir_watchdog_create(struct weir_gateway *gateway, struct weir_watchdog **out)
{
	struct weir_watchdog *watchdog = calloc(1, sizeof(*watchdog));

	*out = watchdog;
	if (watchdog == NULL)
		return -ENOMEM;
	watchdog->gateway = gateway;
	watchdog->list = calloc(TROUBLES_MAX, sizeof(*watchdog->list));
	watchdog->keys = calloc(TROUBLES_MAX, sizeof(*watchdog->keys));
	return watchdog->list == NULL || watchdog->keys == NULL ? -ENOMEM : 0;
}

void weir_watchdog_destroy(struct weir_watchdog *watchdog)
{
	if (watchdog == NULL)
		return;
	free(watchdog->list);
	free(watchdog->keys);
	free(watchdog);
}

static uint32_t key_of(enum weir_watchdog_kind kind, const char *subject)
{
	uint32_t key = 0x811c9dc5u ^ (uint32_t)kind;

	for (; *subject != '\0'; subject++)
		key = (key ^ (uint8_t)*subject) * 0x01000193u;
	return key;
}

/* One that is over makes way when the list is full. */
static struct weir_trouble *make(struct weir_watchdog *watchdog, uint32_t key,
	enum weir_watchdog_kind kind, const char *subject)
{
	uint32_t i = 0;

	while (i < watchdog->count && (watchdog->count < TROUBLES_MAX || watchdog->list[i].is_on))
		i++;
	if (i == TROUBLES_MAX) {
		watchdog->left_out++;
		return NULL;
	}
	watchdog->count = RTE_MAX(watchdog->count, i + 1);
	watchdog->keys[i] = key;
	watchdog->list[i] = (struct weir_trouble){.kind = kind};
	snprintf(watchdog->list[i].subject, sizeof(watchdog->list[i].subject), "%s", subject);
	return &watchdog->list[i];
}

static struct weir_trouble *find(
	struct weir_watchdog *watchdog, enum weir_watchdog_kind kind, const char *subject)
{
	uint32_t key = key_of(kind, subject);

	for (uint32_t i = 0; i < watchdog->count; i++)
		if (watchdog->keys[i] == key && watchdog->list[i].kind == kind &&
			strcmp(watchdog->list[i].subject, subject) == 0)
			return &watchdog->list[i];
	return make(watchdog, key, kind, subject);
}

static void tell(struct weir_watchdog *watchdog, enum weir_event_kind kind,
	const struct weir_trouble *trouble, const char *text)
{
	weir_event_emit(watchdog->gateway, &(struct weir_event){.kind = kind,
						   .subject = trouble->subject,
						   .reason = names[trouble->kind],
						   .count = -1,
						   .text = text});
}

void weir_watchdog_shed(struct weir_watchdog *watchdog, bool on)
{
	watchdog->sheds = on;
	atomic_store(&watchdog->gateway->dataplane->shed_bulk, on);
}

/* Its subject is "port=NAME". */
static int restart_port(const struct weir_watchdog *watchdog, const struct weir_trouble *trouble)
{
	struct weir_dataplane *dataplane = watchdog->gateway->dataplane;
	struct weir_port *port = weir_port_named(dataplane, strchr(trouble->subject, '=') + 1);

	return port != NULL ? weir_port_restart(dataplane, port) : -ENODEV;
}

static int carry_out(struct weir_watchdog *watchdog, const struct weir_trouble *trouble)
{
	switch (trouble->kind) {
	case WEIR_WATCHDOG_PORT:
	case WEIR_WATCHDOG_NEIGHBOUR:
		watchdog->looks_again = true;
		return 0;
	case WEIR_WATCHDOG_QUEUE:
		return restart_port(watchdog, trouble);
	case WEIR_WATCHDOG_LOAD:
		return weir_workers_rebalance(watchdog->gateway->dataplane, false, NULL, NULL);
	case WEIR_WATCHDOG_POOL:
		weir_watchdog_shed(watchdog, true);
		return 0;
	case WEIR_WATCHDOG_DISK:
		weir_checkpoint_now(watchdog->gateway->checkpoint);
		return 0;
	default:
		return 0;
	}
}

static enum weir_outcome act(
	struct weir_watchdog *watchdog, struct weir_trouble *trouble, uint64_t now_ns)
{
	const struct weir_config_watchdog *config =
		&weir_dataplane_config(watchdog->gateway->dataplane)->watchdog;
	int result;

	if (trouble->hour_ns == 0 || now_ns - trouble->hour_ns >= HOUR_NS) {
		trouble->hour_ns = now_ns;
		trouble->actions = 0;
	}
	if (!config->act)
		return WEIR_OUTCOME_REPORTED;
	if (trouble->actions >= config->per_hour)
		return WEIR_OUTCOME_LIMITED;
	trouble->actions++;
	result = carry_out(watchdog, trouble);
	if (result < 0)
		weir_log_warning("watchdog", "%s for %s: %s", actions[trouble->kind],
			trouble->subject, strerror(-result));
	return result < 0 ? WEIR_OUTCOME_FAILED : WEIR_OUTCOME_DONE;
}

static void remedy(struct weir_watchdog *watchdog, struct weir_trouble *trouble, uint64_t now_ns)
{
	enum weir_outcome outcome;
	char text[64];

	if (strcmp(actions[trouble->kind], "none") == 0)
		return;
	outcome = act(watchdog, trouble, now_ns);
	watchdog->outcomes[trouble->kind][outcome]++;
	snprintf(text, sizeof(text), "%s: %s", actions[trouble->kind], outcome_names[outcome]);
	tell(watchdog, WEIR_EVENT_REMEDY, trouble, text);
}

void weir_watchdog_found(struct weir_watchdog *watchdog, enum weir_watchdog_kind kind,
	uint64_t now_ns, const char *subject, const char *reason)
{
	struct weir_trouble *trouble = find(watchdog, kind, subject);

	if (trouble == NULL)
		return;
	trouble->was_found = true;
	snprintf(trouble->reason, sizeof(trouble->reason), "%s", reason);
	if (trouble->is_on)
		return;
	trouble->is_on = true;
	trouble->since_ns = now_ns;
	tell(watchdog, WEIR_EVENT_TROUBLE, trouble, reason);
	remedy(watchdog, trouble, now_ns);
}

static void end_troubles(struct weir_watchdog *watchdog, uint64_t now_ns)
{
	for (uint32_t i = 0; i < watchdog->count; i++) {
		struct weir_trouble *trouble = &watchdog->list[i];

		if (trouble->is_on && !trouble->was_found) {
			trouble->is_on = false;
			trouble->since_ns = now_ns;
			tell(watchdog, WEIR_EVENT_TROUBLE_OVER, trouble, "well again");
		}
		trouble->was_found = false;
	}
}

static void add_samples(const struct weir_watchdog *watchdog, struct weir_samples *samples)
{
	for (uint32_t i = 0; i < watchdog->count; i++) {
		const struct weir_trouble *trouble = &watchdog->list[i];

		weir_samples_label(samples, 0, "watchdog", names[trouble->kind]);
		weir_samples_label(samples, 1, "subject", trouble->subject);
		weir_samples_add(samples, WEIR_METRIC_ID_HEALTH, trouble->is_on);
	}
	for (int kind = 0; kind < WEIR_WATCHDOG_COUNT; kind++) {
		if (strcmp(actions[kind], "none") == 0)
			continue;
		weir_samples_label(samples, 0, "watchdog", names[kind]);
		weir_samples_label(samples, 1, "action", actions[kind]);
		for (int outcome = 0; outcome < WEIR_OUTCOMES; outcome++)
			weir_samples_add_with(samples, WEIR_METRIC_ID_REMEDIES, "outcome",
				outcome_names[outcome], (double)watchdog->outcomes[kind][outcome]);
	}
	weir_samples_unlabel(samples, 0);
}

void weir_watchdog_look(
	struct weir_watchdog *watchdog, uint64_t now_ns, struct weir_samples *samples)
{
	watchdog->left_out = 0;
	watchdog->looks_again = false;
	weir_watchdog_look_at_all(watchdog, now_ns, samples);
	if (watchdog->looks_again)
		weir_reach_sync(watchdog->gateway->reach);
	watchdog->has_before = true;
	end_troubles(watchdog, now_ns);
	add_samples(watchdog, samples);
}

static int on_health_get(
	void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	struct weir_gateway *gateway = context;
	const struct weir_watchdog *watchdog = gateway->watchdog;
	struct weir_present_rows rows;
	bool is_well = true;

	(void)params;
	weir_present_begin(&rows, gateway);
	for (uint32_t i = 0; i < watchdog->count; i++) {
		const struct weir_trouble *trouble = &watchdog->list[i];

		if (!trouble->is_on)
			continue;
		is_well = false;
		weir_present_add(&rows,
			json_pack("{s:s, s:s, s:s, s:I, s:s, s:i}", "watchdog",
				names[trouble->kind], "subject", trouble->subject, "reason",
				trouble->reason, "for_ms",
				weir_present_count(
					(weir_loop_clock_ns() - trouble->since_ns) / WEIR_MS_NS),
				"action", actions[trouble->kind], "acted", (int)trouble->actions));
	}
	return weir_present_answer(
		json_pack("{s:b, s:b, s:o, s:i}", "well", is_well, "acts",
			weir_dataplane_config(gateway->dataplane)->watchdog.act, "troubles",
			weir_present_end(&rows), "left_out", (int)watchdog->left_out),
		result, error);
}

static const struct weir_rpc_method methods[] = {
	{"health_get", "show what the watchdogs find wrong, and what they did about it",
		WEIR_RPC_READ, NULL,
		"well, acts, troubles, left_out (those that there is no room for)", on_health_get},
};

int weir_methods_health_register(struct weir_gateway *gateway)
{
	return weir_rpc_register(
		gateway->rpc, methods, sizeof(methods) / sizeof(methods[0]), gateway);
}
