/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * Configurations that must be refused, and where. The unit test gives them to the parser, the
 * schema test to the JSON schema, the system test to a running gateway.
 *
 * The texts are written with ' for ", see bad_config_text.
 */
struct bad_config {
	const char *name;
	const char *text;
	const char *path;   /* of the error */
	const char *reason; /* part of it */
	bool in_schema;     /* a JSON schema can say so too */
};

#define PORTS             "'ports':[{'name':'up0','driver':'null'}]"
#define WITH(members)     "{" PORTS "," members "}"
#define PORT(members)     "{'ports':[{'name':'p'," members "}]}"
#define STREAM(members)   WITH("'streams':[{'name':'s'," members "}]")
#define MATCH(members)    STREAM("'match':{" members "}")
#define GROUP(members)    WITH("'streams':[{'name':'s'}],'groups':[{'name':'g'," members "}]")
#define RECEIVER(n, a)    "{'name':'" n "','address':'" a "','port':9995}"
#define CONSUMER(members) GROUP("'streams':'s','consumers':[{'name':'c','port':9995," members "}]")
#define ADDRESS           "'address':'198.51.100.7'"

/* Write the text with its " into `to`, which has room for strlen + 1. */
static inline void bad_config_text(const struct bad_config *bad, char *to)
{
	const char *from = bad->text;

	do
		*to++ = *from == '\'' ? '"' : *from;
	while (*from++ != '\0');
}

static const struct bad_config bad_configs[] = {
	/* The document. */
	{"empty text", "", "$", "line 1", true},
	{"not an object", "[]", "$", "not an object", true},
	{"no ports", "{}", "$", "'ports' is missing", true},
	{"cut off", "{'ports':[", "$", "line 1", true},
	{"trailing comma", "{" PORTS ",}", "$", "line 1", true},
	{"text after the end", "{" PORTS "} x", "$", "line 1", true},
	{"comment", "{" PORTS " /* */}", "$", "line 1", true},
	{"key twice", "{" PORTS ",\n" PORTS "}", "$", "duplicate", false},
	{"key twice deep inside", "{'ports':[{'name':'a','name':'b','driver':'null'}]}", "$",
		"duplicate", false},
	{"nested too deep", "[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]", "$", "deeper", true},
	{"invalid UTF-8", "{'\xff':1}", "$", "decode", true},
	{"NUL in a text", "{'a':'\\u0000'}", "$", "NUL", true},
	{"integer beyond 64 bits", WITH("'memory':{'buffers':99999999999999999999}"), "$", "big",
		true},
	{"unknown section", WITH("'worker':{}"), "$.worker", "unknown key 'worker'", true},
	{"key that is no identifier", WITH("'a b':{}"), "$['a b']", "unknown key 'a b'", true},
	{"key outside ASCII", WITH("'\xc3\xa9':{}"), "$['\\u00E9']", "'\\u00E9'", true},

	/* Workers, memory, control, tiers, native, reach. */
	{"section of another type", WITH("'workers':[1]"), "$.workers", "an array is not", true},
	{"workers unknown key", WITH("'workers':{'cpu':[1]}"), "$.workers.cpu", "'cpu'", true},
	{"no CPU", WITH("'workers':{'cpus':[]}"), "$.workers.cpus", "0 CPUs", true},
	{"CPU as a text", WITH("'workers':{'cpus':[1,'2']}"), "$.workers.cpus[1]", "'2'", true},
	{"CPU too high", WITH("'workers':{'cpus':[1024]}"), "$.workers.cpus[0]", "1024", true},
	{"CPU twice", WITH("'workers':{'cpus':[3,1,3]}"), "$.workers.cpus[2]", "3 is in", true},
	{"idle unknown", WITH("'workers':{'idle':'spinn'}"), "$.workers.idle", "'spinn'", true},
	{"stall negative", WITH("'workers':{'stall_ms':-1}"), "$.workers.stall_ms", "-1", true},
	{"stall a fraction", WITH("'workers':{'stall_ms':99.5}"), "$.workers.stall_ms", "99.5",
		true},
	{"hugepages a number", WITH("'memory':{'hugepages':1}"), "$.memory.hugepages", "1 is not",
		true},
	{"buffers too few", WITH("'memory':{'buffers':100}"), "$.memory.buffers", "100", true},
	{"buffers with a suffix", WITH("'memory':{'buffers':'64k'}"), "$.memory.buffers", "'64k'",
		true},
	{"buffers not enough for the ports",
		"{'memory':{'buffers':8192},'ports':[{'name':'a','driver':'null','descriptors':"
		"1024}]}",
		"$.memory.buffers", "9216", false},
	{"budgets beyond the buffers", STREAM("'buffers':30000"), "$.memory.buffers",
		"32768 buffers", false},
	{"socket relative", WITH("'control':{'socket':'weir.sock'}"), "$.control.socket",
		"'weir.sock'", true},
	{"socket path too long",
		WITH("'control':{'socket':'/"
		     "123456789012345678901234567890123456789012345678901234567890"
		     "123456789012345678901234567890123456789012345678'}"),
		"$.control.socket",
		"'/123456789012345678901234567890123456789012345678901234567890123456... is longer "
		"than 107",
		true},
	{"weight zero", WITH("'tiers':{'bulk_weight':0}"), "$.tiers.bulk_weight", "0 is", true},
	{"critical rate unknown key", WITH("'tiers':{'critical':{'pps':1}}"),
		"$.tiers.critical.pps", "'pps'", true},
	{"native port too high", WITH("'native':{'udp_port':65536}"), "$.native.udp_port", "65536",
		true},
	{"frame too small", WITH("'native':{'max_frame':575}"), "$.native.max_frame", "575", true},
	{"liveness under two heartbeats", WITH("'native':{'heartbeat_ms':600,'liveness_ms':1000}"),
		"$.native.liveness_ms", "1000", false},
	{"heartbeat over half the usual liveness", WITH("'native':{'heartbeat_ms':600}"),
		"$.native.heartbeat_ms", "600", false},
	{"probe too often", WITH("'reach':{'probe_ms':1}"), "$.reach.probe_ms", "1 is", true},

	/* Ports. */
	{"ports empty", "{'ports':[]}", "$.ports", "empty", true},
	{"ports an object", "{'ports':{}}", "$.ports", "an object is not a list", true},
	{"port without a name", "{'ports':[{'driver':'null'}]}", "$.ports[0]", "'name' is missing",
		true},
	{"port without a driver", "{'ports':[{'name':'p'}]}", "$.ports[0]", "'driver' is missing",
		true},
	{"port name with a space", "{'ports':[{'name':'a b','driver':'null'}]}", "$.ports[0].name",
		"'a b'", true},
	{"port name too long",
		"{'ports':[{'name':'12345678901234567890123456789012','driver':'null'}]}",
		"$.ports[0].name", "longer than 31", true},
	{"driver unknown", PORT("'driver':'af_paket'"), "$.ports[0].driver", "'af_paket'", true},
	{"port names twice",
		"{'ports':[{'name':'p','driver':'null'},{'name':'p','driver':'null'}]}",
		"$.ports[1].name", "$.ports[0].name", false},
	{"interface missing", PORT("'driver':'af_packet'"), "$.ports[0]", "'interface'", true},
	{"interface with a comma", PORT("'driver':'af_packet','interface':'eth0,blocksz=1'"),
		"$.ports[0].interface", "blocksz", true},
	{"interface too long", PORT("'driver':'tap','interface':'abcdefghijklmnop'"),
		"$.ports[0].interface", "longer than 15", true},
	{"interface in two ports",
		"{'ports':[{'name':'a','driver':'af_packet','interface':'eth0'},"
		"{'name':'b','driver':'af_xdp','interface':'eth0'}]}",
		"$.ports[1].interface", "$.ports[0].interface", false},
	{"file with af_packet", PORT("'driver':'af_packet','interface':'eth0','rx_file':'a.pcap'"),
		"$.ports[0].rx_file", "does not use", true},
	{"PCI address short", PORT("'driver':'pci','device':'03:00.0'"), "$.ports[0].device",
		"'03:00.0'", true},
	{"PCI function too high", PORT("'driver':'pci','device':'0000:03:00.8'"),
		"$.ports[0].device", "0000:03:00.8", true},
	{"PCI domain short", PORT("'driver':'pci','device':'000:03:00.0'"), "$.ports[0].device",
		"000:03:00.0", true},
	{"device with tap", PORT("'driver':'tap','interface':'w0','device':'0000:03:00.0'"),
		"$.ports[0].device", "does not use", true},
	{"interface with null", PORT("'driver':'null','interface':'eth0'"), "$.ports[0].interface",
		"does not use", true},
	{"queues with pcap", PORT("'driver':'pcap','tx_file':'o.pcap','queues':2"),
		"$.ports[0].queues", "does not use", true},
	{"MAC with null", PORT("'driver':'null','mac':'02:00:00:00:00:01'"), "$.ports[0].mac",
		"does not use", true},
	{"promiscuous with null", PORT("'driver':'null','promiscuous':true"),
		"$.ports[0].promiscuous", "does not use", true},
	{"frame_bytes with pcap", PORT("'driver':'pcap','tx_file':'o.pcap','frame_bytes':64"),
		"$.ports[0].frame_bytes", "does not use", true},
	{"memif role with tap", PORT("'driver':'tap','interface':'w0','role':'server'"),
		"$.ports[0].role", "does not use", true},
	{"pcap without files", PORT("'driver':'pcap'"), "$.ports[0]", "needs 'rx_file'", true},
	{"loop without a file to read", PORT("'driver':'pcap','tx_file':'o.pcap','loop':true"),
		"$.ports[0].loop", "without", true},
	{"file with a device argument", PORT("'driver':'pcap','rx_file':'a.pcap,infinite_rx=1'"),
		"$.ports[0].rx_file", "infinite_rx", true},
	{"memif without a socket", PORT("'driver':'memif','id':1"), "$.ports[0]", "'socket'", true},
	{"memif role unknown", PORT("'driver':'memif','socket':'/run/m','role':'master'"),
		"$.ports[0].role", "'master'", true},
	{"memif id twice",
		"{'ports':[{'name':'a','driver':'memif','socket':'/run/m'},"
		"{'name':'b','driver':'memif','socket':'/run/m'}]}",
		"$.ports[1].socket", "$.ports[0].socket", false},
	{"queues too many", PORT("'driver':'null','queues':65"), "$.ports[0].queues", "65", true},
	{"descriptors too few", PORT("'driver':'null','descriptors':63"), "$.ports[0].descriptors",
		"63", true},
	{"MTU too small", PORT("'driver':'null','mtu':575"), "$.ports[0].mtu", "575", true},
	{"MAC malformed", PORT("'driver':'tap','interface':'w0','mac':'02:00:00:00:00'"),
		"$.ports[0].mac", "02:00:00:00:00", true},
	{"MAC with blanks", PORT("'driver':'tap','interface':'w0','mac':'02: 0:00:00:00:01'"),
		"$.ports[0].mac", "not a MAC", true},
	{"MAC multicast", PORT("'driver':'tap','interface':'w0','mac':'01:00:5e:00:00:01'"),
		"$.ports[0].mac", "multicast", true},
	{"twin of a kernel interface",
		PORT("'driver':'af_packet','interface':'eth0','twin':{'addresses':'192.0.2.1/24'}"),
		"$.ports[0].twin", "does not use", true},
	{"twin of a pcap port", PORT("'driver':'pcap','tx_file':'o.pcap','twin':{}"),
		"$.ports[0].twin", "does not use", true},
	{"twin address without a length",
		PORT("'driver':'pci','device':'0000:03:00.0','twin':{'addresses':['192.0.2.1']}"),
		"$.ports[0].twin.addresses[0]", "192.0.2.1", true},
	{"twin address beyond its family",
		PORT("'driver':'pci','device':'0000:03:00.0','twin':{'addresses':['192.0.2.1/"
		     "33']}"),
		"$.ports[0].twin.addresses[0]", "192.0.2.1/33", false},
	{"twin named as an interface",
		"{'ports':[{'name':'a','driver':'af_packet','interface':'weir-b'},"
		"{'name':'b','driver':'pci','device':'0000:03:00.0','twin':{}}]}",
		"$.ports[1].twin", "$.ports[0].interface", false},

	/* Streams. */
	{"streams an object", WITH("'streams':{}"), "$.streams", "not a list", true},
	{"stream a text", WITH("'streams':['flows']"), "$.streams[0]", "'flows' is not", true},
	{"stream names twice", WITH("'streams':[{'name':'s'},{'name':'t'},{'name':'s'}]"),
		"$.streams[2].name", "$.streams[0].name", false},
	{"stream unknown key", STREAM("'partition':4"), "$.streams[0].partition", "'partition'",
		true},
	{"VLAN too high", MATCH("'vlan':4095"), "$.streams[0].match.vlan", "4095", true},
	{"VLAN zero", MATCH("'vlan':0"), "$.streams[0].match.vlan", "0 is", true},
	{"VLAN another word", MATCH("'vlan':'none'"), "$.streams[0].match.vlan", "'none'", true},
	{"outer VLAN around untagged", MATCH("'vlan':'untagged','outer_vlan':7"),
		"$.streams[0].match.outer_vlan", "7", true},
	{"destination with host bits", MATCH("'destination':['192.0.2.0/24','192.0.2.1/24']"),
		"$.streams[0].match.destination[1]", "host bits", false},
	{"lone destination malformed", MATCH("'destination':'192.0.2'"),
		"$.streams[0].match.destination", "'192.0.2'", false},
	{"destination a number", MATCH("'destination':[167772161]"),
		"$.streams[0].match.destination[0]", "167772161", true},
	{"no destination", MATCH("'destination':[]"), "$.streams[0].match.destination", "empty",
		true},
	{"prefix longer than the address", MATCH("'source':'2001:db8::/129'"),
		"$.streams[0].match.source", "/129", false},
	{"IP versions that never meet", MATCH("'destination':'192.0.2.1','source':'2001:db8::1'"),
		"$.streams[0].match.source", "versions", false},
	{"UDP port zero", MATCH("'udp_port':[4739,0]"), "$.streams[0].match.udp_port[1]", "0 is",
		true},
	{"UDP port too high", MATCH("'udp_port':65536"), "$.streams[0].match.udp_port", "65536",
		true},
	{"UDP port of six digits", MATCH("'udp_port':'004739'"), "$.streams[0].match.udp_port",
		"004739", true},
	{"UDP range reversed", MATCH("'udp_port':'9999-9990'"), "$.streams[0].match.udp_port",
		"9999-9990", false},
	{"UDP range open", MATCH("'udp_port':['9990-']"), "$.streams[0].match.udp_port[0]", "9990-",
		true},
	{"UDP range with more behind", MATCH("'udp_port':'1-2-3'"), "$.streams[0].match.udp_port",
		"1-2-3", true},
	{"key unknown", STREAM("'key':'netflow9'"), "$.streams[0].key", "'netflow9'", true},
	{"key a number", STREAM("'key':5"), "$.streams[0].key", "5 is", true},
	{"key bytes without a length", STREAM("'key':'bytes'"), "$.streams[0].key", "length", true},
	{"key without a type", STREAM("'key':{'offset':1,'length':4}"), "$.streams[0].key",
		"'type' is missing", true},
	{"key length zero", STREAM("'key':{'type':'bytes','length':0}"), "$.streams[0].key.length",
		"0 is", true},
	{"key offset of another key", STREAM("'key':{'type':'rtp','offset':8}"),
		"$.streams[0].key.offset", "'rtp'", true},
	{"no partition", STREAM("'partitions':0"), "$.streams[0].partitions", "0 is", true},
	{"tier unknown", STREAM("'tier':'high'"), "$.streams[0].tier", "'high'", true},
	{"ring no power of two", STREAM("'ring':{'messages':5000}"), "$.streams[0].ring.messages",
		"5000", false},
	{"ring bytes suffix unknown", STREAM("'ring':{'bytes':'16T'}"), "$.streams[0].ring.bytes",
		"'16T'", true},
	{"ring bytes with a unit", STREAM("'ring':{'bytes':'16MB'}"), "$.streams[0].ring.bytes",
		"'16MB'", true},
	{"ring bytes overflow", STREAM("'ring':{'bytes':'99999999999999999999G'}"),
		"$.streams[0].ring.bytes", "outside", false},
	{"ring smaller than a datagram", STREAM("'ring':{'bytes':'63k'}"),
		"$.streams[0].ring.bytes", "'63k'", false},

	/* Groups and consumers. */
	{"group without streams", WITH("'groups':[{'name':'g'}]"), "$.groups[0]",
		"'streams' is missing", true},
	{"group of an unknown stream", GROUP("'streams':['s','t'],'class':'native'"),
		"$.groups[0].streams[1]", "'t'", false},
	{"group names a stream twice", GROUP("'streams':['s','s'],'class':'native'"),
		"$.groups[0].streams[1]", "$.groups[0].streams[0]", true},
	{"group names twice",
		WITH("'streams':[{'name':'s'}],'groups':[{'name':'g','streams':'s','class':'native'"
		     "},"
		     "{'name':'g','streams':'s','class':'native'}]"),
		"$.groups[1].name", "$.groups[0].name", false},
	{"class unknown", GROUP("'streams':'s','class':'push'"), "$.groups[0].class", "'push'",
		true},
	{"blind group without consumers", GROUP("'streams':'s'"), "$.groups[0]", "'consumers'",
		true},
	{"blind group with an empty list", GROUP("'streams':'s','consumers':[]"),
		"$.groups[0].consumers", "empty", true},
	{"native group with consumers",
		GROUP("'streams':'s','class':'native','consumers':[" RECEIVER(
			"c", "192.0.2.7") "]"),
		"$.groups[0].consumers", "does not use", true},
	{"blind group with a limit on joins",
		GROUP("'streams':'s','max_consumers':2,'consumers':[" RECEIVER(
			"c", "192.0.2.7") "]"),
		"$.groups[0].max_consumers", "does not use", true},
	{"native group without its port",
		"{" PORTS ",'native':{'udp_port':0},'streams':[{'name':'s'}],"
		"'groups':[{'name':'g','streams':'s','class':'native'}]}",
		"$.groups[0].class", "udp_port", false},
	{"sample zero", GROUP("'streams':'s','class':'native','sample':0"), "$.groups[0].sample",
		"0 is", true},
	{"group source with host bits",
		GROUP("'streams':'s','class':'native','source':'10.1.0.0/8'"), "$.groups[0].source",
		"10.1.0.0/8", false},
	{"consumer without an address", CONSUMER("'source':'keep'"), "$.groups[0].consumers[0]",
		"'address' is missing", true},
	{"consumer by host name", CONSUMER("'address':'collector.example'"),
		"$.groups[0].consumers[0].address", "collector.example", false},
	{"consumer multicast", CONSUMER("'address':'239.1.1.1'"),
		"$.groups[0].consumers[0].address", "multicast", false},
	{"consumer on loopback", CONSUMER("'address':'127.0.0.1'"),
		"$.groups[0].consumers[0].address", "loopback", false},
	{"consumer broadcast", CONSUMER("'address':'255.255.255.255'"),
		"$.groups[0].consumers[0].address", "host", false},
	{"consumer IPv4 link-local", CONSUMER("'address':'169.254.0.7'"),
		"$.groups[0].consumers[0].address", "link-local", false},
	{"consumer unspecified", CONSUMER("'address':'::'"), "$.groups[0].consumers[0].address",
		"unspecified", false},
	{"consumer IPv4 in IPv6", CONSUMER("'address':'::ffff:192.0.2.7'"),
		"$.groups[0].consumers[0].address", "IPv4", false},
	{"consumer link-local", CONSUMER("'address':'fe80::7'"), "$.groups[0].consumers[0].address",
		"link-local", false},
	{"consumer port as a text",
		GROUP("'streams':'s','consumers':[{'name':'c'," ADDRESS ",'port':'9995'}]"),
		"$.groups[0].consumers[0].port", "'9995'", true},
	{"consumer source unknown", CONSUMER(ADDRESS ",'source':'spoof'"),
		"$.groups[0].consumers[0].source", "'spoof'", true},
	{"consumer rate a number", CONSUMER(ADDRESS ",'rate':1000"),
		"$.groups[0].consumers[0].rate", "1000 is not an object", true},
	{"consumer rate negative", CONSUMER(ADDRESS ",'rate':{'packets_per_s':-5}"),
		"$.groups[0].consumers[0].rate.packets_per_s", "-5", true},
	{"consumer rate without digits", CONSUMER(ADDRESS ",'rate':{'bits_per_s':'M'}"),
		"$.groups[0].consumers[0].rate.bits_per_s", "'M'", true},
	{"burst under one datagram",
		CONSUMER(ADDRESS ",'rate':{'bits_per_s':'1M','burst_bytes':1000}"),
		"$.groups[0].consumers[0].rate.burst_bytes", "1000", true},
	{"burst without its rate",
		CONSUMER(ADDRESS ",'rate':{'packets_per_s':100,'burst_bytes':4096}"),
		"$.groups[0].consumers[0].rate.burst_bytes", "without 'bits_per_s'", true},
	{"egress unknown", CONSUMER(ADDRESS ",'egress':'up1'"), "$.groups[0].consumers[0].egress",
		"'up1'", false},
	{"MAC without egress", CONSUMER(ADDRESS ",'mac':'02:00:00:00:00:01'"),
		"$.groups[0].consumers[0].mac", "without", true},
	{"consumer names twice within a group",
		GROUP("'streams':'s','consumers':[" RECEIVER("c", "192.0.2.7") "," RECEIVER(
			"c", "192.0.2.8") "]"),
		"$.groups[0].consumers[1].name", "$.groups[0].consumers[0].name", false},
	{"consumer names twice in two groups",
		WITH("'streams':[{'name':'s'}],'groups':[{'name':'g','streams':'s','consumers':"
		     "[" RECEIVER("c",
			     "192.0.2.7") "]},{'name':'h','streams':'s','consumers':[" RECEIVER("c",
			     "192.0.2.8") "]}]"),
		"$.groups[1].consumers[0].name", "$.groups[0].consumers[0].name", false},
	{"receiver twice in a group",
		GROUP("'streams':'s','consumers':[" RECEIVER("c", "2001:db8::7") "," RECEIVER(
			"d", "2001:db8:0::7") "]"),
		"$.groups[0].consumers[1].address", "$.groups[0].consumers[0].address", false},
};

#define BAD_CONFIG_COUNT (sizeof(bad_configs) / sizeof(bad_configs[0]))
