/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "dataplane/dataplane.h"

struct weir_model;

/*
 * From a model to what the workers use, and the end of what they used before. What is replaced is
 * retired: it is freed when every worker has applied the generation that has it no more, and has
 * been quiescent since (rte_rcu_qsbr). Private to lib/dataplane; control thread.
 */

/* Hand over an object that the published snapshot does not name any more. */
void weir_retire(struct weir_dataplane *dataplane, void (*free_object)(void *), void *object);
/* Publish `model` in place of the current one; both models' memory is taken care of. */
int weir_publish(
	struct weir_dataplane *dataplane, struct weir_model *model, struct weir_error *error);
/* A stream's budget is shared among the workers that have its partitions. */
void weir_budgets_set(struct weir_dataplane *dataplane, const struct weir_model *model);
/* Workers have ended: free everything. */
void weir_publish_destroy(struct weir_dataplane *dataplane);
