/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/reassign.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/move.h"
#include "dataplane/produce.h"
#include "dataplane/settle.h"
#include "dataplane/snapshot.h"
#include "place/balance.h"

/*
 * Sleeping on interrupts needs them from every queue that the worker polls. Nothing stands at the
 * queues' descriptors while the worker is awake: the kernel would wake it for each packet.
 */
static void prepare_sleep(struct weir_worker *worker)
{
	worker->has_interrupts = worker->rx_count != 0;
	for (uint32_t i = 0; i < worker->rx_count; i++) {
		worker->waits[i] = (struct pollfd){.fd = worker->rx[i]->wait_fd, .events = POLLIN};
		worker->has_interrupts &= worker->rx[i]->wait_fd >= 0;
	}
}

static void add_queue(struct weir_worker *worker, struct weir_rx_queue *queue)
{
	worker->rx[worker->rx_count] = queue;
	__atomic_store_n(&worker->rx_count, worker->rx_count + 1, __ATOMIC_RELAXED);
}

/* The others keep their order. */
static void remove_queue(struct weir_worker *worker, const struct weir_rx_queue *queue)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < worker->rx_count; i++)
		if (worker->rx[i] != queue)
			worker->rx[kept++] = worker->rx[i];
	__atomic_store_n(&worker->rx_count, kept, __ATOMIC_RELAXED);
}

/* Nothing is taken from it any more. */
static void leave_queue(struct weir_worker *worker, struct weir_rx_queue *queue)
{
	if (queue->port->ops->rx_leave != NULL)
		queue->port->ops->rx_leave(queue->queue);
	queue->tenure.is_leaving = true;
	remove_queue(worker, queue);
}

static bool leave_queues(struct weir_worker *worker)
{
	struct weir_dataplane *dataplane = worker->dataplane;
	bool any = false;

	for (uint32_t i = 0; i < dataplane->rx_count; i++) {
		struct weir_rx_queue *queue = &dataplane->rx[i];

		if (!weir_tenure_is_used(&queue->tenure, worker->id) ||
			weir_tenure_wanted(&queue->tenure) == worker->id)
			continue;
		leave_queue(worker, queue);
		any = true;
	}
	return any;
}

static bool leave_producers(struct weir_worker *worker)
{
	bool any = false;

	weir_list_for_each (node, &worker->producers) {
		struct weir_producer *producer = weir_list_entry(node, struct weir_producer, link);

		if (producer->tenure.is_leaving ||
			weir_tenure_wanted(&producer->tenure) == worker->id)
			continue;
		producer->tenure.is_leaving = true;
		weir_list_remove(&producer->touched);
		any = true;
	}
	return any;
}

static void set_fences(struct weir_worker *worker)
{
	weir_mesh_flush(worker);
	for (uint32_t to = 0; to < worker->dataplane->worker_count; to++)
		if (worker->mesh_out[to].ring != NULL)
			worker->mesh_out[to].fence = weir_fence_of(worker->mesh_out[to].ring);
}

static bool are_fences_passed(const struct weir_worker *worker)
{
	for (uint32_t to = 0; to < worker->dataplane->worker_count; to++)
		if (worker->mesh_out[to].ring != NULL &&
			!weir_fence_is_passed(
				worker->mesh_out[to].ring, worker->mesh_out[to].fence))
			return false;
	return true;
}

/* What was to leave may be wanted here again: it never was anyone else's. */
static void pass_queues(struct weir_worker *worker)
{
	struct weir_dataplane *dataplane = worker->dataplane;

	for (uint32_t i = 0; i < dataplane->rx_count; i++) {
		struct weir_tenure *tenure = &dataplane->rx[i].tenure;

		if (weir_tenure_owner(tenure) == worker->id && tenure->is_leaving)
			weir_tenure_pass(tenure, worker->snapshot->generation);
	}
}

static void pass_producers(struct weir_worker *worker)
{
	struct weir_list *node = worker->producers.next;

	while (node != &worker->producers) {
		struct weir_producer *producer = weir_list_entry(node, struct weir_producer, link);
		uint32_t held;

		node = node->next;
		if (!producer->tenure.is_leaving)
			continue;
		weir_list_remove(&producer->link);
		held = producer->record->held_count;
		if (weir_tenure_pass(&producer->tenure, worker->snapshot->generation))
			worker->produce_held -= held;
		else
			weir_list_add_head(&worker->producers, &producer->link);
	}
}

static void take_all(struct weir_worker *worker)
{
	const struct weir_snapshot *snapshot = worker->snapshot;
	struct weir_dataplane *dataplane = worker->dataplane;

	for (uint32_t i = 0; i < dataplane->rx_count; i++)
		if (weir_tenure_take(&dataplane->rx[i].tenure, worker->id, snapshot->generation))
			add_queue(worker, &dataplane->rx[i]);
	for (uint32_t i = 0; i < WEIR_MAX_PRODUCERS; i++) {
		struct weir_producer *producer = snapshot->producers[i].producer;

		if (producer == NULL ||
			!weir_tenure_take(&producer->tenure, worker->id, snapshot->generation))
			continue;
		worker->produce_held += producer->record->held_count;
		weir_list_add_tail(&worker->producers, &producer->link);
		weir_produce_touch(worker, producer, true);
	}
}

static bool is_due(const struct weir_worker *worker)
{
	const struct weir_dataplane *dataplane = worker->dataplane;

	for (uint32_t i = 0; i < dataplane->rx_count; i++)
		if (weir_tenure_is_due(&dataplane->rx[i].tenure, worker->id))
			return true;
	for (uint32_t i = 0; i < WEIR_MAX_PRODUCERS; i++) {
		const struct weir_producer *producer = worker->snapshot->producers[i].producer;

		if (producer != NULL && weir_tenure_is_due(&producer->tenure, worker->id))
			return true;
	}
	return false;
}

void weir_reassign_sync(struct weir_worker *worker)
{
	worker->is_reassigning = worker->dataplane->worker_count > 1 && is_due(worker);
}

void weir_reassign_step(struct weir_worker *worker)
{
	bool any = leave_queues(worker);

	any |= leave_producers(worker);
	if (any) {
		set_fences(worker);
	} else if (are_fences_passed(worker)) {
		pass_queues(worker);
		pass_producers(worker);
	}
	take_all(worker);
	prepare_sleep(worker);
	worker->is_reassigning = is_due(worker);
	/* Others may wait for it, and so may the control thread. */
	if (!worker->is_reassigning)
		weir_control_notify(worker);
}

static uint32_t count_queues(struct weir_dataplane *dataplane)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < dataplane->port_count; i++)
		count += dataplane->ports[i]->rx_queues;
	return count;
}

/* Queues go round the workers; each port begins at another, so few queues spread too. */
static void share_port(struct weir_dataplane *dataplane, struct weir_port *port)
{
	for (uint16_t q = 0; q < port->rx_queues; q++) {
		struct weir_rx_queue *queue = &dataplane->rx[dataplane->rx_count++];
		uint16_t id = (uint16_t)((port->index + q) % dataplane->staying);

		queue->port = port;
		queue->queue = port->rx_queue[q];
		queue->wait_fd = port->ops->rx_fd(queue->queue);
		weir_tenure_init(&queue->tenure, id, id);
		add_queue(&dataplane->workers[id], queue);
	}
}

int weir_reassign_create(struct weir_dataplane *dataplane)
{
	uint32_t count = count_queues(dataplane);

	dataplane->rx = calloc(count + 1, sizeof(*dataplane->rx));
	if (dataplane->rx == NULL)
		return -ENOMEM;
	for (uint32_t id = 0; id < dataplane->worker_count; id++) {
		struct weir_worker *worker = &dataplane->workers[id];

		worker->rx = calloc(count + 1, sizeof(struct weir_rx_queue *));
		worker->waits = calloc(count + 1, sizeof(*worker->waits));
		if (worker->rx == NULL || worker->waits == NULL)
			return -ENOMEM;
	}
	for (uint32_t i = 0; i < dataplane->port_count; i++)
		share_port(dataplane, dataplane->ports[i]);
	for (uint32_t id = 0; id < dataplane->worker_count; id++)
		prepare_sleep(&dataplane->workers[id]);
	return 0;
}

void weir_reassign_destroy(struct weir_dataplane *dataplane)
{
	for (uint32_t id = 0; dataplane->workers != NULL && id < dataplane->worker_count; id++) {
		free(dataplane->workers[id].rx);
		free(dataplane->workers[id].waits);
	}
	free(dataplane->rx);
}

#define PLAN_SIZE (WEIR_MAX_PORTS * WEIR_PORT_MAX_QUEUES)
_Static_assert(PLAN_SIZE >= WEIR_MAX_PRODUCERS, "producers fit in a plan");

/* Things that weigh the same, to be spread over the workers that take some. */
struct plan {
	struct weir_tenure *tenures[PLAN_SIZE];
	struct weir_balance_item items[PLAN_SIZE];
	uint32_t count;
};

static void plan_add(struct plan *plan, struct weir_tenure *tenure)
{
	if (plan->count == RTE_DIM(plan->items))
		return;
	plan->tenures[plan->count] = tenure;
	plan->items[plan->count++] =
		(struct weir_balance_item){.weight = 1, .member = weir_tenure_wanted(tenure)};
}

static void plan_carry_out(struct plan *plan, uint64_t open)
{
	weir_balance(plan->items, plan->count, open, plan->count);
	for (uint32_t i = 0; i < plan->count; i++)
		weir_tenure_want(plan->tenures[i], plan->items[i].member);
	plan->count = 0;
}

static void add_producer(void *context, struct weir_producer *producer)
{
	plan_add(context, &producer->tenure);
}

static void remember(void *context, struct weir_producer *producer)
{
	(void)context;
	producer->record->worker = weir_tenure_wanted(&producer->tenure);
}

void weir_reassign_plan(struct weir_dataplane *dataplane)
{
	uint64_t open = weir_workers_receiving(dataplane);
	struct plan plan = {.count = 0};

	for (uint32_t i = 0; i < dataplane->rx_count; i++)
		plan_add(&plan, &dataplane->rx[i].tenure);
	plan_carry_out(&plan, open);
	weir_producers_visit(dataplane, add_producer, &plan);
	plan_carry_out(&plan, open);
	weir_producers_visit(dataplane, remember, NULL);
}

struct search {
	uint16_t worker;
	bool is_found;
};

static void look_for(struct search *search, const struct weir_tenure *tenure)
{
	uint16_t owner = weir_tenure_owner(tenure) & (uint16_t)~WEIR_TENURE_PASSED;

	search->is_found |= owner == search->worker || weir_tenure_wanted(tenure) == search->worker;
}

static void look_at_producer(void *context, struct weir_producer *producer)
{
	look_for(context, &producer->tenure);
}

bool weir_reassign_is_clear(const struct weir_dataplane *dataplane, uint16_t worker)
{
	struct search search = {.worker = worker};

	for (uint32_t i = 0; i < dataplane->rx_count; i++)
		look_for(&search, &dataplane->rx[i].tenure);
	weir_producers_visit(
		(struct weir_dataplane *)(uintptr_t)dataplane, look_at_producer, &search);
	return !search.is_found;
}
