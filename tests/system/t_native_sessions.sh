#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# light
#
# Native consumers come and go: a group's messages are split between those that are there, and
# nothing is lost, whoever leaves, dies or comes back. What a consumer was sent and its application
# was not done with goes to another, and says so: at most its window.

# shellcheck source=tests/system/_init.sh
. "$(dirname "$0")/_init.sh"

window=256
lan
host exporter 1
kernel_port gw0 2
host c1 3
host c2 4
cat >"$tmp/weir.json" <<-END
	{"workers": {"cpus": [1]},
	"control": {"socket": "$socket"},
	"memory": {"hugepages": false, "buffers": 65536},
	"ports": [{"name": "lan", "driver": "af_packet", "interface": "gw0"}],
	"streams": [{"name": "flows", "match": {"udp_port": 4739}, "key": "ipfix", "partitions": 16,
		"ring": {"messages": 8192, "age_ms": 60000}}],
	"groups": [{"name": "shared", "class": "native", "streams": ["flows"]},
		{"name": "blind", "streams": ["flows"], "consumers": [
			{"name": "elsewhere", "address": "10.0.0.3", "port": 9995}]}]}
END

join() {
	receiver_start "$1" "$2" --native 10.0.0.2:4150 --group shared --name "$1" \
		--window-messages $window --late "${@:3}"
}

# share NAME: partitions that it has
share() {
	ctl consumer list | jq ".consumers[] | select(.name == \"$1\") | .partitions"
}

# delivered NAME, and of the group
delivered() {
	ctl consumer list | jq "[.consumers[] | select(.name == \"$1\") | .delivered] | add // 0"
}
group_delivered() {
	ctl group list | jq '.groups[] | select(.name == "shared") | .delivered'
}

# partitions on their way
group_moving() {
	ctl group list | jq '.groups[] | select(.name == "shared") | .moving'
}

# settled SENT: the group is done with that many, and lost none
settled() {
	wait_for "[ \$(group_delivered) -ge $1 ]"
	assert_eq "$(group_delivered)" "$1" "messages that the group is done with, each once"
	assert_json "$(ctl group list)" '.groups[] | select(.name == "shared") |
		.held == 0 and .dropped == {}' "nothing dropped or held"
}

load() {
	send exporter --to 10.0.0.2:4739 --keys 64 --size 100 --json "$tmp/sent.json" "$@"
	assert_json "$tmp/sent.json" '.failed == 0'
}

receiver_start elsewhere c1 --listen 10.0.0.3:9995
weir_start "$tmp/weir.json"

# Two share: partitions split fairly, together everything once and in order.
join one c1
join two c2
wait_for "[ \$(share two) -gt 0 ] && [ \$(group_moving) = 0 ]"
assert_eq $(($(share one) + $(share two))) 16 "partitions of both"
for name in one two; do
	assert_num "$(share $name)" -le 10 "partitions of $name: at most 1.25 times its share"
done
load --rate 4000 --count 8000
settled 8000

# One leaves in the middle of a stream: the other has all, and what was not taken is counted.
load --rate 4000 --count 8000 &
loading=$!
wait_for "[ \$(group_delivered) -gt 10000 ]"
receiver_stop two
wait_for "[ \$(share one) = 16 ]" 1
wait $loading
settled 16000
to_one=$(delivered one)
assert_num "$to_one" -gt 8000 "messages to who stayed"
# It says what it was done with before it leaves: all that it took, but the last one of them, which
# may come again.
done_by_two=$((16000 - to_one))
twice=$(($(receiver_get two .received) - done_by_two))
assert_num $twice -ge 0 "messages that who left took, less those that it was done with"
assert_num $twice -le 1 "messages that who left took and was not done with"
assert_json "$tmp/two.json" '.lost == 0 and .duplicates == 0 and .reordered == 0'
assert_json "$(ctl stats get)" '.native.left == 1 and .native.silent == 0'
assert_law

# One dies without a word: after the liveness of 1 s its partitions go to the other, and all that it
# was not done with.
join three c2
wait_for "[ \$(share three) -gt 0 ]"
before=$(group_delivered)
load --rate 2000 --count 8000 &
loading=$!
wait_for "[ \$(delivered three) -gt 500 ]"
died=${EPOCHREALTIME/./}
kill -KILL "${receiver_pid[three]}"
wait "${receiver_pid[three]}" 2>/dev/null || true
sleep 0.2 # what it sent before
dead_had=$(delivered three)
wait_for "[ \$(share one) = 16 ]" 5
took_ms=$(((${EPOCHREALTIME/./} - died) / 1000))
assert_num $took_ms -ge 700 "ms until a silent consumer was given up"
assert_num $took_ms -le 2500 "ms until a silent consumer was given up"
wait $loading
settled $((before + 8000))
done_by_three=$((before + 8000 - $(delivered one) - done_by_two))
assert_eq $done_by_three "$dead_had" "messages that the dead consumer was done with"
assert_json "$(ctl stats get)" '.native.silent == 1'
assert_law

# Paused by the operator: nothing is sent, everything is held, then all of it comes.
ctl consumer pause one >/dev/null
assert_json "$(ctl consumer show one)" '.state == "paused" and .reason == "by an operator"'
at_pause=$(delivered one)
load --rate 2000 --count 1000
assert_eq "$(delivered one)" "$at_pause" "messages sent to a paused consumer"
assert_json "$(ctl group list)" '.groups[] | select(.name == "shared") | .held == 1000'
assert_law
ctl consumer resume one >/dev/null
settled $((before + 9000))

# Refusals say what is wrong, and go on asking; nobody is disturbed by them.
refusal() {
	in_ns c2 weirload receive --native 10.0.0.2:4150 --seconds 0.5 --json /dev/null "$@" \
		2>"$tmp/refused.log" || true
	grep -E '^refused: ' "$tmp/refused.log" | sort -u
}
case $(refusal --group absent --name four) in
*group*"(2)") ;;
*) fail "a group that is not there: $(cat "$tmp/refused.log")" ;;
esac
case $(refusal --group blind --name four) in
*group*"(2)") ;;
*) fail "a group of blind consumers: $(cat "$tmp/refused.log")" ;;
esac
case $(refusal --group shared --name one) in
*name*"(4)") ;;
*) fail "a name that is taken: $(cat "$tmp/refused.log")" ;;
esac

# Datagrams that no client sends: each counted by its reason, none answered by more bytes than it
# has, and the session beside them goes on.
was=$(ctl stats get | jq -c '.native')
load --rate 2000 --count 3000 &
loading=$!
in_ns c2 "$weir_tests/hostile_datagrams.py" 10.0.0.2 4150 >"$tmp/hostile.json"
wait $loading
now=$(ctl stats get | jq -c '.native')
assert_json "$tmp/hostile.json" '.amplified == 0 and .answered > 200'
assert_num "$(jq -n --argjson a "$was" --argjson b "$now" --slurpfile h "$tmp/hostile.json" '
	def total: .dropped | del(.frame_cookie) | add // 0;
	($b | total + .hellos) - ($a | total + .hellos) - $h[0].known - $h[0].mutated')" -eq 0 \
	"hostile datagrams that are not accounted for"
for reason in $(jq -r '.expected | del(.none) | keys[]' "$tmp/hostile.json"); do
	expected=$(jq ".expected.$reason" "$tmp/hostile.json")
	counted=$(jq -n --argjson a "$was" --argjson b "$now" \
		"(\$b.dropped.$reason // 0) - (\$a.dropped.$reason // 0)")
	# The mutated and the random ones count too.
	assert_num "$counted" -ge "$expected" "datagrams dropped as $reason"
done
settled $((before + 12000))
assert_json "$(ctl consumer list)" '[.consumers[] | select(.class == "native")] | length == 1'

# The gateway goes, in order and not: the client joins again by itself.
weir_stop
wait_for_line "$tmp/one.log" '^session lost: .*\(18\)'
weir_start "$tmp/weir.json"
wait_for "[ \$(grep -c '^subscribed' '$tmp/one.log') = 2 ] && [ \$(share one) = 16 ]"
load --rate 2000 --count 1000
settled 1000
gateway_kill
wait_for "[ \$(grep -c '^session lost' '$tmp/one.log') = 2 ]"
weir_start "$tmp/weir.json"
wait_for "[ \$(grep -c '^subscribed' '$tmp/one.log') = 3 ] && [ \$(share one) = 16 ]"
send exporter --to 10.0.0.2:4739 --keys 64 --size 100 --rate 2000 --count 500 --json "$tmp/sent.json"
settled 500
assert_law
receiver_stop one
assert_json "$tmp/one.json" '.native.sessions == 3 and .native.overruns == 0 and
	.native.malformed == 0 and .native.lost_messages == 0 and .duplicates == 0 and
	.reordered == 0'
# All that it was done with, at three gateways; at most what the two that went were sent came again.
assert_eq "$(receiver_get one .received)" \
	$((before + 12000 - done_by_two - done_by_three + 1500)) \
	"messages taken by who was there all the time"
assert_num "$(receiver_get one .native.redelivered)" -le $((2 * window)) "messages that came again"
receiver_stop elsewhere
weir_stop
