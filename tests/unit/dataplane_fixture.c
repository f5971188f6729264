/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <CUnit/Basic.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_mempool.h>

bool plane_environment(void)
{
	static char name[] = "test", lcores[] = "--lcores=0", memory[] = "-m", size[] = "512";
	static char huge[] = "--no-huge", unshared[] = "--no-shconf", pci[] = "--no-pci";
	static char telemetry[] = "--no-telemetry", level[] = "--log-level=error";
	char *arguments[] = {name, lcores, huge, memory, size, unshared, pci, telemetry, level};

	return rte_eal_init(sizeof(arguments) / sizeof(arguments[0]), arguments) >= 0;
}

static void require(bool is_true, const char *what)
{
	if (is_true)
		return;
	fprintf(stderr, "fixture: %s\n", what);
	abort();
}

static uint16_t port_rx(void *queue, struct rte_mbuf **packets, uint16_t count)
{
	(void)queue;
	(void)packets;
	(void)count;
	return 0;
}

static uint16_t port_tx(void *queue, struct rte_mbuf **packets, uint16_t count)
{
	struct plane *plane = queue;
	uint16_t taken = 0;

	while (taken < count && plane->accepts != 0 && plane->sent_count < PLANE_SENT) {
		plane->sent[plane->sent_count++] = packets[taken++];
		plane->accepts--;
	}
	return taken;
}

static int port_fd(void *queue)
{
	(void)queue;
	return -1;
}

static int port_arm(void *queue, bool on)
{
	(void)queue;
	return on ? -1 : 0;
}

static void port_counters(void *driver, struct weir_port_counters *counters)
{
	(void)driver;
	memset(counters, 0, sizeof(*counters));
}

static bool port_link(void *driver)
{
	return driver != NULL;
}

static const struct weir_port_ops port_ops = {
	.rx = port_rx,
	.tx = port_tx,
	.rx_fd = port_fd,
	.rx_arm = port_arm,
	.counters = port_counters,
	.link = port_link,
};

struct parts {
	const char *streams;
	const char *groups;
	const char *more;
	uint32_t workers; /* 0: one */
	uint32_t most;
};

static struct weir_config *parse(const struct parts *parts)
{
	static const char *const cpus[] = {"0", "0", "0,1", "0,1,2", "0,1,2,3"};
	struct weir_config *config = NULL;
	struct weir_error error = {0};
	char text[8192];
	int length = snprintf(text, sizeof(text),
		"{'workers':{'cpus':[%s],'most':%u},'memory':{'hugepages':false,'buffers':16384},%s"
		"'ports':[{'name':'in','driver':'null','descriptors':512},"
		"{'name':'out','driver':'null','descriptors':512}],'streams':%s,'groups':%s}",
		cpus[parts->workers], parts->most, parts->more, parts->streams, parts->groups);

	require(length > 0 && (size_t)length < sizeof(text), "configuration is too long");
	for (char *at = text; *at != '\0'; at++)
		if (*at == '\'')
			*at = '"';
	if (weir_config_parse(text, (size_t)length, &config, &error) < 0)
		fprintf(stderr, "%s: %s\n", error.path, error.reason);
	require(config != NULL, "configuration is refused");
	return config;
}

static void init_port(struct plane *plane, uint16_t index, const struct plane_options *options)
{
	struct weir_port *port = &plane->ports[index];

	snprintf(port->name, sizeof(port->name), "%s", index == 0 ? "in" : "out");
	port->index = index;
	port->mtu = options->mtu != 0 ? options->mtu : 1500;
	port->can_multi_segment = options->multi_segment;
	port->rx_queues = 1;
	port->tx_queues = 1;
	port->rx_queue[0] = plane;
	port->tx_queue[0] = plane;
	port->ops = &port_ops;
	port->driver = plane;
}

/* As the worker's own loop does. */
static void set_clock(struct plane *plane, uint64_t now)
{
	for (uint32_t id = 0; id < plane->dataplane->worker_count; id++) {
		struct weir_worker *worker = &plane->dataplane->workers[id];

		worker->now = now;
		worker->now_us = (uint64_t)(((unsigned __int128)now * worker->us_per_cycle) >> 64);
	}
}

static void follow(struct plane *plane)
{
	for (uint32_t id = 0; id < plane->dataplane->worker_count; id++)
		weir_worker_apply(&plane->dataplane->workers[id], plane->dataplane->published);
}

static void take_census(struct plane *plane)
{
	for (uint32_t id = 0; id < plane->dataplane->worker_count; id++)
		weir_worker_census(&plane->dataplane->workers[id]);
}

struct plane *plane_open_with(
	const char *streams, const char *groups, const struct plane_options *options)
{
	struct weir_config *config = parse(&(struct parts){streams, groups,
		options->more != NULL ? options->more : "", options->workers, options->most});
	struct plane *plane = calloc(1, sizeof(*plane));
	struct weir_port *ports[2];
	struct weir_error error = {0};
	int result;

	require(plane != NULL, "no memory");
	plane->accepts = UINT32_MAX;
	for (uint16_t i = 0; i < 2; i++) {
		init_port(plane, i, options);
		ports[i] = &plane->ports[i];
	}
	result = weir_dataplane_create(config, ports[0]->mtu, &plane->dataplane, &error);
	if (result == 0) {
		plane->dataplane->positions = options->positions;
		result = weir_dataplane_attach(plane->dataplane, ports, 2, &error);
	}
	if (result == 0)
		result = weir_dataplane_apply(plane->dataplane, config, &error);
	require(result == 0, error.reason);
	plane->worker = &plane->dataplane->workers[0];
	set_clock(plane, rte_rdtsc());
	if (options->estate != NULL)
		weir_estate_inherit(options->estate, plane->dataplane, &plane->inheritance);
	else
		follow(plane);
	return plane;
}

struct plane *plane_open(const char *streams, const char *groups)
{
	return plane_open_with(streams, groups, &(const struct plane_options){0});
}

void plane_forget_sent(struct plane *plane)
{
	for (uint32_t i = 0; i < plane->sent_count; i++)
		rte_pktmbuf_free(plane->sent[i]);
	plane->sent_count = 0;
}

static void free_ring(struct rte_ring *ring)
{
	void *packet;

	while (rte_ring_sc_dequeue(ring, &packet) == 0)
		rte_pktmbuf_free(packet);
}

void plane_close(struct plane *plane)
{
	CU_ASSERT_TRUE(plane_law_holds(plane));
	for (uint32_t id = 0; id < plane->dataplane->worker_count; id++)
		weir_worker_purge(&plane->dataplane->workers[id]);
	CU_ASSERT_TRUE(plane_law_holds(plane));
	plane_forget_sent(plane);
	for (uint32_t id = 0; id < plane->dataplane->worker_count; id++)
		free_ring(plane->dataplane->workers[id].to_control);
	CU_ASSERT_EQUAL(rte_mempool_in_use_count(plane->dataplane->buffers), 0);
	CU_ASSERT_EQUAL(rte_mempool_in_use_count(plane->dataplane->copies), 0);
	weir_dataplane_destroy(plane->dataplane);
	free(plane);
}

void plane_staff(struct plane *plane, const char *streams, const char *groups, uint32_t workers)
{
	const struct weir_config *before = weir_dataplane_config(plane->dataplane);
	const struct parts parts = {streams, groups, "", workers, before->workers.most};
	struct weir_error error = {0};

	require(weir_dataplane_apply(plane->dataplane, parse(&parts), &error) == 0, error.reason);
}

void plane_publish(struct plane *plane, const char *streams, const char *groups)
{
	plane_staff(plane, streams, groups, plane->dataplane->staying);
}

void plane_apply(struct plane *plane, const char *streams, const char *groups)
{
	plane_publish(plane, streams, groups);
	follow(plane);
}

void plane_republish(struct plane *plane)
{
	require(weir_dataplane_republish(plane->dataplane) == 0, "no memory");
	follow(plane);
	plane_moves(plane, 64);
	weir_dataplane_reclaim(plane->dataplane);
}

struct find {
	const char *name;
	const struct weir_config_consumer *config;
};

static void find_config(void *context, struct weir_consumer *consumer,
	const struct weir_config_group *group, const struct weir_config_consumer *config)
{
	struct find *find = context;

	(void)group;
	if (strcmp(consumer->name, find->name) == 0)
		find->config = config;
}

struct weir_route_spec plane_route_spec(struct plane *plane, const char *consumer)
{
	struct weir_route_spec spec = {.port = 1,
		.mtu = plane->ports[1].mtu,
		.source_mac = {2, 0, 0, 0, 0, 0xa},
		.next_hop_mac = {2, 0, 0, 0, 0, 0xb},
		.source_port = 4739};
	struct find find = {.name = consumer};

	weir_consumers_visit(plane->dataplane, find_config, &find);
	require(find.config != NULL, "no such blind consumer");
	spec.keep_source = find.config->source == WEIR_SOURCE_KEEP;
	spec.destination = find.config->address;
	spec.destination_port = find.config->port;
	weir_address_parse(
		spec.destination.family == 4 ? "198.51.100.1" : "2001:db8:9::1", &spec.source);
	return spec;
}

void plane_route(struct plane *plane, const char *name, const struct weir_route_spec *spec)
{
	struct weir_consumer *consumer = weir_consumer_find(plane->dataplane, name);
	struct weir_route *route = malloc(sizeof(*route));

	require(consumer != NULL && route != NULL, "no such consumer");
	require(weir_route_build(spec, route) == 0, "no such route");
	weir_consumer_set_route(plane->dataplane, consumer, route);
	weir_consumer_set_closed(plane->dataplane, consumer, WEIR_CLOSED_UNREACHABLE, false);
	plane_republish(plane);
}

void plane_reach(struct plane *plane, const char *consumer)
{
	struct weir_route_spec spec = plane_route_spec(plane, consumer);

	plane_route(plane, consumer, &spec);
}

static void reach_each(void *context, struct weir_consumer *consumer,
	const struct weir_config_group *group, const struct weir_config_consumer *config)
{
	(void)group;
	if (config != NULL)
		plane_reach(context, consumer->name);
}

void plane_reach_all(struct plane *plane)
{
	weir_consumers_visit(plane->dataplane, reach_each, plane);
}

void plane_unreach(struct plane *plane, const char *name)
{
	struct weir_consumer *consumer = weir_consumer_find(plane->dataplane, name);

	require(consumer != NULL, "no such consumer");
	weir_consumer_set_closed(plane->dataplane, consumer, WEIR_CLOSED_UNREACHABLE, true);
	plane_republish(plane);
}

struct rte_mbuf *plane_packet(struct plane *plane, const struct frame_spec *spec)
{
	struct rte_mbuf *packet = rte_pktmbuf_alloc(plane->dataplane->buffers);
	uint8_t frame[FRAME_MAX];
	uint32_t length = frame_build(spec, frame);
	char *data;

	require(packet != NULL, "no buffer left");
	data = rte_pktmbuf_append(packet, (uint16_t)length);
	require(data != NULL, "buffers are too small");
	memcpy(data, frame, length);
	return packet;
}

void plane_receive(struct plane *plane, const struct frame_spec *spec)
{
	struct rte_mbuf *packet = plane_packet(plane, spec);

	plane->worker->trace_rules = atomic_load(&plane->dataplane->trace_rules);
	if (plane->worker->trace_rules != 0)
		weir_trace_receive(plane->worker, &packet, 1);
	weir_classify(plane->worker, &plane->ports[0], &packet, 1);
}

void plane_receive_numbered(
	struct plane *plane, uint8_t source, uint32_t first, uint32_t count, uint16_t length)
{
	uint8_t payload[FRAME_MAX];
	struct frame_spec spec = {.version = 4,
		.source = {4, {10, 0, 0, source}},
		.destination = {4, {192, 0, 2, 1}},
		.source_port = 2055,
		.destination_port = 4739,
		.payload = payload,
		.payload_length = length};

	memset(payload, 0xa5, sizeof(payload));
	for (uint32_t i = 0; i < count; i++) {
		uint32_t number = first + i;

		memcpy(payload, &number, sizeof(number));
		plane_receive(plane, &spec);
	}
}

void plane_advance(struct plane *plane, uint64_t us)
{
	set_clock(plane, plane->worker->now + us * plane->worker->cycles_per_us);
}

const uint8_t *plane_sent(struct plane *plane, uint32_t index, uint32_t *length)
{
	static uint8_t bytes[FRAME_MAX];
	const struct rte_mbuf *packet = plane->sent[index];
	const uint8_t *whole;

	require(index < plane->sent_count, "not so many packets were sent");
	*length = packet->pkt_len;
	require(*length <= sizeof(bytes), "packet is too long");
	whole = rte_pktmbuf_read(packet, 0, *length, bytes);
	require(whole != NULL, "packet's segments do not hold its length");
	return whole;
}

struct frame_view plane_view(struct plane *plane, uint32_t index)
{
	struct frame_view view;
	uint32_t length;
	const uint8_t *frame = plane_sent(plane, index, &length);

	require(frame_read(frame, length, &view), "no UDP frame was sent");
	return view;
}

uint32_t plane_number(struct plane *plane, uint32_t index)
{
	struct frame_view view = plane_view(plane, index);
	uint32_t number;

	require(view.payload_length >= sizeof(number), "payload without a number");
	memcpy(&number, view.payload, sizeof(number));
	return number;
}

struct want {
	const char *stream;
	const char *group;
	struct weir_stream_stats stream_stats;
	struct weir_group_stats group_stats;
};

static void want_stream(void *context, const struct weir_stream_report *report)
{
	struct want *want = context;

	if (strcmp(report->name, want->stream) == 0 && !report->is_draining)
		want->stream_stats = report->stats;
}

static void want_group(void *context, const struct weir_group_report *report)
{
	struct want *want = context;

	if (strcmp(report->stream, want->stream) == 0 &&
		strcmp(report->group->name, want->group) == 0)
		want->group_stats = report->stats;
}

struct weir_stream_stats plane_stream(struct plane *plane, const char *stream)
{
	struct want want = {.stream = stream};

	take_census(plane);
	weir_streams_report(plane->dataplane, want_stream, &want);
	return want.stream_stats;
}

struct weir_group_stats plane_group(struct plane *plane, const char *stream, const char *group)
{
	struct want want = {.stream = stream, .group = group};

	take_census(plane);
	weir_groups_report(plane->dataplane, want_group, &want);
	return want.group_stats;
}

struct weir_consumer_report plane_consumer(struct plane *plane, const char *consumer)
{
	struct weir_consumer_report report;

	weir_consumer_report(
		plane->dataplane, weir_consumer_find(plane->dataplane, consumer), &report);
	return report;
}

static void print_violation(void *context, const struct weir_violation *violation)
{
	(void)context;
	fprintf(stderr, "port %s, stream %s, group %s: received %llu, accounted for %llu\n",
		violation->port != NULL ? violation->port : "-",
		violation->stream != NULL ? violation->stream : "-",
		violation->group != NULL ? violation->group : "-",
		(unsigned long long)violation->received, (unsigned long long)violation->accounted);
}

bool plane_law_holds(struct plane *plane)
{
	take_census(plane);
	return weir_law_check(plane->dataplane, print_violation, NULL) == 0;
}
