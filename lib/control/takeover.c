/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/takeover.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "control/alerts.h"
#include "control/checkpoint.h"
#include "control/present.h"
#include "control/reach.h"
#include "control/sessions.h"
#include "control/telemetry.h"
#include "control/twins.h"
#include "control/versions.h"
#include "dataplane/model.h"

#define DRAIN_MS 10    /* what is under way leaves; the rings stay as they are */
#define DONE_MS  10000 /* how long the other gateway may take with our ports */

struct weir_takeover {
	struct weir_gateway *gateway;
	int fd; /* of the estate; -1: none was left */
	bool is_done;
	bool has_failed;
	struct weir_loop_timer patience;
};

static json_t *present_slots(const struct weir_gateway *gateway)
{
	const struct weir_model *model = gateway->dataplane->model;
	json_t *list = json_array();

	for (uint32_t i = 0; i < model->stream_count; i++)
		if (!model->streams[i].is_draining)
			json_array_append_new(list,
				json_pack("{s:s, s:i}", "name", model->streams[i].object->name,
					"slot", model->streams[i].object->slot));
	return list;
}

static void add_session_slot(void *context, struct weir_consumer *consumer,
	const struct weir_config_group *group, const struct weir_config_consumer *config)
{
	(void)group;
	if (config == NULL)
		json_array_append_new(context, json_integer(consumer->slot));
}

static int on_begin(void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	struct weir_gateway *gateway = context;
	json_t *sessions = json_array();
	uint16_t mtu = 1500;

	(void)params;
	weir_watch_save(gateway->alerts);
	weir_consumers_visit(gateway->dataplane, add_session_slot, sessions);
	for (uint32_t i = 0; i < gateway->dataplane->port_count; i++)
		mtu = RTE_MAX(mtu, gateway->dataplane->ports[i]->mtu);
	return weir_present_answer(json_pack("{s:i, s:i, s:i, s:o, s:o}", "format",
					   WEIR_ESTATE_VERSION, "pid", (int)getpid(), "mtu", mtu,
					   "streams", present_slots(gateway), "sessions", sessions),
		result, error);
}

static int leave_estate(struct weir_takeover *takeover, uint64_t stopped_ns)
{
	struct weir_gateway *gateway = takeover->gateway;
	struct weir_estate_session *sessions = NULL;
	uint32_t count = 0;
	int result = weir_sessions_describe(gateway->sessions, &sessions, &count);

	if (result == 0) {
		takeover->fd = memfd_create("weir-estate", MFD_CLOEXEC);
		result = takeover->fd < 0 ? -errno : 0;
	}
	if (result == 0)
		result = weir_estate_write(
			gateway->dataplane, sessions, count, stopped_ns, takeover->fd);
	free(sessions);
	return result;
}

static void forget_estate(struct weir_takeover *takeover)
{
	if (takeover->fd >= 0)
		close(takeover->fd);
	takeover->fd = -1;
}

/* The other one has not come: end, so that whoever watches over us starts a new gateway. */
static void lose_patience(void *context, uint64_t now_ns)
{
	struct weir_takeover *takeover = context;

	(void)now_ns;
	weir_log_error("takeover",
		"the gateway that took over did not say in %d s that it is there; ending",
		DONE_MS / 1000);
	takeover->has_failed = true;
	weir_loop_stop(takeover->gateway->loop);
}

/* Everything that the other gateway needs for itself; nothing of it comes back. */
static void let_go(struct weir_takeover *takeover)
{
	struct weir_gateway *gateway = takeover->gateway;

	weir_gateway_report_rest(gateway);
	weir_rpc_restrict(gateway->rpc, "takeover_");
	weir_server_retire(gateway->server);
	weir_telemetry_suspend(gateway->telemetry);
	weir_watch_suspend(gateway->alerts);
	weir_checkpoint_suspend(gateway->checkpoint);
	weir_versions_close(gateway->versions);
	gateway->versions = NULL;
	weir_sessions_freeze(gateway->sessions);
	weir_reach_destroy(gateway->reach);
	gateway->reach = NULL;
	weir_twins_destroy(gateway->twins);
	gateway->twins = NULL;
	gateway->close_ports(gateway->close_context);
	weir_loop_timer_arm(gateway->loop, &takeover->patience, DONE_MS * WEIR_MS_NS, 0);
}

static int on_release(
	void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	struct weir_gateway *gateway = context;
	struct weir_takeover *takeover = gateway->takeover;
	uint64_t stopped_ns;
	char path[64];
	int failed;

	(void)params;
	if (takeover->fd >= 0)
		return weir_error_set(
			error, -EALREADY, "", "", "another gateway is taking over from this one");
	/* Producers keep what was not retained, and say it again; agents are asked anew. */
	weir_sessions_leave_guests(gateway->sessions);
	weir_gateway_release_ports(gateway);
	stopped_ns = weir_loop_clock_ns();
	weir_dataplane_halt(gateway->dataplane, DRAIN_MS);
	failed = leave_estate(takeover, stopped_ns);
	if (failed != 0) {
		forget_estate(takeover);
		if (weir_dataplane_resume(gateway->dataplane, error) < 0)
			weir_loop_stop(gateway->loop);
		weir_gateway_take_ports(gateway);
		return weir_error_set(error, failed, "", "free some memory",
			"the estate cannot be written, this gateway goes on: %s",
			strerror(-failed));
	}
	let_go(takeover);
	weir_log_notice("takeover", "another gateway takes over");
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)getpid(), takeover->fd);
	return weir_present_answer(json_pack("{s:s}", "estate", path), result, error);
}

static int on_done(void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	struct weir_gateway *gateway = context;
	struct weir_takeover *takeover = gateway->takeover;

	(void)params;
	(void)result;
	if (takeover->fd < 0)
		return weir_error_set(
			error, -EINVAL, "", "", "no gateway is taking over from this one");
	takeover->is_done = true;
	weir_loop_timer_cancel(gateway->loop, &takeover->patience);
	weir_loop_stop(gateway->loop);
	return 0;
}

static const struct weir_rpc_method methods[] = {
	{"takeover_begin", "Prepare for another gateway that is to take over (weir --takeover)",
		WEIR_RPC_WRITE, NULL, "Slots of streams and sessions, and the largest MTU",
		on_begin},
	{"takeover_release",
		"Stop, and leave rings, sessions and ports to the gateway that takes over",
		WEIR_RPC_WRITE, NULL, "Where it finds them", on_release},
	{"takeover_done", "The gateway that takes over is there: end", WEIR_RPC_WRITE, NULL,
		"Nothing", on_done},
};

int weir_methods_takeover_register(struct weir_gateway *gateway)
{
	return weir_rpc_register(
		gateway->rpc, methods, sizeof(methods) / sizeof(methods[0]), gateway);
}

int weir_takeover_create(struct weir_gateway *gateway, struct weir_takeover **out)
{
	struct weir_takeover *takeover = calloc(1, sizeof(*takeover));

	if (takeover == NULL)
		return -ENOMEM;
	takeover->gateway = gateway;
	takeover->fd = -1;
	weir_loop_timer_init(&takeover->patience, lose_patience, takeover);
	*out = takeover;
	return 0;
}

void weir_takeover_destroy(struct weir_takeover *takeover)
{
	if (takeover == NULL)
		return;
	weir_loop_timer_cancel(takeover->gateway->loop, &takeover->patience);
	forget_estate(takeover);
	free(takeover);
}

bool weir_takeover_is_done(const struct weir_takeover *takeover)
{
	return takeover != NULL && takeover->is_done;
}

bool weir_takeover_has_failed(const struct weir_takeover *takeover)
{
	return takeover != NULL && takeover->has_failed;
}
