/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/tracer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_random.h>

#include "base/log.h"
#include "control/trace_json.h"
#include "dataplane/model.h"
#include "dataplane/worker.h"

#define LOOK_NS   (20 * WEIR_MS_NS)          /* while messages are picked */
#define LINGER_NS (200 * WEIR_MS_NS)         /* while there are only traces that go on */
#define DOCUMENT  64                         /* traces in one for the collector */
#define AT_ONCE   64                         /* events */
#define LOOK_MOST (8 * WEIR_TRACE_RING_SIZE) /* events of a worker in one look */

struct weir_tracer {
	struct weir_gateway *gateway;
	struct weir_loop_timer timer;
	struct weir_traces *traces; /* NULL: nothing was ever traced */
	struct weir_post *post;     /* NULL: no collector */
	uint32_t keep;              /* of `traces` */
	uint32_t next_id;
	struct weir_tracer_rule rules[WEIR_TRACE_RULES];
	bool expects_contexts; /* of producers' messages */
	json_t *spans;         /* for the collector, of this look */
	uint32_t span_traces;
	struct weir_config_trace config;    /* that it follows */
	struct weir_traces_counters before; /* of stores that were made anew */
	struct weir_post_counters posted;   /* of collectors before */
};

static const char *stream_name(void *context, uint16_t slot)
{
	const struct weir_tracer *tracer = context;
	const struct weir_snapshot *snapshot = tracer->gateway->dataplane->published;
	const struct weir_stream *stream =
		slot < WEIR_MAX_STREAMS && snapshot != NULL ? snapshot->by_slot[slot] : NULL;

	return stream != NULL ? stream->name : "";
}

static const char *group_name(void *context, uint16_t slot)
{
	const struct weir_tracer *tracer = context;
	const struct weir_model *model = tracer->gateway->dataplane->model;

	for (uint32_t i = 0; model != NULL && i < model->group_count; i++)
		if (model->groups[i].slot == slot)
			return model->groups[i].config.name;
	return "";
}

static const char *consumer_name(void *context, uint16_t slot)
{
	const struct weir_tracer *tracer = context;
	const struct weir_snapshot *snapshot = tracer->gateway->dataplane->published;
	const struct weir_consumer *consumer =
		slot < WEIR_MAX_CONSUMERS && snapshot != NULL ? snapshot->consumers[slot] : NULL;

	return consumer != NULL ? consumer->name : "";
}

/* The worker writes them: they are its newest, or nearly so. */
static bool held_now(
	void *context, uint16_t consumer_slot, uint16_t worker, uint64_t held[WEIR_GATE_COUNT])
{
	const struct weir_tracer *tracer = context;
	const struct weir_snapshot *snapshot = tracer->gateway->dataplane->published;
	const struct weir_consumer *consumer =
		snapshot != NULL ? snapshot->consumers[consumer_slot] : NULL;
	const struct weir_outlet *outlet;
	uint64_t closed_at, now = rte_rdtsc();
	uint8_t closed;

	if (consumer == NULL || worker >= tracer->gateway->dataplane->worker_count)
		return false;
	outlet = &consumer->outlets[worker];
	closed = __atomic_load_n(&outlet->gate, __ATOMIC_RELAXED);
	closed_at = __atomic_load_n(&outlet->closed_at, __ATOMIC_RELAXED);
	for (int gate = 0; gate < WEIR_GATE_COUNT; gate++)
		held[gate] = __atomic_load_n(&outlet->held[gate], __ATOMIC_RELAXED);
	if (closed != WEIR_GATE_OPEN && closed < WEIR_GATE_COUNT && (int64_t)(now - closed_at) > 0)
		held[closed] += now - closed_at;
	return true;
}

static void send_document(struct weir_tracer *tracer)
{
	char *text = tracer->spans != NULL ? weir_trace_document(tracer->spans) : NULL;

	if (text != NULL)
		weir_post_send(tracer->post, text);
	json_decref(tracer->spans);
	tracer->spans = NULL;
	tracer->span_traces = 0;
}

static void on_finished(void *context, const struct weir_trace *trace)
{
	struct weir_tracer *tracer = context;

	if (tracer->post == NULL)
		return;
	if (tracer->spans == NULL)
		tracer->spans = json_array();
	weir_trace_export(tracer->traces, trace, tracer->spans);
	if (++tracer->span_traces == DOCUMENT)
		send_document(tracer);
}

static void set_clock(struct weir_tracer *tracer)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	weir_traces_set_clock(tracer->traces, rte_rdtsc(),
		(uint64_t)now.tv_sec * WEIR_S_NS + (uint64_t)now.tv_nsec);
}

static void take_events(struct weir_tracer *tracer, struct weir_worker *worker)
{
	struct weir_trace_event events[AT_ONCE];
	uint32_t count, all = 0;

	do {
		count = weir_trace_take(worker, events, AT_ONCE);
		for (uint32_t i = 0; i < count; i++)
			weir_traces_add(tracer->traces, &events[i]);
		all += count;
	} while (count == AT_ONCE && all < LOOK_MOST);
}

static void look(struct weir_tracer *tracer)
{
	struct weir_dataplane *dataplane = tracer->gateway->dataplane;

	if (tracer->traces == NULL)
		return;
	set_clock(tracer);
	for (uint32_t id = 0; id < dataplane->worker_count; id++)
		take_events(tracer, &dataplane->workers[id]);
	weir_traces_finish(tracer->traces);
	if (tracer->spans != NULL)
		send_document(tracer);
}

static struct weir_trace_rule *rule_at(const struct weir_tracer *tracer, uint32_t place)
{
	return &tracer->gateway->dataplane->traces[place];
}

static void end_rule(struct weir_tracer *tracer, uint32_t place, const char *by)
{
	struct weir_tracer_rule *rule = &tracer->rules[place];

	weir_trace_switch(tracer->gateway->dataplane, place, false);
	rule->left = atomic_load(&rule_at(tracer, place)->left);
	rule->is_on = false;
	rule->ended_by = by;
	rule->token = rte_rcu_qsbr_start(tracer->gateway->dataplane->qsbr);
	weir_log_notice("trace", "rule %u was ended by %s", rule->id, by);
}

static bool has_rule(const struct weir_tracer *tracer)
{
	for (uint32_t i = 0; i < WEIR_TRACE_RULES; i++)
		if (tracer->rules[i].is_on)
			return true;
	return false;
}

static bool follows_contexts(const struct weir_tracer *tracer)
{
	return tracer->expects_contexts && tracer->config.contexts_per_s != 0;
}

/* As long as there is something to look at. */
static void arm(struct weir_tracer *tracer)
{
	uint64_t delay = has_rule(tracer) ? LOOK_NS : LINGER_NS;

	if (has_rule(tracer) || follows_contexts(tracer) ||
		(tracer->traces != NULL && weir_traces_counters(tracer->traces)->open != 0))
		(void)weir_loop_timer_arm(tracer->gateway->loop, &tracer->timer, delay, 0);
}

static void on_timer(void *context, uint64_t now_ns)
{
	struct weir_tracer *tracer = context;

	for (uint32_t i = 0; i < WEIR_TRACE_RULES; i++) {
		struct weir_tracer_rule *rule = &tracer->rules[i];

		if (!rule->is_on || rule->is_configured)
			continue;
		if (atomic_load(&rule_at(tracer, i)->left) <= 0)
			end_rule(tracer, i, "count");
		else if (now_ns >= rule->until_ns)
			end_rule(tracer, i, "seconds");
	}
	look(tracer);
	arm(tracer);
}

/* One that is free, and that no worker can be looking at. */
static int find_place(struct weir_tracer *tracer, uint32_t *place)
{
	struct rte_rcu_qsbr *qsbr = tracer->gateway->dataplane->qsbr;
	bool is_found = false;

	for (uint32_t i = 0; i < WEIR_TRACE_RULES; i++) {
		const struct weir_tracer_rule *rule = &tracer->rules[i];

		if (rule->is_on ||
			(rule->id != 0 && rte_rcu_qsbr_check(qsbr, rule->token, false) != 1))
			continue;
		if (!is_found || rule->id < tracer->rules[*place].id)
			*place = i;
		is_found = true;
	}
	return is_found ? 0 : -EBUSY;
}

static void add_counters(struct weir_traces_counters *sum, const struct weir_traces_counters *more)
{
	sum->begun += more->begun;
	sum->finished += more->finished;
	sum->unfinished += more->unfinished + more->open;
	sum->unknown += more->unknown;
}

/* Where traces are kept; what another size had is gone. */
static int prepare_traces(struct weir_tracer *tracer)
{
	const struct weir_traces_spec spec = {.keep = tracer->config.keep,
		.cycles_per_s = rte_get_tsc_hz(),
		.seed = rte_rand(),
		.context = tracer,
		.stream = stream_name,
		.group = group_name,
		.consumer = consumer_name,
		.held = held_now,
		.finished = on_finished};
	struct weir_traces *traces;

	if (tracer->traces != NULL && tracer->keep == spec.keep)
		return 0;
	traces = weir_traces_create(&spec);
	if (traces == NULL)
		return -ENOMEM;
	if (tracer->traces != NULL)
		add_counters(&tracer->before, weir_traces_counters(tracer->traces));
	weir_traces_destroy(tracer->traces);
	tracer->traces = traces;
	tracer->keep = spec.keep;
	set_clock(tracer);
	return 0;
}

static void follow_contexts(struct weir_tracer *tracer)
{
	struct weir_dataplane *dataplane = tracer->gateway->dataplane;

	if (!tracer->expects_contexts)
		return;
	if (weir_trace_prepare(dataplane) < 0 || prepare_traces(tracer) < 0) {
		weir_log_warning("trace",
			"not enough memory: producers' trace contexts are carried, not followed");
		return;
	}
	weir_trace_follow(dataplane, tracer->config.contexts_per_s);
	arm(tracer);
}

static int switch_on(
	struct weir_tracer *tracer, uint32_t place, const struct weir_tracer_rule *wanted)
{
	struct weir_dataplane *dataplane = tracer->gateway->dataplane;
	struct weir_trace_rule *rule = rule_at(tracer, place);

	if (weir_trace_prepare(dataplane) < 0 || prepare_traces(tracer) < 0)
		return -ENOMEM;
	rule->number++;
	rule->sample = wanted->rule.sample;
	rule->has_key = wanted->rule.has_key;
	rule->key = wanted->rule.key;
	memcpy(rule->stream, wanted->rule.stream, sizeof(rule->stream));
	memcpy(rule->consumer, wanted->rule.consumer, sizeof(rule->consumer));
	atomic_store(&rule->left, wanted->is_configured ? WEIR_TRACE_ENDLESS : wanted->count);
	memcpy(&tracer->rules[place], wanted, sizeof(*wanted));
	tracer->rules[place].id = ++tracer->next_id;
	tracer->rules[place].is_on = true;
	weir_trace_switch(dataplane, place, true);
	arm(tracer);
	return 0;
}

int weir_tracer_create(struct weir_gateway *gateway, struct weir_tracer **tracer)
{
	*tracer = calloc(1, sizeof(**tracer));
	if (*tracer == NULL)
		return -ENOMEM;
	(*tracer)->gateway = gateway;
	gateway->dataplane->trace_contexts.seed = rte_rand();
	weir_loop_timer_init(&(*tracer)->timer, on_timer, *tracer);
	return 0;
}

void weir_tracer_destroy(struct weir_tracer *tracer)
{
	if (tracer == NULL)
		return;
	weir_loop_timer_cancel(tracer->gateway->loop, &tracer->timer);
	weir_post_close(tracer->post);
	weir_traces_destroy(tracer->traces);
	json_decref(tracer->spans);
	free(tracer);
}

static void follow_collector(struct weir_tracer *tracer, const struct weir_config_collector *next)
{
	if (memcmp(next, &tracer->config.collector, sizeof(*next)) == 0)
		return;
	tracer->posted = weir_tracer_counters(tracer).post;
	weir_post_close(tracer->post);
	tracer->post = next->address.family != 0 ? weir_post_open(next) : NULL;
	if (tracer->post == NULL && next->address.family != 0)
		weir_log_error("trace", "not enough memory for the collector");
}

/* The configuration's rule, which has no conditions and no end. */
static void follow_sample(struct weir_tracer *tracer, uint32_t sample)
{
	const struct weir_tracer_rule wanted = {.is_configured = true, .rule = {.sample = sample}};
	uint32_t place = 0;

	for (uint32_t i = 0; i < WEIR_TRACE_RULES; i++)
		if (tracer->rules[i].is_on && tracer->rules[i].is_configured)
			end_rule(tracer, i, "configuration");
	if (sample != 0 &&
		(find_place(tracer, &place) < 0 || switch_on(tracer, place, &wanted) < 0))
		weir_log_warning("trace",
			"no place or memory for trace.sample: end a rule, and apply it again");
}

void weir_tracer_follow(struct weir_tracer *tracer)
{
	const struct weir_config_trace *next =
		&weir_dataplane_config(tracer->gateway->dataplane)->trace;
	uint32_t sample = tracer->config.sample;

	follow_collector(tracer, &next->collector);
	tracer->config = *next;
	if (sample != next->sample)
		follow_sample(tracer, next->sample);
	if (tracer->traces != NULL && prepare_traces(tracer) < 0)
		weir_log_warning("trace", "not enough memory for trace.keep");
	follow_contexts(tracer);
}

void weir_tracer_expect_contexts(struct weir_tracer *tracer)
{
	if (tracer->expects_contexts)
		return;
	tracer->expects_contexts = true;
	follow_contexts(tracer);
}

int weir_tracer_start(struct weir_tracer *tracer, const struct weir_tracer_rule *wanted,
	uint64_t seconds, uint32_t *id, struct weir_error *error)
{
	struct weir_tracer_rule next = *wanted;
	uint32_t place = 0;

	if (find_place(tracer, &place) < 0)
		return weir_error_set(error, -EBUSY, "", "stop one: see trace_list",
			"%u rules are on already", WEIR_TRACE_RULES);
	next.until_ns = weir_loop_clock_ns() + seconds * WEIR_S_NS;
	if (switch_on(tracer, place, &next) < 0)
		return weir_error_set(error, -ENOMEM, "", "", "not enough memory for traces");
	*id = tracer->rules[place].id;
	weir_log_notice("trace", "rule %u was begun", *id);
	return 0;
}

int weir_tracer_stop(struct weir_tracer *tracer, uint32_t id)
{
	int code = id != 0 ? -ENOENT : 0;

	for (uint32_t i = 0; i < WEIR_TRACE_RULES; i++) {
		const struct weir_tracer_rule *rule = &tracer->rules[i];

		if (!rule->is_on || (id != 0 ? rule->id != id : rule->is_configured))
			continue;
		end_rule(tracer, i, "stop");
		code = 0;
	}
	return code;
}

const struct weir_tracer_rule *weir_tracer_rules(const struct weir_tracer *tracer)
{
	return tracer->rules;
}

int64_t weir_tracer_left(const struct weir_tracer *tracer, const struct weir_tracer_rule *rule)
{
	int64_t left =
		rule->is_on ? atomic_load(&rule_at(tracer, (uint32_t)(rule - tracer->rules))->left)
			    : rule->left;

	return left > 0 ? left : 0;
}

const struct weir_traces *weir_tracer_look(struct weir_tracer *tracer)
{
	look(tracer);
	return tracer->traces;
}

struct weir_tracer_counters weir_tracer_counters(const struct weir_tracer *tracer)
{
	struct weir_tracer_counters counters = {.traces = tracer->before,
		.lost = weir_trace_lost(tracer->gateway->dataplane),
		.post = tracer->posted};

	if (tracer->traces != NULL) {
		const struct weir_traces_counters *now = weir_traces_counters(tracer->traces);

		add_counters(&counters.traces, now);
		counters.traces.unfinished -= now->open;
		counters.traces.open = now->open;
	}
	if (tracer->post != NULL) {
		struct weir_post_counters post = weir_post_counters(tracer->post);

		counters.post.sent += post.sent;
		counters.post.failed += post.failed;
		counters.post.full += post.full;
	}
	return counters;
}
