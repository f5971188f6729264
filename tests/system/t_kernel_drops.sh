#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# light
#
# What the kernel drops in front of an af_packet port is counted: rx_missed and received together
# are what was sent.
# shellcheck source=tests/system/_init.sh
. "$(dirname "$0")/_init.sh"

lan
host exporter 1
kernel_port gw0 2
host c1 3
cat >"$tmp/weir.json" <<END
{"control": {"socket": "$socket"},
 "ports": [{"name": "lan", "driver": "af_packet", "interface": "gw0", "descriptors": 64}],
 "streams": [{"name": "s", "match": {"udp_port": 4739}, "key": "ipfix"}],
 "groups": [{"name": "g", "streams": ["s"],
	     "consumers": [{"name": "c", "address": "10.0.0.3", "port": 9995}]}]}
END
weir_start "$tmp/weir.json"
matched() { ctl port list | jq '.ports[0].matched'; }
missed() { ctl port list | jq '.ports[0].device.rx_missed'; }

# While the gateway is stopped its ring of a few frames overflows.
kill -STOP "$gateway_pid"
send exporter --to 10.0.0.2:4739 --rate 20000 --count 5000 --type ipfix --size 100
kill -CONT "$gateway_pid"
wait_for "[ \$((\$(matched) + \$(missed))) -ge 5000 ]" 10
assert_num "$(missed)" -gt 1000
assert_law
weir_stop
