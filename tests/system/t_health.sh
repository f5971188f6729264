#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# measures time
#
# What holds a consumer back shows in its health: each state is reached by what should cause it,
# and by nothing else, for native and for blind consumers.

# shellcheck source=tests/system/_init.sh
. "$(dirname "$0")/_init.sh"

lan
host exporter 1
kernel_port gw0 2
host native 3
host blind 4
cat >"$tmp/weir.json" <<-END
	{"workers": {"cpus": [1]},
	"control": {"socket": "$socket"},
	"memory": {"hugepages": false, "buffers": 65536},
	"native": {"heartbeat_ms": 50, "liveness_ms": 300},
	"health": {"throttled_percent": 50, "park_ms": 400, "catch_up_ms": 1500},
	"reach": {"probe_ms": 100},
	"ports": [{"name": "lan", "driver": "af_packet", "interface": "gw0"}],
	"streams": [{"name": "flows", "match": {"udp_port": 4739}, "key": "ipfix", "partitions": 8,
		"ring": {"messages": 8192, "age_ms": 60000}}],
	"groups": [{"name": "n", "class": "native", "streams": ["flows"]},
		{"name": "b", "streams": ["flows"], "consumers": [
			{"name": "blind", "address": "10.0.0.4", "port": 9995}]}]}
END

# health NAME JQ-PATH
health() {
	ctl consumer show "$1" | jq -r ".health | $2"
}

# becomes NAME STATE [SECONDS]
becomes() {
	wait_for "[ \"\$(health $1 .state)\" = $2 ]" "${3:-10}"
}

load_start() {
	in_ns_start exporter weirload send --to 10.0.0.2:4739 --keys 40 --size 100 --seconds 60 \
		--json "$tmp/sent.json" "$@"
	loading=$!
}

load_stop() {
	kill -TERM "$loading" 2>/dev/null || true
	wait "$loading" || true
}

# Everything that waits has been sent.
drained() {
	wait_for "[ \"\$(health $1 .waiting)\" = 0 ]" 20
	becomes "$1" healthy
}

weir_start "$tmp/weir.json"
receiver_start blind blind --listen 10.0.0.4:9995
join() {
	receiver_start native native --native 10.0.0.2:4150 --group n --name native "$@"
	wait_for "ctl consumer show native | jq -e '.state == \"reachable\" and .partitions == 8'"
}
join --window-messages 64
becomes native healthy
becomes blind healthy

# A load that both take: they stay healthy.
load_start --rate 1000
wait_for "[ \"\$(ctl consumer show native | jq .delivered)\" -gt 500 ]"
for name in native blind; do
	assert_eq "$(health $name .state)" healthy "$name under a load that it takes"
	assert_eq "$(health $name '.entered.throttled + .entered.parked + .entered.catching_up')" 0 \
		"$name: states that nothing causes"
done

# A limit below the load: throttled, and, as it falls behind, a native one catches up. Without the
# limit: healthy.
for name in native blind; do
	ctl consumer set-rate "$name" packets_per_s=100 burst_packets=32 >/dev/null
	becomes $name throttled
	[ $name = blind ] || becomes $name catching_up
	assert_num "$(health $name .held_percent)" -ge 50 "$name: percent of the time held back"
	assert_num "$(health $name .waiting)" -gt 0 "$name: messages before it"
	ctl consumer set-rate "$name" packets_per_s=0 >/dev/null
	drained $name
done

# Nothing let through: parked, until something is again.
for name in native blind; do
	ctl consumer pause "$name" >/dev/null
	becomes $name parked
	ctl consumer resume "$name" >/dev/null
	drained $name
done
receiver_stop native
wait_for "[ \"\$(ctl consumer list | jq '[.consumers[] | select(.class == \"native\")] | length')\" = 0 ]"

# A native one that stops working parks by its credit alone.
join --window-messages 64 --pause-after 0.2 --pause-for 1.5
becomes native parked
assert_json "$(ctl consumer show native)" '.gate.credit_messages > 0 and .state == "reachable"'
drained native

# A host that goes away: gone. It comes back: healthy.
load_stop
ip -n switch link set blind-eth0 down
becomes blind gone 20
ip -n switch link set blind-eth0 up
becomes blind healthy 20

for state in healthy throttled parked gone; do
	assert_num "$(health blind ".entered.$state")" -gt 0 "blind: times $state"
	assert_num "$(ctl stats get | jq ".health.$state")" -ge "$(health blind ".entered.$state")" \
		"times $state, of all"
done
assert_eq "$(health blind .entered.catching_up)" 0 "a class of native consumers alone"
assert_law
receiver_stop native
receiver_stop blind
assert_json "$tmp/native.json" '.native.overruns == 0 and .native.gaps == 0'
weir_stop
