/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/positions.h"

#include "dataplane/model.h"
#include "dataplane/model_find.h"

static const struct weir_model_stream *find_before(
	const struct weir_model *model, const struct weir_model_stream *stream)
{
	return stream->predecessor != NULL ? weir_model_find_stream(model, stream->predecessor)
					   : NULL;
}

uint64_t weir_positions_done(const struct weir_positions_group *group, uint16_t partition)
{
	const struct weir_attachment *attachment = group->attachment;
	const struct weir_model_stream *stream = group->stream;

	while ((stream = find_before(group->model, stream)) != NULL &&
		partition < stream->object->partition_count) {
		const struct weir_attachment *before =
			weir_model_find_attachment(group->model, stream->object, group->slot);

		/* What it was not told of is the new one's to tell once that follows no more. */
		if (before == NULL || before->deliveries == NULL ||
			(atomic_load_explicit(
				 &before->lanes[partition].is_over, memory_order_acquire) &&
				!__atomic_load_n(&attachment->lanes[partition].is_following,
					__ATOMIC_ACQUIRE)))
			break;
		attachment = before;
	}
	return weir_attachment_done(attachment, partition);
}

static void visit_group(const struct weir_positions_visitor *visitor,
	const struct weir_model *model, const struct weir_model_stream *stream, uint32_t index)
{
	const struct weir_model_group *entry = &model->groups[stream->group_index[index]];
	const struct weir_positions_group group = {.name = entry->config.name,
		.slot = entry->slot,
		.model = model,
		.stream = stream,
		.attachment = stream->attachments[index]};

	visitor->group(visitor->context, &group);
}

void weir_positions_visit(
	const struct weir_dataplane *dataplane, const struct weir_positions_visitor *visitor)
{
	const struct weir_model *model = dataplane->model;

	for (uint32_t i = 0; model != NULL && i < model->stream_count; i++) {
		const struct weir_model_stream *stream = &model->streams[i];

		if (stream->is_draining)
			continue;
		visitor->stream(visitor->context, stream->object);
		for (uint32_t j = 0; j < stream->attachment_count; j++)
			if (stream->attachments[j]->deliveries != NULL)
				visit_group(visitor, model, stream, j);
	}
}
