/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/versions.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "state/writer.h"

#define SUFFIX   ".versions"
#define RETRY_NS WEIR_S_NS /* between two attempts to go back */
#define END_MS   5000      /* how long the disk is waited for at the end */

struct weir_versions {
	struct weir_gateway *gateway; /* NULL until started */
	struct weir_history *history;
	struct weir_loop_timer trial; /* armed while one runs */
	uint64_t trial_end_ns;        /* weir_loop_clock_ns */
	struct weir_error failure;    /* of the last attempt to go back by itself */
	struct weir_state_writer *writer;
	uint64_t offered;
	char path[256 + sizeof(SUFFIX)]; /* "": in memory alone */
};

static uint64_t wall_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * WEIR_S_NS + (uint64_t)now.tv_nsec;
}

/* A failure costs the versions of a later start, no more. */
static void save(struct weir_versions *versions)
{
	uint8_t *bytes;
	size_t length;

	if (versions->writer == NULL)
		return;
	if (weir_history_encode(versions->history, &bytes, &length) < 0) {
		weir_log_error("config", "%s is not written: no memory", versions->path);
		return;
	}
	versions->offered = weir_state_writer_offer(versions->writer, bytes, length);
}

static void load(struct weir_versions *versions)
{
	struct weir_error error = {0};
	bool is_previous;
	int rc = weir_state_load_kind(
		versions->path, &weir_history_kind, &versions->history, &is_previous, &error);

	if (rc == 0 && is_previous)
		weir_log_warning("config", "%s: %s; the one before it is used", versions->path,
			error.reason);
	if (rc == 0 || rc == -ENOENT)
		return;
	weir_log_error("config", "%s: %s", versions->path, error.reason);
	/* It may be good, or newer than this gateway: it is not to be lost. */
	if (rc != -EBADMSG) {
		weir_log_error("config", "%s stays as it is; versions are kept in memory alone",
			versions->path);
		versions->path[0] = '\0';
	}
}

/* A trial that the end of the gateway cut short has failed. */
static void end_trial_of_before(struct weir_versions *versions, struct weir_config **config)
{
	struct weir_history *history = versions->history;
	const struct weir_version *tried = weir_history_running(history);
	const struct weir_version *before;
	struct weir_config *next = NULL;
	struct weir_error error = {0};

	if (history->back == 0)
		return;
	before = weir_history_find(history, history->back);
	if (strcmp(tried->digest, (*config)->digest) == 0 &&
		weir_config_parse(before->json, strlen(before->json), &next, &error) < 0)
		weir_log_error("config",
			"version %llu was on trial and is started with: the one before it is "
			"refused: %s: %s",
			(unsigned long long)tried->number, error.path, error.reason);
	if (next != NULL) {
		weir_log_warning("config",
			"version %llu was on trial and not confirmed: starting with version %llu, "
			"not with the file",
			(unsigned long long)tried->number, (unsigned long long)before->number);
		weir_config_free(*config);
		*config = next;
	}
	weir_history_revert(history);
}

int weir_versions_open(
	struct weir_config **config, struct weir_versions **out, struct weir_error *error)
{
	struct weir_versions *versions = calloc(1, sizeof(*versions));

	*out = NULL;
	if (versions == NULL)
		return weir_error_set(error, -ENOMEM, "$", "", "not enough memory");
	if ((*config)->state.file[0] != '\0') {
		snprintf(
			versions->path, sizeof(versions->path), "%s" SUFFIX, (*config)->state.file);
		load(versions);
	}
	if (versions->history == NULL)
		versions->history = weir_history_create();
	if (versions->history == NULL) {
		weir_versions_close(versions);
		return weir_error_set(error, -ENOMEM, "$", "", "not enough memory");
	}
	end_trial_of_before(versions, config);
	*out = versions;
	return 0;
}

/* Go back to what ran before; with `error` filled when that fails. */
static int take_back(struct weir_versions *versions, const struct weir_version *version,
	struct weir_error *error)
{
	const struct weir_dataplane *dataplane = versions->gateway->dataplane;
	struct weir_config *config;
	const char *restart;
	int rc = weir_config_parse(version->json, strlen(version->json), &config, error);

	if (rc < 0)
		return rc;
	restart = weir_config_needs_restart(
		weir_dataplane_config(dataplane), config, dataplane->worker_count);
	rc = restart == NULL ? weir_gateway_apply(versions->gateway, config, error)
			     : weir_error_set(error, -EOPNOTSUPP, restart,
				       "restart the gateway with it", "needs a restart");
	if (rc < 0)
		weir_config_free(config);
	return rc;
}

static void end_trial(struct weir_versions *versions)
{
	weir_loop_timer_cancel(versions->gateway->loop, &versions->trial);
	versions->failure = (struct weir_error){0};
}

static void revert(void *context, uint64_t now_ns)
{
	struct weir_versions *versions = context;
	struct weir_history *history = versions->history;
	uint64_t tried = history->running;
	const struct weir_version *back = weir_history_find(history, history->back);
	struct weir_error error = {0};

	(void)now_ns;
	if (take_back(versions, back, &error) < 0) {
		if (versions->failure.code == 0)
			weir_log_error("config",
				"version %llu was not confirmed, but version %llu cannot be taken "
				"over: %s: %s",
				(unsigned long long)tried, (unsigned long long)back->number,
				error.path, error.reason);
		versions->failure = error;
		return;
	}
	end_trial(versions);
	weir_history_revert(history);
	save(versions);
	weir_log_warning("config", "version %llu was not confirmed: version %llu runs again",
		(unsigned long long)tried, (unsigned long long)history->running);
}

/* Called before the change, for it may fail. */
static int arm_trial(struct weir_versions *versions, uint32_t confirm_s, struct weir_error *error)
{
	uint64_t delay_ns = confirm_s * WEIR_S_NS;

	if (confirm_s == 0)
		return 0;
	versions->trial_end_ns = weir_loop_clock_ns() + delay_ns;
	if (weir_loop_timer_arm(versions->gateway->loop, &versions->trial, delay_ns, RETRY_NS) < 0)
		return weir_error_set(error, -ENOMEM, "$", "", "no memory for the trial's timer");
	return 0;
}

int weir_versions_start(struct weir_versions *versions, struct weir_gateway *gateway)
{
	const struct weir_config *config = weir_dataplane_config(gateway->dataplane);
	const struct weir_version *running = weir_history_running(versions->history);
	struct weir_version *version;
	int rc = 0;

	if (versions->path[0] != '\0')
		rc = weir_state_writer_start(versions->path, -1, &versions->writer);
	if (rc < 0)
		return rc;
	weir_loop_timer_init(&versions->trial, revert, versions);
	versions->gateway = gateway;
	if (running == NULL || strcmp(running->digest, config->digest) != 0) {
		version = weir_version_make(config, "", wall_ns());
		if (version == NULL)
			return -ENOMEM;
		version->is_from_start = true;
		weir_history_add(versions->history, version);
	}
	save(versions);
	return 0;
}

void weir_versions_close(struct weir_versions *versions)
{
	if (versions == NULL)
		return;
	if (versions->gateway != NULL)
		weir_loop_timer_cancel(versions->gateway->loop, &versions->trial);
	if (versions->writer != NULL && weir_state_writer_stop(versions->writer, END_MS, NULL) < 0)
		weir_log_error("config", "%s: the newest version is not written", versions->path);
	weir_history_destroy(versions->history);
	free(versions);
}

static int refuse(const struct weir_versions *versions, const struct weir_config *config,
	struct weir_error *error)
{
	const struct weir_dataplane *dataplane = versions->gateway->dataplane;
	const char *restart = weir_config_needs_restart(
		weir_dataplane_config(dataplane), config, dataplane->worker_count);

	if (restart != NULL && config->workers.count > dataplane->worker_count)
		return weir_error_set(error, -EOPNOTSUPP, restart,
			"restart the gateway with workers.most as high as it is to grow",
			"%u workers need a restart: there are rings and queues for %u",
			config->workers.count, dataplane->worker_count);

	if (restart != NULL)
		return weir_error_set(error, -EOPNOTSUPP, restart,
			"restart the gateway with it, or leave this part as it is",
			"needs a restart");
	if (versions->history->back != 0)
		return weir_error_set(error, -EBUSY, "$",
			"config_confirm keeps it, config_rollback takes it back",
			"version %llu is on trial", (unsigned long long)versions->history->running);
	return 0;
}

int weir_versions_apply(struct weir_versions *versions, struct weir_config *config,
	const char *comment, uint32_t confirm_s, struct weir_error *error)
{
	struct weir_history *history = versions->history;
	struct weir_version *version;
	uint64_t before = history->running;
	bool is_same;
	int rc = refuse(versions, config, error);

	if (rc < 0)
		return rc;
	is_same = strcmp(weir_history_running(history)->digest, config->digest) == 0;
	version = is_same ? NULL : weir_version_make(config, comment, wall_ns());
	if (!is_same && version == NULL)
		return weir_error_set(error, -ENOMEM, "$", "", "no memory for the version");
	/* What already runs needs no trial. */
	confirm_s = is_same ? 0 : confirm_s;
	rc = arm_trial(versions, confirm_s, error);
	if (rc == 0)
		rc = weir_gateway_apply(versions->gateway, config, error);
	if (rc < 0) {
		weir_loop_timer_cancel(versions->gateway->loop, &versions->trial);
		weir_version_free(version);
		return rc;
	}
	if (is_same)
		return 0;
	weir_history_add(history, version);
	if (confirm_s != 0)
		weir_history_begin_trial(history, before);
	save(versions);
	return 0;
}

int weir_versions_confirm(struct weir_versions *versions, struct weir_error *error)
{
	if (versions->history->back == 0)
		return weir_error_set(error, -ENOENT, "$",
			"config_apply with confirm_s begins a trial", "nothing is on trial");
	end_trial(versions);
	weir_history_confirm(versions->history);
	save(versions);
	return 0;
}

static const struct weir_version *find_target(
	const struct weir_versions *versions, uint64_t number, struct weir_error *error)
{
	const struct weir_history *history = versions->history;
	const struct weir_version *target = number != 0 ? weir_history_find(history, number)
					    : history->back != 0
						    ? weir_history_find(history, history->back)
						    : weir_history_before(history);

	if (target == NULL && number != 0)
		weir_error_set(error, -ENOENT, "$.version", "config_history lists those there are",
			"no version %llu", (unsigned long long)number);
	if (target == NULL && number == 0)
		weir_error_set(error, -ENOENT, "$.version", "config_history lists those there are",
			"no version before the running one");
	return target;
}

int weir_versions_rollback(struct weir_versions *versions, uint64_t number, uint32_t confirm_s,
	struct weir_error *error)
{
	struct weir_history *history = versions->history;
	const struct weir_version *target = find_target(versions, number, error);
	uint64_t before = history->running;
	bool was_on_trial = history->back != 0;
	int rc;

	if (target == NULL)
		return -ENOENT;
	if (target->number == before)
		return weir_error_set(error, -EALREADY, "$.version",
			"config_history lists the others", "version %llu is the one that runs",
			(unsigned long long)before);
	if (was_on_trial && confirm_s != 0)
		return weir_error_set(error, -EBUSY, "$.confirm_s",
			"go back without it, or config_confirm first", "version %llu is on trial",
			(unsigned long long)history->running);
	rc = arm_trial(versions, confirm_s, error);
	if (rc < 0)
		return rc;
	if (take_back(versions, target, error) < 0) {
		if (!was_on_trial)
			weir_loop_timer_cancel(versions->gateway->loop, &versions->trial);
		/* Distinct from a refusal: the way back that an operator counts on is not there. */
		error->code = -ENOTRECOVERABLE;
		return error->code;
	}
	if (was_on_trial) {
		end_trial(versions);
		weir_history_revert(history);
	}
	weir_history_select(history, target->number);
	if (confirm_s != 0)
		weir_history_begin_trial(history, before);
	save(versions);
	weir_log_notice("config", "went back from version %llu to version %llu",
		(unsigned long long)before, (unsigned long long)target->number);
	return 0;
}

uint64_t weir_versions_running(const struct weir_versions *versions)
{
	return versions->history->running;
}

void weir_versions_report(const struct weir_versions *versions, struct weir_versions_report *report)
{
	uint64_t now = weir_loop_clock_ns();

	*report = (struct weir_versions_report){.history = versions->history,
		.is_on_trial = versions->history->back != 0,
		.is_kept = versions->writer != NULL,
		.failure = versions->failure};
	if (report->is_on_trial && versions->trial_end_ns > now)
		report->left_ms = (versions->trial_end_ns - now) / WEIR_MS_NS;
	if (versions->writer != NULL) {
		struct weir_state_report state;

		weir_state_writer_report(versions->writer, &state);
		report->is_saved = state.saved == versions->offered;
	}
}
