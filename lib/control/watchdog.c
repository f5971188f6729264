/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/watchdog.h"

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
#include "dataplane/shed.h"

#define TROUBLES_MAX 1024
#define HOUR_NS      (3600 * WEIR_S_NS)
#define CLOCK_NS     (60 * WEIR_S_NS) /* that a step is told of */
#define HOT          0.9              /* of the time: a worker that is busy for more */
#define ROOM         0.6              /* one that is busy for less could take some of it */
#define HOT_NS       (5 * WEIR_S_NS)

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

enum outcome { DONE, REPORTED, LIMITED, OUTCOMES };
static const char *const outcome_names[] = {"done", "reported", "limited"};

/* What is, or was, wrong with one subject. */
struct trouble {
	enum weir_watchdog_kind kind;
	char subject[80];
	char reason[96];
	bool is_on;
	bool was_found;    /* in this look */
	uint64_t since_ns; /* of the last change */
	uint64_t hour_ns;  /* when the hour of `actions` began */
	uint32_t actions;
};

struct weir_watchdog {
	struct weir_gateway *gateway;
	struct trouble *list;
	uint32_t count;
	uint32_t keys[TROUBLES_MAX]; /* of the list: most comparisons end here */
	uint32_t left_out;           /* of the last look: there was no room for them */
	bool looks_again;            /* at routes, when this look is over */
	uint64_t outcomes[WEIR_WATCHDOG_COUNT][OUTCOMES];
	/* Of the look before, to see what grew. */
	double port_errors[WEIR_MAX_PORTS], port_full[WEIR_MAX_PORTS], port_sent[WEIR_MAX_PORTS];
	uint64_t hot_ns[WEIR_MAX_WORKERS]; /* since when each is busy all the time; 0: it is not */
	bool has_before;
	int64_t wall_offset_ns; /* wall clock minus monotonic */
	uint64_t stepped_ns;    /* 0: not of late */
	bool sheds;
};

int weir_watchdog_create(struct weir_gateway *gateway, struct weir_watchdog **out)
{
	struct weir_watchdog *watchdog = calloc(1, sizeof(*watchdog));

	*out = watchdog;
	if (watchdog == NULL)
		return -ENOMEM;
	watchdog->gateway = gateway;
	watchdog->list = calloc(TROUBLES_MAX, sizeof(*watchdog->list));
	return watchdog->list == NULL ? -ENOMEM : 0;
}

void weir_watchdog_destroy(struct weir_watchdog *watchdog)
{
	if (watchdog == NULL)
		return;
	free(watchdog->list);
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
static struct trouble *make(struct weir_watchdog *watchdog, uint32_t key,
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
	watchdog->list[i] = (struct trouble){.kind = kind};
	snprintf(watchdog->list[i].subject, sizeof(watchdog->list[i].subject), "%s", subject);
	return &watchdog->list[i];
}

static struct trouble *find(
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
	const struct trouble *trouble, const char *text)
{
	weir_event_emit(watchdog->gateway, &(struct weir_event){.kind = kind,
						   .subject = trouble->subject,
						   .reason = names[trouble->kind],
						   .count = -1,
						   .text = text});
}

static void set_shedding(struct weir_watchdog *watchdog, bool on)
{
	watchdog->sheds = on;
	atomic_store(&watchdog->gateway->dataplane->shed_bulk, on);
}

static void carry_out(struct weir_watchdog *watchdog, enum weir_watchdog_kind kind)
{
	switch (kind) {
	case WEIR_WATCHDOG_PORT:
	case WEIR_WATCHDOG_NEIGHBOUR:
		watchdog->looks_again = true;
		break;
	case WEIR_WATCHDOG_LOAD:
		if (weir_workers_rebalance(watchdog->gateway->dataplane, false, NULL, NULL) < 0)
			weir_log_warning("watchdog", "no memory to spread the partitions");
		break;
	case WEIR_WATCHDOG_POOL:
		set_shedding(watchdog, true);
		break;
	case WEIR_WATCHDOG_DISK:
		weir_checkpoint_now(watchdog->gateway->checkpoint);
		break;
	default:
		break;
	}
}

static void remedy(struct weir_watchdog *watchdog, struct trouble *trouble, uint64_t now_ns)
{
	const struct weir_config_watchdog *config =
		&weir_dataplane_config(watchdog->gateway->dataplane)->watchdog;
	enum outcome outcome = DONE;
	char text[64];

	if (strcmp(actions[trouble->kind], "none") == 0)
		return;
	if (trouble->hour_ns == 0 || now_ns - trouble->hour_ns >= HOUR_NS) {
		trouble->hour_ns = now_ns;
		trouble->actions = 0;
	}
	if (!config->act)
		outcome = REPORTED;
	else if (trouble->actions >= config->per_hour)
		outcome = LIMITED;
	else
		trouble->actions++;
	watchdog->outcomes[trouble->kind][outcome]++;
	snprintf(text, sizeof(text), "%s: %s", actions[trouble->kind], outcome_names[outcome]);
	tell(watchdog, WEIR_EVENT_REMEDY, trouble, text);
	if (outcome == DONE)
		carry_out(watchdog, trouble->kind);
}

static void found(struct weir_watchdog *watchdog, enum weir_watchdog_kind kind, uint64_t now_ns,
	const char *subject, const char *reason)
{
	struct trouble *trouble = find(watchdog, kind, subject);

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

/* Visit the samples of a metric whose value is, or is not, as wanted. */
static void find_by_value(struct weir_watchdog *watchdog, enum weir_watchdog_kind kind,
	uint64_t now_ns, const struct weir_samples *samples, enum weir_metric metric, bool wanted,
	const char *label, const char *reason)
{
	for (int32_t i = samples->first[metric]; i >= 0; i = samples->list[i].next) {
		const char *value = weir_sample_label(samples, &samples->list[i], label);
		char subject[80];

		if ((samples->list[i].value != 0) != wanted || value == NULL)
			continue;
		snprintf(subject, sizeof(subject), "%s=%s", label, value);
		found(watchdog, kind, now_ns, subject, reason);
	}
}

static uint32_t worker_of(const struct weir_samples *samples, const struct weir_sample *sample)
{
	const char *label = weir_sample_label(samples, sample, "worker");
	unsigned long id = label != NULL ? strtoul(label, NULL, 10) : 0;

	return id < WEIR_MAX_WORKERS ? (uint32_t)id : 0;
}

/* One that is parked has no load, and takes none. */
static bool has_room(const struct weir_watchdog *watchdog, const struct weir_samples *samples)
{
	const struct weir_moves *moves = &watchdog->gateway->dataplane->moves;
	uint64_t closed = moves->parked | moves->reserved;

	for (int32_t i = samples->first[WEIR_METRIC_ID_WORKER_DUTY]; i >= 0;
		i = samples->list[i].next)
		if (samples->list[i].value < ROOM &&
			!(closed >> worker_of(samples, &samples->list[i]) & 1))
			return true;
	return false;
}

static void look_at_load(
	struct weir_watchdog *watchdog, uint64_t now_ns, const struct weir_samples *samples)
{
	bool is_uneven = has_room(watchdog, samples);

	for (int32_t i = samples->first[WEIR_METRIC_ID_WORKER_DUTY]; i >= 0;
		i = samples->list[i].next) {
		uint32_t id = worker_of(samples, &samples->list[i]);
		char subject[80];

		if (!is_uneven || samples->list[i].value < HOT) {
			watchdog->hot_ns[id] = 0;
			continue;
		}
		if (watchdog->hot_ns[id] == 0)
			watchdog->hot_ns[id] = now_ns;
		if (now_ns - watchdog->hot_ns[id] < HOT_NS)
			continue;
		snprintf(subject, sizeof(subject), "worker=%u", id);
		found(watchdog, WEIR_WATCHDOG_LOAD, now_ns, subject,
			"busy all the time, while another has room");
	}
}

/* The figures of port number `index`: they are added in the order of the ports. */
static double port_value(
	const struct weir_samples *samples, enum weir_metric metric, uint32_t index)
{
	int32_t i = samples->first[metric];

	while (i >= 0 && index-- > 0)
		i = samples->list[i].next;
	return i >= 0 ? samples->list[i].value : 0;
}

static void look_at_ports(
	struct weir_watchdog *watchdog, uint64_t now_ns, const struct weir_samples *samples)
{
	const struct weir_dataplane *dataplane = watchdog->gateway->dataplane;

	find_by_value(watchdog, WEIR_WATCHDOG_PORT, now_ns, samples, WEIR_METRIC_ID_PORT_UP, false,
		"port", "no link");
	for (uint32_t i = 0; i < dataplane->port_count; i++) {
		double errors = port_value(samples, WEIR_METRIC_ID_PORT_RX_ERRORS, i) +
				port_value(samples, WEIR_METRIC_ID_PORT_TX_ERRORS, i) +
				port_value(samples, WEIR_METRIC_ID_PORT_NO_BUFFER, i);
		double full = port_value(samples, WEIR_METRIC_ID_PORT_FULL, i);
		double sent = port_value(samples, WEIR_METRIC_ID_PORT_SENT, i);
		char subject[80];

		snprintf(subject, sizeof(subject), "port=%s", dataplane->ports[i]->name);
		if (watchdog->has_before && full > watchdog->port_full[i] &&
			sent == watchdog->port_sent[i])
			found(watchdog, WEIR_WATCHDOG_PORT, now_ns, subject,
				"its queue is full, and nothing leaves");
		else if (watchdog->has_before && errors > watchdog->port_errors[i])
			found(watchdog, WEIR_WATCHDOG_PORT, now_ns, subject, "errors");
		watchdog->port_errors[i] = errors;
		watchdog->port_full[i] = full;
		watchdog->port_sent[i] = sent;
	}
}

static void look_at_pools(
	struct weir_watchdog *watchdog, uint64_t now_ns, const struct weir_samples *samples)
{
	const struct weir_config_watchdog *config =
		&weir_dataplane_config(watchdog->gateway->dataplane)->watchdog;
	uint32_t percent = config->pool_percent;
	int32_t size = samples->first[WEIR_METRIC_ID_POOL_SIZE];
	bool is_short = false;

	for (int32_t i = samples->first[WEIR_METRIC_ID_POOL_FREE]; i >= 0 && size >= 0;
		i = samples->list[i].next, size = samples->list[size].next) {
		const char *pool = weir_sample_label(samples, &samples->list[i], "pool");
		double share = 100 * samples->list[i].value / samples->list[size].value;
		char subject[80], reason[64];

		is_short |= share < 2 * percent;
		if (share >= percent || pool == NULL)
			continue;
		snprintf(subject, sizeof(subject), "pool=%s", pool);
		snprintf(reason, sizeof(reason), "%.0f %% of its buffers are free", share);
		found(watchdog, WEIR_WATCHDOG_POOL, now_ns, subject, reason);
	}
	if (watchdog->sheds && (!is_short || !config->act))
		set_shedding(watchdog, false);
}

static void look_at_disk(
	struct weir_watchdog *watchdog, uint64_t now_ns, const struct weir_samples *samples)
{
	const struct weir_config *config = weir_dataplane_config(watchdog->gateway->dataplane);
	struct weir_state_report report;
	char subject[80];

	(void)samples;
	if (!weir_checkpoint_report(watchdog->gateway->checkpoint, &report))
		return;
	snprintf(subject, sizeof(subject), "file=%.70s", config->state.file);
	if (report.error.code != 0)
		found(watchdog, WEIR_WATCHDOG_DISK, now_ns, subject, report.error.reason);
	else if (report.duration_ns > config->watchdog.disk_ms * WEIR_MS_NS)
		found(watchdog, WEIR_WATCHDOG_DISK, now_ns, subject, "the last write was slow");
}

void weir_watchdog_clock(struct weir_watchdog *watchdog, uint64_t now_ns, int64_t offset_ns)
{
	const struct weir_config_watchdog *config =
		&weir_dataplane_config(watchdog->gateway->dataplane)->watchdog;
	uint64_t step_ns = (uint64_t)llabs(offset_ns - watchdog->wall_offset_ns);

	if (watchdog->has_before && step_ns > config->clock_ms * WEIR_MS_NS)
		watchdog->stepped_ns = now_ns;
	watchdog->wall_offset_ns = offset_ns;
}

static int64_t wall_offset_ns(void)
{
	struct timespec wall, steady;

	clock_gettime(CLOCK_REALTIME, &wall);
	clock_gettime(CLOCK_MONOTONIC, &steady);
	return (wall.tv_sec - steady.tv_sec) * (int64_t)WEIR_S_NS + wall.tv_nsec - steady.tv_nsec;
}

static void look_at_clock(struct weir_watchdog *watchdog, uint64_t now_ns)
{
	weir_watchdog_clock(watchdog, now_ns, wall_offset_ns());
	if (watchdog->stepped_ns != 0 && now_ns - watchdog->stepped_ns < CLOCK_NS)
		found(watchdog, WEIR_WATCHDOG_CLOCK, now_ns, "clock=wall", "it stepped");
}

static void end_troubles(struct weir_watchdog *watchdog, uint64_t now_ns)
{
	for (uint32_t i = 0; i < watchdog->count; i++) {
		struct trouble *trouble = &watchdog->list[i];

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
		const struct trouble *trouble = &watchdog->list[i];

		weir_samples_label(samples, 0, "watchdog", names[trouble->kind]);
		weir_samples_label(samples, 1, "subject", trouble->subject);
		weir_samples_add(samples, WEIR_METRIC_ID_HEALTH, trouble->is_on);
	}
	for (int kind = 0; kind < WEIR_WATCHDOG_COUNT; kind++) {
		if (strcmp(actions[kind], "none") == 0)
			continue;
		weir_samples_label(samples, 0, "watchdog", names[kind]);
		weir_samples_label(samples, 1, "action", actions[kind]);
		for (int outcome = 0; outcome < OUTCOMES; outcome++)
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
	find_by_value(watchdog, WEIR_WATCHDOG_WORKER, now_ns, samples,
		WEIR_METRIC_ID_WORKER_STALLED, true, "worker", "it does not come round");
	find_by_value(watchdog, WEIR_WATCHDOG_NEIGHBOUR, now_ns, samples,
		WEIR_METRIC_ID_CONSUMER_UP, false, "consumer", "it cannot be reached");
	look_at_load(watchdog, now_ns, samples);
	look_at_ports(watchdog, now_ns, samples);
	look_at_pools(watchdog, now_ns, samples);
	look_at_disk(watchdog, now_ns, samples);
	look_at_clock(watchdog, now_ns);
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
		const struct trouble *trouble = &watchdog->list[i];

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
