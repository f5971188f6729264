#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# More than a worker can do: it has no headroom, its port loses, and so much is not usual at any
# hour. And a wall clock that steps. Each is an alert of the gateway, and of the shipped rules in a
# real Prometheus and Alertmanager, and is over with its cause.

# shellcheck source=tests/system/_init.sh
. "$(dirname "$0")/_init.sh"

if nm -D "$weir_build/app/weir/weir" | grep -q __asan_init; then
	skip "nothing is loaded before the sanitizers"
fi
groups=24 # copies, so that the worker is used up before the sender, which may not always have its CPU
lan
host exporter 1
kernel_port gw0 2
ip link add out0 type veth peer name out1 # nobody there: it is for another MAC
ip link set out0 up
ip link set out1 up
jq -n --arg socket "$socket" --arg state "$tmp/state" --argjson groups $groups '{
	workers: {cpus: [1]}, control: {socket: $socket}, telemetry: {interval_ms: 100},
	alerts: {short_s: 2, long_s: 4},
	memory: {hugepages: false, buffers: 65536}, state: {file: $state},
	ports: [{name: "lan", driver: "af_packet", interface: "gw0", descriptors: 4096},
		{name: "out", driver: "af_packet", interface: "out0"}],
	streams: [{name: "s", match: {udp_port: 4739}, key: "ipfix", partitions: 16}],
	groups: [range($groups) | {name: "g\(.)", streams: ["s"], consumers: [{name: "c\(.)",
		address: "10.1.0.\(. + 1)", port: 9995, egress: "out", mac: "02:00:00:00:00:09"}]}]
	}' >"$tmp/weir.json"

# step SECONDS: from the true time
step() {
	python3 -c 'import struct, sys; sys.stdout.buffer.write(struct.pack("=q", int(sys.argv[1])))' \
		"$1" | dd of="$tmp/step" conv=notrunc status=none
}

series='weir_stream_received_messages_total{stream="s",tier="standard"}'

# A gateway that has learned for weeks that nothing comes.
weir_start "$tmp/weir.json"
wait_for "ctl baseline compare | jq -e '.baselines | length == $((groups + 2))'"
weir_stop
"$weir_tests/usual.py" "$tmp/state.baseline" "$series"

step 0
export WEIR_STEPPED_CLOCK=$tmp/step
LD_PRELOAD=$weir_build/lib/control/stepped_clock.so weir_start "$tmp/weir.json"
prometheus_start 2 4 1
declare -A subject=([WeirWorkerBusy]=worker=0 [WeirPortLosing]=port=lan
	[WeirUnusual]=series=$series
	[WeirClockStepped]=subject=clock=wall)

# is_active ALERT: here, of its subject
is_active() {
	ctl alert list | jq -e --arg alert "$1" --arg subject "${subject[$1]}" \
		'any(.alerts[]; .alert == $alert and .subject == $subject and .state == "active")'
}
for alert in "${!subject[@]}"; do
	assert_fails is_active "$alert" >/dev/null
done
assert_eq "$(wc -l <"$tmp/hooked")" 0 "alerts before there is a cause"

step 3600
in_ns_start exporter taskset -c 0 weirload send --to 10.0.0.2:4739 --keys 64 --size 100 \
	--rate 0 --seconds 60 --json "$tmp/sent.json"
loading=$!
for alert in "${!subject[@]}"; do
	wait_for "is_active $alert" 30
	wait_for "told firing $alert" 30
	echo "firing $alert"
done
assert_json "$(ctl health get)" 'any(.troubles[]; .watchdog == "clock")'
kill -TERM $loading
wait $loading || true
for alert in WeirWorkerBusy WeirPortLosing WeirUnusual; do
	wait_for "! is_active $alert" 30
	wait_for "told resolved $alert" 30
	echo "over $alert"
done
assert_law

# A step is told of for a minute, and a gateway that begins later knows nothing of it.
weir_stop
wait_for "told resolved WeirClockStepped" 30
prometheus_stop
