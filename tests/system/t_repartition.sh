#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# measures time
#
# The number of partitions and the key of a stream are changed again and again under load: each
# message comes once, and those of a key in order, to blind and to acknowledged consumers, with two
# workers; a native consumer knows each new stream before its first message. What a stopped consumer does not take in its time is dropped and counted, and then what
# came after the change is delivered.

# shellcheck source=tests/system/_init.sh
. "$(dirname "$0")/_init.sh"

lan
host exporter 1
kernel_port gw0 2
host c1 3
host c2 4
host c3 5

# One receive queue: two of af_packet overtake each other when one is full.
cat >"$tmp/weir.json" <<EOF
{"workers": {"cpus": [0, 1]}, "control": {"socket": "$socket"},
"memory": {"hugepages": false, "buffers": 131072},
"ports": [{"name": "lan", "driver": "af_packet", "interface": "gw0", "queues": 1,
	"descriptors": 8192}],
"streams": [{"name": "flows", "match": {"udp_port": 4739}, "key": "ipfix", "partitions": 16,
	"buffers": 65536, "ring": {"messages": 16384, "drain_ms": 60000}}],
"groups": [{"name": "blind", "streams": ["flows"], "consumers": [
		{"name": "c1", "address": "10.0.0.3", "port": 9995, "source": "keep"},
		{"name": "c2", "address": "10.0.0.4", "port": 9995, "source": "keep"}]},
	{"name": "native", "class": "native", "streams": ["flows"]}]}
EOF
weir_start "$tmp/weir.json"
receiver_start one c1 --listen 10.0.0.3:9995
receiver_start two c2 --listen 10.0.0.4:9995
receiver_start acked c3 --native 10.0.0.2:4150 --group native --name c3
wait_for "ctl consumer list | jq -e '(.consumers | length == 3) and
	all(.consumers[]; .state == \"reachable\")'"

# partition COUNT [KEY]
partition() {
	jq ".streams[0].partitions = $1 | .streams[0].key = \"${2:-ipfix}\"" "$tmp/weir.json" \
		>"$tmp/next.json"
	ctl config_apply "$tmp/next.json" >"$tmp/applied.json" || fail "refused: $1 partitions"
}

# changed: the rings before have gone
changed() {
	ctl group list | jq -e 'all(.groups[]; .draining | not)'
}

send exporter --to 10.0.0.2:4739 --rate 5k --seconds 8 --keys 100 --size 200 \
	--json "$tmp/sent.json" &
sender=$!
wait_for "ctl consumer show c1 | jq -e '.delivered > 0'"
changes=0
# Two at a time: the second comes before the first has drained, or not.
while is_running "$sender"; do
	for pair in "4 64" "7 1" "32 16,source" "8,5tuple 16"; do
		for change in $pair; do
			IFS=, read -r count key <<<"$change"
			partition "$count" "$key"
			changes=$((changes + 1))
		done
		wait_for changed 30
	done
done
wait "$sender"
assert_num "$changes" -ge 8 "changes under load"
wait_for "changed && ctl group list | jq -e 'all(.groups[]; .held == 0)'" 30
sent=$(jq .sent "$tmp/sent.json")
for name in one two acked; do
	receiver_stop "$name"
	jq -c "{name: \"$name\", received, lost, reordered, duplicates}" "$tmp/$name.json"
	assert_json "$tmp/$name.json" '.reordered == 0 and .duplicates == 0' "$name"
done
# One that is off the CPU for longer than its liveness is not waited for.
assert_json "$tmp/acked.json" ".native.malformed <= $((sent / 100))" "of streams not announced"
# To each of the two blind ones what the other one got is lost.
assert_eq "$(receiver_get acked .received)" "$sent" "messages to the acknowledged one"
assert_eq $(($(receiver_get one .received) + $(receiver_get two .received))) "$sent" \
	"messages to the blind ones"
assert_law

# A consumer that takes nothing holds the new rings of its own group back, for as long as it may. Who
# comes to the other group after that time is told of what was cut off while nobody was there.
receiver_start one c1 --listen 10.0.0.3:9995
receiver_start two c2 --listen 10.0.0.4:9995
ctl consumer pause c1 >"$tmp/paused.json"
ctl consumer pause c2 >"$tmp/paused.json"
jq '.streams[0].ring.drain_ms = 1000' "$tmp/weir.json" >"$tmp/slow.json"
ctl config_apply "$tmp/slow.json" >"$tmp/applied.json"
send exporter --to 10.0.0.2:4739 --rate 5k --count 1000 --keys 20 --size 100 >"$tmp/out"
wait_for "ctl group list | jq -e 'all(.groups[] | select(.draining | not); .held == 1000)'"
jq '.streams[0].partitions = 4' "$tmp/slow.json" >"$tmp/next.json"
ctl config_apply "$tmp/next.json" >"$tmp/applied.json"
send exporter --to 10.0.0.2:4739 --rate 5k --count 500 --keys 20 --size 100 >"$tmp/out"
wait_for "ctl group list | jq -e 'all(.groups[] | select(.draining | not); .held == 500)'"
wait_for "ctl group list | jq -e 'all(.groups[]; .draining | not)'"
ctl consumer resume c1 >"$tmp/paused.json"
ctl consumer resume c2 >"$tmp/paused.json"
receiver_start late c3 --native 10.0.0.2:4150 --group native --name late
wait_for "ctl group list | jq -e 'all(.groups[]; .delivered == 500 and .dropped == {})'"
assert_law
receiver_stop late
assert_json "$tmp/late.json" '.received == 500 and .native.gaps > 0' "who came later"
receiver_stop one
receiver_stop two
assert_eq $(($(receiver_get one .received) + $(receiver_get two .received))) 500 "after it"
weir_stop
