#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Of two consumers that share one stream's partitions and buffers one is stopped, for longer than
# the buffers last: the other still gets every message of its partitions, in order.
# shellcheck source=tests/system/_init.sh
. "$(dirname "$0")/_init.sh"

lan
host exporter 1
kernel_port gw0 2
host c1 3
host c2 4
cat >"$tmp/weir.json" <<END
{"control": {"socket": "$socket"},
 "memory": {"buffers": 16384},
 "ports": [{"name": "lan", "driver": "af_packet", "interface": "gw0", "descriptors": 4096}],
 "streams": [{"name": "s", "match": {"udp_port": 4739}, "key": "ipfix", "partitions": 16}],
 "groups": [{"name": "g", "streams": ["s"], "consumers": [
	{"name": "c1", "address": "10.0.0.3", "port": 9995},
	{"name": "c2", "address": "10.0.0.4", "port": 9995}]}]}
END
weir_start "$tmp/weir.json"
receiver_start alive c2 --listen 10.0.0.4:9995
wait_for "ctl consumer list | jq -e 'all(.consumers[]; .state == \"reachable\")'" 10
mine=$(ctl consumer show c2 | jq .partitions)
assert_num "$mine" -gt 0
assert_num "$mine" -lt 16
ctl consumer pause c1 >/dev/null

send exporter --to 10.0.0.2:4739 --rate 12000 --count 60000 --keys 400 --type ipfix --size 100
wait_for "ctl stream list | jq -e '.streams[0].received == 60000'" 10
wait_for "ctl stats get | jq -e '.groups[0] | .held + .delivered + .dropped.lapped == 60000'" 10
dropped=$(ctl stats get | jq '.streams[0].dropped | add // 0')
assert_eq "$dropped" 0 "dropped before the ring"
assert_num "$(ctl stats get | jq '.groups[0].dropped.lapped')" -gt 0 "lapped"

# What was lapped is the stopped consumer's: the other has all of its keys, and all of each.
delivered=$(ctl consumer show c2 | jq .delivered)
wait_for "[ \$(in_ns c2 nstat -asz UdpInDatagrams | awk '/UdpIn/ {print \$2}') -ge $delivered ]" 10
receiver_stop alive
assert_eq "$(receiver_get alive .received)" "$delivered"
assert_eq "$(receiver_get alive .lost)" 0
assert_eq "$(receiver_get alive .reordered)" 0
assert_eq "$(receiver_get alive .received)" $(($(receiver_get alive .keys) * 150))
assert_law
weir_stop
