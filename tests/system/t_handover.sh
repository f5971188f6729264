#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# time limit: 240
# measures time
#
# While a stream runs, partitions change hands all the time: consumers join, leave, weigh more or
# less, are drained and come back, partitions are moved by hand. Nothing is lost, nothing comes to
# two applications, each has every key in order; and what does not move is not slower for it. Then
# one is killed: what it was done with does not come again.
#
# HANDOVER_FULL=1: at 200,000 messages a second for 30 s.

# shellcheck source=tests/system/_init.sh
. "$(dirname "$0")/_init.sh"

rate=20000
seconds=4
ring=4096
if [ "${HANDOVER_FULL:-}" = 1 ]; then
	rate=200000
	seconds=30
	ring=16384 # holds what comes until a dead consumer is missed, for the busiest partition too
fi
lan
host exporter 1
kernel_port gw0 2
host c1 3
host c2 4
cat >"$tmp/weir.json" <<-END
	{"workers": {"cpus": [1]},
	"control": {"socket": "$socket"},
	"memory": {"hugepages": false, "buffers": 262144},
	"ports": [{"name": "lan", "driver": "af_packet", "interface": "gw0", "descriptors": 8192}],
	"streams": [{"name": "flows", "match": {"udp_port": 4739}, "key": "ipfix", "partitions": 64,
			"buffers": 131072, "ring": {"messages": $ring, "age_ms": 60000}},
		{"name": "still", "match": {"udp_port": 4740}, "key": "ipfix", "partitions": 4,
			"buffers": 32768, "ring": {"messages": 4096, "age_ms": 60000}},
		{"name": "none", "match": {"udp_port": 4741}, "partitions": 1, "buffers": 64}],
	"groups": [{"name": "g", "class": "native", "streams": ["flows"], "moves": 4,
			"drain_ms": 500, "weights": [{"name": "four", "weight": 50}]},
		{"name": "s", "class": "native", "streams": ["still"]},
		{"name": "n", "class": "native", "streams": ["none"]}]}
END

# join NAME NS [REPORT]
join() {
	receiver_start "${3:-$1}" "$2" --native 10.0.0.2:4150 --group g --name "$1" \
		--window-messages 1024 --late
}

# One that comes and goes, each time with a report of its own.
fives=0
five_comes() {
	fives=$((fives + 1))
	join five c2 five_$fives
}
five_leaves() {
	[ -z "${receiver_pid[five_$fives]:-}" ] || receiver_stop five_$fives
}

group() {
	ctl group list | jq ".groups[] | select(.name == \"g\") | $1"
}

# The plan is carried out: nothing moves, nothing is to.
at_rest() {
	ctl partition list flows | jq -e 'all(.partitions[]; .state == "owned")' >/dev/null
}

share() {
	ctl consumer list | jq "[.consumers[] | select(.name == \"$1\") | .partitions] | add // 0"
}

# One change each 200 ms, in turn, until the load has ended.
change() {
	case $(($1 % 8)) in
	0) ctl consumer drain two ;;
	1) five_comes ;;
	2) ctl consumer set_weight one weight=$((50 + 50 * ($1 / 8 % 4))) ;;
	3) ctl consumer undrain two ;;
	4) ctl partition move flows partition=$(($1 % 64)) group=g consumer=three ;;
	5) five_leaves ;;
	6) ctl group rebalance g ;;
	7) ctl partition move flows partition=$(($1 * 7 % 64)) group=g consumer=one ;;
	esac >/dev/null
}

# As many processes come and go, and as many commands, but nothing moves.
no_change() {
	case $(($1 % 8)) in
	1) receiver_start nobody c2 --native 10.0.0.2:4150 --group n --name nobody --late ;;
	5) receiver_stop nobody ;;
	*) ctl consumer show one ;;
	esac >/dev/null
}

# run NAME: load on both streams; "moves": with changes. Sets sent, p99_us of the still one.
run() {
	local name=$1 turn=0 loading
	receiver_start "still_$name" c1 --native 10.0.0.2:4150 --group s --name still --late
	wait_for "ctl consumer show still | jq -e '.partitions == 4'"
	send exporter --to 10.0.0.2:4740 --rate 2000 --count $((2000 * seconds)) --keys 64 \
		--size 200 --json "$tmp/still.json" &
	loading=$!
	send exporter --to 10.0.0.2:4739 --rate "$rate" --count $((rate * seconds)) --keys 256 \
		--size 200 --json "$tmp/sent.json" &
	loading="$loading $!"
	# shellcheck disable=SC2086 # two of them
	while kill -0 $loading 2>/dev/null; do
		if [ "$name" = quiet ]; then
			no_change $turn
		else
			change $turn
		fi
		turn=$((turn + 1))
		sleep 0.2
	done
	# shellcheck disable=SC2086
	wait $loading
	five_leaves
	[ -z "${receiver_pid[nobody]:-}" ] || receiver_stop nobody
	ctl consumer undrain two >/dev/null
	wait_for "[ \"\$(group '.received == .delivered')\" = true ]" 30
	receiver_stop "still_$name"
	p99_us=$(receiver_get "still_$name" .latency_us.p99)
	assert_json "$tmp/still_$name.json" '.duplicates == 0 and .reordered == 0 and .lost == 0'
}

weir_start "$tmp/weir.json"
join one c1
join two c2
join three c1
join four c2
wait_for at_rest
wait_for "[ \$(share one) -gt 0 ] && [ \$(share four) -gt 0 ]"
assert_json "$(ctl consumer show four)" '.place.weight == 50 and .place.partitions <= 12' \
	"a consumer of half the weight"

# A plan can be looked at before it is carried out; looking changes nothing.
ctl consumer set_weight four weight=100 >/dev/null
wait_for at_rest
ctl partition move flows partition=0 group=g consumer=one >/dev/null
ctl partition move flows partition=1 group=g consumer=one >/dev/null
wait_for at_rest
before=$(share one)
ctl group rebalance g dry_run=true >"$tmp/plan.json"
assert_json "$tmp/plan.json" '.dry_run and (.moves | all(.from != .to))' "a dry run"
assert_eq "$(share one)" "$before" "partitions after a dry run"

best_quiet=
best_moves=
# What else runs on the machine only ever adds: two rounds, and more while it is too unquiet to tell.
for round in {1..8}; do
	for name in quiet moves; do
		run $name
		best=best_$name
		if [ -z "${!best}" ] || [ "${!best%.*}" -gt "${p99_us%.*}" ]; then
			declare "$best=$p99_us"
		fi
	done
	[ "$round" = 1 ] || [ "${best_moves%.*}" -gt $((${best_quiet%.*} * 11 / 10 + 500)) ] || break
done
echo "p99 of what does not move: $best_quiet us alone, $best_moves us beside moves"
assert_num "${best_moves%.*}" -le $((${best_quiet%.*} * 11 / 10 + 500)) "p99 beside moves, us"
assert_json "$(group .)" '.dropped == {} and .held == 0' "nothing dropped or held"
moved=$(group .moves)
echo "$moved partitions changed hands: $(group .moves_drained) drained," \
	"$(group .moves_overdue) when their time was over"
assert_num "$moved" -ge 20 "partitions that changed hands"
assert_eq "$(group .moves_overdue)" 0 "partitions that were not drained in time"

# One is killed in the middle: whoever gets its partitions goes on where its application was.
wait_for at_rest
wait_for "[ \$(share four) -gt 0 ]"
dead_had=$(ctl consumer show four | jq .delivered)
send exporter --to 10.0.0.2:4739 --rate "$rate" --count $((rate * 3)) --keys 256 --size 200 \
	--json "$tmp/sent.json" &
loading=$!
wait_for "ctl consumer show four | jq -e '.delivered > $dead_had + $rate / 10'"
kill -KILL "${receiver_pid[four]}"
killed_us=${EPOCHREALTIME/./}
wait "${receiver_pid[four]}" 2>/dev/null || true
while ctl consumer show four >"$tmp/four.json" 2>/dev/null &&
	[ "$(jq .partitions "$tmp/four.json")" != 0 ]; do
	dead_had=$(jq .delivered "$tmp/four.json")
	[ $((${EPOCHREALTIME/./} - killed_us)) -lt 5000000 ] || fail "the dead keeps its partitions"
done
gone_ms=$(((${EPOCHREALTIME/./} - killed_us) / 1000))
echo "the partitions of the one that was killed were others' after $gone_ms ms," \
	"at $rate messages a second"
assert_num "$gone_ms" -le 3000 "ms until its partitions were others'"
wait $loading
wait_for "[ \"\$(group '.received == .delivered')\" = true ]" 30
assert_json "$(group .)" '.dropped == {} and .held == 0' "nothing dropped or held"
assert_law
total=$(group .delivered)
live=0
for name in one two three; do
	receiver_stop $name
	assert_json "$tmp/$name.json" '.duplicates == 0 and .reordered == 0 and .native.gaps == 0' \
		"$name: once and in order"
	live=$((live + $(receiver_get $name .received)))
done
five=$(cat "$tmp"/five_*.json | jq -s 'map(.received) | add')
assert_json "$(cat "$tmp"/five_*.json | jq -s .)" 'all(.[]; .duplicates == 0 and .reordered == 0)'
echo "$total delivered: $live to those that stayed, $five to one that came $fives times," \
	"$dead_had to the one that was killed"
# Whoever leaves may have had one message in its hands, which comes again.
assert_num $((live + five + dead_had)) -ge "$total" "messages that applications had"
assert_num $((live + five + dead_had)) -le $((total + fives)) "messages that applications had"
weir_stop
