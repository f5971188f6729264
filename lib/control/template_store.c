/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/template_store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "dataplane/templates_visit.h"
#include "state/file.h"
#include "state/templates.h"
#include "state/writer.h"

#define REFRESH_MS 60000
#define END_MS     5000

struct weir_template_store {
	char path[280];
	uint8_t *found; /* the file of an earlier gateway; NULL: none */
	size_t found_length;
	struct weir_gateway *gateway; /* NULL until started */
	struct weir_state_writer *writer;
	struct weir_loop_timer timer;
	uint64_t changes; /* as they were when it was written last */
	uint64_t refreshes;
	uint64_t written_ns; /* weir_loop_clock_ns */
	bool is_failing;     /* said so in the log */
};

static uint64_t wall_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * WEIR_S_NS + (uint64_t)now.tv_nsec;
}

static void count(void *context, const struct weir_state_template *template)
{
	(void)template;
	++*(uint32_t *)context;
}

struct found {
	uint8_t *bytes;
	size_t length;
	uint32_t count;
};

static int decode(const uint8_t *bytes, size_t length, const char *path, void *result,
	struct weir_error *error)
{
	struct found *found = result;
	uint32_t templates = 0;
	int rc = weir_state_templates_read(bytes, length, count, &templates);

	if (rc < 0)
		return weir_error_set(error, rc, path, "",
			rc == -ENOTSUP ? "written by a newer gateway" : "damaged");
	found->bytes = malloc(length);
	if (found->bytes == NULL)
		return weir_error_set(error, -ENOMEM, path, "", "not enough memory");
	memcpy(found->bytes, bytes, length);
	found->length = length;
	found->count = templates;
	return 0;
}

/* What cannot be read costs waiting for the exporters, no more. */
static void load(struct weir_template_store *store)
{
	static const struct weir_state_kind kind = {.max_bytes = WEIR_STATE_MAX_BYTES,
		.decode = decode,
		.lost_hint = "templates are learned anew"};
	struct found found = {0};
	struct weir_error error = {0};
	bool is_previous;
	int rc = weir_state_load_kind(store->path, &kind, &found, &is_previous, &error);

	if (rc == -ENOENT)
		return;
	if (rc < 0) {
		weir_log_warning("templates", "%s is not used: %s", store->path, error.reason);
		return;
	}
	store->found = found.bytes;
	store->found_length = found.length;
	weir_log_notice("templates", "%s: %u are known", store->path, found.count);
}

struct weir_template_store *weir_template_store_open(const char *state)
{
	struct weir_template_store *store = calloc(1, sizeof(*store));

	if (store == NULL)
		return NULL;
	snprintf(store->path, sizeof(store->path), "%s.templates", state);
	load(store);
	return store;
}

struct restoring {
	struct weir_stream *stream;
	uint64_t now_ns;
};

static void restore_one(void *context, const struct weir_state_template *template)
{
	const struct restoring *restoring = context;
	struct weir_template_exporter exporter = {.domain = template->domain,
		.port = template->port,
		.family = template->family,
		.version = template->version};
	uint64_t age_ns =
		restoring->now_ns > template->heard_ns ? restoring->now_ns - template->heard_ns : 0;

	if (strcmp(template->stream, restoring->stream->name) != 0 ||
		weir_template_header(template->version) == 0)
		return;
	memcpy(exporter.address, template->address, sizeof(exporter.address));
	weir_templates_restore(
		restoring->stream, &exporter, template->set, template->length, age_ns / WEIR_MS_NS);
}

void weir_template_store_restore(
	const struct weir_template_store *store, struct weir_stream *stream)
{
	struct restoring restoring = {stream, wall_ns()};

	if (store->found != NULL)
		weir_state_templates_read(
			store->found, store->found_length, restore_one, &restoring);
}

struct filling {
	struct weir_state_templates templates;
	uint64_t now_ns;
};

static void fill(void *context, const struct weir_template_seen *seen)
{
	struct filling *filling = context;
	struct weir_state_template template = {.domain = seen->exporter->domain,
		.port = seen->exporter->port,
		.family = seen->exporter->family,
		.version = seen->exporter->version,
		.heard_ns = filling->now_ns - seen->age_ms * WEIR_MS_NS,
		.length = seen->length,
		.set = seen->set};

	snprintf(template.stream, sizeof(template.stream), "%s", seen->stream);
	memcpy(template.address, seen->exporter->address, sizeof(template.address));
	weir_state_templates_add(&filling->templates, &template);
}

static int offer(struct weir_template_store *store)
{
	struct filling filling = {.now_ns = wall_ns()};
	int visited = weir_templates_visit(store->gateway->dataplane, NULL, fill, &filling);
	uint8_t *bytes;
	size_t length;
	int rc = weir_state_templates_end(&filling.templates, &bytes, &length);

	if (rc < 0)
		return rc;
	if (visited < 0) {
		free(bytes);
		return visited;
	}
	weir_state_writer_offer(store->writer, bytes, length);
	return 0;
}

/* Said when it begins to fail and when it works again. */
static void follow_failure(struct weir_template_store *store, int result)
{
	struct weir_state_report report;
	bool is_failing;

	weir_state_writer_report(store->writer, &report);
	is_failing = result < 0 || report.error.code != 0;
	if (is_failing && !store->is_failing)
		weir_log_error("templates", "%s is not written: %s", store->path,
			result < 0 ? strerror(-result) : report.error.reason);
	if (!is_failing && store->is_failing)
		weir_log_notice("templates", "%s is written again", store->path);
	store->is_failing = is_failing;
}

/* When some came or went, or were heard again since; the latter `pause_ns` apart. */
static int offer_if_due(struct weir_template_store *store, uint64_t now_ns, uint64_t pause_ns)
{
	uint64_t changes, refreshes;
	int rc;

	weir_templates_changes(store->gateway->dataplane, &changes, &refreshes);
	if (changes == store->changes &&
		(refreshes == store->refreshes || now_ns - store->written_ns < pause_ns))
		return 0;
	rc = offer(store);
	/* One that goes on changing is asked at the next interval. */
	if (rc == -EAGAIN)
		return 0;
	if (rc < 0)
		return rc;
	store->changes = changes;
	store->refreshes = refreshes;
	store->written_ns = now_ns;
	return 0;
}

static void write_if_due(void *context, uint64_t now_ns)
{
	struct weir_template_store *store = context;

	follow_failure(store, offer_if_due(store, now_ns, REFRESH_MS * WEIR_MS_NS));
}

void weir_template_store_set_interval(struct weir_template_store *store, uint32_t interval_ms)
{
	if (store != NULL && store->gateway != NULL)
		weir_loop_timer_arm(store->gateway->loop, &store->timer, interval_ms * WEIR_MS_NS,
			interval_ms * WEIR_MS_NS);
}

int weir_template_store_start(
	struct weir_template_store *store, struct weir_gateway *gateway, uint32_t interval_ms)
{
	int rc = weir_state_writer_start(store->path, -1, &store->writer);

	if (rc < 0)
		return rc;
	store->gateway = gateway;
	weir_loop_timer_init(&store->timer, write_if_due, store);
	return weir_loop_timer_arm(
		gateway->loop, &store->timer, interval_ms * WEIR_MS_NS, interval_ms * WEIR_MS_NS);
}

void weir_template_store_close(struct weir_template_store *store)
{
	int rc, stopped;

	if (store == NULL)
		return;
	if (store->writer != NULL) {
		weir_loop_timer_cancel(store->gateway->loop, &store->timer);
		rc = offer_if_due(store, weir_loop_clock_ns(), 0);
		stopped = weir_state_writer_stop(store->writer, END_MS, NULL);
		if (rc < 0 || stopped < 0)
			weir_log_error("templates", "%s: the last ones are not written: %s",
				store->path, strerror(rc < 0 ? -rc : -stopped));
	}
	free(store->found);
	free(store);
}
