#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# light
#
# A datagram that fills the exporter's MTU reaches native consumers, although its frame does not
# fit: over IPv4 and IPv6, in order, nothing lost; and the batches of small ones stay whole.
# shellcheck source=tests/system/_init.sh
. "$(dirname "$0")/_init.sh"

lan
host exporter 1
kernel_port gw0 2
host c1 3
cat >"$tmp/weir.json" <<END
{"control": {"socket": "$socket"},
 "ports": [{"name": "lan", "driver": "af_packet", "interface": "gw0"}],
 "streams": [{"name": "flows", "match": {"udp_port": 4739}, "key": "ipfix", "partitions": 16}],
 "groups": [{"name": "n4", "class": "native", "streams": ["flows"]},
            {"name": "n6", "class": "native", "streams": ["flows"]}]}
END
weir_start "$tmp/weir.json"
receiver_start four c1 --native 10.0.0.2:4150 --group n4 --name four
receiver_start six c1 --native "[fd00::2]:4150" --group n6 --name six
wait_for "ctl consumer list | jq -e '[.consumers[].state] == [\"reachable\", \"reachable\"]'" 10

send exporter --to 10.0.0.2:4739 --rate 4000 --count 8000 --keys 50 --type ipfix --size 1464
send exporter --to 10.0.0.2:4739 --rate 4000 --count 4000 --keys 50 --type ipfix --size 200
wait_for "ctl stats get | jq -e 'all(.groups[]; .delivered == 12000)'" 15
receiver_stop four
receiver_stop six
for name in four six; do
	assert_eq "$(receiver_get $name .received)" 12000
	assert_eq "$(receiver_get $name .lost)" 0
	assert_eq "$(receiver_get $name .reordered)" 0
done
assert_law
weir_stop
