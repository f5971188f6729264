/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/capacity.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/gateway.h"
#include "control/health.h"
#include "dataplane/consumer.h"
#include "dataplane/report.h"
#include "dataplane/snapshot.h"
#include "host/machine.h"

#define LEAST_S      0.1 /* between two measurements */
#define WIRE_BYTES   24  /* of each frame on Ethernet beside what is counted: gap, preamble, FCS */
#define HEADER_BYTES 28  /* of a datagram, as limits in bits count it; 20 more for IPv6 */

struct port_rates {
	struct weir_capacity_rate received, received_bytes, sent, sent_bytes;
};

struct consumer_rates {
	const struct weir_consumer *consumer; /* NULL: none has the slot */
	uint64_t session;
	struct weir_capacity_rate messages, datagrams, bytes;
};

struct weir_capacities {
	struct weir_gateway *gateway;
	uint64_t looked_ns;
	struct port_rates ports[WEIR_MAX_PORTS];
	struct consumer_rates *consumers; /* by slot */
	uint32_t left_out;                /* consumers, of the newest look */
};

int weir_capacities_create(struct weir_gateway *gateway, struct weir_capacities **out)
{
	struct weir_capacities *capacities = calloc(1, sizeof(*capacities));

	*out = capacities;
	if (capacities == NULL)
		return -ENOMEM;
	capacities->gateway = gateway;
	capacities->consumers = calloc(WEIR_MAX_CONSUMERS, sizeof(*capacities->consumers));
	return capacities->consumers == NULL ? -ENOMEM : 0;
}

void weir_capacities_destroy(struct weir_capacities *capacities)
{
	if (capacities == NULL)
		return;
	free(capacities->consumers);
	free(capacities);
}

/* Measuring. */

struct measurement {
	struct weir_capacities *capacities;
	double seconds;
	uint32_t left; /* consumers that may still be measured */
};

static void measure_port(void *context, const struct weir_port_report *port)
{
	const struct measurement *pass = context;
	struct port_rates *rates = &pass->capacities->ports[port->port->index];

	weir_capacity_follow(&rates->received, port->stats.received, pass->seconds);
	weir_capacity_follow(&rates->received_bytes, port->stats.received_bytes, pass->seconds);
	weir_capacity_follow(&rates->sent, port->stats.sent, pass->seconds);
	weir_capacity_follow(&rates->sent_bytes, port->stats.sent_bytes, pass->seconds);
}

static void measure_consumer(void *context, struct weir_consumer *consumer,
	const struct weir_config_group *group, const struct weir_config_consumer *config)
{
	struct measurement *pass = context;
	struct consumer_rates *rates = &pass->capacities->consumers[consumer->slot];
	struct weir_consumer_report report;

	(void)group;
	(void)config;
	if (pass->left == 0) {
		pass->capacities->left_out++;
		return;
	}
	pass->left--;
	if (rates->consumer != consumer || rates->session != consumer->session)
		*rates =
			(struct consumer_rates){.consumer = consumer, .session = consumer->session};
	weir_consumer_report(pass->capacities->gateway->dataplane, consumer, &report);
	weir_capacity_follow(&rates->messages, report.stats.delivered, pass->seconds);
	weir_capacity_follow(&rates->datagrams, report.stats.datagrams, pass->seconds);
	weir_capacity_follow(&rates->bytes, report.stats.delivered_bytes, pass->seconds);
}

/* Rows. */

struct pass {
	struct weir_capacities *capacities;
	weir_capacity_visit visit;
	void *context;
	double messages_per_s[WEIR_MAX_WORKERS]; /* of its partitions */
	double held;                             /* buffers, of all streams */
};

static void give(const struct pass *pass, struct weir_capacity *capacity, const char *name)
{
	snprintf(capacity->name, sizeof(capacity->name), "%s", name);
	pass->visit(pass->context, capacity);
}

static void add_partition(void *context, const struct weir_partition_report *partition)
{
	struct pass *pass = context;

	pass->messages_per_s[partition->owner] += partition->messages_per_s;
}

static void give_worker(void *context, const struct weir_worker_report *worker)
{
	const struct pass *pass = context;
	double messages = pass->messages_per_s[worker->id];
	double busy = worker->load_percent / 100;
	char name[8];

	if (!worker->is_running || worker->is_parked)
		return;
	snprintf(name, sizeof(name), "%u", worker->id);
	give(pass,
		&(struct weir_capacity){.kind = WEIR_CAPACITY_WORKER,
			.what = "duty",
			.unit = "ratio",
			.now = busy,
			.limit = 1,
			.cycles_per_message = messages >= 1 ? busy * (double)worker->cycles_per_us *
								      1e6 / messages
							    : 0},
		name);
}

static void give_stream(void *context, const struct weir_stream_report *stream)
{
	struct pass *pass = context;

	pass->held += stream->buffers_used;
	if (stream->is_draining)
		return;
	give(pass,
		&(struct weir_capacity){.kind = WEIR_CAPACITY_STREAM,
			.what = "budget",
			.unit = "buffers",
			.now = stream->buffers_used,
			.limit = stream->buffers},
		stream->name);
}

/* Receive queues are always full of buffers: what streams hold is what grows. */
static void give_pool(void *context, const struct weir_pool_report *pool)
{
	const struct pass *pass = context;
	double used = (double)pool->size - pool->available;
	double grows = strcmp(pool->name, "receive") == 0 && pass->held < used ? pass->held : used;

	give(pass,
		&(struct weir_capacity){.kind = WEIR_CAPACITY_POOL,
			.what = "buffers",
			.unit = "buffers",
			.now = used,
			.fixed = used - grows,
			.limit = pool->size},
		pool->name);
}

/* Of the kernel's interface, or of the device; 0: nobody knows. */
static double speed_bps(const struct weir_gateway *gateway, const struct weir_port *port)
{
	const struct weir_config_port *config =
		&weir_dataplane_config(gateway->dataplane)->ports[port->index];
	char path[64], text[16];
	long mbps;

	if (config->driver == WEIR_DRIVER_PCI)
		return port->ops->speed != NULL ? 1e6 * port->ops->speed(port->driver) : 0;
	if (config->interface[0] == '\0' || config->driver == WEIR_DRIVER_TAP)
		return 0;
	snprintf(path, sizeof(path), "/sys/class/net/%s/speed", config->interface);
	if (weir_machine_line(path, text, sizeof(text)) < 0)
		return 0;
	mbps = strtol(text, NULL, 10);
	return mbps > 0 ? 1e6 * (double)mbps : 0;
}

static void give_way(const struct pass *pass, const struct weir_port *port, const char *what,
	double frames_per_s, double bytes_per_s, double limit)
{
	give(pass,
		&(struct weir_capacity){.kind = WEIR_CAPACITY_PORT,
			.what = what,
			.unit = "bits_per_s",
			.now = 8 * (bytes_per_s + WIRE_BYTES * frames_per_s),
			.limit = limit},
		port->name);
}

static void give_ports(const struct pass *pass)
{
	const struct weir_dataplane *dataplane = pass->capacities->gateway->dataplane;

	for (uint32_t i = 0; i < dataplane->port_count; i++) {
		const struct weir_port *port = dataplane->ports[i];
		const struct port_rates *rates = &pass->capacities->ports[port->index];
		double limit = speed_bps(pass->capacities->gateway, port);

		if (limit == 0)
			continue;
		give_way(pass, port, "receive", rates->received.per_s, rates->received_bytes.per_s,
			limit);
		give_way(pass, port, "transmit", rates->sent.per_s, rates->sent_bytes.per_s, limit);
	}
}

static void give_limit(const struct pass *pass, const struct weir_consumer *consumer,
	const char *what, const char *unit, double now, double limit)
{
	if (limit > 0)
		give(pass,
			&(struct weir_capacity){.kind = WEIR_CAPACITY_CONSUMER,
				.what = what,
				.unit = unit,
				.now = now,
				.limit = limit},
			consumer->name);
}

static void give_consumer(const struct pass *pass, const struct consumer_rates *rates)
{
	const struct weir_consumer *consumer = rates->consumer;
	double service_ns = (double)atomic_load(&consumer->service_ns);
	struct weir_health_status status;

	give_limit(pass, consumer, "packet_rate", "packets_per_s", rates->datagrams.per_s,
		(double)consumer->rate.packets_per_s);
	give_limit(pass, consumer, "bit_rate", "bits_per_s",
		8 * (rates->bytes.per_s + HEADER_BYTES * rates->datagrams.per_s),
		(double)consumer->rate.bits_per_s);
	if (consumer->class != WEIR_CLASS_NATIVE)
		return;
	give_limit(pass, consumer, "work", "messages_per_s", rates->messages.per_s,
		service_ns > 0 ? 1e9 / service_ns : 0);
	if (weir_health_status(pass->capacities->gateway->health, consumer, &status))
		give_limit(pass, consumer, "window", "messages", (double)status.backlog.flying,
			consumer->window.messages);
}

void weir_capacities_visit(
	struct weir_capacities *capacities, weir_capacity_visit visit, void *context)
{
	struct weir_gateway *gateway = capacities->gateway;
	struct pass pass = {.capacities = capacities, .visit = visit, .context = context};

	weir_partitions_report_all(gateway->dataplane, add_partition, &pass);
	weir_workers_report(gateway->dataplane, give_worker, &pass);
	weir_streams_report(gateway->dataplane, give_stream, &pass);
	weir_pools_report(gateway->dataplane, give_pool, &pass);
	give_ports(&pass);
	for (uint32_t slot = 0; slot < WEIR_MAX_CONSUMERS; slot++) {
		const struct consumer_rates *rates = &capacities->consumers[slot];
		const struct weir_consumer *consumer =
			gateway->dataplane->published->consumers[slot];

		if (consumer != NULL && rates->consumer == consumer &&
			rates->session == consumer->session)
			give_consumer(&pass, rates);
	}
}

static void keep_least(void *context, const struct weir_capacity *capacity)
{
	double *least = context;

	least[capacity->kind] = fmin(least[capacity->kind], weir_capacity_factor(capacity));
}

static void add_samples(struct weir_capacities *capacities, struct weir_samples *samples)
{
	double least[WEIR_CAPACITY_KINDS];

	for (int kind = 0; kind < WEIR_CAPACITY_KINDS; kind++)
		least[kind] = INFINITY;
	weir_capacities_visit(capacities, keep_least, least);
	weir_samples_unlabel(samples, 0);
	for (int kind = 0; kind < WEIR_CAPACITY_KINDS; kind++)
		if (isfinite(least[kind]))
			weir_samples_add_with(samples, WEIR_METRIC_ID_CAPACITY, "resource",
				weir_capacity_kind_name((enum weir_capacity_kind)kind),
				least[kind]);
}

void weir_capacities_look(
	struct weir_capacities *capacities, uint64_t now_ns, struct weir_samples *samples)
{
	const struct weir_config *config = weir_dataplane_config(capacities->gateway->dataplane);
	struct measurement pass = {.capacities = capacities,
		.seconds = (double)(now_ns - capacities->looked_ns) / 1e9,
		.left = config->telemetry.consumers};

	if (pass.seconds >= LEAST_S) {
		capacities->looked_ns = now_ns;
		capacities->left_out = 0;
		weir_ports_report(capacities->gateway->dataplane, measure_port, &pass);
		weir_consumers_visit(capacities->gateway->dataplane, measure_consumer, &pass);
	}
	add_samples(capacities, samples);
}

uint32_t weir_capacities_left_out(const struct weir_capacities *capacities)
{
	return capacities->left_out;
}
