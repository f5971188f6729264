/* SPDX-License-Identifier: BSD-3-Clause */
#include <CUnit/Basic.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "config_document.h"

static int parse(const char *quoted, struct weir_config **config, struct weir_error *error)
{
	char *text = malloc(strlen(quoted) + 1);
	int rc;

	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	document_text(quoted, text);
	rc = weir_config_parse(text, strlen(text), config, error);
	free(text);
	return rc;
}

static void accept(const char *quoted)
{
	struct weir_config *config;
	struct weir_error error = {0};

	if (parse(quoted, &config, &error) < 0)
		printf("\n  %s: %s (%s)\n", error.path, error.reason, error.hint);
	CU_ASSERT_PTR_NOT_NULL(config);
	weir_config_free(config);
}

static void refuse(const char *quoted, const char *path)
{
	struct weir_config *config;
	struct weir_error error = {0};

	CU_ASSERT_EQUAL(parse(quoted, &config, &error), -EINVAL);
	if (strcmp(error.path, path) != 0)
		printf("\n  %s: %s instead of %s\n", error.path, error.reason, path);
	CU_ASSERT_STRING_EQUAL(error.path, path);
	weir_config_free(config);
}

#define PORTS        "'ports':[{'name':'up0','driver':'null'}]"
#define WITH(text)   "{" PORTS "," text "}"
#define PORT(text)   "{'ports':[{'name':'p','driver':" text "}]}"
#define STREAM(text) "{" PORTS ",'memory':{'buffers':16777216},'streams':[{'name':'s'," text "}]}"
#define RATE(text)   WITH("'tiers':{'critical':{" text "}}")
#define NATIVE(text)                                                                               \
	WITH("'streams':[{'name':'s'}],'groups':[{'name':'g','streams':'s','class':'native'," text \
	     "}]")
#define BLIND(text)                                                                                \
	WITH("'streams':[{'name':'s'}],'groups':[{'name':'g','streams':'s','consumers':"           \
	     "[{'name':'c','address':'192.0.2.7'," text "}]}]")

/* Every number, with its lowest and highest value; %lld stands for the value. */
static const struct edge {
	const char *text;
	const char *path;
	long long low;
	long long high;
} edges[] = {
	{WITH("'workers':{'cpus':[%lld]}"), "$.workers.cpus[0]", 0, 1023},
	{WITH("'workers':{'stall_ms':%lld}"), "$.workers.stall_ms", 10, 60000},
	{WITH("'workers':{'most':%lld}"), "$.workers.most", 0, 64},
	{WITH("'workers':{'isolate_percent':%lld}"), "$.workers.isolate_percent", 0, 100},
	{WITH("'workers':{'long_loop_us':%lld}"), "$.workers.long_loop_us", 10, 1000000},
	{WITH("'memory':{'buffer_bytes':%lld}"), "$.memory.buffer_bytes", 1024, 16384},
	/* The floor of memory.buffers itself is below what any port needs. */
	{"{'ports':[{'name':'p','driver':'null','descriptors':64}],'memory':{'buffers':%lld}}",
		"$.memory.buffers", 8192 + 64, 16777216},
	{WITH("'tiers':{'standard_weight':%lld}"), "$.tiers.standard_weight", 1, 1000},
	{WITH("'tiers':{'bulk_weight':%lld}"), "$.tiers.bulk_weight", 1, 1000},
	{RATE("'packets_per_s':%lld"), "$.tiers.critical.packets_per_s", 0, 1000000000},
	{RATE("'bits_per_s':%lld"), "$.tiers.critical.bits_per_s", 0, 1000000000000},
	{RATE("'packets_per_s':9,'burst_packets':%lld"), "$.tiers.critical.burst_packets", 1,
		1048576},
	{RATE("'bits_per_s':9,'burst_bytes':%lld"), "$.tiers.critical.burst_bytes", 2048,
		1073741824},
	{WITH("'native':{'udp_port':%lld}"), "$.native.udp_port", 0, 65535},
	{WITH("'native':{'liveness_ms':600000,'heartbeat_ms':%lld}"), "$.native.heartbeat_ms", 10,
		10000},
	{WITH("'native':{'heartbeat_ms':10,'liveness_ms':%lld}"), "$.native.liveness_ms", 20,
		600000},
	{WITH("'native':{'max_frame':%lld}"), "$.native.max_frame", 576, 9000},
	{WITH("'native':{'queue_ms':%lld}"), "$.native.queue_ms", 0, 60000},
	{WITH("'state':{'file':'/s','interval_ms':%lld}"), "$.state.interval_ms", 50, 60000},
	{WITH("'quarantine':{'messages':%lld}"), "$.quarantine.messages", 0, 1048576},
	{WITH("'quarantine':{'bytes':%lld}"), "$.quarantine.bytes", 65536, 68719476736},
	{WITH("'health':{'throttled_percent':%lld}"), "$.health.throttled_percent", 1, 100},
	{WITH("'health':{'park_ms':%lld}"), "$.health.park_ms", 10, 600000},
	{WITH("'health':{'catch_up_ms':%lld}"), "$.health.catch_up_ms", 1, 600000},
	{WITH("'telemetry':{'port':%lld}"), "$.telemetry.port", 0, 65535},
	{WITH("'telemetry':{'interval_ms':%lld}"), "$.telemetry.interval_ms", 100, 60000},
	{WITH("'telemetry':{'partitions':%lld}"), "$.telemetry.partitions", 0, 65536},
	{WITH("'telemetry':{'consumers':%lld}"), "$.telemetry.consumers", 0, 16384},
	{WITH("'log':{'per_minute':%lld}"), "$.log.per_minute", 0, 1000000},
	{WITH("'watchdog':{'per_hour':%lld}"), "$.watchdog.per_hour", 0, 3600},
	{WITH("'watchdog':{'pool_percent':%lld}"), "$.watchdog.pool_percent", 1, 50},
	{WITH("'watchdog':{'disk_ms':%lld}"), "$.watchdog.disk_ms", 10, 600000},
	{WITH("'watchdog':{'clock_ms':%lld}"), "$.watchdog.clock_ms", 10, 3600000},
	{WITH("'alerts':{'long_s':86400,'short_s':%lld}"), "$.alerts.short_s", 1, 3600},
	{WITH("'alerts':{'short_s':1,'long_s':%lld}"), "$.alerts.long_s", 2, 86400},
	{WITH("'capture':{'bytes':%lld}"), "$.capture.bytes", 65536, 1099511627776},
	{WITH("'trace':{'sample':%lld}"), "$.trace.sample", 0, 1000000000},
	{WITH("'trace':{'keep':%lld}"), "$.trace.keep", 16, 4096},
	{WITH("'trace':{'contexts_per_s':%lld}"), "$.trace.contexts_per_s", 0, 1000},
	{WITH("'alerts':{'deviation':%lld}"), "$.alerts.deviation", 2, 100},
	{WITH("'elastic':{'least':%lld}"), "$.elastic.least", 1, 64},
	{WITH("'elastic':{'park_percent':1,'wake_percent':%lld}"), "$.elastic.wake_percent", 2,
		100},
	{WITH("'elastic':{'wake_percent':100,'park_percent':%lld}"), "$.elastic.park_percent", 1,
		99},
	{WITH("'elastic':{'wake_ms':%lld}"), "$.elastic.wake_ms", 100, 600000},
	{WITH("'elastic':{'park_ms':%lld}"), "$.elastic.park_ms", 100, 86400000},
	{WITH("'features':{'runs':{'state':'on','share_percent':%lld}}"),
		"$.features.runs.share_percent", 0, 100},
	{WITH("'reach':{'probe_ms':%lld}"), "$.reach.probe_ms", 100, 60000},
	{WITH("'reach':{'hold_ms':%lld}"), "$.reach.hold_ms", 0, 600000},
	{PORT("'null','frame_bytes':%lld"), "$.ports[0].frame_bytes", 60, 9000},
	{PORT("'null','descriptors':64,'queues':%lld"), "$.ports[0].queues", 0, 64},
	{PORT("'null','descriptors':%lld"), "$.ports[0].descriptors", 64, 8192},
	{PORT("'null','mtu':%lld"), "$.ports[0].mtu", 576, 9728},
	{PORT("'memif','socket':'/m','id':%lld"), "$.ports[0].id", 0, 4294967295},
	{STREAM("'match':{'vlan':%lld}"), "$.streams[0].match.vlan", 1, 4094},
	{STREAM("'match':{'outer_vlan':%lld}"), "$.streams[0].match.outer_vlan", 1, 4094},
	{STREAM("'match':{'udp_port':%lld}"), "$.streams[0].match.udp_port", 1, 65535},
	{STREAM("'match':{'udp_port':'%lld'}"), "$.streams[0].match.udp_port", 1, 65535},
	{STREAM("'match':{'udp_port':'1-%lld'}"), "$.streams[0].match.udp_port", 1, 65535},
	{STREAM("'match':{'source':'::/%lld'}"), "$.streams[0].match.source", 0, 128},
	{STREAM("'match':{'source':'0.0.0.0/%lld'}"), "$.streams[0].match.source", 0, 32},
	{STREAM("'key':{'type':'bytes','length':1,'offset':%lld}"), "$.streams[0].key.offset", 0,
		9000},
	{STREAM("'key':{'type':'bytes','length':%lld}"), "$.streams[0].key.length", 1, 32},
	{STREAM("'partitions':%lld"), "$.streams[0].partitions", 1, 4096},
	{STREAM("'ring':{'messages':%lld}"), "$.streams[0].ring.messages", 16, 1048576},
	{STREAM("'ring':{'bytes':%lld}"), "$.streams[0].ring.bytes", 65536, 68719476736},
	{STREAM("'ring':{'age_ms':%lld}"), "$.streams[0].ring.age_ms", 0, 3600000},
	{STREAM("'ring':{'age_ms':0,'retain_ms':%lld}"), "$.streams[0].ring.retain_ms", 0,
		86400000},
	{STREAM("'ring':{'age_ms':3600000,'retain_ms':%lld}"), "$.streams[0].ring.retain_ms", 0,
		3600000},
	{STREAM("'ring':{'retain_ms':%lld}"), "$.streams[0].ring.retain_ms", 0, 10000},
	{STREAM("'ring':{'drain_ms':%lld}"), "$.streams[0].ring.drain_ms", 1, 3600000},
	{STREAM("'deadline_ms':%lld"), "$.streams[0].deadline_ms", 0, 3600000},
	{STREAM("'key':'ipfix','templates':{'bytes':%lld}"), "$.streams[0].templates.bytes", 4096,
		16777216},
	{STREAM("'key':'flow','templates':{'bytes':%lld}"), "$.streams[0].templates.bytes", 0, 0},
	{STREAM("'key':'flow','templates':{'lifetime_s':%lld}"),
		"$.streams[0].templates.lifetime_s", 0, 86400},
	{STREAM("'producers':{'max':%lld}"), "$.streams[0].producers.max", 0, 1024},
	{NATIVE("'sample':%lld"), "$.groups[0].sample", 1, 1000000},
	{NATIVE("'max_consumers':%lld"), "$.groups[0].max_consumers", 1, 1024},
	{NATIVE("'window':{'messages':%lld}"), "$.groups[0].window.messages", 0, 16777216},
	/* Below, only 0, for no limit. */
	{NATIVE("'window':{'bytes':%lld}"), "$.groups[0].window.bytes", 65536, 68719476736},
	{NATIVE("'window':{'bytes':%lld}"), "$.groups[0].window.bytes", 0, 0},
	{NATIVE("'partition_window':{'messages':%lld}"), "$.groups[0].partition_window.messages", 0,
		16777216},
	{NATIVE("'partition_window':{'bytes':%lld}"), "$.groups[0].partition_window.bytes", 65536,
		68719476736},
	{NATIVE("'attempts':%lld"), "$.groups[0].attempts", 2, 255},
	{NATIVE("'retry_percent':%lld"), "$.groups[0].retry_percent", 1, 100},
	{NATIVE("'moves':%lld"), "$.groups[0].moves", 1, 1024},
	{NATIVE("'drain_ms':%lld"), "$.groups[0].drain_ms", 0, 60000},
	{NATIVE("'rebalance_s':%lld"), "$.groups[0].rebalance_s", 0, 86400},
	{NATIVE("'weights':[{'name':'c','weight':%lld}]"), "$.groups[0].weights[0].weight", 1,
		1000},
	{BLIND("'port':%lld"), "$.groups[0].consumers[0].port", 1, 65535},
};

static void try_edge(const struct edge *edge, long long value, bool is_right)
{
	char text[512];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(text, sizeof(text), edge->text, value);
#pragma GCC diagnostic pop
	if (is_right)
		accept(text);
	else
		refuse(text, edge->path);
}

static void test_every_number_is_taken_to_its_edges_and_no_further(void)
{
	for (size_t i = 0; i < sizeof(edges) / sizeof(edges[0]); i++) {
		try_edge(&edges[i], edges[i].low, true);
		try_edge(&edges[i], edges[i].high, true);
		try_edge(&edges[i], edges[i].low - 1, false);
		try_edge(&edges[i], edges[i].high + 1, false);
	}
}

static void test_stream_budgets_fill_the_buffers_to_the_last(void)
{
	/* 16777216 less 8192 under way and 1024 in the port's queue. */
	accept(STREAM("'buffers':16768000"));
	refuse(STREAM("'buffers':16768001"), "$.memory.buffers");
	accept(STREAM("'buffers':64"));
	refuse(STREAM("'buffers':63"), "$.streams[0].buffers");
	refuse(STREAM("'buffers':16777217"), "$.streams[0].buffers");
	/* A stream that names no budget needs 64 at least. */
	accept(STREAM("'buffers':16767936},{'name':'t'"));
	refuse(STREAM("'buffers':16767937},{'name':'t'"), "$.memory.buffers");
	/* Queues 0 are one a worker. */
	accept("{'workers':{'cpus':[1,2,3]},'memory':{'buffers':11264},"
	       "'ports':[{'name':'p','driver':'null','queues':0}]}");
	refuse("{'workers':{'cpus':[1,2,3]},'memory':{'buffers':11263},"
	       "'ports':[{'name':'p','driver':'null','queues':0}]}",
		"$.memory.buffers");
}

static void check_suffix(const char *suffixed, uint64_t bits, uint64_t bytes)
{
	struct weir_config *config;
	struct weir_error error;
	char text[256];

	snprintf(text, sizeof(text), RATE("'bits_per_s':'%s','burst_bytes':'%s'"), suffixed,
		suffixed);
	CU_ASSERT_EQUAL_FATAL(parse(text, &config, &error), 0);
	CU_ASSERT_EQUAL(config->tiers.critical.bits_per_s, bits);
	CU_ASSERT_EQUAL(config->tiers.critical.burst_bytes, bytes);
	weir_config_free(config);
}

static void test_suffixes_are_thousands_in_rates_and_1024_in_bytes(void)
{
	check_suffix("5000", 5000, 5000);
	check_suffix("3k", 3000, 3072);
	check_suffix("3M", 3000000, 3145728);
	check_suffix("1G", 1000000000, 1073741824);
	refuse(RATE("'bits_per_s':'1001G'"), "$.tiers.critical.bits_per_s");
	refuse(RATE("'bits_per_s':'18446744073709551616'"), "$.tiers.critical.bits_per_s");
	refuse(RATE("'bits_per_s':'18446744074G'"), "$.tiers.critical.bits_per_s");
	refuse(RATE("'bits_per_s':'1K'"), "$.tiers.critical.bits_per_s");
	refuse(RATE("'bits_per_s':'1kk'"), "$.tiers.critical.bits_per_s");
	refuse(RATE("'bits_per_s':' 1k'"), "$.tiers.critical.bits_per_s");
	refuse(RATE("'bits_per_s':'-1'"), "$.tiers.critical.bits_per_s");
	refuse(RATE("'bits_per_s':''"), "$.tiers.critical.bits_per_s");
}

/* `format` with a text of so many letters. */
static void try_length(
	const char *before, unsigned int letters, const char *after, const char *refused_at)
{
	char text[1024], word[512];

	memset(word, 'x', letters);
	word[letters] = '\0';
	snprintf(text, sizeof(text), "%s%s%s", before, word, after);
	if (refused_at == NULL)
		accept(text);
	else
		refuse(text, refused_at);
}

static void test_texts_are_taken_to_their_full_length(void)
{
	static const char name[] = "{'ports':[{'driver':'null','name':'", end[] = "'}]}";
	static const char interface[] = "{'ports':[{'name':'p','driver':'tap','interface':'";
	static const char file[] = "{'ports':[{'name':'p','driver':'pcap','rx_file':'";
	static const char memif[] = "{'ports':[{'name':'p','driver':'memif','socket':'/";
	static const char control[] = "{" PORTS ",'control':{'socket':'/";
	static const char state[] = "{" PORTS ",'state':{'file':'/";
	static const char stream[] = "{" PORTS ",'streams':[{'name':'s','producers':{'key_file':'/";
	static const char group[] = "{" PORTS ",'streams':[{'name':'s'}],'groups':[{'name':'g',"
				    "'class':'native','streams':'s','key_file':'/";

	try_length(name, 31, end, NULL);
	try_length(name, 32, end, "$.ports[0].name");
	try_length(name, 0, end, "$.ports[0].name");
	try_length(interface, 15, end, NULL);
	try_length(interface, 16, end, "$.ports[0].interface");
	try_length(file, 255, end, NULL);
	try_length(file, 256, end, "$.ports[0].rx_file");
	try_length(memif, 106, end, NULL);
	try_length(memif, 107, end, "$.ports[0].socket");
	try_length(control, 106, "'}}", NULL);
	try_length(control, 107, "'}}", "$.control.socket");
	try_length(state, 254, "'}}", NULL);
	try_length(state, 255, "'}}", "$.state.file");
	try_length(stream, 254, "'}}]}", NULL);
	try_length(stream, 255, "'}}]}", "$.streams[0].producers.key_file");
	try_length(group, 254, end, NULL);
	try_length(group, 255, end, "$.groups[0].key_file");
}

/* A document with `count` objects in a list; %u in `each` stands for the object's number. */
struct many {
	char *text;
	size_t size;
	FILE *stream;
};

static void begin(struct many *many, const char *text)
{
	many->stream = open_memstream(&many->text, &many->size);
	CU_ASSERT_PTR_NOT_NULL_FATAL(many->stream);
	fputs(text, many->stream);
}

static void add(struct many *many, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(struct many *many, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(many->stream, format, args);
	va_end(args);
}

static void end(struct many *many, const char *text, const char *refused_at)
{
	fputs(text, many->stream);
	fclose(many->stream);
	if (refused_at == NULL)
		accept(many->text);
	else
		refuse(many->text, refused_at);
	free(many->text);
}

static void try_workers(unsigned int count, const char *refused_at)
{
	struct many many;

	begin(&many, "{" PORTS ",'workers':{'cpus':[0");
	for (unsigned int i = 1; i < count; i++)
		add(&many, ",%u", i);
	end(&many, "]}}", refused_at);
}

static void try_ports(unsigned int count, const char *refused_at)
{
	struct many many;

	begin(&many, "{'memory':{'buffers':65536},'ports':[{'name':'p0','driver':'null'}");
	for (unsigned int i = 1; i < count; i++)
		add(&many, ",{'name':'p%u','driver':'null'}", i);
	end(&many, "]}", refused_at);
}

static void try_streams(unsigned int count, const char *refused_at)
{
	struct many many;

	begin(&many, "{" PORTS ",'memory':{'buffers':524288},'streams':[{'name':'s0'}");
	for (unsigned int i = 1; i < count; i++)
		add(&many, ",{'name':'s%u'}", i);
	end(&many, "]}", refused_at);
}

static void try_groups(unsigned int count, unsigned int per_stream, const char *refused_at)
{
	struct many many;

	begin(&many, "{" PORTS ",'streams':[{'name':'s0'}");
	for (unsigned int i = 1; i < 32; i++)
		add(&many, ",{'name':'s%u'}", i);
	add(&many, "],'groups':[{'name':'g0','class':'native','streams':'s0'}");
	for (unsigned int i = 1; i < count; i++)
		add(&many, ",{'name':'g%u','class':'native','streams':'s%u'}", i,
			i / per_stream % 32);
	end(&many, "]}", refused_at);
}

/* Consumers in groups of at most 10,000. */
static void try_consumers(unsigned int count, const char *refused_at)
{
	struct many many;

	begin(&many, "{" PORTS ",'streams':[{'name':'s'}],'groups':[");
	for (unsigned int i = 0; i < count; i++) {
		if (i % 10000 == 0)
			add(&many, "%s{'name':'g%u','streams':'s','consumers':[",
				i > 0 ? "]}," : "", i);
		add(&many, "%s{'name':'c%u','address':'10.0.%u.%u','port':9995}",
			i % 10000 == 0 ? "" : ",", i, i / 200, i % 200 + 1);
	}
	end(&many, "]}]}", refused_at);
}

static void try_prefixes(unsigned int count, const char *refused_at)
{
	struct many many;

	begin(&many, "{" PORTS ",'streams':[{'name':'s','match':{'source':['10.0.0.0'");
	for (unsigned int i = 1; i < count; i++)
		add(&many, ",'10.0.%u.%u'", i / 256, i % 256);
	end(&many, "]}}]}", refused_at);
}

static void try_ranges(unsigned int count, const char *refused_at)
{
	struct many many;

	begin(&many, "{" PORTS ",'streams':[{'name':'s','match':{'udp_port':[1");
	for (unsigned int i = 1; i < count; i++)
		add(&many, ",'%u-%u'", i * 2, i * 2 + 1);
	end(&many, "]}}]}", refused_at);
}

static void test_every_list_is_taken_to_its_full_length(void)
{
	try_workers(WEIR_MAX_WORKERS, NULL);
	try_workers(WEIR_MAX_WORKERS + 1, "$.workers.cpus");
	try_ports(WEIR_MAX_PORTS, NULL);
	try_ports(WEIR_MAX_PORTS + 1, "$.ports");
	try_streams(WEIR_MAX_STREAMS, NULL);
	try_streams(WEIR_MAX_STREAMS + 1, "$.streams");
	try_groups(WEIR_MAX_GROUPS, 32, NULL);
	try_groups(WEIR_MAX_GROUPS + 1, 40, "$.groups");
	try_groups(WEIR_STREAM_GROUPS, WEIR_STREAM_GROUPS, NULL);
	try_groups(WEIR_STREAM_GROUPS + 1, WEIR_STREAM_GROUPS + 1, "$.groups[64].streams");
	try_consumers(WEIR_MAX_CONSUMERS, NULL);
	try_consumers(WEIR_MAX_CONSUMERS + 1, "$.groups[1].consumers[6384]");
	try_prefixes(4096, NULL);
	try_prefixes(4097, "$.streams[0].match.source");
	try_ranges(1024, NULL);
	try_ranges(1025, "$.streams[0].match.udp_port");
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"every number is taken to its edges and no further",
			test_every_number_is_taken_to_its_edges_and_no_further},
		{"stream budgets fill the buffers to the last",
			test_stream_budgets_fill_the_buffers_to_the_last},
		{"suffixes are thousands in rates and 1024 in bytes",
			test_suffixes_are_thousands_in_rates_and_1024_in_bytes},
		{"texts are taken to their full length", test_texts_are_taken_to_their_full_length},
		{"every list is taken to its full length",
			test_every_list_is_taken_to_its_full_length},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {{"limits", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};

	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 1;
	CU_basic_run_tests();
	return CU_get_number_of_failures() != 0;
}
