#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Partitions, receive queues and a producer move between two workers under load, by hand, by parking
# and waking workers, by rebalancing, by load, and by configurations that take a worker away and bring it back
# on another CPU: nothing lost, nothing twice, order per key kept, and the law holds all the time.

# shellcheck source=tests/system/_init.sh
. "$(dirname "$0")/_init.sh"

lan
host exporter 1
kernel_port gw0 2
keeps_order gw0
host c1 3
host c2 4
cat >"$tmp/weir.json" <<EOF
{"workers": {"cpus": [0, 1]}, "control": {"socket": "$socket"},
"memory": {"hugepages": false, "buffers": 131072},
"ports": [{"name": "lan", "driver": "af_packet", "interface": "gw0", "queues": 2,
	"descriptors": 8192}],
"streams": [{"name": "flows", "match": {"udp_port": 4739}, "key": "ipfix", "partitions": 32,
	"ring": {"messages": 16384, "age_ms": 60000}}],
"groups": [
	{"name": "kept", "streams": ["flows"], "consumers": [
		{"name": "k1", "address": "10.0.0.3", "port": 9995, "source": "keep"}]},
	{"name": "native", "class": "native", "streams": ["flows"]}]}
EOF
weir_start "$tmp/weir.json"
receiver_start k1 c1 --listen 10.0.0.3:9995
receiver_start n1 c2 --native 10.0.0.2:4150 --group native --name n1
wait_for "ctl consumer list | jq -e '[.consumers[] | select(.state == \"reachable\")] | length == 2'"

hire() {
	jq ".workers.cpus = $1" "$tmp/weir.json" >"$tmp/next.json"
	ctl config apply "$tmp/next.json" >/dev/null
}

# Moves of all kinds; `rounds` counts them.
rounds=0
disturb() {
	local p
	for p in $((rounds % 32)) $(((rounds + 7) % 32)) $(((rounds + 19) % 32)); do
		ctl partition set-worker flows "$p" $((rounds % 2)) >/dev/null
	done
	case $((rounds % 8)) in
	3)
		ctl worker park 0 >/dev/null
		wait_for "ctl worker list | jq -e '[.workers[].partitions] == [0, 32] and
			.workers[0].state == \"parked\"'"
		wait_for "ctl worker list | jq -e '[.workers[].receive_queues] == [0, 2]'"
		ctl worker wake 0 >/dev/null
		;;
	1)
		hire '[1]'
		wait_for "ctl worker list | jq -e '[.workers[] | [.cpu, .partitions,
			.receive_queues]] == [[1, 32, 2]]'"
		assert_fails ctl worker park 1
		hire '[1, 0]'
		wait_for "ctl worker list | jq -e '[.workers[].cpu] == [1, 0] and
			all(.workers[]; .partitions > 0 and .receive_queues == 1)'"
		;;
	5)
		ctl worker park 1 >/dev/null
		wait_for "ctl worker list | jq -e '[.workers[].partitions] == [32, 0]'"
		assert_fails ctl worker park 0
		assert_fails ctl partition set-worker flows 1 1
		ctl worker wake 1 >/dev/null
		;;
	7) ctl worker rebalance >/dev/null ;;
	esac
	assert_law
	rounds=$((rounds + 1))
}

send exporter --to 10.0.0.2:4739 --rate 10k --count 80000 --keys 200 --sources 20 --size 150 \
	--json "$tmp/sent.json" &
load=$!
while kill -0 $load 2>/dev/null; do
	disturb
done
wait $load
assert_json "$tmp/sent.json" '.sent == 80000 and .failed == 0'
assert_num "$rounds" -ge 10 "rounds of moves"
wait_for "ctl group list | jq -e 'all(.groups[]; .delivered == 80000 and .held == 0)'"
assert_json "$(ctl stream list)" '.streams[0] | .appended == 80000 and .dropped == {} and
	.under_way == 0'
assert_json "$(ctl group list)" 'all(.groups[]; .dropped == {})'
assert_law
receiver_stop k1
receiver_stop n1
for name in k1 n1; do
	assert_json "$tmp/$name.json" '.received == 80000 and .keys == 200 and .lost == 0 and
		.duplicates == 0 and .reordered == 0' "$name after $rounds rounds"
done
# No move made a session begin anew on a lane.
assert_json "$tmp/n1.json" '.native.gaps == 0' "native"
# Both have work again.
ctl worker wake 0 >/dev/null
ctl worker wake 1 >/dev/null
ctl worker rebalance >/dev/null
assert_json "$(ctl worker list)" '([.workers[].partitions] | add) == 32 and
	all(.workers[]; .partitions > 0)'

# By load: a worker that is not needed is parked, and woken when the other is busy; nothing is lost
# or out of order meanwhile, and what load does is not drift.
receiver_start k1 c1 --listen 10.0.0.3:9995
receiver_start n1 c2 --native 10.0.0.2:4150 --group native --name n1
wait_for "ctl consumer list | jq -e '[.consumers[] | select(.state == \"reachable\")] | length == 2'"
parked='.workers[] | select(.worker == 1) | .state == "parked" and .parked_by == "load" and
	.partitions == 0'
woken='all(.workers[]; .state == "running" and .parked_by == null and .partitions > 0)'
jq '.elastic = {"enabled": true, "wake_percent": 10, "park_percent": 5, "wake_ms": 200,
	"park_ms": 500}' "$tmp/weir.json" >"$tmp/elastic.json"
ctl config apply "$tmp/elastic.json" >/dev/null
wait_for "ctl worker list | jq -e '$parked'"
before=$(ctl worker list | jq '.workers[1].sleeps')
assert_json "$(ctl drift show)" '.drifted == false'
send exporter --to 10.0.0.2:4739 --rate 30k --count 60000 --keys 200 --sources 20 --size 150 \
	--json "$tmp/sent.json" &
load=$!
wait_for "ctl worker list | jq -e '$woken'"
wait $load
wait_for "ctl worker list | jq -e '$parked'"
assert_num "$(ctl worker list | jq '.workers[1].sleeps')" -gt "$before" "sleeps while it is parked"
assert_json "$(ctl worker list)" 'all(.workers[]; .asleep_percent > 0 and .asleep_percent <= 100)'
wait_for "ctl group list | jq -e 'all(.groups[]; .delivered == 140000 and .held == 0)'"
assert_json "$(ctl metric list name=weir_events)" '[.metrics[] | select(.labels.kind // "" | test("^worker_(parked|woken)"))
	| .value] | length == 2 and all(.[]; . >= 1)'
assert_law
receiver_stop k1
receiver_stop n1
for name in k1 n1; do
	assert_json "$tmp/$name.json" '.received == 60000 and .lost == 0 and .duplicates == 0 and
		.reordered == 0' "$name while workers were parked and woken"
done
# Switched off, all are awake.
ctl config apply "$tmp/weir.json" >/dev/null
wait_for "ctl worker list | jq -e '$woken'"
weir_stop
