#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A feature that is on for half of the partitions is on there and nowhere else, and what is counted
# of the two halves is what they had. A trial whose objective cannot be met goes back by itself under
# traffic, one that holds stays, and neither costs a message; a restart ends a trial.

# shellcheck source=tests/system/_init.sh
. "$(dirname "$0")/_init.sh"

lan
host exporter 1
kernel_port gw0 2
host c1 3
host c2 4
cat >"$tmp/weir.json" <<-END
	{"workers": {"cpus": [1]},
	"control": {"socket": "$socket"},
	"memory": {"hugepages": false, "buffers": 65536},
	"telemetry": {"interval_ms": 200},
	"ports": [{"name": "lan", "driver": "af_packet", "interface": "gw0"}],
	"streams": [{"name": "flows", "match": {"udp_port": 4739}, "key": "ipfix", "partitions": 16,
		"ring": {"messages": 8192, "age_ms": 0}}],
	"groups": [
		{"name": "b", "streams": ["flows"], "consumers": [
			{"name": "blind", "address": "10.0.0.3", "port": 9995}]},
		{"name": "n", "class": "native", "streams": ["flows"]}]}
END
weir_start "$tmp/weir.json"
receiver_start r1 c1 --listen 10.0.0.3:9995
receiver_start r2 c2 --native 10.0.0.2:4150 --group n --name native --strict
wait_for "ctl consumer list | jq -e '.consumers | length == 2 and
	all(.[]; .state == \"reachable\" and .partitions == 16)'"
ctl events >"$tmp/events" &
events=$!

sent=0
# load RATE COUNT
load() {
	send exporter --to 10.0.0.2:4739 --rate "$1" --count "$2" --keys 40 --size 100 \
		--json "$tmp/sent.json"
	assert_json "$tmp/sent.json" ".sent == $2 and .failed == 0"
}
delivered() {
	wait_for "ctl group list | jq -e 'all(.groups[]; .delivered == $sent)'" 20
}
# datagrams COUNT: $took datagrams took COUNT messages that had waited for the native consumer
datagrams() {
	local before
	before=$(ctl consumer show native | jq .datagrams)
	ctl consumer pause native >/dev/null
	load 20k "$1"
	wait_for "ctl group list | jq -e '.groups[] | select(.name == \"n\") | .held == $1'"
	ctl consumer resume native >/dev/null
	sent=$((sent + $1))
	delivered
	took=$(($(ctl consumer show native | jq .datagrams) - before))
}
# event NAME: the newest of that name
event() {
	jq -c "select(.params.event == \"$1\") | .params" "$tmp/events" | tail -n 1
}

# Both halves have what their partitions have had, once for each group.
ctl feature set runs on share_percent=50 >/dev/null
assert_json "$(ctl feature list)" '.features[] | select(.feature == "runs") |
	.partitions_on == 8 and .partitions_off == 8 and .share_percent == 50 and .trial == null'
load 10k 3000
sent=3000
delivered
on=$(ctl partition list flows | jq '[.partitions[] | select(.features | index("runs")) | .messages] |
	add')
assert_num "$on" -gt 0 "messages where the feature is on"
assert_num "$on" -lt 6000 "messages where the feature is on"
assert_json "$(ctl feature show runs)" "(.sides | map({(.state): .}) | add) |
	.on.delivered == $on and .off.delivered == 6000 - $on and .on.sent == $on and
	.off.sent == 6000 - $on and all(.[]; .dropped == 0 and .p99_us >= .p50_us and .p50_us > 0)"
wait_for "ctl metric list name=weir_feature_delivered | jq -e '.metrics | map({(.labels.feature +
	\" \" + .labels.state): .value}) | add | .[\"runs on\"] == $on and
	.[\"batching on\"] == 6000 and .[\"batching off\"] == 0'"

# The behaviour is another, not only the counters.
datagrams 1000
all=$took
ctl feature set batching off share_percent=50 streams='["flows"]' >/dev/null
datagrams 1000
half=$took
ctl feature set batching off >/dev/null
datagrams 1000
none=$took
assert_num "$none" -ge 1000 "datagrams for 1000 messages without batching"
assert_num "$all" -lt 500 "datagrams for 1000 messages with batching"
assert_num "$half" -gt $((all + 200)) "datagrams with half of the partitions"
assert_num "$half" -lt $((none - 100)) "datagrams with half of the partitions"
ctl feature set batching on >/dev/null

# Under traffic: what cannot be kept goes back, what is kept stays.
load 5k 20000 &
traffic=$!
ctl feature set runs off trial='{"seconds": 600, "objective": {"p99_us": 1}}' >"$tmp/trial.json"
assert_json "$tmp/trial.json" '.state == "off" and .partitions_on == 0 and .trial.p99_us == 1 and
	.trial.loss_ratio == null and .trial.left_s > 590'
wait_for "[ -n \"\$(event feature_reverted)\" ]"
wait_for "ctl feature list | jq -e '.features[] | select(.feature == \"runs\") | .state == \"on\" and
	.share_percent == 50 and .partitions_on == 8 and .trial == null'"
assert_json "$(event feature_reverted)" '.subject == "feature=runs" and .reason == "p99_us" and
	.count >= 1 and (.text | test("objective is 1 us"))'
ctl feature set batching off share_percent=50 \
	trial='{"seconds": 1, "objective": {"p99_us": 30000000, "loss_ratio": 0}}' >/dev/null
wait_for "[ -n \"\$(event feature_confirmed)\" ]"
assert_json "$(ctl feature show batching)" '.state == "off" and .share_percent == 50 and
	.partitions_off == 8 and .trial == null and all(.sides[]; .dropped == 0)'
kill -0 $traffic || fail "the traffic was over before the trials were"
wait $traffic
sent=$((sent + 20000))
delivered
assert_law
receiver_stop r1
receiver_stop r2
assert_json "$tmp/r1.json" ".received == $sent and .lost == 0 and .duplicates == 0 and
	.reordered == 0" "the blind receiver"
assert_json "$tmp/r2.json" ".received == $sent and .lost == 0 and .duplicates == 0 and
	.reordered == 0 and .native.gaps == 0" "the native receiver"

# What was set, and what is on trial, ends with the gateway.
ctl feature set batching on trial='{"seconds": 600, "objective": {"loss_ratio": 1}}' >/dev/null
assert_fails ctl feature set batching on trial='{"seconds": 1, "objective": {"loss_ratio": 0}}'
kill $events
wait $events || true
weir_stop
jq '.features = {"runs": {"state": "off", "share_percent": 25}}' "$tmp/weir.json" >"$tmp/next.json"
weir_start "$tmp/next.json"
assert_json "$(ctl feature list)" '(.features | map({(.feature): .}) | add) |
	.runs.partitions_off == 4 and .batching.partitions_on == 16 and all(.[]; .trial == null)'
# A configuration that says something else of it sets it; one that does not, leaves it.
ctl feature set batching on share_percent=25 >/dev/null
ctl config apply "$tmp/weir.json" >/dev/null
assert_json "$(ctl feature list)" '(.features | map({(.feature): .}) | add) |
	.runs.partitions_on == 16 and .batching.partitions_on == 4'
weir_stop
