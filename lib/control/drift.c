/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/drift.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/drift_facts.h"
#include "control/drift_list.h"
#include "control/events.h"
#include "control/gateway.h"
#include "control/present.h"

#define LOOK_MS 2000

/* What a fact about the host was when the reference was taken. */
struct reference {
	char name[WEIR_DRIFT_NAME];
	char value[WEIR_DRIFT_TEXT];
};

struct weir_drift {
	struct weir_gateway *gateway;
	struct weir_loop_timer timer;
	struct weir_drift_list list;
	struct reference *references;
	uint32_t count, room;
	uint32_t next; /* facts come in one order: here the next one's reference is looked for */
	bool has_references;
};

/* A look, and what it hashes when somebody asks. */
struct look {
	struct weir_drift *drift;
	enum weir_drift_side side;
	uint64_t now_ns;
	bool has_digests;
	crypto_hash_sha256_state digests[2]; /* of this side: intended, actual */
	uint32_t facts;
};

static void tell(void *context, const struct weir_drift_difference *difference, bool is_over)
{
	struct weir_drift *drift = context;
	char text[2 * WEIR_DRIFT_TEXT + 32];

	if (is_over)
		snprintf(text, sizeof(text), "as intended again");
	else
		snprintf(text, sizeof(text), "intended is %s, it is %s", difference->intended,
			difference->actual);
	weir_event_emit(drift->gateway,
		&(struct weir_event){.kind = is_over ? WEIR_EVENT_DRIFT_OVER : WEIR_EVENT_DRIFT,
			.subject = difference->name,
			.reason = weir_drift_side_name(difference->side),
			.count = -1,
			.text = text});
}

static void add_reference(void *context, const char *name, const char *intended, const char *actual)
{
	struct weir_drift *drift = context;

	if (intended != NULL)
		return;
	if (drift->count == drift->room) {
		uint32_t room = 2 * drift->room + 32;
		struct reference *list = realloc(drift->references, room * sizeof(*list));

		if (list == NULL)
			return; /* it is not watched */
		drift->references = list;
		drift->room = room;
	}
	snprintf(drift->references[drift->count].name, WEIR_DRIFT_NAME, "%s", name);
	snprintf(drift->references[drift->count].value, WEIR_DRIFT_TEXT, "%s", actual);
	drift->count++;
}

static void take_references(struct weir_drift *drift)
{
	drift->count = 0;
	weir_drift_host(drift->gateway, add_reference, drift);
	drift->has_references = true;
}

/* NULL: none, such as an interface's that was not there then. */
static const char *reference_of(struct weir_drift *drift, const char *name)
{
	for (uint32_t i = 0; i < drift->count; i++) {
		const struct reference *reference =
			&drift->references[(drift->next + i) % drift->count];

		if (strcmp(reference->name, name) != 0)
			continue;
		drift->next = (drift->next + i + 1) % drift->count;
		return reference->value;
	}
	return NULL;
}

static void hash(crypto_hash_sha256_state *state, const char *name, const char *value)
{
	crypto_hash_sha256_update(state, (const unsigned char *)name, strlen(name));
	crypto_hash_sha256_update(state, (const unsigned char *)"=", 1);
	/* With its NUL, which ends the fact. */
	crypto_hash_sha256_update(state, (const unsigned char *)value, strlen(value) + 1);
}

static void take(void *context, const char *name, const char *intended, const char *actual)
{
	struct look *look = context;

	if (intended == NULL)
		intended = reference_of(look->drift, name);
	if (intended == NULL)
		return;
	look->facts++;
	weir_drift_take(&look->drift->list, look->side, look->now_ns, name, intended, actual);
	if (!look->has_digests)
		return;
	hash(&look->digests[0], name, intended);
	hash(&look->digests[1], name, actual);
}

static json_t *present_side(struct look *look)
{
	char hex[2][2 * crypto_hash_sha256_BYTES + 1];

	for (int i = 0; i < 2; i++) {
		unsigned char digest[crypto_hash_sha256_BYTES];

		crypto_hash_sha256_final(&look->digests[i], digest);
		sodium_bin2hex(hex[i], sizeof(hex[i]), digest, sizeof(digest));
	}
	return json_pack("{s:s, s:I, s:I, s:s, s:s}", "side", weir_drift_side_name(look->side),
		"facts", weir_present_count(look->facts), "differences",
		weir_present_count(look->drift->list.counts[look->side]), "intended", hex[0],
		"actual", hex[1]);
}

/* `sides` is NULL when nobody asks. */
static void look_at_all(struct weir_drift *drift, struct weir_present_rows *sides)
{
	weir_drift_begin(&drift->list);
	for (int side = 0; side < WEIR_DRIFT_SIDES; side++) {
		struct look look = {.drift = drift,
			.side = (enum weir_drift_side)side,
			.now_ns = weir_loop_clock_ns(),
			.has_digests = sides != NULL};

		crypto_hash_sha256_init(&look.digests[0]);
		crypto_hash_sha256_init(&look.digests[1]);
		if (side == WEIR_DRIFT_EFFECTIVE)
			weir_drift_effective(drift->gateway, sides != NULL, take, &look);
		else
			weir_drift_host(drift->gateway, take, &look);
		if (sides != NULL)
			weir_present_add(sides, present_side(&look));
	}
	weir_drift_end(&drift->list);
}

static void on_time(void *context, uint64_t now_ns)
{
	struct weir_drift *drift = context;

	(void)now_ns;
	if (drift->has_references)
		look_at_all(drift, NULL);
}

int weir_drift_create(struct weir_gateway *gateway, struct weir_drift **out)
{
	struct weir_drift *drift = calloc(1, sizeof(*drift));

	*out = drift;
	if (drift == NULL)
		return -ENOMEM;
	drift->gateway = gateway;
	drift->list.changed = tell;
	drift->list.context = drift;
	weir_loop_timer_init(&drift->timer, on_time, drift);
	return weir_loop_timer_arm(
		gateway->loop, &drift->timer, LOOK_MS * WEIR_MS_NS, LOOK_MS * WEIR_MS_NS);
}

void weir_drift_destroy(struct weir_drift *drift)
{
	if (drift == NULL)
		return;
	weir_loop_timer_cancel(drift->gateway->loop, &drift->timer);
	free(drift->references);
	free(drift);
}

void weir_drift_sync(struct weir_drift *drift)
{
	if (!drift->has_references)
		take_references(drift);
}

void weir_drift_add_samples(const struct weir_drift *drift, struct weir_samples *samples)
{
	for (int side = 0; side < WEIR_DRIFT_SIDES; side++)
		weir_samples_add_with(samples, WEIR_METRIC_ID_DRIFT, "side",
			weir_drift_side_name((enum weir_drift_side)side), drift->list.counts[side]);
}

static json_t *present_difference(const struct weir_drift_difference *difference, int64_t wall_ms)
{
	uint64_t for_ms = (weir_loop_clock_ns() - difference->since_ns) / WEIR_MS_NS;

	return json_pack("{s:s, s:s, s:s, s:s, s:I, s:I}", "side",
		weir_drift_side_name(difference->side), "name", difference->name, "intended",
		difference->intended, "actual", difference->actual, "since_ms",
		(json_int_t)(wall_ms - (int64_t)for_ms), "for_ms", weir_present_count(for_ms));
}

static int on_show(void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	struct weir_gateway *gateway = context;
	struct weir_drift *drift = gateway->drift;
	struct weir_present_rows sides, rows;
	struct timespec now;

	(void)params;
	weir_present_begin(&sides, gateway);
	look_at_all(drift, &sides);
	clock_gettime(CLOCK_REALTIME, &now);
	weir_present_begin(&rows, gateway);
	for (uint32_t i = 0; i < drift->list.count; i++)
		weir_present_add(
			&rows, present_difference(&drift->list.list[i],
				       (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000));
	return weir_present_answer(
		json_pack("{s:b, s:s, s:o, s:o, s:I}", "drifted",
			drift->list.count + drift->list.left_out != 0, "config",
			weir_dataplane_config(gateway->dataplane)->digest, "sides",
			weir_present_end(&sides), "differences", weir_present_end(&rows),
			"left_out", weir_present_count(drift->list.left_out)),
		result, error);
}

static int on_accept(void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	struct weir_gateway *gateway = context;

	take_references(gateway->drift);
	return on_show(context, params, result, error);
}

#define SHOWN                                                                                      \
	"drifted, config (its digest), sides (facts, and a digest of what is intended and of "     \
	"what "                                                                                    \
	"is), differences, left_out (those that there is no room for)"

static const struct weir_rpc_method methods[] = {
	{"drift_show", "show what differs from the configuration, and from the host at the start",
		WEIR_RPC_READ, NULL, SHOWN, on_show},
	{"drift_accept", "take the host as it is now as the one that is intended", WEIR_RPC_WRITE,
		NULL, SHOWN, on_accept},
};

int weir_methods_drift_register(struct weir_gateway *gateway)
{
	return weir_rpc_register(
		gateway->rpc, methods, sizeof(methods) / sizeof(methods[0]), gateway);
}
