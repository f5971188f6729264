/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "dataplane/model.h"

/* Looking for things in a model, and comparing two. A NULL model has nothing. */

const struct weir_model_group *weir_model_find_group(
	const struct weir_model *model, const char *name);
/* Only when its class is the same: a group that changes class is another group. */
const struct weir_model_group *weir_model_find_group_of_class(
	const struct weir_model *model, const struct weir_config_group *config);
const struct weir_model_consumer *weir_model_find_consumer(
	const struct weir_model_group *group, const char *name);
/* The consumer as its group lists it, and its group if asked; NULL: it is of none. */
struct weir_model_consumer *weir_model_entry(const struct weir_dataplane *dataplane,
	const struct weir_consumer *consumer, struct weir_model_group **group);
struct weir_attachment *weir_model_find_attachment(
	const struct weir_model *model, const struct weir_stream *stream, uint16_t group);
const struct weir_model_stream *weir_model_find_stream(
	const struct weir_model *model, const struct weir_stream *stream);
bool weir_model_has_stream(const struct weir_model *model, const struct weir_stream *stream);

/* Numbers that neither model uses; -ENOSPC when there is none. */
int weir_model_free_consumer_slot(struct weir_dataplane *dataplane, const struct weir_model *old,
	const struct weir_model *model);
int weir_model_free_stream_slot(struct weir_dataplane *dataplane, const struct weir_model *old,
	const struct weir_model *model, const char *name);
bool weir_model_has_consumer_slot(const struct weir_model *model, uint16_t slot);
uint16_t weir_model_free_group_slot(const struct weir_model *old, const struct weir_model *model);

/* Nothing of it is in rings or between workers any more. */
bool weir_stream_is_drained(
	const struct weir_dataplane *dataplane, const struct weir_model_stream *stream);

/* For weir_model_difference: free at once. */
void weir_model_free_now(void *context, void (*free_object)(void *), void *object);
