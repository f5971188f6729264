/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/checkpoint.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "control/template_store.h"
#include "dataplane/estate.h"
#include "dataplane/positions.h"
#include "state/file.h"

#define END_MS        5000                /* how long the disk is waited for at the end */
#define GIVEN_PER_MS  UINT64_C(5000)      /* messages of one partition: more than a worker takes */
#define GIVEN_UNTIMED (UINT64_C(1) << 26) /* when the clock was set back */

struct weir_checkpoint {
	struct weir_positions positions;
	struct weir_gateway *gateway; /* NULL until started */
	struct weir_state *found;     /* of an earlier gateway; NULL: none */
	uint64_t surplus;             /* what it can have given out after it wrote that down */
	uint64_t least;               /* the clock's number, unless it ended in order */
	uint64_t incarnation;
	uint64_t offered; /* newest state that was given to the writer */
	struct weir_state_writer *writer;
	struct weir_template_store *templates;
	struct weir_loop_timer timer;
	bool is_failing; /* said so in the log */
	uint32_t interval_ms;
	char path[256];
};

static uint64_t wall_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * WEIR_S_NS + (uint64_t)now.tv_nsec;
}

static const struct weir_state_stream *find(
	const struct weir_checkpoint *checkpoint, const struct weir_stream *stream)
{
	if (checkpoint->found == NULL)
		return NULL;
	return weir_state_find_stream(checkpoint->found, stream->name, stream->partition_count,
		weir_stream_key_digest(stream));
}

static uint64_t stream_position(void *context, const struct weir_stream *stream, uint16_t partition)
{
	const struct weir_checkpoint *checkpoint = context;
	const struct weir_state_stream *known = find(checkpoint, stream);

	if (known == NULL)
		return WEIR_POSITION_UNKNOWN;
	return RTE_MAX(known->heads[partition] + checkpoint->surplus, checkpoint->least);
}

static uint64_t group_position(
	void *context, const char *group, const struct weir_stream *stream, uint16_t partition)
{
	const struct weir_checkpoint *checkpoint = context;
	const struct weir_state_stream *known;
	const uint64_t *done;

	if (checkpoint->found == NULL)
		return 0; /* nobody knows */
	/* With another key or count too: numbers rise, and what it held is missed all the same. */
	known = weir_state_find_named(checkpoint->found, stream->name);
	done = known != NULL && partition < known->partitions ? weir_state_find_group(known, group)
							      : NULL;
	if (done != NULL)
		return done[partition];
	/* A group that is new has missed nothing; one may be younger than what was written last. */
	return checkpoint->found->is_clean ? WEIR_POSITION_UNKNOWN : 0;
}

static void restore_templates(void *context, struct weir_stream *stream)
{
	const struct weir_checkpoint *checkpoint = context;

	weir_template_store_restore(checkpoint->templates, stream);
}

/*
 * After an orderly end the numbers are exact. Else they go on above all that can have been given
 * out, which is below the clock's number, unless the clock was set back: numbers that are behind
 * it and grow more slowly stay behind it, whatever breaks off how often.
 */
static void take_found(struct weir_checkpoint *checkpoint)
{
	const struct weir_state *found = checkpoint->found;
	uint64_t now = wall_ns();
	uint64_t age_ms = now > found->wall_ns ? (now - found->wall_ns) / WEIR_MS_NS : 0;

	checkpoint->incarnation = found->incarnation + 1;
	if (!found->is_clean) {
		checkpoint->surplus = (age_ms + 1) * GIVEN_PER_MS;
		if (now < found->wall_ns)
			checkpoint->surplus += GIVEN_UNTIMED;
		checkpoint->least = weir_sequence_at(now);
	}
	weir_log_notice("checkpoint", "%s: going on where the gateway %s", checkpoint->path,
		found->is_clean ? "ended" : "broke off");
}

static int load(struct weir_checkpoint *checkpoint, struct weir_error *error)
{
	bool is_previous;
	int result = weir_state_load(checkpoint->path, &checkpoint->found, &is_previous, error);

	if (result == -ENOENT)
		return 0;
	if (result == -EBADMSG) {
		weir_log_error("checkpoint", "%s: %s; numbering begins from the clock",
			checkpoint->path, error->reason);
		return 0;
	}
	if (result < 0)
		return result;
	if (is_previous) {
		weir_log_warning("checkpoint", "%s: %s; the one before it is used",
			checkpoint->path, error->reason);
		checkpoint->found->is_clean = false;
	}
	take_found(checkpoint);
	return 0;
}

int weir_checkpoint_open(
	const struct weir_config *config, struct weir_checkpoint **out, struct weir_error *error)
{
	struct weir_checkpoint *checkpoint;
	int result;

	*out = NULL;
	if (config->state.file[0] == '\0')
		return 0;
	checkpoint = calloc(1, sizeof(*checkpoint));
	if (checkpoint == NULL)
		return weir_error_set(error, -ENOMEM, "$.state", "", "not enough memory");
	memcpy(checkpoint->path, config->state.file, sizeof(checkpoint->path));
	checkpoint->interval_ms = config->state.interval_ms;
	checkpoint->incarnation = 1;
	checkpoint->positions = (struct weir_positions){
		checkpoint, stream_position, group_position, restore_templates};
	checkpoint->templates = weir_template_store_open(checkpoint->path);
	result = checkpoint->templates == NULL
			 ? weir_error_set(error, -ENOMEM, "$.state", "", "not enough memory")
			 : load(checkpoint, error);
	if (result < 0) {
		weir_checkpoint_close(checkpoint);
		return result;
	}
	*out = checkpoint;
	return 0;
}

const struct weir_positions *weir_checkpoint_positions(const struct weir_checkpoint *checkpoint)
{
	return checkpoint != NULL ? &checkpoint->positions : NULL;
}

/* A state while it is filled; a failure leaves out what is behind it. */
struct filling {
	struct weir_state *state;
	struct weir_state_stream *stream;
	int result;
};

static void fill_stream(void *context, const struct weir_stream *stream)
{
	struct filling *filling = context;

	filling->stream = NULL;
	if (filling->result == 0)
		filling->result = weir_state_set_stream(filling->state, stream->name,
			stream->partition_count, weir_stream_key_digest(stream), &filling->stream);
	for (uint16_t i = 0; filling->stream != NULL && i < stream->partition_count; i++)
		filling->stream->heads[i] = weir_stream_head(stream, i);
}

static void fill_group(void *context, const struct weir_positions_group *group)
{
	struct filling *filling = context;
	uint64_t *done = NULL;

	if (filling->result != 0)
		return;
	filling->result = weir_state_set_group(filling->stream, group->name, &done);
	for (uint16_t i = 0; done != NULL && i < filling->stream->partitions; i++)
		done[i] = RTE_MIN(weir_positions_done(group, i), filling->stream->heads[i]);
}

static int offer(struct weir_checkpoint *checkpoint, bool is_clean)
{
	struct filling filling = {.state = weir_state_create()};
	const struct weir_positions_visitor visitor = {&filling, fill_stream, fill_group};
	uint8_t *bytes;
	size_t length;

	if (filling.state == NULL)
		return -ENOMEM;
	filling.state->incarnation = checkpoint->incarnation;
	filling.state->wall_ns = wall_ns();
	filling.state->is_clean = is_clean;
	weir_positions_visit(checkpoint->gateway->dataplane, &visitor);
	if (filling.result == 0)
		filling.result = weir_state_encode(filling.state, &bytes, &length);
	if (filling.result == 0)
		checkpoint->offered = weir_state_writer_offer(checkpoint->writer, bytes, length);
	weir_state_free(filling.state);
	return filling.result;
}

/* Said when it begins to fail and when it works again, not at every interval. */
static void follow_failure(struct weir_checkpoint *checkpoint, int result)
{
	struct weir_state_report report;
	bool is_failing;

	weir_state_writer_report(checkpoint->writer, &report);
	is_failing = result < 0 || report.error.code != 0;
	if (is_failing && !checkpoint->is_failing)
		weir_log_error("checkpoint", "%s is not written: %s", checkpoint->path,
			result < 0 ? strerror(-result) : report.error.reason);
	if (!is_failing && checkpoint->is_failing)
		weir_log_notice("checkpoint", "%s is written again", checkpoint->path);
	checkpoint->is_failing = is_failing;
}

static void write_now(void *context, uint64_t now_ns)
{
	struct weir_checkpoint *checkpoint = context;

	(void)now_ns;
	follow_failure(checkpoint, offer(checkpoint, false));
}

void weir_checkpoint_now(struct weir_checkpoint *checkpoint)
{
	if (checkpoint != NULL)
		write_now(checkpoint, weir_loop_clock_ns());
}

int weir_checkpoint_start(struct weir_checkpoint *checkpoint, struct weir_gateway *gateway)
{
	uint64_t interval = checkpoint->interval_ms * WEIR_MS_NS;
	int result = weir_state_writer_start(checkpoint->path, -1, &checkpoint->writer);

	if (result < 0)
		return result;
	checkpoint->gateway = gateway;
	weir_loop_timer_init(&checkpoint->timer, write_now, checkpoint);
	result = weir_loop_timer_arm(gateway->loop, &checkpoint->timer, interval, interval);
	write_now(checkpoint, 0);
	if (result == 0)
		result = weir_template_store_start(
			checkpoint->templates, gateway, checkpoint->interval_ms);
	return result;
}

void weir_checkpoint_sync(struct weir_checkpoint *checkpoint)
{
	const struct weir_config *config;
	uint64_t interval;

	if (checkpoint == NULL || checkpoint->gateway == NULL)
		return;
	config = weir_dataplane_config(checkpoint->gateway->dataplane);
	if (config->state.interval_ms == checkpoint->interval_ms)
		return;
	interval = config->state.interval_ms * WEIR_MS_NS;
	/* Without memory it goes on as it was. */
	if (weir_loop_timer_arm(
		    checkpoint->gateway->loop, &checkpoint->timer, interval, interval) == 0)
		checkpoint->interval_ms = config->state.interval_ms;
	weir_template_store_set_interval(checkpoint->templates, config->state.interval_ms);
}

bool weir_checkpoint_report(
	const struct weir_checkpoint *checkpoint, struct weir_state_report *report)
{
	if (checkpoint == NULL || checkpoint->writer == NULL)
		return false;
	weir_state_writer_report(checkpoint->writer, report);
	return true;
}

uint64_t weir_checkpoint_incarnation(const struct weir_checkpoint *checkpoint)
{
	return checkpoint != NULL ? checkpoint->incarnation : 0;
}

void weir_checkpoint_suspend(struct weir_checkpoint *checkpoint)
{
	if (checkpoint == NULL || checkpoint->writer == NULL)
		return;
	weir_loop_timer_cancel(checkpoint->gateway->loop, &checkpoint->timer);
	weir_template_store_close(checkpoint->templates);
	checkpoint->templates = NULL;
}

void weir_checkpoint_abandon(struct weir_checkpoint *checkpoint)
{
	if (checkpoint == NULL)
		return;
	if (checkpoint->writer != NULL)
		weir_state_writer_stop(checkpoint->writer, END_MS, NULL);
	weir_state_free(checkpoint->found);
	free(checkpoint);
}

void weir_checkpoint_close(struct weir_checkpoint *checkpoint)
{
	int result = 0;

	if (checkpoint == NULL)
		return;
	if (checkpoint->writer != NULL) {
		weir_loop_timer_cancel(checkpoint->gateway->loop, &checkpoint->timer);
		result = offer(checkpoint, true);
		if (result == 0)
			result = weir_state_writer_stop(checkpoint->writer, END_MS, NULL);
		else
			weir_state_writer_stop(checkpoint->writer, END_MS, NULL);
	}
	if (result < 0)
		weir_log_error("checkpoint", "%s: the end's positions are not written: %s",
			checkpoint->path, strerror(-result));
	weir_template_store_close(checkpoint->templates);
	weir_state_free(checkpoint->found);
	free(checkpoint);
}
