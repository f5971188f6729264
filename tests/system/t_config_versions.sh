#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# light
#
# Versions of the configuration: what ran can be listed, compared and run again, also after a
# restart; what is on trial and not confirmed goes back by itself, also over a kill of the gateway.

# shellcheck source=tests/system/_init.sh
. "$(dirname "$0")/_init.sh"

lan
kernel_port gw0 2
cat >"$tmp/weir.json" <<EOF
{"workers": {"cpus": [1], "stall_ms": 100}, "control": {"socket": "$socket"},
"memory": {"buffers": 32768}, "state": {"file": "$tmp/state/weir.state"},
"ports": [{"name": "lan", "driver": "af_packet", "interface": "gw0"}],
"streams": [{"name": "flows", "match": {"udp_port": 4739}, "partitions": 8},
	{"name": "logs", "match": {"udp_port": 514}, "partitions": 8}],
"groups": [{"name": "g1", "streams": ["flows"], "consumers": [
	{"name": "c1", "address": "10.0.0.3", "port": 9995}]}]}
EOF
weir_start "$tmp/weir.json"
jq '.groups[0].sample = 10' "$tmp/weir.json" >"$tmp/second.json"
jq '.streams[1].partitions = 16 | .streams |= reverse' "$tmp/weir.json" >"$tmp/third.json"

# running: the version, the one on trial, and a mark of the configuration
running() {
	ctl config get |
		jq -r '"\(.version) \(.trial.version // "-") \(.config.groups[0].sample // 1)"'
}

# refused TEXT ARGUMENTS...: with that text, and nothing changed
refused() {
	local text=$1 before
	before=$(ctl config get | jq -c '{generation, version, digest}')
	assert_fails ctl "${@:2}" >"$tmp/out" 2>"$tmp/err"
	grep -qF -- "$text" "$tmp/err" || fail "no '$text' in: $(cat "$tmp/err")"
	assert_eq "$(ctl config get | jq -c '{generation, version, digest}')" "$before" "running"
}

# Listed, compared, gone back to.
assert_eq "$(running)" "1 - 1" "version at the start"
assert_json "$(ctl config apply "$tmp/second.json" comment="one in ten")" '.version == 2'
assert_json "$(ctl config apply "$tmp/third.json")" '.version == 3'
assert_json "$(ctl config apply "$tmp/third.json")" '.version == 3' "the same again"
assert_json "$(ctl config history)" '.running == 3 and .trial == null and
	(.versions | map([.version, .before, .state, .by, .comment])) == [
		[1, null, "kept", "start", null], [2, 1, "kept", "config_apply", "one in ten"],
		[3, 2, "running", "config_apply", null]]' "history"
assert_json "$(ctl config diff from=1 to=2)" '.changes ==
	[{path: "$.groups[\"g1\"].sample", old: null, new: 10}]' "diff of two versions"
assert_json "$(ctl config diff)" '.changes | map([.path, .old, .new]) | sort == ([
	["$.groups[\"g1\"].sample", 10, null], ["$.streams[\"logs\"].partitions", 8, 16],
	["$.streams", ["flows", "logs"], ["logs", "flows"]]] | sort)' "diff to the one before"
assert_json "$(ctl config diff config="$tmp/third.json")" '.count == 0' "diff to a file"
assert_json "$(ctl config diff from=1 config="$tmp/second.json")" '.count == 1' "diff of a file"
refused "no version 9" config diff from=9
jq '.groups[0].sample = 0' "$tmp/weir.json" >"$tmp/bad.json"
# shellcheck disable=SC2016 # JSON paths
refused '$.groups[0].sample' config diff config="$tmp/bad.json"
assert_json "$(ctl config rollback)" '.version == 2 and .trial == null'
assert_json "$(ctl config rollback)" '.version == 1'
refused "no version before" config rollback
refused "no version 9" config rollback version=9
refused "the one that runs" config rollback version=1
assert_json "$(ctl config rollback version=3)" '.version == 3'

# A trial: confirmed, taken back by hand, and not confirmed.
refused "nothing is on trial" config confirm
assert_json "$(ctl config apply "$tmp/second.json" confirm_s=60)" '.version == 4'
assert_json "$(ctl config get)" '.trial.version == 4 and .trial.back_to == 3 and
	.trial.left_s > 30 and .trial.failure == null'
refused "version 4 is on trial" config apply "$tmp/weir.json"
assert_json "$(ctl config confirm)" '.version == 4 and .trial == null'
assert_json "$(ctl config apply "$tmp/third.json" confirm_s=60)" '.version == 5'
assert_json "$(ctl config rollback)" '.version == 4 and .trial == null'
assert_json "$(ctl config history)" '.versions[-1] | .version == 5 and .state == "not confirmed"'
ctl config apply "$tmp/weir.json" confirm_s=1 >"$tmp/applied.json"
assert_eq "$(running)" "6 6 1" "on trial"
wait_for "[ \"\$(running)\" = '4 - 10' ]"
grep -q 'version 6 was not confirmed: version 4 runs again' "$gateway_log" || fail "no log line"
assert_json "$(ctl config rollback version=1 confirm_s=1)" '.version == 1 and .trial.back_to == 4'
wait_for "[ \"\$(running)\" = '4 - 10' ]"

# Over a kill: the file that was started from is what runs, unless it was on trial.
ctl config apply "$tmp/third.json" confirm_s=600 >"$tmp/applied.json"
cp "$tmp/third.json" "$tmp/live.json"
wait_for "ctl config history | jq -e .saved"
gateway_kill
weir_start "$tmp/live.json"
assert_eq "$(running)" "4 - 10" "after a kill during the trial"
assert_json "$(ctl config history)" '.versions[-1] | .version == 7 and .state == "not confirmed"'
ctl config apply "$tmp/third.json" confirm_s=600 >"$tmp/applied.json"
ctl config confirm >"$tmp/applied.json"
wait_for "ctl config history | jq -e .saved"
gateway_kill
weir_start "$tmp/live.json"
assert_eq "$(running)" "8 - 1" "after a kill, confirmed"
ctl config apply "$tmp/second.json" confirm_s=600 >"$tmp/applied.json"
weir_stop
weir_start "$tmp/weir.json"
assert_eq "$(running)" "10 - 1" "with a file of its own, after a trial"

# A way back that is not there is an error of its own: nothing else looks like it.
weir_stop
jq '.ports[0].descriptors = 512' "$tmp/weir.json" >"$tmp/other.json"
weir_start "$tmp/other.json"
refused 'Roll-back failed' config rollback version=4
# shellcheck disable=SC2016
grep -qF '$.ports[0].descriptors' "$tmp/err" || fail "no path in: $(cat "$tmp/err")"

# A worker that does not come round is named, and nobody waits for it. It is stopped alone, as a
# debugger does.
assert_json "$(ctl config get)" '.workers_behind == []'
thread=$(grep -l worker /proc/"$gateway_pid"/task/*/comm | head -n 1 | cut -d / -f 5)
python3 "$weir_tests/stop_thread.py" "$thread" >"$tmp/stopped" 2>&1 &
stopper=$!
wait_for_line "$tmp/stopped" stopped
jq '.groups[0].sample = 7' "$tmp/other.json" >"$tmp/next.json"
start=${EPOCHREALTIME/./}
ctl config apply "$tmp/next.json" >"$tmp/applied.json"
assert_num $((${EPOCHREALTIME/./} - start)) -lt 2000000 "us that config_apply took"
assert_json "$(ctl config get)" '.workers_behind == [0] and .config.groups[0].sample == 7'
wait_for "ctl worker list | jq -e '.workers[0].state == \"stalled\"'"
assert_json "$(ctl worker list)" ".workers[0].generation < $(jq .generation "$tmp/applied.json")"
wait_for_line "$gateway_log" 'worker 0 does not answer; configuration generation'
kill "$stopper"
wait_for "ctl config get | jq -e '.workers_behind == []'"
wait_for "ctl worker list | jq -e '.workers[0].state == \"running\"'"

# Whatever the disk does to the file, the gateway starts, and says so.
wait_for "ctl config history | jq -e .saved"
gateway_kill
echo damaged >"$tmp/state/weir.state.versions"
weir_start "$tmp/weir.json"
grep -q 'weir.state.versions: damaged.*the one before it is used' "$gateway_log" ||
	fail "damage is not logged"
wait_for "ctl config history | jq -e .saved"
gateway_kill
echo damaged >"$tmp/state/weir.state.versions"
echo damaged >"$tmp/state/weir.state.versions.old"
weir_start "$tmp/weir.json"
assert_eq "$(running)" "1 - 1" "version without a good file"
weir_stop
