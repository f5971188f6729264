/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "dataplane/snapshot.h"
#include "place/load.h"
#include "place/place.h"

/*
 * The control thread's picture of what is configured and what exists: which streams, groups and
 * consumers there are, and the objects that hold their state. A new configuration makes a new
 * model, which takes over every object of the old one that it still names; what neither names
 * is freed: at once when the new model fails, after the workers have let go when it succeeds.
 * Private to lib/dataplane. Control thread only.
 */

struct weir_dataplane;

struct weir_model_consumer {
	struct weir_consumer *object;
	struct weir_config_consumer config; /* blind */
	uint64_t identity;                  /* for placement */
	uint32_t weight;                    /* likewise; configured or set */
	struct weir_place_pace pace;        /* how fast it works, and the weight that follows */
	bool is_reachable;
	bool is_drained; /* by an operator: it is to have no partitions */
};

struct weir_model_group {
	uint16_t slot;
	struct weir_config_group config; /* shallow: strings and lists are the configuration's */
	struct weir_model_consumer *consumers;
	uint32_t consumer_count;
	enum weir_place_goal goal; /* of the plan that is made next */
	uint32_t moving;           /* partitions on their way, at the last look */
	uint32_t rested_s;         /* since loads were looked at */
};

struct weir_model_stream {
	struct weir_stream *object;
	bool is_draining;
	bool in_kernel; /* WEIR_PATH_KERNEL */
	uint8_t tier;
	uint32_t age_ms;
	uint32_t deadline_ms;
	uint32_t retain_ms;
	uint32_t template_lifetime_s;
	uint32_t drain_ms;
	/* Succession, see succession.h; of a stream that is draining, it may have one itself. */
	struct weir_stream
		*predecessor;  /* that it took the place of, while that is there; or NULL */
	uint64_t succeeded_at; /* first generation in which another has its place; 0 */
	uint64_t drain_until;  /* TSC */
	struct weir_attachment **attachments; /* in the order of group_index */
	uint32_t *group_index;                /* into model->groups */
	uint32_t attachment_count;
};

struct weir_model {
	const struct weir_config *config;  /* owned */
	struct weir_match *match;          /* owned, shared with snapshots made from this model */
	struct weir_model_stream *streams; /* active in the configuration's order, then draining */
	uint32_t stream_count;
	struct weir_model_group *groups;
	uint32_t group_count;
	struct weir_config_feature features[WEIR_FEATURE_COUNT]; /* configured or set; owned */
};

/* objects.c: made empty, freed with all that they own. NULL when memory is short. */
struct weir_stream *weir_stream_create(const struct weir_dataplane *dataplane,
	const struct weir_config_stream *config, uint16_t slot);
void weir_stream_free(void *stream);
struct weir_attachment *weir_attachment_create(struct weir_dataplane *dataplane,
	struct weir_stream *stream, const struct weir_model_group *group);
/* Another configuration wants it to acknowledge. False without memory: nothing has changed. */
bool weir_attachment_acknowledge(struct weir_attachment *attachment);
void weir_attachment_free(void *attachment);
struct weir_consumer *weir_consumer_create(const struct weir_dataplane *dataplane, const char *name,
	enum weir_class class, uint16_t slot, uint16_t group);
void weir_consumer_free(void *consumer);
/* Cap of what is in flight to a consumer that acknowledges; 0: none. Control thread. */
void weir_consumer_set_window(
	struct weir_consumer *consumer, const struct weir_config_window *window);
void weir_consumer_set_rate(const struct weir_dataplane *dataplane, struct weir_consumer *consumer,
	const struct weir_config_rate *rate);

/*
 * model.c: from `old` (may be NULL) and a configuration, which the model takes over on success.
 * Objects are not changed yet, so a failure leaves no trace.
 */
int weir_model_build(struct weir_dataplane *dataplane, const struct weir_model *old,
	const struct weir_config *config, struct weir_model **model, struct weir_error *error);
/* Its weight is configured, or set, as this. */
void weir_model_weigh(struct weir_model_consumer *consumer, uint32_t weight);
/* The model's own memory; no objects. */
void weir_model_free(void *model);
/* Call `each` for every object of `model` that `other` (may be NULL) does not have. */
void weir_model_difference(const struct weir_model *model, const struct weir_model *other,
	void (*each)(void *context, void (*free_object)(void *), void *object), void *context);

/* snapshot.c: the model as workers use it. NULL when memory is short. */
struct weir_snapshot *weir_snapshot_build(const struct weir_dataplane *dataplane,
	const struct weir_model *model, uint64_t generation);
void weir_snapshot_free(void *snapshot);
