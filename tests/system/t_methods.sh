#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# light
#
# Every method that the control socket promises is there and does what it says, and weirctl's
# exit status and tables can be relied on.

# shellcheck source=tests/system/_init.sh
. "$(dirname "$0")/_init.sh"

lan
host exporter 1
kernel_port gw0 2
host c1 3
host c2 4
cat >"$tmp/weir.json" <<EOF
{"workers": {"cpus": [1]}, "control": {"socket": "$socket"}, "memory": {"buffers": 32768},
"ports": [{"name": "lan", "driver": "af_packet", "interface": "gw0"}],
"streams": [{"name": "flows", "match": {"udp_port": 4739}, "key": "ipfix", "partitions": 8}],
"groups": [
	{"name": "g1", "streams": ["flows"], "consumers": [
		{"name": "c1", "address": "10.0.0.3", "port": 9995}]},
	{"name": "g2", "streams": ["flows"], "consumers": [
		{"name": "c2", "address": "10.0.0.4", "port": 9995, "source": "keep"}]}]}
EOF
weir_start "$tmp/weir.json"
wait_for "ctl consumer list | jq -e 'all(.consumers[]; .state == \"reachable\")'"
receiver_start r1 c1 --listen 10.0.0.3:9995
receiver_start r2 c2 --listen 10.0.0.4:9995

send_some() {
	send exporter --to 10.0.0.2:4739 --rate 5k --count 1000 --keys 20 --size 100 \
		--json "$tmp/sent.json"
}
send_some
wait_for "ctl group list | jq -e 'all(.groups[]; .delivered == 1000)'"

# Each method answers, with what it is for.
declare -A asked=()

# answers METHOD ARGUMENTS... CONDITION
answers() {
	local condition=${*: -1} result
	asked[$1]=1
	result=$(ctl "${@:1:$#-1}") || fail "no answer: ${*:1:$#-1}"
	assert_json "$result" "$condition" "$1"
}
answers version '.name == "weir" and (.version | test("^[0-9]+\\.[0-9]+")) and .api >= 1'
answers rpc_methods 'all(.methods[]; .name and .help and .role)'
answers config_get '(.digest | length) == 64 and .config.ports[0].name == "lan" and .generation > 0'
answers config_check "$tmp/weir.json" '.streams == 1 and .groups == 2 and .consumers == 2 and
	.needs_restart == null'
answers config_apply "$tmp/weir.json" '.changed.any == false and .changed.consumers.kept == 2'
answers config_history '.running == 1 and .trial == null and .saved == null and
	(.versions | length) == 1 and .versions[0].by == "start"'
answers config_diff config="$tmp/weir.json" '.count == 0 and .changes == []'
asked[config_confirm]=1
assert_fails ctl config confirm
asked[config_rollback]=1
assert_fails ctl config rollback
# No af_packet port goes on without its gateway.
if on_xdp; then
	answers failover_show '.gateway and (.ports | length) == 1'
	answers failover_trip '.ports | length == 1'
	answers failover_arm '.ports | length == 1'
else
	answers failover_show '.gateway and .ports == []'
	for method in failover_trip failover_arm; do
		asked[$method]=1
		assert_fails ctl "$method"
	done
fi
asked[port_restart]=1 # the kernel has this one; t_kernel_twin restarts one that can be
assert_fails ctl port restart lan
answers port_list '.ports | length == 1 and .[0].name == "lan" and .[0].link == "up" and
	.[0].matched == 1000 and .[0].mac == "02:00:00:00:00:02" and .[0].sent >= 2000'
answers stream_list '.streams | length == 1 and .[0].received == 1000 and
	.[0].received_bytes == 100000 and .[0].partitions == 8'
answers partition_list flows '.partitions | length == 16 and
	([.[] | select(.group == "g1") | .messages] | add) == 1000 and all(.[]; .lag == 0)'
answers group_list '.groups | length == 2 and all(.[]; .delivered == 1000 and .held == 0)'
answers consumer_list '.consumers | map(.name) | sort == ["c1", "c2"]'
answers consumer_show c2 '.name == "c2" and .group == "g2" and .address == "10.0.0.4" and
	.delivered == 1000 and .bytes == 100000 and .mac == "02:00:00:00:00:04" and
	.partitions == 8 and .guarantee == "at most once"'
answers consumer_set_rate c1 packets_per_s=5k bits_per_s=10M '.rate.packets_per_s == 5000 and
	.rate.bits_per_s == 10000000'
answers consumer_set_rate c1 packets_per_s=0 '.rate.packets_per_s == 0 and
	.rate.bits_per_s == 10000000'
answers consumer_set_rate c1 bits_per_s=0 '.rate.bits_per_s == 0'
answers producer_list '.producers == []'
answers worker_list '.workers | all(has("cycles") | not) and length == 1 and .[0].cpu == 1 and .[0].state == "running" and
	.[0].loops > 0 and (.[0].histogram | length) > 0'
answers partition_set_worker flows 3 0 '.workers[0].partitions == 8'
answers worker_wake 0 '.workers[0].state == "running"'
answers worker_rebalance dry_run=true '.dry_run and .moves == []'
for method in worker_park partition_isolate partition_release; do
	asked[$method]=1
done
assert_fails ctl worker park 0
assert_fails ctl partition isolate flows 1
assert_fails ctl partition release flows 1
answers stream_show flows '.stream.received == 1000 and .skew >= 0 and .hottest_partition < 8'
answers stream_hotkeys flows '.samples < 1000 and (.keys | length) <= 10'
answers stats_get '.law.holds and (.law.violations == []) and .uptime_s > 0 and
	.streams[0].received == 1000 and (.pools | length) > 0'
# The first set is there a second after the start.
wait_for "ctl metric list | jq -e '.taken_ms > 0'"
answers metric_list name=weir_stream_received '[.metrics[] | select(.labels.stream == "flows")] |
	length == 2 and all(.[]; .type == "counter")'
answers health_get '.well and .acts and .troubles == []'
answers alert_list '.alerts | all(.[]; .state != "active")'
asked[alert_ack]=1
assert_fails ctl alert ack WeirPortDown
answers baseline_compare '.hour < 168 and (.baselines | map(select(.series |
	startswith("weir_stream_received_messages_total"))) | length == 1)'
answers baseline_show 'weir_worker_duty_ratio{worker="0",cpu="1"}' '.rate == false'
answers feature_list '(.features | map(.feature)) == ["batching", "runs", "isolation"] and
	all(.features[]; .state == "on" and .partitions_on == 8 and .trial == null)'
answers feature_show runs '.feature == "runs" and (.text | length) > 0 and
	(.sides | map(.state)) == ["on", "off"] and .sides[0].delivered == 2000 and
	.sides[0].sent == 2000 and .sides[1].delivered == 0'
answers feature_set runs off share_percent=25 streams='["flows"]' '.state == "off" and
	.partitions_off == 2 and .streams == ["flows"] and .trial == null'
answers feature_set runs on '.partitions_on == 8 and .streams == []'
# refused PATH ARGUMENTS...: feature_set names what is wrong, and changes nothing
refused() {
	local answer status=0
	answer=$(ctl feature set "${@:2}" 2>&1) || status=$?
	assert_num "$status" -gt 0 "exit status of feature set ${*:2}"
	[[ $answer == *"$1"* ]] || fail "not $1: $answer"
}
refused '$.params.name' run on
refused '$.params.state' runs half
refused '$.params.share_percent' runs off share_percent=101
refused '$.params.streams[0]' runs off streams='["flow"]'
refused '$.params.streams[1]' runs off streams='["flows", "flows"]'
refused 'objective' runs off trial='{"seconds": 5}'
refused '$.params.trial.objective' runs off trial='{"seconds": 5, "objective": {}}'
refused '$.params.trial.seconds' runs off trial='{"seconds": 0, "objective": {"p99_us": 9}}'
refused '$.params.trial.objective.loss_ratio' runs off \
	trial='{"seconds": 5, "objective": {"loss_ratio": 2}}'
refused '$.params.trial' runs on trial='{"seconds": 5, "objective": {"loss_ratio": 0}}'
assert_json "$(ctl feature list)" 'all(.features[]; .partitions_on == 8 and .trial == null)'
answers capture_list '.directory == null and .captures == []'
for method in capture_start capture_stop; do
	asked[$method]=1
done
assert_fails ctl capture start points=rx
assert_fails ctl capture stop 1
answers chaos_show '.allowed == false and .held == 0 and (.faults | map(.fault)) ==
	["drop", "duplicate", "reorder", "delay", "lose", "block", "stall", "exhaust", "kill"] and
	all(.faults[]; .state == "off" and .injected == 0)'
asked[chaos_start]=1 # t_chaos lets it happen
assert_fails ctl chaos start drop percent=5 seconds=1
answers chaos_stop 'all(.faults[]; .state == "off")'
answers trace_list '.rules == [] and .traces == [] and .counters.begun == 0'
assert_fails ctl trace show
asked[trace_show]=1
answers trace_start sample=100 count=5 '.on and .left == 5 and .stream == null'
answers trace_stop '.rules[0].ended_by == "stop"'
answers event_subscribe '.number >= 0'
answers capacity_plan '.factor == 1 and .saturated == 0 and .consumers_left_out == 0 and
	(.resources | length) >= 5 and all(.resources[]; .limit > 0)'
answers capacity_plan factor=1000 limit=1 '.factor == 1000 and (.resources | length) == 1'
answers drift_show '.drifted == false and .differences == [] and (.config | length) == 64 and
	(.sides | map(.side)) == ["effective", "host"] and
	all(.sides[]; .facts > 5 and .intended == .actual and (.intended | length) == 64)'
answers drift_accept '.drifted == false'
answers template_list limit=5 '.matching == 0 and .templates == []'
answers quarantine_list '.held == 0 and .quarantined == 0 and .messages == []'
asked[quarantine_show]=1
assert_fails ctl quarantine show 1
answers quarantine_retry all=true '.retried == 0 and .kept == 0 and .reason == null'
answers quarantine_drop group=g1 '.dropped == 0'
answers log_set_level debug '.level == "debug"'
answers log_get_level '.level == "debug"'
answers log_set_level notice '.level == "notice"'
answers takeover_begin '.pid > 0 and .mtu == 1500 and (.streams | map(.name) == ["flows"])'
asked[takeover_done]=1 asked[takeover_release]=1 # t_takeover lets it happen
assert_fails ctl takeover "done"
for method in consumer_pause consumer_resume; do
	answers $method c1 '.name == "c1"'
done
answers group_rebalance g1 dry_run=true '.dry_run and .moves == []'
answers group_rebalance g1 '.dry_run == false and .moves == []'
answers partition_move flows partition=3 group=g1 consumer=c1 '.to == "c1"'
answers consumer_set_weight c1 weight=200 '.place.weight == 200 and .place.partitions == 8'
answers consumer_drain c1 '.place.drained'
wait_for "ctl partition list flows | jq -e 'all(.partitions[] | select(.group == \"g1\");
	.consumer == null and .state == \"waiting\")'"
answers consumer_undrain c1 '.place.drained == false'
wait_for "ctl consumer show c1 | jq -e '.place.partitions == 8 and .place.coming == 0'"
ctl rpc_methods | jq -r '.methods[].name' | sort >"$tmp/methods"
assert_eq "$(printf '%s\n' "${!asked[@]}" | sort)" "$(cat "$tmp/methods")" "methods"

# A paused consumer gets nothing; what is for it is held, then delivered, and its neighbour
# notices neither.
assert_json "$(ctl consumer pause c1)" '.state == "paused" and .reason == "by an operator"'
send_some
wait_for "ctl group list | jq -e '.groups[] | select(.name == \"g2\") | .delivered == 2000'"
assert_json "$(ctl group list)" '.groups[] | select(.name == "g1") |
	.delivered == 1000 and .held == 1000 and .dropped == {}' "while paused"
assert_json "$(ctl partition list flows)" '[.partitions[] | select(.group == "g1") | .lag] |
	add == 1000' "lag while paused"
assert_law
assert_json "$(ctl consumer resume c1)" '.state == "reachable"'
wait_for "ctl group list | jq -e 'all(.groups[]; .delivered == 2000 and .held == 0)'"
receiver_stop r1
receiver_stop r2
for name in r1 r2; do
	assert_json "$tmp/$name.json" '.received == 2000 and .lost == 0 and .reordered == 0 and
		.duplicates == 0' "$name after the pause"
done

# exits STATUS ARGUMENTS...: and says why on stderr only when it failed
exits() {
	local status=0
	weirctl --socket "$socket" "${@:2}" >"$tmp/out" 2>"$tmp/err" || status=$?
	assert_eq "$status" "$1" "status of: weirctl ${*:2}"
	if [ "$1" = 0 ]; then
		assert_eq "$(cat "$tmp/err")" "" "stderr of: weirctl ${*:2}"
	else
		grep -q '^weirctl: ' "$tmp/err" || fail "no message from: weirctl ${*:2}"
		assert_eq "$(cat "$tmp/out")" "" "stdout of: weirctl ${*:2}"
	fi
}
exits 0 version
exits 0 consumer set-rate c1 packets_per_s=0
exits 0 rpc consumer_show '{"name": "c1"}'
exits 0 check
exits 1 consumer show nobody
grep -q 'hint' "$tmp/err" || fail "no hint in: $(cat "$tmp/err")"
exits 1 consumer_set_rate c1 packets_per_s=-1
exits 1 rpc no_such_method
exits 2 consumer show
exits 2 no_such_method
exits 2 consumer show c1 c2
exits 2 consumer show c1 colour=red
exits 2 rpc version '{'
exits 2 config check "$tmp/absent.json"
exits 2 --timeout never version
exits 2
exits 3 --socket "$tmp/nowhere.sock" version
# A gateway that does not answer is no gateway.
kill -STOP "$gateway_pid"
exits 3 --timeout 0.5 version
kill -CONT "$gateway_pid"

# Tables have a header, a line for each row, and columns that line up; -j is JSON.
for list in "port list" "stream list" "partition list flows" "group list" "consumer list" \
	"worker list"; do
	# shellcheck disable=SC2086 # several words
	exits 0 $list
	cp "$tmp/out" "$tmp/table"
	# shellcheck disable=SC2086
	ctl $list >"$tmp/list.json"
	rows=$(jq '[.[] | arrays] | .[0] | length' "$tmp/list.json")
	grep . "$tmp/table" | tail -n $((rows + 1)) >"$tmp/lines"
	assert_eq "$(wc -l <"$tmp/lines")" $((rows + 1)) "lines of: $list"
	head -n 1 "$tmp/lines" >"$tmp/header"
	for column in $(jq -r '[.[] | arrays] | .[0][0] | to_entries[] |
		select(.value | type != "object") | .key' "$tmp/list.json"); do
		grep -qwF "$column" "$tmp/header" || fail "no column $column in: $list"
	done
done
exits 0 consumer list
assert_eq "$(awk 'NR == 1 {at = index($0, "address")} NR > 1 {print substr($0, at, 8)}' \
	"$tmp/out" | paste -sd ,)" "10.0.0.3,10.0.0.4" "column address"
exits 0 consumer show c2
grep -qE '^address:? +10\.0\.0\.4$' "$tmp/out" || fail "consumer show: $(cat "$tmp/out")"
assert_law
weir_stop
