/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/move.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/load.h"
#include "dataplane/model.h"
#include "dataplane/publish.h"
#include "dataplane/reassign.h"
#include "dataplane/worker.h"
#include "place/balance.h"

#define REBALANCE_MOST 1024 /* moves of one plan */

uint64_t weir_workers_staying(const struct weir_dataplane *dataplane)
{
	return UINT64_MAX >> (64 - atomic_load(&dataplane->staying));
}

/* They are there, and were not told to go. */
static uint64_t hired_workers(const struct weir_dataplane *dataplane)
{
	return weir_workers_staying(dataplane) & dataplane->present & ~dataplane->leaving;
}

uint64_t weir_workers_receiving(const struct weir_dataplane *dataplane)
{
	return hired_workers(dataplane) & ~dataplane->moves.parked;
}

/* Workers that partitions may go to. */
static uint64_t open_workers(const struct weir_dataplane *dataplane)
{
	return weir_workers_receiving(dataplane) & ~dataplane->moves.reserved;
}

void weir_moves_spread(const struct weir_dataplane *dataplane, struct weir_stream *stream)
{
	uint16_t ids[WEIR_MAX_WORKERS];
	uint32_t count = 0;

	for (uint16_t id = 0; id < dataplane->worker_count; id++)
		if (open_workers(dataplane) >> id & 1)
			ids[count++] = id;
	/* Begin at another worker for each stream, so small streams spread too. */
	for (uint16_t i = 0; i < stream->partition_count; i++) {
		uint16_t owner = ids[((uint32_t)i + stream->slot) % count];

		stream->owners[i] = owner;
		stream->routed[i] = owner;
		stream->wanted[i] = owner;
	}
}

uint64_t weir_moves_generation(const struct weir_dataplane *dataplane, uint64_t generation)
{
	const struct weir_moves *moves = &dataplane->moves;

	if (moves->count == 0)
		return 0;
	return moves->generation != 0 ? moves->generation : generation;
}

bool weir_moves_hold(const struct weir_dataplane *dataplane, uint64_t generation)
{
	return dataplane->moves.count != 0 && generation > dataplane->moves.generation;
}

static bool has_arrived(const struct weir_move *move)
{
	return __atomic_load_n(&move->stream->owners[move->partition], __ATOMIC_ACQUIRE) ==
	       move->to;
}

bool weir_moves_are_under_way(struct weir_dataplane *dataplane)
{
	struct weir_moves *moves = &dataplane->moves;

	for (uint32_t i = 0; i < moves->count; i++)
		if (!has_arrived(&moves->batch[i]))
			return true;
	if (moves->count == 0)
		return false;
	moves->arrived += moves->count;
	moves->count = 0;
	weir_budgets_set(dataplane, dataplane->model);
	return false;
}

/* The next moves that are wanted. */
static void fill_batch(struct weir_dataplane *dataplane)
{
	const struct weir_model *model = dataplane->model;
	struct weir_moves *moves = &dataplane->moves;

	for (uint32_t i = 0; i < model->stream_count; i++) {
		struct weir_stream *stream = model->streams[i].object;

		for (uint16_t p = 0; p < stream->partition_count; p++) {
			if (stream->wanted[p] == stream->routed[p])
				continue;
			if (moves->count == WEIR_MOVES_BATCH)
				return;
			moves->batch[moves->count++] =
				(struct weir_move){stream, p, stream->routed[p], stream->wanted[p]};
		}
	}
	moves->is_wanted = false;
}

static void set_routes(struct weir_moves *moves, bool back)
{
	for (uint32_t i = 0; i < moves->count; i++) {
		const struct weir_move *move = &moves->batch[i];

		move->stream->routed[move->partition] = back ? move->from : move->to;
	}
}

static void start_batch(struct weir_dataplane *dataplane)
{
	struct weir_moves *moves = &dataplane->moves;

	moves->generation = 0;
	set_routes(moves, false);
	weir_budgets_set(dataplane, dataplane->model);
	if (weir_dataplane_republish(dataplane) == 0) {
		moves->generation = dataplane->generation;
		return;
	}
	/* Without memory nothing has changed: another time. */
	set_routes(moves, true);
	moves->count = 0;
	moves->is_wanted = true;
	weir_budgets_set(dataplane, dataplane->model);
}

void weir_moves_step(struct weir_dataplane *dataplane)
{
	struct weir_moves *moves = &dataplane->moves;

	if (moves->count == 0 && !moves->is_wanted)
		return;
	if (weir_moves_are_under_way(dataplane) || !moves->is_wanted || dataplane->model == NULL)
		return;
	fill_batch(dataplane);
	if (moves->count != 0)
		start_batch(dataplane);
}

static void want(struct weir_dataplane *dataplane)
{
	dataplane->moves.is_wanted = true;
	weir_moves_step(dataplane);
}

static struct weir_stream *find_stream(const struct weir_dataplane *dataplane, const char *name)
{
	const struct weir_model *model = dataplane->model;

	for (uint32_t i = 0; model != NULL && i < model->stream_count; i++)
		if (!model->streams[i].is_draining &&
			strcmp(model->streams[i].object->name, name) == 0)
			return model->streams[i].object;
	return NULL;
}

static bool is_hired(const struct weir_dataplane *dataplane, uint16_t worker)
{
	return worker < dataplane->worker_count && (hired_workers(dataplane) >> worker & 1);
}

int weir_partition_set_worker(
	struct weir_dataplane *dataplane, const char *name, uint16_t partition, uint16_t worker)
{
	struct weir_stream *stream = find_stream(dataplane, name);

	if (stream == NULL)
		return -ENOENT;
	if (partition >= stream->partition_count)
		return -ERANGE;
	if (!is_hired(dataplane, worker))
		return -ENXIO;
	if (!(open_workers(dataplane) >> worker & 1))
		return -EBUSY;
	if (weir_partition_is_alone(dataplane, stream, partition))
		return stream->wanted[partition] == worker ? 0 : -EALREADY;
	stream->wanted[partition] = worker;
	want(dataplane);
	return 0;
}

bool weir_partition_is_alone(const struct weir_dataplane *dataplane,
	const struct weir_stream *stream, uint16_t partition)
{
	uint16_t worker = stream->wanted[partition];
	const struct weir_alone *alone = &dataplane->moves.alone[worker];

	return (dataplane->moves.reserved >> worker & 1) && alone->stream == stream &&
	       alone->partition == partition;
}

static uint32_t count_partitions(const struct weir_model *model)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < model->stream_count; i++)
		count += model->streams[i].object->partition_count;
	return count;
}

/* Returns how many: what has a worker to itself stays there, and is not among them. */
static uint32_t fill_items(const struct weir_dataplane *dataplane, struct weir_balance_item *items)
{
	const struct weir_model *model = dataplane->model;
	uint32_t count = 0;

	for (uint32_t i = 0; i < model->stream_count; i++) {
		const struct weir_stream *stream = model->streams[i].object;

		for (uint16_t p = 0; p < stream->partition_count; p++)
			if (!weir_partition_is_alone(dataplane, stream, p))
				items[count++] = (struct weir_balance_item){
					.weight = weir_partition_weight(stream, p),
					.member = stream->wanted[p]};
	}
	return count;
}

static void take_plan(const struct weir_dataplane *dataplane, const struct weir_balance_item *items,
	bool is_dry, weir_move_visit visit, void *context)
{
	const struct weir_model *model = dataplane->model;

	for (uint32_t i = 0; i < model->stream_count; i++) {
		struct weir_stream *stream = model->streams[i].object;

		for (uint16_t p = 0; p < stream->partition_count; p++) {
			struct weir_move move = {stream, p, stream->wanted[p], 0};

			if (weir_partition_is_alone(dataplane, stream, p))
				continue;
			move.to = items++->member;
			if (move.from == move.to)
				continue;
			if (visit != NULL)
				visit(context, &move);
			if (!is_dry)
				stream->wanted[p] = move.to;
		}
	}
}

/* Balance anew over the workers that are open; with no moves between these if `most` is 0. */
static int balance(struct weir_dataplane *dataplane, uint32_t most, bool is_dry,
	weir_move_visit visit, void *context)
{
	const struct weir_model *model = dataplane->model;
	uint32_t count = model != NULL ? count_partitions(model) : 0;
	struct weir_balance_item *items = calloc(count + 1, sizeof(*items));

	if (items == NULL)
		return -ENOMEM;
	if (count != 0) {
		count = fill_items(dataplane, items);
		if (weir_balance(items, count, open_workers(dataplane), most) != 0)
			take_plan(dataplane, items, is_dry, visit, context);
		if (!is_dry)
			want(dataplane);
	}
	free(items);
	return 0;
}

int weir_workers_rebalance(
	struct weir_dataplane *dataplane, bool is_dry, weir_move_visit visit, void *context)
{
	return balance(dataplane, REBALANCE_MOST, is_dry, visit, context);
}

/* Without memory to publish it, another time. */
static void reassign(struct weir_dataplane *dataplane)
{
	weir_reassign_plan(dataplane);
	dataplane->is_unplaced = weir_dataplane_republish(dataplane) < 0;
}

void weir_moves_share_out(struct weir_dataplane *dataplane)
{
	reassign(dataplane);
	if (balance(dataplane, REBALANCE_MOST, false, NULL, NULL) < 0)
		dataplane->is_unplaced = true;
}

static void set_parked(struct weir_dataplane *dataplane, uint16_t worker, bool on)
{
	uint64_t bit = UINT64_C(1) << worker;

	if (on)
		dataplane->moves.parked |= bit;
	else
		dataplane->moves.parked &= ~bit;
	atomic_store(&dataplane->workers[worker].is_parked, on);
}

int weir_worker_park(struct weir_dataplane *dataplane, uint16_t worker)
{
	uint64_t bit = UINT64_C(1) << (worker & 63);
	int result;

	if (!is_hired(dataplane, worker))
		return -ENXIO;
	if (dataplane->moves.parked & bit)
		return 0;
	if ((open_workers(dataplane) & ~bit) == 0 || (dataplane->moves.reserved & bit))
		return -EBUSY;
	set_parked(dataplane, worker, true);
	result = balance(dataplane, 0, false, NULL, NULL);
	if (result < 0)
		set_parked(dataplane, worker, false);
	else
		reassign(dataplane);
	return result;
}

int weir_worker_wake(struct weir_dataplane *dataplane, uint16_t worker)
{
	if (!is_hired(dataplane, worker))
		return -ENXIO;
	if (!(dataplane->moves.parked >> worker & 1))
		return 0;
	set_parked(dataplane, worker, false);
	reassign(dataplane);
	return balance(dataplane, REBALANCE_MOST, false, NULL, NULL);
}

int weir_partition_isolate(struct weir_dataplane *dataplane, const char *name, uint16_t partition)
{
	struct weir_stream *stream = find_stream(dataplane, name);
	struct weir_moves *moves = &dataplane->moves;
	uint64_t bit;
	int result;

	if (stream == NULL)
		return -ENOENT;
	if (partition >= stream->partition_count)
		return -ERANGE;
	if (weir_partition_is_alone(dataplane, stream, partition))
		return -EALREADY;
	bit = UINT64_C(1) << stream->wanted[partition];
	if ((open_workers(dataplane) & ~bit) == 0)
		return -EBUSY;
	moves->reserved |= bit;
	moves->alone[stream->wanted[partition]] = (struct weir_alone){stream, partition};
	result = balance(dataplane, REBALANCE_MOST, false, NULL, NULL);
	if (result < 0)
		moves->reserved &= ~bit;
	return result;
}

int weir_partition_rejoin(struct weir_dataplane *dataplane, const char *name, uint16_t partition)
{
	struct weir_stream *stream = find_stream(dataplane, name);

	if (stream == NULL)
		return -ENOENT;
	if (partition >= stream->partition_count)
		return -ERANGE;
	if (!weir_partition_is_alone(dataplane, stream, partition))
		return -EALREADY;
	dataplane->moves.reserved &= ~(UINT64_C(1) << stream->wanted[partition]);
	return balance(dataplane, REBALANCE_MOST, false, NULL, NULL);
}

static bool has_stream(const struct weir_model *model, const struct weir_stream *stream)
{
	for (uint32_t i = 0; i < model->stream_count; i++)
		if (model->streams[i].object == stream && !model->streams[i].is_draining)
			return true;
	return false;
}

void weir_moves_follow(struct weir_dataplane *dataplane)
{
	struct weir_moves *moves = &dataplane->moves;

	for (uint16_t id = 0; id < dataplane->worker_count; id++)
		if ((moves->reserved >> id & 1) &&
			!has_stream(dataplane->model, moves->alone[id].stream))
			moves->reserved &= ~(UINT64_C(1) << id);
}
