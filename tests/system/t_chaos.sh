#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Faults are injected by schedules: each raises its alert, is met by its remedy, and ends by itself;
# the law holds. A consumer at least once gets everything, once and in order, whatever is lost on the
# way to it, and each thing that it is not given is told as a gap. Who may not inject any is refused.

# shellcheck source=tests/system/_init.sh
. "$(dirname "$0")/_init.sh"

lan
host exporter 1
kernel_port gw0 2
host consumer 3
host blind 4
cat >"$tmp/weir.json" <<-END
	{"workers": {"cpus": [1], "stall_ms": 200},
	"control": {"socket": "$socket"},
	"memory": {"hugepages": false, "buffers": 32768},
	"telemetry": {"interval_ms": 100},
	"alerts": {"short_s": 1, "long_s": 2},
	"native": {"heartbeat_ms": 20, "liveness_ms": 5000},
	"state": {"file": "$tmp/state/positions", "interval_ms": 50},
	"ports": [{"name": "lan", "driver": "af_packet", "interface": "gw0", "descriptors": 8192}],
	"streams": [{"name": "flows", "match": {"udp_port": 4739}, "key": "ipfix", "partitions": 8,
		"ring": {"messages": 8192, "age_ms": 60000}}],
	"groups": [{"name": "g", "class": "native", "streams": ["flows"]},
		{"name": "b", "streams": ["flows"], "consumers": [
			{"name": "b1", "address": "10.0.0.4", "port": 9995}]}]}
END

join() {
	receiver_start "$1" consumer --native 10.0.0.2:4150 --group g --name c --places "${@:2}"
	wait_for "ctl consumer show c | jq -e '.state == \"reachable\" and .partitions == 8'"
}

# load_start KEYS PACKETS_PER_S
load_start() {
	in_ns_start exporter weirload send --to 10.0.0.2:4739 --keys "$1" --size 100 --rate "$2" \
		--seconds 60 --json "$tmp/sent.json"
	loading=$!
}

load_stop() {
	kill -TERM "$loading"
	wait "$loading"
	wait_for "ctl group list | jq -e 'all(.groups[]; .held == 0)'"
}

# run SCHEDULE: its report is $tmp/report.json
run() {
	"$weir_root/scripts/chaos" --socket "$socket" --settle 20 --report "$tmp/report.json" "$1" ||
		fail "the schedule: $(jq -c 'del(.before, .after)' "$tmp/report.json")"
}

# refused PATH ARGUMENTS...: named, and nothing is on
refused() {
	local answer status=0
	answer=$(ctl chaos start "${@:2}" 2>&1) || status=$?
	assert_num "$status" -gt 0 "exit status of chaos start ${*:2}"
	[[ $answer == *"$1"* ]] || fail "not $1: $answer"
	assert_json "$(ctl chaos show)" 'all(.faults[]; .state == "off")'
}

# Off until the configuration allows it; then what makes no sense is refused by its path.
weir_start "$tmp/weir.json"
wait_for "ctl consumer list | jq -e '.consumers[0].state == \"reachable\"'"
refused '$.chaos.allow' drop percent=5 seconds=1
jq '.chaos.allow = true' "$tmp/weir.json" >"$tmp/next.json" && mv "$tmp/next.json" "$tmp/weir.json"
ctl config apply "$tmp/weir.json" >/dev/null
refused '$.params.seconds' drop percent=5
refused '$.params.ms' drop percent=5 seconds=1 ms=5
refused '$.params.percent' drop percent=51 seconds=1
refused '$.params.percent' drop percent=0 seconds=1
refused '$.params.port' drop percent=5 seconds=1 port=wan
refused '$.params.consumer' lose percent=5 seconds=1 consumer=c9
refused '$.params.worker' stall ms=5 worker=1
refused '$.params.fault' explode
if setpriv --reuid 65534 --regid 65534 --clear-groups \
	weirctl --socket "$socket" chaos start kill >/dev/null 2>&1; then
	fail "anybody may kill the gateway"
fi

# What is lost on the way is sent again; a short pool sheds bulk; a worker that stalls is named. Each
# message comes once, and in order.
# (What comes during the stall fits into the buffers that the fault leaves. Else acknowledgements find
# none, until messages were sent in vain as often as allowed: streams' budgets prevent that, but not
# when so much of the pool is gone.)
receiver_start b1 blind --listen 10.0.0.4:9995
join steady
load_start 40 200
cat >"$tmp/first" <<-END
	0   lose percent=20 seconds=3 consumer=c seed=11 | alert=WeirChaos/fault=lose
	0   exhaust percent=95 seconds=3                 | alert=WeirPoolShort trouble=pool remedy=pool
	0.5 stall ms=2000 worker=0                       | alert=WeirWorkerStalled trouble=worker
END
run "$tmp/first"
assert_json "$tmp/report.json" '.law and .over and (.steps | map(.fault)) == ["lose", "exhaust", "stall"]'
load_stop
assert_num "$(ctl consumer show c | jq .delivery.retransmitted)" -gt 0 "messages sent again"
assert_law
receiver_stop steady
assert_json "$tmp/steady.json" '.lost == 0 and .duplicates == 0 and .reordered == 0 and
	.native.gaps == 0 and .places.conflicts == 0'
assert_num "$(receiver_get steady .received)" -eq "$(jq .sent "$tmp/sent.json")" messages

# What comes in disorder is in one order from then on, for everybody. Killed, and started by who
# looks after it, the gateway goes on; what it took with it is told.
before=$(ctl stream list | jq '.streams[0].received')
join tossed --late
load_start 2 2000 # so that one of a key overtakes another
sent=$(jq .sent "$tmp/sent.json")
cat >"$tmp/second" <<-END
	# all at once
	0 drop percent=20 seconds=2 port=lan seed=1 | alert=WeirPortDropping/port=lan
	0 duplicate percent=10 seconds=2 seed=2      | alert=WeirChaos/fault=duplicate
	0 reorder percent=10 seconds=2 seed=3        | alert=WeirChaos/fault=reorder
	0 delay percent=10 seconds=2 ms=5 seed=4     | alert=WeirChaos/fault=delay
END
run "$tmp/second"
load_stop
came=$(($(ctl stream list | jq '.streams[0].received') - before))
assert_num "$(ctl port list | jq '.ports[0].dropped.chaos_drop')" -gt 0 "packets dropped"
assert_law
wait_for "ctl group list | jq -e '.groups[] | select(.name == \"g\") | .delivered == $came + $sent'"
receiver_stop tossed
assert_json "$tmp/tossed.json" ".received == $came and .native.gaps == 0 and .places.back == 0 and
	.places.repeats == 0 and .places.silent == 0 and .duplicates > 0 and .reordered > 0 and .lost > 0"

join survivor --late
load_start 40 2000
echo '0 kill | back' >"$tmp/third"
(
	wait_for "! is_running $gateway_pid" 20
	exec weir --config "$tmp/weir.json" >>"$gateway_log" 2>&1
) &
keeper=$!
run "$tmp/third"
gateway_pid=$keeper
wait_for "ctl consumer show c | jq -e '.state == \"reachable\" and .delivered > 100'"
load_stop
assert_law
receiver_stop survivor
assert_json "$tmp/survivor.json" '.native.sessions == 2 and .duplicates == 0 and .reordered == 0 and
	.places.silent == 0 and .places.back == 0 and .places.repeats == 0 and .native.gaps > 0'
# What a program has while the gateway starts is told as such.
told=restart
! on_xdp || told='(restart|failover)'
grep '^gap: ' "$tmp/survivor.log" | grep -cvE ", $told\$" >"$tmp/others" || true
assert_eq "$(cat "$tmp/others")" 0 "gaps of other reasons"

# One of a kind at a time; told to stop, it ends; and so does what is on when the configuration takes
# the permission back.
ctl chaos start delay percent=50 seconds=600 ms=10000 >/dev/null
assert_fails ctl chaos start delay percent=5 seconds=1 ms=5 2>/dev/null
assert_json "$(ctl chaos stop fault=delay)" '.faults[] | select(.fault == "delay") |
	.state == "off" and .ended_by == "stop"'
ctl chaos start delay percent=50 seconds=600 ms=10000 >/dev/null
jq '.chaos.allow = false' "$tmp/weir.json" >"$tmp/next.json"
ctl config apply "$tmp/next.json" >/dev/null
assert_json "$(ctl chaos show)" '.faults[] | select(.fault == "delay") |
	.state == "off" and .ended_by == "configuration"'
wait_for "ctl chaos show | jq -e '.held == 0'"
receiver_stop b1
weir_stop
