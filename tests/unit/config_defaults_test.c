/* SPDX-License-Identifier: BSD-3-Clause */
#include <CUnit/Basic.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "config/config.h"
#include "config_document.h"

static struct weir_config *parse(const char *quoted)
{
	char text[8192];
	struct weir_config *config;
	struct weir_error error = {0};

	CU_ASSERT_FATAL(strlen(quoted) < sizeof(text));
	document_text(quoted, text);
	if (weir_config_parse(text, strlen(text), &config, &error) < 0)
		printf("\n  %s: %s (%s)\n", error.path, error.reason, error.hint);
	CU_ASSERT_PTR_NOT_NULL_FATAL(config);
	return config;
}

static bool is_prefix(const struct weir_prefix *prefix, const char *expected)
{
	char text[64];

	return strcmp(weir_prefix_format(prefix, text, sizeof(text)), expected) == 0;
}

static void test_sections_left_out_have_defaults(void)
{
	struct weir_config *config =
		parse("{'ports':[{'name':'p','driver':'af_packet','interface':'eth0'}]}");

	CU_ASSERT_EQUAL(config->workers.count, 1);
	CU_ASSERT_EQUAL(config->workers.cpus[0], 0);
	CU_ASSERT_EQUAL(config->workers.idle, WEIR_IDLE_AUTO);
	CU_ASSERT_EQUAL(config->workers.stall_ms, 1000);
	CU_ASSERT_EQUAL(config->workers.long_loop_us, 1000);
	CU_ASSERT_TRUE(config->memory.hugepages);
	CU_ASSERT_EQUAL(config->memory.buffers, 32768);
	CU_ASSERT_EQUAL(config->memory.buffer_bytes, 2048);
	CU_ASSERT_STRING_EQUAL(config->control_socket, "/run/weir/weir.sock");
	CU_ASSERT_EQUAL(config->tiers.critical.packets_per_s, 0);
	CU_ASSERT_EQUAL(config->tiers.critical.bits_per_s, 0);
	CU_ASSERT_EQUAL(config->tiers.standard_weight, 4);
	CU_ASSERT_EQUAL(config->tiers.bulk_weight, 1);
	CU_ASSERT_EQUAL(config->native.udp_port, 4150);
	CU_ASSERT_EQUAL(config->native.heartbeat_ms, 200);
	CU_ASSERT_EQUAL(config->native.liveness_ms, 1000);
	CU_ASSERT_EQUAL(config->native.max_frame, 9000);
	CU_ASSERT_EQUAL(config->native.queue_ms, 100);
	CU_ASSERT_EQUAL(config->reach.probe_ms, 1000);
	CU_ASSERT_EQUAL(config->reach.hold_ms, 1500);
	CU_ASSERT_STRING_EQUAL(config->state.file, "");
	CU_ASSERT_EQUAL(config->state.interval_ms, 1000);
	CU_ASSERT_EQUAL(config->quarantine.messages, 1024);
	CU_ASSERT_EQUAL(config->quarantine.bytes, 16777216);
	CU_ASSERT_EQUAL(config->health.throttled_percent, 50);
	CU_ASSERT_EQUAL(config->health.park_ms, 1000);
	CU_ASSERT_EQUAL(config->health.catch_up_ms, 1000);
	CU_ASSERT_TRUE(config->failover.enabled);
	CU_ASSERT_STRING_EQUAL(config->failover.pins, "/sys/fs/bpf/weir");
	CU_ASSERT_EQUAL(config->failover.heartbeat_ms, 50);
	CU_ASSERT_EQUAL(config->failover.gate, 0);
	CU_ASSERT_EQUAL(config->telemetry.address.family, 4);
	CU_ASSERT_EQUAL(config->telemetry.address.bytes[0], 127);
	CU_ASSERT_EQUAL(config->telemetry.port, 9464);
	CU_ASSERT_EQUAL(config->telemetry.interval_ms, 1000);
	CU_ASSERT_EQUAL(config->telemetry.partitions, 1024);
	CU_ASSERT_EQUAL(config->telemetry.consumers, 1024);
	CU_ASSERT_EQUAL(config->log.format, WEIR_LOG_TEXT);
	CU_ASSERT_EQUAL(config->log.per_minute, 60);
	CU_ASSERT_TRUE(config->watchdog.act);
	CU_ASSERT_EQUAL(config->watchdog.per_hour, 6);
	CU_ASSERT_EQUAL(config->alerts.short_s, 60);
	CU_ASSERT_EQUAL(config->alerts.long_s, 900);
	CU_ASSERT_EQUAL(config->alerts.deviation, 4);
	for (int i = 0; i < WEIR_FEATURE_COUNT; i++) {
		CU_ASSERT_TRUE(config->features[i].is_on);
		CU_ASSERT_EQUAL(config->features[i].share_percent, 100);
		CU_ASSERT_EQUAL(config->features[i].stream_count, 0);
	}
	CU_ASSERT_STRING_EQUAL(config->capture.directory, "");
	CU_ASSERT_EQUAL(config->capture.bytes, 104857600);
	CU_ASSERT_FALSE(config->chaos.allow);
	CU_ASSERT_TRUE(config->trace.sample == 0 && config->trace.keep == 256);
	CU_ASSERT_EQUAL(config->trace.contexts_per_s, 100);
	CU_ASSERT_EQUAL(config->trace.collector.address.family, 0);
	CU_ASSERT_TRUE(config->stream_count == 0 && config->group_count == 0);
	weir_config_free(config);
}

static void test_elasticity_is_off_and_has_defaults(void)
{
	struct weir_config *config =
		parse("{'ports':[{'name':'p','driver':'af_packet','interface':'eth0'}]}");

	CU_ASSERT_FALSE(config->elastic.enabled);
	CU_ASSERT_EQUAL(config->elastic.least, 1);
	CU_ASSERT_EQUAL(config->elastic.wake_percent, 75);
	CU_ASSERT_EQUAL(config->elastic.park_percent, 50);
	CU_ASSERT_EQUAL(config->elastic.wake_ms, 1000);
	CU_ASSERT_EQUAL(config->elastic.park_ms, 30000);
	weir_config_free(config);
}

static void test_a_port_left_bare_has_defaults(void)
{
	struct weir_config *config =
		parse("{'ports':[{'name':'p','driver':'null'},"
		      "{'name':'uplink-to-core','driver':'tap','interface':'t','twin':{}},"
		      "{'name':'m','driver':'memif','socket':'/m'}]}");
	const struct weir_config_port *port = &config->ports[0];

	CU_ASSERT_EQUAL(port->queues, 1);
	CU_ASSERT_EQUAL(port->descriptors, 1024);
	CU_ASSERT_EQUAL(port->mtu, 0);
	CU_ASSERT_EQUAL(port->frame_bytes, 0);
	CU_ASSERT_FALSE(port->promiscuous);
	CU_ASSERT_FALSE(port->has_mac);
	CU_ASSERT_FALSE(port->twin.enabled);
	CU_ASSERT_STRING_EQUAL(port->rx_file, "");
	CU_ASSERT_TRUE(config->ports[1].twin.enabled);
	CU_ASSERT_STRING_EQUAL(config->ports[1].twin.name, "weir-uplink-to-");
	CU_ASSERT_EQUAL(config->ports[1].twin.address_count, 0);
	CU_ASSERT_EQUAL(config->ports[2].memif_id, 0);
	CU_ASSERT_FALSE(config->ports[2].memif_server);
	weir_config_free(config);
}

static void test_streams_and_holders_bare_have_defaults(void)
{
	struct weir_config *config =
		parse("{'ports':[{'name':'p','driver':'null'}],"
		      "'streams':[{'name':'s'},{'name':'t','buffers':1000},{'name':'u'}],"
		      "'groups':[{'name':'g','streams':'s','consumers':[{'name':'c',"
		      "'address':'198.51.100.7','port':1}]},"
		      "{'name':'n','class':'native','streams':['s']}]}");
	const struct weir_config_stream *stream = &config->streams[0];
	const struct weir_config_consumer *consumer = &config->groups[0].consumers[0];

	CU_ASSERT_EQUAL(stream->match.vlan, WEIR_VLAN_ANY);
	CU_ASSERT_EQUAL(stream->match.outer_vlan, WEIR_VLAN_ANY);
	CU_ASSERT_EQUAL(stream->match.destination_count, 0);
	CU_ASSERT_EQUAL(stream->match.source_count, 0);
	CU_ASSERT_EQUAL(stream->match.udp_port_count, 0);
	CU_ASSERT_EQUAL(stream->key.kind, WEIR_KEY_5TUPLE);
	CU_ASSERT_EQUAL(stream->tier, WEIR_TIER_STANDARD);
	CU_ASSERT_EQUAL(stream->partitions, 16);
	CU_ASSERT_EQUAL(stream->ring_messages, 4096);
	CU_ASSERT_EQUAL(stream->ring_bytes, 16777216);
	CU_ASSERT_EQUAL(stream->age_ms, 10000);
	CU_ASSERT_EQUAL(stream->templates.bytes, 0);
	/* 8192 under way and one queue of 1024 are not for streams; two share what t leaves. */
	CU_ASSERT_EQUAL(weir_config_reserve(config), 9216);
	CU_ASSERT_EQUAL(stream->buffers, (32768 - 9216 - 1000) / 2);
	CU_ASSERT_EQUAL(config->streams[1].buffers, 1000);
	CU_ASSERT_EQUAL(config->streams[2].buffers, stream->buffers);
	CU_ASSERT_EQUAL(config->groups[0].class, WEIR_CLASS_BLIND);
	CU_ASSERT_EQUAL(config->groups[0].sample, 1);
	CU_ASSERT_EQUAL(config->groups[0].source_count, 0);
	CU_ASSERT_EQUAL(config->groups[1].max_consumers, 16);
	CU_ASSERT_EQUAL(config->groups[1].consumer_count, 0);
	CU_ASSERT_EQUAL(consumer->source, WEIR_SOURCE_REWRITE);
	CU_ASSERT_EQUAL(consumer->rate.packets_per_s, 0);
	CU_ASSERT_EQUAL(consumer->rate.burst_bytes, 0);
	CU_ASSERT_STRING_EQUAL(consumer->egress, "");
	CU_ASSERT_FALSE(consumer->has_mac);
	weir_config_free(config);
}

static void test_delivery_left_bare_has_defaults(void)
{
	struct weir_config *config =
		parse("{'ports':[{'name':'p','driver':'null'}],"
		      "'streams':[{'name':'s','key':'flow'},{'name':'t','producers':{}}],"
		      "'groups':[{'name':'g','class':'native','streams':'s','window':{}},"
		      "{'name':'h','streams':'s','consumers':[{'name':'c',"
		      "'address':'198.51.100.7','port':1}]}]}");
	const struct weir_config_stream *s = &config->streams[0], *t = &config->streams[1];
	const struct weir_config_group *g = &config->groups[0];

	CU_ASSERT_EQUAL(s->retain_ms, 0);
	CU_ASSERT_EQUAL(s->drain_ms, 10000);
	CU_ASSERT_EQUAL(s->deadline_ms, 0);
	CU_ASSERT_EQUAL(s->templates.bytes, 262144);
	CU_ASSERT_EQUAL(s->templates.lifetime_s, 1800);
	CU_ASSERT_EQUAL(s->producers.max, 0);
	CU_ASSERT_EQUAL(t->producers.max, 16);
	CU_ASSERT_EQUAL(t->producers.rate.packets_per_s, 0);
	CU_ASSERT_STRING_EQUAL(t->producers.key_file, "");
	CU_ASSERT_TRUE(g->is_reliable);
	CU_ASSERT_EQUAL(g->window.messages, 0);
	CU_ASSERT_EQUAL(g->window.bytes, 0);
	CU_ASSERT_EQUAL(g->lane_window.messages, 0);
	CU_ASSERT_EQUAL(g->lane_window.bytes, 0);
	CU_ASSERT_EQUAL(g->attempts, 10);
	CU_ASSERT_EQUAL(g->retry_percent, 25);
	CU_ASSERT_EQUAL(g->moves, 4);
	CU_ASSERT_EQUAL(g->drain_ms, 500);
	CU_ASSERT_EQUAL(g->rebalance_s, 0);
	CU_ASSERT_EQUAL(weir_config_weight(g, "anyone"), 100);
	CU_ASSERT_STRING_EQUAL(g->key_file, "");
	CU_ASSERT_STRING_EQUAL(config->groups[1].key_file, "");
	weir_config_free(config);
}

static void test_sections_are_taken_over(void)
{
	struct weir_config *config = parse(WHOLE);

	CU_ASSERT_EQUAL(config->workers.count, 2);
	CU_ASSERT_EQUAL(config->workers.cpus[0], 3);
	CU_ASSERT_EQUAL(config->workers.cpus[1], 1);
	CU_ASSERT_EQUAL(config->workers.idle, WEIR_IDLE_SLEEP);
	CU_ASSERT_EQUAL(config->workers.stall_ms, 2000);
	CU_ASSERT_EQUAL(config->workers.long_loop_us, 500);
	CU_ASSERT_FALSE(config->memory.hugepages);
	CU_ASSERT_EQUAL(config->memory.buffers, 65536);
	CU_ASSERT_EQUAL(config->memory.buffer_bytes, 4096);
	CU_ASSERT_STRING_EQUAL(config->control_socket, "/tmp/w.sock");
	CU_ASSERT_EQUAL(config->tiers.critical.packets_per_s, 20000);
	CU_ASSERT_EQUAL(config->tiers.critical.bits_per_s, 1000000000);
	CU_ASSERT_EQUAL(config->tiers.standard_weight, 8);
	CU_ASSERT_EQUAL(config->tiers.bulk_weight, 2);
	CU_ASSERT_EQUAL(config->native.udp_port, 5000);
	CU_ASSERT_EQUAL(config->native.heartbeat_ms, 100);
	CU_ASSERT_EQUAL(config->native.liveness_ms, 500);
	CU_ASSERT_EQUAL(config->native.max_frame, 8000);
	CU_ASSERT_EQUAL(config->native.queue_ms, 50);
	CU_ASSERT_EQUAL(config->reach.probe_ms, 500);
	CU_ASSERT_EQUAL(config->reach.hold_ms, 0);
	CU_ASSERT_STRING_EQUAL(config->state.file, "/var/lib/weir/state");
	CU_ASSERT_EQUAL(config->state.interval_ms, 250);
	CU_ASSERT_EQUAL(config->quarantine.messages, 64);
	CU_ASSERT_EQUAL(config->quarantine.bytes, 1048576);
	CU_ASSERT_EQUAL(config->health.throttled_percent, 75);
	CU_ASSERT_EQUAL(config->health.park_ms, 300);
	CU_ASSERT_EQUAL(config->health.catch_up_ms, 4000);
	CU_ASSERT_FALSE(config->failover.enabled);
	CU_ASSERT_STRING_EQUAL(config->failover.pins, "/run/bpf/w");
	CU_ASSERT_EQUAL(config->failover.heartbeat_ms, 20);
	CU_ASSERT_EQUAL(config->failover.gate, 512);
	weir_config_free(config);
}

static void test_ports_are_taken_over(void)
{
	static const uint8_t mac[6] = {2, 0, 0, 0, 0x0a, 0xff};
	struct weir_config *config = parse(WHOLE);
	const struct weir_config_port *nic = &config->ports[0];

	CU_ASSERT_EQUAL_FATAL(config->port_count, 8);
	for (unsigned int i = 0; i < 8; i++)
		CU_ASSERT_EQUAL(config->ports[i].driver,
			((enum weir_driver[]){WEIR_DRIVER_PCI, WEIR_DRIVER_AF_PACKET,
				WEIR_DRIVER_AF_XDP, WEIR_DRIVER_TAP, WEIR_DRIVER_MEMIF,
				WEIR_DRIVER_PCAP, WEIR_DRIVER_NULL, WEIR_DRIVER_XDP})[i]);
	CU_ASSERT_STRING_EQUAL(nic->name, "nic");
	CU_ASSERT_STRING_EQUAL(nic->device, "0000:03:00.0");
	CU_ASSERT_EQUAL(nic->queues, 0);
	CU_ASSERT_EQUAL(nic->descriptors, 512);
	CU_ASSERT_EQUAL(nic->mtu, 9000);
	CU_ASSERT_TRUE(nic->promiscuous);
	CU_ASSERT_TRUE(nic->has_mac);
	CU_ASSERT_EQUAL(memcmp(nic->mac, mac, sizeof(mac)), 0);
	CU_ASSERT_TRUE(nic->twin.enabled);
	CU_ASSERT_STRING_EQUAL(nic->twin.name, "wn");
	CU_ASSERT_EQUAL_FATAL(nic->twin.address_count, 2);
	CU_ASSERT_TRUE(is_prefix(&nic->twin.addresses[0], "192.0.2.1/24"));
	CU_ASSERT_TRUE(is_prefix(&nic->twin.addresses[1], "2001:db8::1/64"));
	CU_ASSERT_STRING_EQUAL(config->ports[1].interface, "eth0");
	CU_ASSERT_EQUAL(config->ports[1].queues, 2);
	CU_ASSERT_STRING_EQUAL(config->ports[3].interface, "wtap0");
	CU_ASSERT_STRING_EQUAL(config->ports[3].twin.name, "weir-tap");
	CU_ASSERT_STRING_EQUAL(config->ports[4].socket, "/run/m.sock");
	CU_ASSERT_EQUAL(config->ports[4].memif_id, 7);
	CU_ASSERT_TRUE(config->ports[4].memif_server);
	CU_ASSERT_STRING_EQUAL(config->ports[5].rx_file, "in.pcap");
	CU_ASSERT_STRING_EQUAL(config->ports[5].tx_file, "out.pcap");
	CU_ASSERT_TRUE(config->ports[5].loop);
	CU_ASSERT_EQUAL(config->ports[6].frame_bytes, 1400);
	CU_ASSERT_EQUAL(config->ports[7].xdp_mode, WEIR_XDP_NATIVE);
	/* Queues of their own memory: all that the interface has, and many packets in each. */
	CU_ASSERT_EQUAL(config->ports[7].queues, 0);
	CU_ASSERT_EQUAL(config->ports[7].descriptors, 4096);
	weir_config_free(config);
}

static void test_streams_are_taken_over(void)
{
	struct weir_config *config = parse(WHOLE);
	const struct weir_config_stream *a = &config->streams[0], *b = &config->streams[1];
	const struct weir_port_range *ports = a->match.udp_ports;

	CU_ASSERT_EQUAL_FATAL(config->stream_count, 3);
	CU_ASSERT_STRING_EQUAL(a->name, "a");
	CU_ASSERT_EQUAL(a->match.vlan, 100);
	CU_ASSERT_EQUAL(a->match.outer_vlan, 200);
	CU_ASSERT_EQUAL_FATAL(a->match.destination_count, 2);
	CU_ASSERT_TRUE(is_prefix(&a->match.destinations[0], "192.0.2.1/32"));
	CU_ASSERT_TRUE(is_prefix(&a->match.destinations[1], "2001:db8::/32"));
	CU_ASSERT_EQUAL_FATAL(a->match.source_count, 1);
	CU_ASSERT_TRUE(is_prefix(&a->match.sources[0], "10.0.0.0/8"));
	CU_ASSERT_EQUAL_FATAL(a->match.udp_port_count, 3);
	CU_ASSERT(ports[0].first == 4739 && ports[0].last == 4739);
	CU_ASSERT(ports[1].first == 9990 && ports[1].last == 9999);
	CU_ASSERT(ports[2].first == 53 && ports[2].last == 53);
	CU_ASSERT_EQUAL(a->key.kind, WEIR_KEY_BYTES);
	CU_ASSERT_EQUAL(a->key.offset, 4);
	CU_ASSERT_EQUAL(a->key.length, 8);
	CU_ASSERT_EQUAL(a->partitions, 64);
	CU_ASSERT_EQUAL(a->tier, WEIR_TIER_CRITICAL);
	CU_ASSERT_EQUAL(a->ring_messages, 1024);
	CU_ASSERT_EQUAL(a->ring_bytes, 1048576);
	CU_ASSERT_EQUAL(a->age_ms, 0);
	CU_ASSERT_EQUAL(a->retain_ms, 60000);
	CU_ASSERT_EQUAL(a->drain_ms, 2000);
	CU_ASSERT_EQUAL(a->deadline_ms, 700);
	CU_ASSERT_EQUAL(a->buffers, 4096);
	CU_ASSERT_EQUAL(a->producers.max, 3);
	CU_ASSERT_EQUAL(a->producers.rate.packets_per_s, 9000);
	CU_ASSERT_STRING_EQUAL(a->producers.key_file, "/etc/weir/a.key");
	CU_ASSERT_EQUAL(b->match.vlan, WEIR_VLAN_NONE);
	CU_ASSERT_EQUAL(b->match.outer_vlan, WEIR_VLAN_NONE);
	CU_ASSERT_EQUAL(b->key.kind, WEIR_KEY_GTPU);
	CU_ASSERT_EQUAL(b->tier, WEIR_TIER_BULK);
	weir_config_free(config);
}

static void test_groups_are_taken_over(void)
{
	struct weir_config *config = parse(WHOLE);
	const struct weir_config_group *g = &config->groups[0], *n = &config->groups[1];
	const struct weir_config_group *h = &config->groups[2];
	const struct weir_config_consumer *c1 = &g->consumers[0], *c2 = &g->consumers[1];
	char text[WEIR_ADDRESS_TEXT];

	CU_ASSERT_EQUAL_FATAL(config->group_count, 3);
	CU_ASSERT_EQUAL(g->class, WEIR_CLASS_BLIND);
	CU_ASSERT_EQUAL_FATAL(g->stream_count, 2);
	CU_ASSERT_STRING_EQUAL(g->streams[0], "a");
	CU_ASSERT_STRING_EQUAL(g->streams[1], "b");
	CU_ASSERT_EQUAL(g->sample, 10);
	CU_ASSERT_EQUAL_FATAL(g->source_count, 2);
	CU_ASSERT_TRUE(is_prefix(&g->sources[1], "2001:db8:1::/48"));
	CU_ASSERT_EQUAL_FATAL(g->consumer_count, 2);
	weir_address_format(&c1->address, text, sizeof(text));
	CU_ASSERT_STRING_EQUAL(text, "198.51.100.7");
	CU_ASSERT_EQUAL(c1->port, 9995);
	CU_ASSERT_EQUAL(c1->source, WEIR_SOURCE_KEEP);
	CU_ASSERT_EQUAL(c1->rate.packets_per_s, 50000);
	CU_ASSERT_EQUAL(c1->rate.bits_per_s, 100000000);
	CU_ASSERT_EQUAL(c1->rate.burst_packets, 64);
	CU_ASSERT_EQUAL(c1->rate.burst_bytes, 65536);
	CU_ASSERT_STRING_EQUAL(c1->egress, "eth");
	CU_ASSERT_TRUE(c1->has_mac);
	CU_ASSERT_EQUAL(c1->mac[5], 7);
	weir_address_format(&c2->address, text, sizeof(text));
	CU_ASSERT_STRING_EQUAL(text, "2001:db8::7");
	CU_ASSERT_EQUAL(n->class, WEIR_CLASS_NATIVE);
	CU_ASSERT_STRING_EQUAL(n->streams[0], "c");
	CU_ASSERT_EQUAL(n->consumer_rate.bits_per_s, 1000);
	CU_ASSERT_EQUAL(n->max_consumers, 3);
	CU_ASSERT_FALSE(n->is_reliable);
	CU_ASSERT_EQUAL(n->window.messages, 5000);
	CU_ASSERT_EQUAL(n->window.bytes, 67108864);
	CU_ASSERT_EQUAL(n->lane_window.messages, 100);
	CU_ASSERT_EQUAL(n->lane_window.bytes, 65536);
	CU_ASSERT_EQUAL(n->attempts, 4);
	CU_ASSERT_EQUAL(n->retry_percent, 10);
	CU_ASSERT_EQUAL(n->moves, 8);
	CU_ASSERT_EQUAL(n->drain_ms, 250);
	CU_ASSERT_EQUAL(n->rebalance_s, 30);
	CU_ASSERT_EQUAL(weir_config_weight(n, "large"), 300);
	CU_ASSERT_EQUAL(weir_config_weight(n, "other"), 100);
	CU_ASSERT_STRING_EQUAL(n->key_file, "/etc/weir/n.key");
	CU_ASSERT_EQUAL(h->class, WEIR_CLASS_ASSISTED);
	CU_ASSERT_EQUAL_FATAL(h->consumer_count, 1);
	CU_ASSERT_STRING_EQUAL(h->consumers[0].name, "c3");
	CU_ASSERT_STRING_EQUAL(h->key_file, "/etc/weir/h.key");
	weir_config_free(config);
}

static void test_the_digest_knows_the_content_not_the_spelling(void)
{
	struct weir_config *a = parse("{'ports':[{'name':'p','driver':'null'}],'streams':[]}");
	struct weir_config *b =
		parse(" {\n'streams' : [ ],\t'ports':[{'driver':'null','name':'\\u0070'}]}");
	struct weir_config *c = parse("{'ports':[{'name':'q','driver':'null'}],'streams':[]}");
	struct weir_config *again;
	unsigned char hash[crypto_hash_sha256_BYTES];
	char digest[65];

	CU_ASSERT_STRING_EQUAL(
		a->json, "{\"ports\":[{\"driver\":\"null\",\"name\":\"p\"}],\"streams\":[]}");
	CU_ASSERT_STRING_EQUAL(a->json, b->json);
	CU_ASSERT_STRING_EQUAL(a->digest, b->digest);
	CU_ASSERT_STRING_NOT_EQUAL(a->digest, c->digest);
	crypto_hash_sha256(hash, (const unsigned char *)a->json, strlen(a->json));
	CU_ASSERT_STRING_EQUAL(a->digest, sodium_bin2hex(digest, 65, hash, sizeof(hash)));
	/* What is kept loads again, to the same. */
	again = parse(a->json);
	CU_ASSERT_STRING_EQUAL(again->digest, a->digest);
	weir_config_free(a);
	weir_config_free(b);
	weir_config_free(c);
	weir_config_free(again);
}

static void test_objects_are_found_by_name(void)
{
	struct weir_config *config = parse(WHOLE);

	CU_ASSERT_EQUAL(weir_config_find_port(config, "nul"), 6);
	CU_ASSERT_EQUAL(weir_config_find_port(config, "nu"), -1);
	CU_ASSERT_EQUAL(weir_config_find_stream(config, "c"), 2);
	CU_ASSERT_EQUAL(weir_config_find_stream(config, "g"), -1);
	CU_ASSERT_EQUAL(weir_config_find_group(config, "n"), 1);
	CU_ASSERT_EQUAL(weir_config_find_group(config, ""), -1);
	weir_config_free(config);
}

static void test_names_end_with_their_enum(void)
{
	CU_ASSERT_STRING_EQUAL(weir_driver_name(WEIR_DRIVER_PCI), "pci");
	CU_ASSERT_STRING_EQUAL(weir_driver_name(WEIR_DRIVER_NULL), "null");
	CU_ASSERT_PTR_NULL(weir_driver_name(WEIR_DRIVER_NULL + 1));
	CU_ASSERT_STRING_EQUAL(weir_tier_name(WEIR_TIER_BULK), "bulk");
	CU_ASSERT_PTR_NULL(weir_tier_name(WEIR_TIERS));
	CU_ASSERT_STRING_EQUAL(weir_class_name(WEIR_CLASS_BLIND), "blind");
	CU_ASSERT_STRING_EQUAL(weir_class_name(WEIR_CLASS_ASSISTED), "assisted");
	CU_ASSERT_STRING_EQUAL(weir_class_name(WEIR_CLASS_NATIVE), "native");
	CU_ASSERT_PTR_NULL(weir_class_name(WEIR_CLASS_NATIVE + 1));
	CU_ASSERT_STRING_EQUAL(weir_source_mode_name(WEIR_SOURCE_KEEP), "keep");
	CU_ASSERT_PTR_NULL(weir_source_mode_name(WEIR_SOURCE_KEEP + 1));
	CU_ASSERT_STRING_EQUAL(weir_idle_name(WEIR_IDLE_SLEEP), "sleep");
	CU_ASSERT_PTR_NULL(weir_idle_name(WEIR_IDLE_SLEEP + 1));
	CU_ASSERT_STRING_EQUAL(weir_xdp_mode_name(WEIR_XDP_AUTO), "auto");
	CU_ASSERT_STRING_EQUAL(weir_xdp_mode_name(WEIR_XDP_ZERO_COPY), "zero_copy");
	CU_ASSERT_PTR_NULL(weir_xdp_mode_name(WEIR_XDP_ZERO_COPY + 1));
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"sections left out have defaults", test_sections_left_out_have_defaults},
		{"elasticity is off and has defaults", test_elasticity_is_off_and_has_defaults},
		{"a port left bare has defaults", test_a_port_left_bare_has_defaults},
		{"streams and groups left bare have defaults",
			test_streams_and_holders_bare_have_defaults},
		{"delivery left bare has defaults", test_delivery_left_bare_has_defaults},
		{"sections are taken over", test_sections_are_taken_over},
		{"ports are taken over", test_ports_are_taken_over},
		{"streams are taken over", test_streams_are_taken_over},
		{"groups are taken over", test_groups_are_taken_over},
		{"the digest knows the content, not the spelling",
			test_the_digest_knows_the_content_not_the_spelling},
		{"objects are found by name", test_objects_are_found_by_name},
		{"names end with their enum", test_names_end_with_their_enum},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{"defaults and values", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};

	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 1;
	CU_basic_run_tests();
	return CU_get_number_of_failures() != 0;
}
