#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A thousand streams, a thousand consumers and four thousand partitions: the gateway starts soon,
# tells them all apart, and answers as it does with one.

# shellcheck source=tests/system/_init.sh
. "$(dirname "$0")/_init.sh"

lan
host exporter 1
kernel_port gw0 2
host c1 3

# 1,000 streams by port, of 4 partitions each; the last has 96 more. A consumer each, and 64 more
# that share the last stream; and a native group of all of them. The asked ones can hold all that
# is sent to them: a worker may be kept waiting, and find many at once.
asked=(0 1 17 256 333 511 512 640 998 999)
jq -n --arg socket "$socket" '{
	workers: {cpus: [0, 1]},
	control: {socket: $socket},
	memory: {hugepages: false, buffers: 131072},
	ports: [{name: "lan", driver: "af_packet", interface: "gw0", queues: 2}],
	streams: [range(1000) | {name: "s\(.)", match: {udp_port: (10000 + .)}, key: "ipfix",
		partitions: (if . == 999 then 100 else 4 end), ring: {messages: 64},
		tier: ["critical", "standard", "bulk"][. % 3]} +
		(if IN($ARGS.positional[]) then {ring: {messages: 512}, buffers: 2048} else {} end)],
	groups: ([range(1000) | {name: "g\(.)", streams: ["s\(.)"], consumers: [
			{name: "c\(.)", address: "10.0.0.3", port: (20000 + .), source: "keep"}]}]
		+ [{name: "crowd", streams: ["s999"], consumers: [range(64) |
			{name: "crowd\(.)", address: "10.0.0.3", port: (21000 + .)}]},
		{name: "native", class: "native", streams: [range(1000) | "s\(.)"]}])}' \
	--jsonargs "${asked[@]}" >"$tmp/weir.json"

started=${EPOCHREALTIME/./}
weir_start "$tmp/weir.json"
assert_num $(((${EPOCHREALTIME/./} - started) / 1000)) -le 10000 "ms until the gateway answered"
wait_for "ctl consumer list | jq -e '[.consumers[] | select(.state == \"reachable\")] | length == 1064'"
assert_json "$(ctl stream list)" '(.streams | length) == 1000 and
	([.streams[].partitions] | add) == 4096'
assert_json "$(ctl group list)" '.groups | length == 2001' "a row for each group and stream"
# Every partition has its consumer; the crowd has the 100 of its stream, at most 1.25 times each.
assert_json "$(ctl consumer list)" '
	([.consumers[] | select(.group != "crowd") | .partitions] | add) == 4096 and
	([.consumers[] | select(.group == "crowd") | .partitions] | add == 100 and max <= 2)'

# Datagrams to some streams, first and last among them, a different number to each, and to ports on
# either side of them all: each to its own consumer alone.
for i in "${asked[@]}"; do
	receiver_start "r$i" c1 --listen "10.0.0.3:$((20000 + i))"
	send exporter --to "10.0.0.2:$((10000 + i))" --rate 1000 --count $((100 + i / 5)) --keys 8 \
		--json "$tmp/sent.json"
done
send exporter --to 10.0.0.2:9999 --rate 1000 --count 50 --json "$tmp/sent.json"
send exporter --to 10.0.0.2:11000 --rate 1000 --count 50 --json "$tmp/sent.json"
expected='{"s0":100,"s1":100,"s17":103,"s256":151,"s333":166,"s511":202,"s512":202,"s640":228,"s998":299,"s999":299}'
counted() {
	ctl stream list | jq -c '[.streams[] | select(.received > 0) | {(.name): .received}] | add'
}
wait_for "[ '$expected' = \"\$(counted)\" ]"
assert_json "$(ctl stream list)" '[.streams[].dropped] | add == {}'
wait_for "ctl group list | jq -e '[.groups[] | select(.name != \"native\") | .held] | add == 0'"
assert_law
for i in "${asked[@]}"; do
	receiver_stop "r$i"
	assert_json "$tmp/r$i.json" ".received == $((100 + i / 5)) and .lost == 0 and
		.reordered == 0 and .keys == 8" "what the consumer of stream $i received"
done

# A native consumer of all thousand streams is told them all, and gets what comes then.
receiver_start native c1 --native 10.0.0.2:4150 --group native --name native --late
wait_for "ctl consumer show native | jq -e '.partitions == 4096'"
for i in 0 333 999; do
	send exporter --to "10.0.0.2:$((10000 + i))" --rate 1000 --count 200 --keys 8 --json "$tmp/sent.json"
done
wait_for "ctl consumer show native | jq -e '.delivered >= 600'"

# The control socket answers in no time that an operator would see.
started=${EPOCHREALTIME/./}
ctl stats get >"$tmp/stats.json"
assert_num $(((${EPOCHREALTIME/./} - started) / 1000)) -le 3000 "ms for every counter there is"
assert_json "$tmp/stats.json" '.law.holds and (.streams | length) == 1000 and
	(.consumers | length) == 1065'
assert_law
receiver_stop native
assert_json "$tmp/native.json" '.lost == 0 and .duplicates == 0 and .native.overruns == 0'
weir_stop
