/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "dataplane/model.h"
#include "place/load.h"
#include "place/place.h"

/*
 * Which consumer has which partition of an attachment: the plan that lib/place makes, and how far
 * it has been carried out. A plan is made with each snapshot and begins from the one before, so
 * only what has to move does. What lies with nobody, or with a consumer that cannot be reached,
 * moves with the snapshot; all else a few partitions at a time (ownership.h). Private to
 * lib/dataplane. Control thread only.
 */

struct weir_placement_slot {
	struct weir_consumer *planned; /* NULL: nobody */
	uint64_t ordered_ns;           /* when its worker was told last */
	bool is_moving;                /* its worker was told, and has not done it yet */
	struct weir_place_meter meter;
};

struct weir_placement {
	struct weir_placement_slot *slots; /* of each partition */
	uint32_t pending;                  /* that move, or are to */
	uint64_t *members;                 /* identities of those that the plan was made for */
	uint32_t member_count;
};

int weir_placement_create(struct weir_attachment *attachment);
void weir_placement_free(struct weir_attachment *attachment);
/*
 * Plan for the consumers of the group that are reachable, take the stream and are not drained.
 * Into the view, which owns it; nothing has changed yet. 0 or -ENOMEM.
 */
int weir_placement_plan(const struct weir_model_group *group, enum weir_place_goal goal,
	struct weir_attachment_view *view);
void weir_placement_discard(struct weir_attachment_view *view);
/* The snapshot is about to be published: its plan is the one that holds. */
void weir_placement_commit(struct weir_attachment_view *view);
/* Whether the consumer may be given partitions of the stream. */
bool weir_placement_takes(
	const struct weir_model_consumer *consumer, const struct weir_stream *stream);
/*
 * Whether it may be sent messages of the stream: a native consumer must have been told its number.
 * Until then the partitions that are planned for it wait.
 */
bool weir_placement_is_known(
	const struct weir_attachment *attachment, const struct weir_consumer *consumer);
/* What is planned has been changed. */
void weir_placement_recount(struct weir_attachment *attachment);
/* Nothing of the partition is under way to another consumer, as the worker's lane shows. */
bool weir_placement_arrived(
	const struct weir_attachment *attachment, uint16_t partition, uint32_t worker_count);
