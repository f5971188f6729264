/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/positions.h"

#include "dataplane/model.h"

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
				visitor->group(visitor->context, stream->object,
					model->groups[stream->group_index[j]].config.name,
					stream->attachments[j]);
	}
}
