#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# time limit: 240
# measures time
#
# What loss costs an acknowledged consumer: messages a second that it gets, as fast as it can, and
# the time that a message takes. Runs without and with loss alternate, and medians are compared.
#
# Throughput: the gateway holds the messages for a paused consumer, which then is let go: sender and
# receiver do not compete for CPUs. The line is what limits, not the CPUs, which other programs use
# too. Latency: at a rate, over a path of 10 ms there and back, where a repair takes at least a
# round trip.
#
# The figures go to stdout. With GOODPUT_FULL=1 there are more, for docs/measurements.md: without a
# limit of the line, where the CPUs are what limits, and latency without a delay. There more messages
# are drained, for else the beginning and the end of 0.1 s are what is measured.

# shellcheck source=tests/system/_init.sh
. "$(dirname "$0")/_init.sh"

rounds=3
sizes=288
lines=line
paths=far
if [ "${GOODPUT_FULL:-}" = 1 ]; then
	rounds=7
	sizes="200 288"
	lines="line open"
	paths="far near"
fi
declare -A messages=([line]=40000 [open]=150000)
trip_us=10000
declare -A line=([line]="--rate-ba 100M --queue 50ms" [open]="")
declare -A delay=([far]=5ms [near]=0)

lan
host exporter 1
kernel_port gw0 2
impaired consumer 3
cat >"$tmp/weir.json" <<-END
	{"workers": {"cpus": [1]},
	"control": {"socket": "$socket"},
	"memory": {"hugepages": false, "buffers": 180000},
	"health": {"catch_up_ms": 600000},
	"ports": [{"name": "lan", "driver": "af_packet", "interface": "gw0", "descriptors": 8192}],
	"streams": [{"name": "flows", "match": {"udp_port": 4739}, "key": "ipfix", "partitions": 16,
		"ring": {"messages": 32768, "age_ms": 60000}}],
	"groups": [{"name": "g", "class": "native", "streams": ["flows"]}]}
END

relink() {
	kill -TERM "${link_pid[consumer]}"
	wait "${link_pid[consumer]}" || true
	unset "link_pid[consumer]"
	link_start consumer --only-udp 4150 --seed $RANDOM "$@"
}

join() {
	receiver_start "$1" consumer --native 10.0.0.2:4150 --group g --name c
	wait_for "ctl consumer show c | jq -e '.state == \"reachable\" and .partitions == 16'"
}

load() {
	send exporter --to 10.0.0.2:4739 --keys 640 --json "$tmp/sent.json" "$@"
}

# done_with NAME: it has all that the gateway took, and leaves
done_with() {
	wait_for "ctl group list | jq -e '.groups[0] | .held == 0'" 60
	receiver_stop "$1"
	assert_json "$tmp/$1.json" '.duplicates == 0 and .reordered == 0 and .native.gaps == 0 and
		.received > 0' "$1"
}

# drain SERIES SIZE MESSAGES LINK-OPTIONS...: messages/s into $tmp/SERIES
drain() {
	local series=$1 size=$2 held=$3
	shift 3
	relink "$@"
	join drain
	ctl consumer pause c >/dev/null
	load --rate 80000 --count "$held" --size "$size"
	ctl consumer resume c >/dev/null
	done_with drain
	jq '.received / .seconds' "$tmp/drain.json" >>"$tmp/$series"
}

# pace SERIES LINK-OPTIONS...: the 99th percentile, in us, into $tmp/SERIES
pace() {
	local series=$1
	shift
	relink "$@"
	join pace
	load --rate 10000 --count 20000 --size 288
	done_with pace
	jq .latency_us.p99 "$tmp/pace.json" >>"$tmp/$series"
}

median() {
	sort -n "$tmp/$1" | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'
}

weir_start "$tmp/weir.json"
# The first run is slower than all others: memory is touched for the first time.
drain warm 200 40000
for _ in $(seq "$rounds"); do
	for size in $sizes; do
		for name in $lines; do
			for loss in 0 1 5; do
				# shellcheck disable=SC2086 # several options, or none
				drain "$name-$size-$loss" "$size" "${messages[$name]}" \
					--loss $loss% ${line[$name]}
			done
		done
	done
	for path in $paths; do
		for loss in 0 1; do
			pace "$path-$loss" --loss $loss% --delay "${delay[$path]}"
		done
	done
done
assert_law
weir_stop

# series NAME: median and all
series() {
	jq -s -c --argjson median "$(median "$1")" \
		'{median: ($median | round), runs: map(round)}' "$tmp/$1"
}
{
	for size in $sizes; do
		for name in $lines; do
			for loss in 0 1 5; do
				echo "{\"goodput\": {\"${name}_$size\":
					{\"loss_$loss\": $(series "$name-$size-$loss")}}}"
			done
		done
	done
	for path in $paths; do
		for loss in 0 1; do
			echo "{\"p99_us\": {\"$path\": {\"loss_$loss\": $(series "$path-$loss")}}}"
		done
	done
} | jq -s --argjson trip $trip_us 'reduce .[] as $part ({round_trip_us: $trip}; . * $part) |
	.goodput[] |= . + {ratio_1: (.loss_1.median / .loss_0.median),
		ratio_5: (.loss_5.median / .loss_0.median)}' >"$tmp/goodput.json"
jq . "$tmp/goodput.json"

for size in $sizes; do
	assert_json "$tmp/goodput.json" ".goodput.line_$size.ratio_1 >= 0.9" \
		"goodput under 1 % loss, $size bytes"
	assert_json "$tmp/goodput.json" ".goodput.line_$size.ratio_5 >= 0.8" \
		"goodput under 5 % loss, $size bytes"
done
assert_json "$tmp/goodput.json" \
	'.p99_us.far.loss_1.median - .p99_us.far.loss_0.median <= 3 * .round_trip_us' \
	"what 1 % loss adds to the 99th percentile"
