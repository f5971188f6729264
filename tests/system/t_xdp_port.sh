#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# light
#
# A port of driver xdp: the streams' packets and the stream protocol reach the gateway, everything
# else the kernel, with no twin; packets in several frames, IPv6 and VLAN pass; the preflight says
# what is missing; pins of another version are replaced; the program goes when it is told to.

# shellcheck source=tests/system/_init.sh
. "$(dirname "$0")/_init.sh"

lan
host exporter 1 9000
kernel_port gw0 2 9000
host c1 3 9000
cat >"$tmp/weir.json" <<END
{"control": {"socket": "$socket"},
 "memory": {"hugepages": false, "buffer_bytes": 9216},
 "ports": [{"name": "lan", "driver": "xdp", "interface": "gw0"}],
 "streams": [{"name": "s", "match": {"udp_port": 4739}, "key": "ipfix", "partitions": 4}],
 "groups": [{"name": "g", "streams": ["s"],
	     "consumers": [{"name": "c", "address": "10.0.0.3", "port": 9995}]},
	    {"name": "n", "class": "native", "streams": ["s"]}]}
END

# The preflight names what would keep the fail-over from working, and changes nothing.
in_ns switch ethtool -K gw-gw0 gro off
weir --config "$tmp/weir.json" --check >"$tmp/check.log"
grep -q 'is sound' "$tmp/check.log" || fail "$(cat "$tmp/check.log")"
grep -q 'port lan: xdp on gw0 (veth), MTU 9000' "$tmp/check.log" || fail "$(cat "$tmp/check.log")"
grep -q 'missing: the program cannot send by gw0' "$tmp/check.log" || fail "$(cat "$tmp/check.log")"
in_ns switch ethtool -K gw-gw0 gro on
weir --config "$tmp/weir.json" --check >"$tmp/check.log"
grep -q 'the program can send by gw0' "$tmp/check.log" || fail "$(cat "$tmp/check.log")"
assert_fails ls /sys/fs/bpf/weir 2>/dev/null

weir_start "$tmp/weir.json"
wait_for "ctl consumer list | jq -e '.consumers[0].state == \"reachable\"'"
receiver_start c c1 --listen 0.0.0.0:9995
receiver_start native c1 --native 10.0.0.2:4150 --group n --name n --max-datagram 9000
in_ns exporter ping -q -c 3 -i 0.2 10.0.0.2 >/dev/null || fail "no answer to ping"
in_ns exporter ping -q -c 3 -i 0.2 fd00::2 >/dev/null || fail "no answer to ping by IPv6"
send exporter --to 10.0.0.2:4739 --keys 10 --size 100 --count 2000 --rate 20000 >/dev/null
send exporter --to 10.0.0.2:4739 --from 10.0.0.1:6000 --keys 1 --size 8900 --count 200 --rate 2000 \
	>"$tmp/long.json"
wait_for "[ \"\$(ctl port list | jq '.ports[0].matched')\" = 2200 ]"
wait_for "ctl group list | jq -e '[.groups[] | .held] | add == 0'"
assert_json "$(ctl port list)" '.ports[0] | .driver == "xdp" and .link == "up" and .native > 0 and
	.device.rx_missed == 0 and .device.rx_errors == 0 and .device.tx_errors == 0'
assert_json "$(ctl failover show)" '.gateway and .ports[0].interface == "gw0" and
	(.ports[0].queues[0] | .state == "gateway" and .waiting == 0 and .redirected >= 2200)'
assert_law

# The operator has the kernel deliver, and takes it back.
ctl failover trip >/dev/null
wait_for "ctl failover show | jq -e '.ports[0].queues[0] | .state == \"kernel\" and .reason == \"operator\"'"
ctl failover arm >/dev/null
wait_for "ctl failover show | jq -e '.ports[0].queues[0].state == \"gateway\"'"
receiver_stop c
receiver_stop native
assert_json "$tmp/c.json" '.received == 2200 and .lost == 0 and .reordered == 0'
assert_json "$tmp/native.json" ".received >= 2000 and .lost == 0"

# A second gateway is refused, and leaves program and queues to the first.
program_id() {
	ip link show gw0 | grep -o 'prog/xdp id [0-9]*'
}
before=$(program_id)
assert_fails weir --config "$tmp/weir.json" >"$tmp/second.log" 2>&1
grep -q 'another gateway has the port' "$tmp/second.log" || fail "$(cat "$tmp/second.log")"
assert_eq "$(program_id)" "$before" "the port's program"
send exporter --to 10.0.0.2:4739 --keys 10 --size 100 --count 100 --rate 20000 >/dev/null
assert_json "$(ctl failover show)" '.ports[0].queues[0] | .state == "gateway" and .trips == 1'

# It stays on the interface without the gateway, until it is told to go.
weir_stop
ip -d link show gw0 | grep -q 'prog/xdp' || fail "no program on the port: $(ip -d link show gw0)"
assert_json "$(weirctl -j failover show)" '.gateway == false and .ports[0].queues[0].state == "disarmed"'

# Pins of another version are recognised, and replaced by a gateway that starts: of another format,
# and of the same with another shape.
PATH=$PATH:/usr/sbin
settings=/sys/fs/bpf/weir/gw0/settings
bytes=$(bpftool -j map lookup pinned $settings key 0 0 0 0 | jq -r '.value[1:] | join(" ")')
# shellcheck disable=SC2086 # many arguments
bpftool map update pinned $settings key 0 0 0 0 value 0x63 $bytes
assert_fails weirctl -j failover show >"$tmp/show.log" 2>&1
grep -q 'of another version' "$tmp/show.log" || fail "$(cat "$tmp/show.log")"
replaced() {
	weir_start "$tmp/weir.json"
	grep -q "$1" "$gateway_log" || fail "not said: $1"
	wait_for "ctl consumer list | jq -e '.consumers[0].state == \"reachable\"'"
	receiver_start c c1 --listen 0.0.0.0:9995
	send exporter --to 10.0.0.2:4739 --keys 10 --size 100 --count 1000 --rate 20000 >/dev/null
	weir_stop
	receiver_stop c
	assert_json "$tmp/c.json" '.received == 1000 and .lost == 0'
	assert_json "$(weirctl -j failover show)" '.ports[0].queues[0] | .state == "disarmed" and
		.redirected >= 1000'
}
replaced 'holds maps of another format: they are replaced'
rm /sys/fs/bpf/weir/shared/stream_counters
bpftool map create /sys/fs/bpf/weir/shared/stream_counters type array key 4 value 8 entries 1 \
	name stream_counters
replaced 'the pinned maps do not fit (.*): replaced'

# Somebody takes the program off: it is named.
weir_start "$tmp/weir.json"
before=$(program_id)
assert_json "$(ctl drift show)" '.drifted == false'
bpftool link detach id "$(bpftool -j link list | jq --argjson program "${before##* }" \
	'.[] | select(.prog_id == $program) | .id')"
assert_json "$(ctl drift show)" ".differences | length == 1 and .[0].intended == \"${before##* }\" and
	.[0].name == \"port.lan.xdp_program\" and .[0].actual == \"none\""
weir_stop

weir --config "$tmp/weir.json" --unload
[ ! -e /sys/fs/bpf/weir ] || fail "pins are left: $(find /sys/fs/bpf/weir)"
wait_for "! ip -d link show gw0 | grep -q 'prog/xdp'"
assert_fails weirctl -j failover show 2>/dev/null
