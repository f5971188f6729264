#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# time limit: 240
# measures time
#
# One of four consumers works at a tenth of the speed: the others' latency is as without it, they
# lose nothing, and the slow one is kept busy all the time at what it can do.
#
# Runs alternate, with the slow one slow and with it fast. Of each the lowest of the others' 99th
# percentiles are compared, and the slow one is judged by its fastest run: what else runs on the
# machine only ever adds to the one and takes from the other. 10 % more is allowed. Two pairs, and up
# to ten more while the machine is too unquiet to tell.

# shellcheck source=tests/system/_init.sh
. "$(dirname "$0")/_init.sh"

rate=16000 # of all four
seconds=2
pairs=2
most_pairs=12

lan
host exporter 1
kernel_port gw0 2
for number in 3 4 5 6; do
	host "c$number" $number
done
cat >"$tmp/weir.json" <<-END
	{"workers": {"cpus": [1]},
	"control": {"socket": "$socket"},
	"memory": {"hugepages": false, "buffers": 98304},
	"health": {"park_ms": 500},
	"ports": [{"name": "lan", "driver": "af_packet", "interface": "gw0", "descriptors": 8192}],
	"streams": [{"name": "flows", "match": {"udp_port": 4739}, "key": "ipfix", "partitions": 32,
		"ring": {"messages": 8192, "age_ms": 60000}}],
	"groups": [{"name": "g", "class": "native", "streams": ["flows"]}]}
END

# run NAME [ARGUMENTS...]: of the consumer c6; the gateway is new, so that partitions are the same
run() {
	local name=$1 number
	shift
	weir_start "$tmp/weir.json"
	for number in 3 4 5; do
		receiver_start "$name-c$number" "c$number" --native 10.0.0.2:4150 --group g \
			--name "c$number"
	done
	receiver_start "$name-c6" c6 --native 10.0.0.2:4150 --group g --name c6 "$@"
	wait_for "ctl consumer list | jq -e '.consumers | length == 4 and all(.[];
		.state == \"reachable\" and .partitions > 0) and (map(.partitions) | add) == 32'"
	send exporter --to 10.0.0.2:4739 --rate $rate --count $((rate * seconds)) --keys 640 \
		--size 200 --json "$tmp/sent.json"
	assert_json "$tmp/sent.json" ".sent == $((rate * seconds)) and .failed == 0"
	ctl consumer show c6 >"$tmp/shown.json"
	assert_law
	wait_for "ctl partition list flows | jq -e 'all(.partitions[] | select(.consumer != \"c6\");
		.done == .head)'"
	assert_json "$(ctl group list)" '.groups[0].dropped == {}' "messages dropped"
	# The gateway first: else the others would get what the slow one leaves.
	weir_stop
	for number in 3 4 5 6; do
		receiver_stop "$name-c$number"
	done
	for number in 3 4 5; do
		assert_json "$tmp/$name-c$number.json" '.lost == 0 and .duplicates == 0 and
			.reordered == 0 and .native.gaps == 0' "c$number, $name"
	done
	jq -s 'map(.latency_us.p99) | max' "$tmp/$name"-c[345].json >>"$tmp/$name.p99"
	echo "$name: p99 of the others $(tail -n 1 "$tmp/$name.p99") us," \
		"c6 $(jq -c '[.received, .rate_pps]' "$tmp/$name-c6.json")"
}

least() {
	sort -n "$1" | head -n 1
}

best() {
	sort -n "$1" | tail -n 1
}

# as_fast: the others are as fast beside a slow one as without, and it has what it can take
as_fast() {
	awk -v a="$(least "$tmp/fast.p99")" -v b="$(least "$tmp/slow.p99")" \
		-v rate="$(best "$tmp/slow.rate")" -v slow=$slow \
		'BEGIN {exit !(b <= 1.1 * a && rate >= 0.95 * slow)}'
}

# A tenth of a fair share.
slow=$((rate / 4 / 10))
for pair in $(seq $most_pairs); do
	run fast
	run slow --rate $slow
	assert_num "$(jq .received "$tmp/slow-c6.json")" -ge $((slow * seconds * 95 / 100)) \
		"messages that the slow one took"
	receiver_get slow-c6 .rate_pps >>"$tmp/slow.rate"
	assert_json "$tmp/slow-c6.json" '.duplicates == 0 and .reordered == 0 and .lost == 0 and
		.native.overruns == 0'
	assert_json "$tmp/shown.json" '(.health.state | IN("throttled", "parked", "catching_up")) and
		(.health.entered | .throttled + .parked + .catching_up) > 0 and .health.waiting > 0'
	[ "$pair" -lt $pairs ] || ! as_fast || break
done
echo "p99 of the others: $(least "$tmp/fast.p99") us without, $(least "$tmp/slow.p99") us with a slow" \
	"one, which took $(best "$tmp/slow.rate")/s of $slow/s"
as_fast || fail "the slow one is not what it should be, or others are slower for it"
