#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# measures time
#
# At a part of the load, capacity_plan says at how many times it a worker is used up; the load is
# raised until it is, and both agree within 20 %. A machine that others share is faster in one moment
# than in the next: up to five attempts. A limit below that is said to come first.

# shellcheck source=tests/system/_init.sh
. "$(dirname "$0")/_init.sh"

groups=8 # copies, so that a worker is used up before the sender
lan
host exporter 1
kernel_port gw0 2
ip link add out0 type veth peer name out1 # nobody there: it is for another MAC
ip link set out0 up
ip link set out1 up
jq -n --arg socket "$socket" --argjson groups $groups '{
	workers: {cpus: [1]}, control: {socket: $socket}, telemetry: {interval_ms: 250},
	memory: {hugepages: false, buffers: 65536},
	ports: [{name: "lan", driver: "af_packet", interface: "gw0"},
		{name: "out", driver: "af_packet", interface: "out0"}],
	streams: [{name: "s", match: {udp_port: 4739}, key: "ipfix", partitions: 16,
		tier: "critical"}],
	groups: [range($groups) | {name: "g\(.)", streams: ["s"], consumers: [{name: "c\(.)",
		address: "10.1.0.\(. + 1)", port: 9995, egress: "out", mac: "02:00:00:00:00:09"}]}]
	}' >"$tmp/weir.json"
weir_start "$tmp/weir.json"

load_start() {
	in_ns_start exporter taskset -c 0 weirload send --to 10.0.0.2:4739 --keys 64 --size 100 \
		--seconds 30 --json "$tmp/sent.json" --rate "$1"
	loading=$!
}

load_stop() {
	kill -TERM "$loading" 2>/dev/null || true
	wait "$loading" || true
}

# delivered: messages to each group so far, and the time, in microseconds
delivered() {
	echo "$(ctl group list | jq '[.groups[].delivered] | add / length | floor') ${EPOCHREALTIME/./}"
}

# measured SECONDS: messages a second that each group was given meanwhile
measured() {
	local before after
	before=$(delivered)
	sleep "$1" # of the load that is measured
	after=$(delivered)
	awk '{printf "%.0f\n", ($3 - $1) * 1e6 / ($4 - $2)}' <<<"$before $after"
}

# What it takes at most.
busy() {
	ctl worker list | jq -e '.workers[0].load_percent > 90' >/dev/null
}
measure_most() {
	load_start 0
	wait_for busy
	most=$(measured 1.5)
	load_stop
}

# The plan at a part of what was measured last. Sets part, factor.
make_plan() {
	local plan
	wait_for "ctl worker list | jq -e '.workers[0].load_percent < 20'"
	load_start $((most * 45 / 100))
	wait_for "ctl worker list | jq -e '.workers[0].load_percent > 20'"
	part=$(measured 1.5)
	plan=$(ctl capacity plan factor=1.5)
	load_stop
	assert_json "$plan" '.factor == 1.5 and .saturated == 0 and .first.resource == "worker" and
		(.resources | map(.saturates_at // infinite) | . == sort) and
		(.resources[0] | .cycles_per_message > 100 and .planned_percent > .used_percent and
			.saturated == false)' "plan at a part of the load"
	factor=$(jq '.first.saturates_at' <<<"$plan")
}

measure_most
for _ in 1 2 3 4 5; do
	make_plan
	measure_most
	measured_factor=$(awk -v most="$most" -v part="$part" 'BEGIN {print most / part}')
	echo "$part messages a second: planned $factor, measured $measured_factor"
	! (assert_within "$factor" "$measured_factor" 20) 2>/dev/null || break
done
assert_within "$factor" "$measured_factor" 20 "where the worker is used up"

# A consumer's limit comes first when it is nearer.
ctl consumer set-rate c3 packets_per_s=1500 >/dev/null
load_start 1000
wait_for "ctl capacity plan factor=2 | jq -e '.first | .resource == \"consumer\" and .name == \"c3\" and
	.what == \"packet_rate\" and .saturates_at > 1.3 and .saturates_at < 1.7'"
assert_json "$(ctl capacity plan factor=2 limit=3)" '.saturated == 1 and (.resources | length) == 3 and
	.resources[0].saturated'
wait_for "ctl metric list name=weir_capacity_saturation | jq -e 'any(.metrics[];
	.labels.resource == \"consumer\" and .value < 1.7)'"
load_stop
assert_law
weir_stop
