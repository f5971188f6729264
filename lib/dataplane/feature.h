/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>

#include "base/feature.h"
#include "config/feature.h"
#include "dataplane/latency.h"

/*
 * Features (base/feature.h): where each is on, and what became of messages where it is and where it
 * is not. Where it is on is worked out here when a snapshot is made, one word for each partition;
 * the partition's worker reads the word, and counts for groups, and latency, in blocks of their
 * own for each value of it. So a comparison costs workers no more than the choice of the block.
 * Control thread only.
 */

struct weir_attachment;
struct weir_dataplane;
struct weir_model;
struct weir_stream;

/* What was counted where partitions had the same word. */
struct weir_feature_counts {
	uint64_t delivered;
	uint64_t delivered_bytes; /* UDP payload */
	uint64_t lost;            /* dropped for a group, except for what it is not meant to have */
};

/* What was counted on one side: where a feature is off, or on. */
struct weir_feature_side {
	uint32_t partitions;
	struct weir_feature_counts counts; /* since the gateway began; as of the newest fold */
	struct weir_latency send;          /* receive to the egress port's queue, all tiers; live */
};

struct weir_feature_report {
	const struct weir_config_feature *setting; /* lent until it changes */
	struct weir_feature_side sides[2];         /* off, on */
};

/*
 * Set where a feature is on, until it is set again or a configuration says something else of it
 * than the one before. 0 or -ENOMEM: nothing has changed.
 */
int weir_feature_set(struct weir_dataplane *dataplane, enum weir_feature feature,
	const struct weir_config_feature *setting, struct weir_error *error);
/* Take what the newest census has into the sums. */
void weir_features_fold(struct weir_dataplane *dataplane);
void weir_feature_report(const struct weir_dataplane *dataplane, enum weir_feature feature,
	struct weir_feature_report *report);

/*
 * For the model: settings go on from `old` (NULL: none) where the new configuration says the same
 * as the old one. 0 or -ENOMEM; what was copied is freed with the model.
 */
int weir_features_adopt(const struct weir_model *old, struct weir_model *model);
/* The words of a stream's partitions, as many bytes. 0 or -ENOMEM. */
int weir_features_choose(const struct weir_config_feature *settings,
	const struct weir_stream *stream, uint8_t *words);
/* Nobody counts for the attachment any more, and it is about to be freed. */
void weir_features_forget(struct weir_attachment *attachment);
