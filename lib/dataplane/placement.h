/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "dataplane/model.h"

/*
 * Which consumer has which partition of an attachment: the plan that lib/place makes, and what
 * came of it. A plan is made with each snapshot and begins from the one before, so only what has
 * to move does. Private to lib/dataplane. Control thread only.
 */

struct weir_placement {
	struct weir_consumer **planned; /* of each partition; NULL: nobody */
	uint64_t *members;              /* identities of those that the plan was made for */
	uint32_t member_count;
};

int weir_placement_create(struct weir_attachment *attachment);
void weir_placement_free(struct weir_attachment *attachment);
/*
 * Plan for the consumers of the group that are reachable and take the stream. Into the view, which
 * owns it; nothing has changed yet. 0 or -ENOMEM.
 */
int weir_placement_plan(const struct weir_model_group *group, struct weir_attachment_view *view);
/* The snapshot is about to be published: its plan is the one that holds. */
void weir_placement_commit(struct weir_attachment_view *view);
