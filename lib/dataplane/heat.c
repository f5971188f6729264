/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/heat.h"

#include "dataplane/load.h"
#include "dataplane/model.h"
#include "dataplane/move.h"
#include "dataplane/worker.h"

/* All messages a second, and the partition with most of them that does not have its worker alone.
 */
struct look {
	double total;
	double most;
	struct weir_stream *stream; /* NULL: there is none */
	uint16_t partition;
};

static struct look look_at_loads(const struct weir_dataplane *dataplane)
{
	const struct weir_model *model = dataplane->model;
	struct look look = {0};

	for (uint32_t i = 0; i < model->stream_count; i++) {
		struct weir_stream *stream = model->streams[i].object;

		for (uint16_t p = 0; p < stream->partition_count; p++) {
			double rate = stream->loads[p].messages_per_s;

			look.total += rate;
			if (rate <= look.most || model->streams[i].is_draining ||
				weir_partition_is_alone(dataplane, stream, p))
				continue;
			look.most = rate;
			look.stream = stream;
			look.partition = p;
		}
	}
	return look;
}

/* How often one after another the same partition was the hottest, and hot. */
static uint32_t count_looks(struct weir_heat *heat, const struct look *look, bool is_hot)
{
	bool is_same = look->stream != NULL && heat->stream == look->stream->slot &&
		       heat->partition == look->partition;

	heat->looks = !is_hot ? 0 : is_same ? heat->looks + 1 : 1;
	if (look->stream != NULL) {
		heat->stream = look->stream->slot;
		heat->partition = look->partition;
	}
	return heat->looks;
}

static void isolate(struct weir_dataplane *dataplane, const struct look *look,
	weir_heat_visit visit, void *context)
{
	uint16_t worker = look->stream->wanted[look->partition];
	struct weir_heat_change change = {look->stream, look->partition, worker, true};

	/* No other worker would be left, or there is no memory: another time. */
	if (weir_partition_isolate(dataplane, look->stream->name, look->partition) < 0)
		return;
	dataplane->heat.given |= UINT64_C(1) << worker;
	dataplane->heat.cool[worker] = 0;
	visit(context, &change);
}

static void cool_down(struct weir_dataplane *dataplane, uint16_t worker, double least,
	weir_heat_visit visit, void *context)
{
	const struct weir_alone *alone = &dataplane->moves.alone[worker];
	struct weir_heat *heat = &dataplane->heat;
	struct weir_heat_change change = {alone->stream, alone->partition, worker, false};

	if (alone->stream->loads[alone->partition].messages_per_s >= least) {
		heat->cool[worker] = 0;
		return;
	}
	if (++heat->cool[worker] < WEIR_HEAT_COOL_LOOKS ||
		weir_partition_rejoin(dataplane, alone->stream->name, alone->partition) < 0)
		return;
	visit(context, &change);
}

void weir_heat_look(struct weir_dataplane *dataplane, weir_heat_visit visit, void *context)
{
	struct weir_heat *heat = &dataplane->heat;
	struct look look;
	double hot;

	if (dataplane->model == NULL || dataplane->worker_count < 2 ||
		dataplane->model->config->workers.isolate_percent == 0)
		return;
	look = look_at_loads(dataplane);
	hot = look.total * dataplane->model->config->workers.isolate_percent / 100;
	/* What an operator has released, or a configuration taken away, is not ours any more. */
	heat->given &= dataplane->moves.reserved;
	for (uint16_t worker = 0; worker < dataplane->worker_count; worker++)
		if (heat->given >> worker & 1)
			cool_down(dataplane, worker, hot / 2, visit, context);
	heat->given &= dataplane->moves.reserved;
	if (count_looks(heat, &look, look.total >= WEIR_HEAT_LEAST && look.most >= hot) >=
		WEIR_HEAT_HOT_LOOKS)
		isolate(dataplane, &look, visit, context);
}
