/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/heat.h"

#include "dataplane/load.h"
#include "dataplane/model.h"
#include "dataplane/move.h"
#include "dataplane/snapshot.h"
#include "dataplane/worker.h"

/* All messages a second, and the partition with most of them that does not have its worker alone.
 */
struct look {
	double total;
	double most;
	struct weir_stream *stream; /* NULL: there is none */
	uint16_t partition;
};

static bool may_be_alone(const struct weir_stream_view *view, uint16_t partition)
{
	return !view->is_draining &&
	       (view->features[partition] & WEIR_FEATURE_BIT(WEIR_FEATURE_ISOLATION));
}

static struct look look_at_loads(const struct weir_dataplane *dataplane)
{
	const struct weir_snapshot *snapshot = dataplane->published;
	struct look look = {0};

	for (uint32_t i = 0; i < snapshot->stream_count; i++) {
		const struct weir_stream_view *view = &snapshot->streams[i];
		struct weir_stream *stream = view->stream;

		for (uint16_t p = 0; p < stream->partition_count; p++) {
			double rate = stream->loads[p].messages_per_s;

			look.total += rate;
			if (rate <= look.most || !may_be_alone(view, p) ||
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

/* False when the feature is off for it, and when its stream is no more. */
static bool keeps_its_worker(const struct weir_dataplane *dataplane, const struct weir_alone *alone)
{
	const struct weir_snapshot *snapshot = dataplane->published;

	for (uint32_t i = 0; i < snapshot->stream_count; i++)
		if (snapshot->streams[i].stream == alone->stream)
			return may_be_alone(&snapshot->streams[i], alone->partition);
	return false;
}

static void cool_down(struct weir_dataplane *dataplane, uint16_t worker, double least,
	weir_heat_visit visit, void *context)
{
	const struct weir_alone *alone = &dataplane->moves.alone[worker];
	struct weir_heat *heat = &dataplane->heat;
	struct weir_heat_change change = {alone->stream, alone->partition, worker, false};

	if (!keeps_its_worker(dataplane, alone)) {
		heat->cool[worker] = WEIR_HEAT_COOL_LOOKS;
	} else if (alone->stream->loads[alone->partition].messages_per_s >= least) {
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

	if (dataplane->published == NULL || dataplane->worker_count < 2 ||
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
