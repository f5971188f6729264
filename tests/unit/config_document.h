/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stddef.h>

/*
 * A configuration in which every key has a value that is not its default, and what tests do to
 * it. Written with ' for ".
 */
#define WHOLE                                                                                      \
	"{'workers':{'cpus':[3,1],'idle':'sleep','stall_ms':2000,'long_loop_us':500},\n"           \
	" 'memory':{'hugepages':false,'buffers':65536,'buffer_bytes':4096},\n"                     \
	" 'control':{'socket':'/tmp/w.sock'},\n"                                                   \
	" 'tiers':{'critical':{'packets_per_s':'20k','bits_per_s':'1G'},\n"                        \
	"  'standard_weight':8,'bulk_weight':2},\n"                                                \
	" 'native':{'udp_port':5000,'heartbeat_ms':100,'liveness_ms':500,'max_frame':8000,\n"      \
	"  'queue_ms':50},\n"                                                                      \
	" 'reach':{'probe_ms':500,'hold_ms':0},\n"                                                 \
	" 'state':{'file':'/var/lib/weir/state','interval_ms':250},\n"                             \
	" 'quarantine':{'messages':64,'bytes':'1M'},\n"                                            \
	" 'health':{'throttled_percent':75,'park_ms':300,'catch_up_ms':4000},\n"                   \
	" 'failover':{'enabled':false,'pins':'/run/bpf/w','heartbeat_ms':20,'gate':512},\n"        \
	" 'ports':[\n"                                                                             \
	"  {'name':'nic','driver':'pci','device':'0000:03:00.0','queues':0,\n"                     \
	"   'descriptors':512,'mtu':9000,'promiscuous':true,'mac':'02:00:00:00:0a:FF',\n"          \
	"   'twin':{'name':'wn','addresses':['192.0.2.1/24','2001:db8::1/64']}},\n"                \
	"  {'name':'eth','driver':'af_packet','interface':'eth0','queues':2},\n"                   \
	"  {'name':'xdp','driver':'af_xdp','interface':'eth1'},\n"                                 \
	"  {'name':'tap','driver':'tap','interface':'wtap0','twin':{}},\n"                         \
	"  {'name':'mem','driver':'memif','socket':'/run/m.sock','id':7,'role':'server'},\n"       \
	"  {'name':'cap','driver':'pcap','rx_file':'in.pcap','tx_file':'out.pcap',\n"              \
	"   'loop':true},\n"                                                                       \
	"  {'name':'nul','driver':'null','frame_bytes':1400},\n"                                   \
	"  {'name':'own','driver':'xdp','interface':'eth3','mode':'native'}],\n"                   \
	" 'streams':[\n"                                                                           \
	"  {'name':'a','match':{'vlan':100,'outer_vlan':200,'destination':['192.0.2.1/32',\n"      \
	"    '2001:db8::/32'],'source':'10.0.0.0/8','udp_port':[4739,'9990-9999','53']},\n"        \
	"   'key':{'type':'bytes','offset':4,'length':8},'partitions':64,'tier':'critical',\n"     \
	"   'ring':{'messages':1024,'bytes':'1M','age_ms':0,'retain_ms':60000,\n"                  \
	"    'drain_ms':2000},\n"                                                                  \
	"   'deadline_ms':700,'buffers':4096,'producers':{'max':3,\n"                              \
	"    'rate':{'packets_per_s':'9k'},'key_file':'/etc/weir/a.key'}},\n"                      \
	"  {'name':'b','match':{'vlan':'untagged','outer_vlan':'none'},'key':'gtpu',\n"            \
	"   'tier':'bulk','path':'gateway'},\n"                                                    \
	"  {'name':'c'}],\n"                                                                       \
	" 'groups':[\n"                                                                            \
	"  {'name':'g','class':'blind','streams':['a','b'],'sample':10,\n"                         \
	"   'source':['10.0.0.0/8','2001:db8:1::/48'],'consumers':[\n"                             \
	"    {'name':'c1','address':'198.51.100.7','port':9995,'source':'keep',\n"                 \
	"     'rate':{'packets_per_s':50000,'bits_per_s':'100M','burst_packets':64,\n"             \
	"      'burst_bytes':'64k'},'egress':'eth','mac':'02:00:00:00:00:07'},\n"                  \
	"    {'name':'c2','address':'2001:db8::7','port':1}]},\n"                                  \
	"  {'name':'n','class':'native','streams':'c','consumer_rate':{'bits_per_s':1000},\n"      \
	"   'max_consumers':3,'reliable':false,'window':{'messages':5000,'bytes':'64M'},\n"        \
	"   'partition_window':{'messages':100,'bytes':'64k'},'attempts':4,\n"                     \
	"   'retry_percent':10,'key_file':'/etc/weir/n.key','moves':8,'drain_ms':250,\n"           \
	"   'rebalance_s':30,'weights':[{'name':'large','weight':300}]},\n"                        \
	"  {'name':'h','class':'assisted','streams':'a','key_file':'/etc/weir/h.key',\n"           \
	"   'consumers':[{'name':'c3','address':'198.51.100.9','port':514}]}]}\n"

/* Write `from` with its ' as " into `to`, which has room for strlen + 1. */
static inline void document_text(const char *from, char *to)
{
	do
		*to++ = *from == '\'' ? '"' : *from;
	while (*from++ != '\0');
}
