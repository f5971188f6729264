#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# light
#
# With two workers each message finds the worker that owns its partition, and each frame the worker
# that has a transmit queue: nothing lost, order per key kept, whatever queues the ports have.

# shellcheck source=tests/system/_init.sh
. "$(dirname "$0")/_init.sh"

lan
host exporter 1
kernel_port gw0 2
host c1 3
host c2 4

# configure PORTS CPUS
configure() {
	cat >"$tmp/weir.json" <<-END
		{"workers": {"cpus": $2},
		"control": {"socket": "$socket"},
		"chaos": {"allow": true},
		"memory": {"hugepages": false, "buffers": 65536},
		"ports": [$1],
		"streams": [{"name": "flows", "match": {"udp_port": 4739}, "key": "ipfix",
			"partitions": 32, "ring": {"messages": 4096, "age_ms": 60000}}],
		"groups": [
			{"name": "kept", "streams": ["flows"], "consumers": [{"name": "k1",
				"address": "10.0.0.3", "port": 9995, "source": "keep"}]},
			{"name": "split", "streams": ["flows"], "consumers": [
				{"name": "s1", "address": "10.0.0.3", "port": 9996},
				{"name": "s2", "address": "10.0.0.4", "port": 9996}]},
			{"name": "native", "class": "native", "streams": ["flows"]}]}
	END
}

# Who shares takes a key from where it came to it: what both got together is compared below.
start() {
	receiver_start k1 c1 --listen 10.0.0.3:9995
	receiver_start s1 c1 --listen 10.0.0.3:9996 --late
	receiver_start s2 c2 --listen 10.0.0.4:9996 --late
	weir_start "$tmp/weir.json"
	receiver_start n1 c2 --native 10.0.0.2:4150 --group native --name n1
	wait_for "ctl consumer list | jq -e '[.consumers[] | select(.state == \"reachable\")] | length == 4'"
}

in_order='.lost == 0 and .duplicates == 0 and .reordered == 0'
keys=100 # of each load

# expect COUNT [DROPPED]: all groups have been sent so many, the mesh has lost as many as DROPPED says
expect() {
	local count=$1 dropped=${2:-{\}}
	wait_for "ctl group list | jq -e '[.groups[].delivered] == [$count, $count, $count]'"
	assert_law
	# Both workers own partitions, and sent what came to them.
	assert_json "$(ctl partition list flows)" '[.partitions[] | select(.group == "kept")] |
		([.[] | select(.worker == 0 and .messages > 0)] | length > 8) and
		([.[] | select(.worker == 1 and .messages > 0)] | length > 8)' "partitions of both workers"
	assert_json "$(ctl stream list)" ".streams[0] | .appended == $count and
		.handed > $count / 8 and .handed == .taken_over and .under_way == 0 and
		.dropped == $dropped" "messages handed to the other worker"
	assert_json "$(ctl group list)" '[.groups[] | .dropped == {} and .held == 0] | all'
}

stop() {
	local name
	for name in k1 s1 s2 n1; do
		receiver_stop $name
	done
	assert_json "$tmp/k1.json" ".received == $1 and .keys == $keys and $in_order"
	assert_eq $(($(receiver_get s1 .received) + $(receiver_get s2 .received))) "$1" \
		"messages of both consumers that share"
	assert_json "$tmp/s1.json" "$in_order"
	assert_json "$tmp/s2.json" "$in_order"
	weir_stop
}

# Sent when both were there: each key has gone to one of them.
assert_split() {
	assert_eq $(($(receiver_get s1 .keys) + $(receiver_get s2 .keys))) $keys \
		"keys of both, each with one consumer"
	assert_num "$(receiver_get s1 .received)" -ge $(($1 / 4)) "share of the one"
	assert_num "$(receiver_get s2 .received)" -ge $(($1 / 4)) "share of the other"
}

# load [COUNT]
load() {
	local count=${1:-15000}
	send exporter --to 10.0.0.2:4739 --rate 5000 --count "$count" --keys 100 --sources 20 \
		--size 150 --json "$tmp/sent.json"
	assert_json "$tmp/sent.json" ".sent == $count and .failed == 0"
}

# A queue for each worker, to receive and to send by.
configure '{"name": "lan", "driver": "af_packet", "interface": "gw0", "queues": 2}' '[0, 1]'
start
assert_json "$(ctl port list)" '.ports[0] | .rx_queues == 2 and .tx_queues == 2'
assert_json "$(ctl worker list)" '[.workers[].receive_queues] == [1, 1]'
load
expect 15000
stop 15000
assert_split 15000
assert_json "$tmp/n1.json" ".received == 15000 and $in_order and .native.gaps == 0"

# One queue: one worker receives all; what the other sends leaves by the first one's queue.
configure '{"name": "lan", "driver": "af_packet", "interface": "gw0", "queues": 1}' '[0, 1]'
start
assert_json "$(ctl port list)" '.ports[0] | .rx_queues == 1 and .tx_queues == 1'
assert_eq "$(ctl worker list | jq -c '[.workers[].receive_queues] | sort')" '[0,1]' "receive queues"
load
expect 15000
assert_json "$(ctl port list)" '.ports[0] | .sent >= 30000 and .dropped == {}'
# A mesh that refuses a half of the bursts, an injected fault, costs these and nothing else: the rest
# is in order, and numbered as if they had not come.
ctl chaos start block percent=50 seconds=600 >/dev/null
load 5000
lost=$(ctl chaos stop fault=block | jq '.faults[] | select(.fault == "block") | .injected')
assert_num "$lost" -ge 500 "messages that were refused"
expect $((20000 - lost)) "{\"mesh_full\":$lost}"
in_order='.duplicates == 0 and .reordered == 0'
keys=200
stop $((20000 - lost))
assert_split $((20000 - lost))
assert_json "$tmp/n1.json" ".received == 20000 - $lost and $in_order and .native.gaps == 0"

# A capture, read as fast as it goes, by a port that has never more than one queue. It is read
# before the consumers are found, and partitions move when they are.
capture_start exporter eth0 "$tmp/flows.pcap" udp dst port 4739
load
wait_for "[ \$(capture_count '$tmp/flows.pcap') -ge 15000 ]"
capture_stop
configure '{"name": "lan", "driver": "af_packet", "interface": "gw0", "queues": 2},
	{"name": "file", "driver": "pcap", "rx_file": "'"$tmp/flows.pcap"'"}' '[0, 1]'
start
wait_for "ctl stream list | jq -e '.streams[0].received == 15000 and .streams[0].under_way == 0'"
# Nothing slows the reading down: a worker that is kept from its CPU meanwhile finds the ring to it
# full, and that is counted.
dropped=$(ctl stream list | jq -c '.streams[0].dropped')
lost=$(jq '.mesh_full // 0' <<<"$dropped")
assert_num "$lost" -le 5000 "messages that found the mesh full"
expect $((15000 - lost)) "$dropped"
receiver_stop n1
receiver_stop k1
receiver_stop s1
receiver_stop s2
assert_json "$tmp/k1.json" ".received == 15000 - $lost and $in_order"
assert_eq $(($(receiver_get s1 .received) + $(receiver_get s2 .received))) $((15000 - lost)) \
	"messages of both consumers that share"
weir_stop
