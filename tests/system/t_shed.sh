#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# More plain datagrams than a worker can do: bulk is shed first, of standard no larger a part, of
# critical nothing; receiving goes on all the time, and nothing is shed once the load is over.

# shellcheck source=tests/system/_init.sh
. "$(dirname "$0")/_init.sh"

groups=24 # copies, so that the worker is used up before the sender, which may not always have its CPU
lan
host exporter 1
kernel_port gw0 2
ip link add out0 type veth peer name out1 # nobody there: it is for another MAC
ip link set out0 up
ip link set out1 up
jq -n --arg socket "$socket" --argjson groups $groups '{
	workers: {cpus: [1]}, control: {socket: $socket},
	memory: {hugepages: false, buffers: 65536},
	ports: [{name: "lan", driver: "af_packet", interface: "gw0", descriptors: 4096},
		{name: "out", driver: "af_packet", interface: "out0"}],
	streams: [["critical", "standard", "bulk"] | to_entries[] | {name: .value, tier: .value,
		match: {udp_port: (4739 + .key)}, key: "ipfix", partitions: 16}],
	groups: [range($groups) | {name: "g\(.)", streams: ["critical", "standard", "bulk"],
		consumers: [{name: "c\(.)", address: "10.1.0.\(. + 1)", port: 9995, egress: "out",
			mac: "02:00:00:00:00:09"}]}]
	}' >"$tmp/weir.json"
weir_start "$tmp/weir.json"

# load PORT RATE: in the background
senders=()
load() {
	in_ns_start exporter taskset -c 0 weirload send --to "10.0.0.2:$1" --keys 64 --size 100 \
		--rate "$2" --seconds 60 --json "$tmp/$1.json"
	senders+=($!)
}

# of STREAM FIELD: its counter
of() {
	ctl stream list | jq ".streams[] | select(.name == \"$1\") | $2 // 0"
}

load 4739 2000
load 4740 5000
wait_for "[ \$(of critical .received) -gt 500 ] && [ \$(of standard .received) -gt 1000 ]"
load 4741 0
wait_for "[ \$(of bulk .dropped.shed) -gt 10000 ]" 30
before=$(of critical .appended)
wait_for "[ \$(of critical .appended) -gt $((before + 500)) ]" 30
wait_for "[ \$(of bulk .dropped.shed) -gt 50000 ]" 30
kill -TERM "${senders[2]}"
wait "${senders[2]}" || true

# Without bulk there is room for all.
shed() {
	ctl stream list | jq '[.streams[].dropped.shed // 0] | add'
}
last=-1
until [ "$(shed)" = "$last" ]; do
	last=$(shed)
	before=$(of standard .appended)
	wait_for "[ \$(of standard .appended) -gt $((before + 2000)) ]" 30
done
kill -TERM "${senders[@]:0:2}"
wait "${senders[@]:0:2}" || true
ctl stream list >"$tmp/streams.json"
jq -c '.streams[] | [.name, .received, .dropped]' "$tmp/streams.json"
assert_json "$tmp/streams.json" '[.streams[] | {(.name): ((.dropped.shed // 0) / .received)}] | add |
	.critical == 0 and .standard <= .bulk and .bulk > 0.1' "parts that were shed"
assert_law
weir_stop
