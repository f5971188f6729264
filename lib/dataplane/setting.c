/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/setting.h"

#include "dataplane/model.h"

static void fill(const struct weir_model_group *group, const struct weir_model_consumer *consumer,
	struct weir_consumer_setting *setting)
{
	bool is_native = group->config.class == WEIR_CLASS_NATIVE;

	*setting = (struct weir_consumer_setting){
		.name = consumer->object->name,
		.configured_rate = is_native ? group->config.consumer_rate : consumer->config.rate,
		.rate = consumer->object->rate,
		.configured_weight =
			is_native ? weir_config_weight(&group->config, consumer->object->name)
				  : consumer->config.weight,
		.weight = consumer->weight,
		.is_paused = atomic_load(&consumer->object->closed) & WEIR_CLOSED_PAUSED,
		.is_drained = consumer->is_drained,
	};
}

void weir_consumer_settings(
	const struct weir_dataplane *dataplane, weir_consumer_setting_visit visit, void *context)
{
	const struct weir_model *model = dataplane->model;

	for (uint32_t i = 0; model != NULL && i < model->group_count; i++) {
		const struct weir_model_group *group = &model->groups[i];

		for (uint32_t j = 0; j < group->consumer_count; j++) {
			struct weir_consumer_setting setting;

			fill(group, &group->consumers[j], &setting);
			visit(context, &setting);
		}
	}
}

const struct weir_config_feature *weir_feature_setting(
	const struct weir_dataplane *dataplane, enum weir_feature feature)
{
	return &dataplane->model->features[feature];
}
