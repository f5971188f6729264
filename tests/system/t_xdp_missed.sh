#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What the program of an XDP port takes of a native group's stream is told to its consumers as gaps,
# one number for each message, when the gateway has the port again: after the port was taken from it,
# after a stall, and after an orderly end and a start. What waited in its socket meanwhile they get.
# After a death the program sends them what comes, under numbers far above, and the jump is told. A
# blind group of the same stream gets all but what waited, in order.

# shellcheck source=tests/system/_init.sh
. "$(dirname "$0")/_init.sh"

lan
host exporter 1
kernel_port gw0 2
host consumer 3
host collector 4
# A veth takes redirected frames only when its other end collects them (GRO).
in_ns switch ethtool -K gw-gw0 gro on
keeps_order gw0
# The program takes over when it is told to here, not when a worker waits 50 ms for its CPU: what is
# counted below would have to guess how often.
cat >"$tmp/weir.json" <<-END
	{"workers": {"cpus": [0, 1], "idle": "sleep"},
	"control": {"socket": "$socket"},
	"memory": {"hugepages": false, "buffers": 32768},
	"state": {"file": "$tmp/state/positions"},
	"failover": {"heartbeat_ms": 2000, "gate": 1024},
	"ports": [{"name": "lan", "driver": "xdp", "interface": "gw0"}],
	"streams": [{"name": "flows", "match": {"udp_port": 4739}, "key": "ipfix", "partitions": 8,
		"ring": {"messages": 16384}}],
	"groups": [{"name": "g", "class": "native", "streams": ["flows"]},
		{"name": "b", "streams": ["flows"], "consumers": [
			{"name": "c4", "address": "10.0.0.4", "port": 4739}]}]}
END

# load COUNT: adds to `sent`
load() {
	send exporter --to 10.0.0.2:4739 --keys 40 --count "$1" --rate 5000 --size 100 \
		--json "$tmp/sent.json"
	assert_json "$tmp/sent.json" '.failed == 0'
	sent=$((sent + $1))
}

state_is() {
	weirctl --socket "$socket" -j failover show |
		jq -e --arg state "$1" '.ports[0].queues | all(.state == $state)' >/dev/null
}

ready() {
	wait_for "ctl consumer list | jq -e '.consumers | length == 2 and all(.state == \"reachable\")'"
	wait_for "state_is gateway"
}

missed() {
	ctl stream list | jq '.streams[0].missed'
}

# gaps: numbers told as gaps of reason failover
gaps() {
	awk '/^gap: .*, failover$/ { sum += $5 } END { print sum + 0 }' "$tmp/native.log"
}

sent=0
weir_start "$tmp/weir.json"
receiver_start native consumer --native 10.0.0.2:4150 --group g --name c
receiver_start blind collector --listen 10.0.0.4:4739
ready
load 1000

# The queue's worker leaves under load, and comes back: what comes meanwhile waits in the socket.
send exporter --to 10.0.0.2:4739 --keys 40 --count 5000 --rate 5000 --size 100 \
	--json "$tmp/moved.json" &
moving=$!
for cpus in '[1]' '[0, 1]'; do
	jq ".workers.cpus = $cpus" "$tmp/weir.json" >"$tmp/next.json"
	ctl config apply "$tmp/next.json" >/dev/null
	wait_for "ctl worker list | jq -e '([.workers[].cpu] | sort) == $cpus and
		([.workers[].receive_queues] | add) == 1'"
done
wait $moving
sent=$((sent + 5000))
trips=$(ctl failover show | jq '[.ports[].queues[].trips] | add')
[ "$trips" -gt 0 ] || assert_eq "$(missed)" 0 "what the program had of a queue that moved"
base=$(missed)

# The operator takes the port from the gateway, and gives it back.
ctl failover trip >/dev/null
wait_for "state_is kernel"
load 1000
assert_eq "$(missed)" "$base" "told before the gateway has the port"
ctl failover arm >/dev/null
wait_for "state_is gateway && [ \$(missed) = $((base + 1000)) ]"
load 1000
wait_for "[ \$(gaps) = $((base + 1000)) ]"
assert_law

# A stall: what is in the socket when the program takes over comes late, and is not lost.
kill -STOP "$gateway_pid"
load 2000
kill -CONT "$gateway_pid"
wait_for "state_is gateway && [ \$(missed) -gt $((base + 1000)) ]"
load 1000
assert_law
stale=$(ctl group list | jq '[.groups[] | select(.name == "b") | .dropped.failover // 0] | add')

# An orderly end, and the next one.
weir_stop
load 1000
weir_start "$tmp/weir.json"
ready
wait_for "[ \$(missed) = 1000 ]"
settled() {
	wait_for "ctl group list | jq -e '[.groups[] | .held] | add == 0'"
	assert_law
}
load 1000
settled

# A death while nothing is under way: the program sends all, and there is nothing to tell.
gateway_kill
load 1000
weir_start "$tmp/weir.json"
ready
load 1000
settled
assert_eq "$(missed)" 0 "numbers given away after a death"
receiver_stop native
receiver_stop blind

# Every message has come, or its number was told.
assert_eq "$(receiver_get native .native.degraded)" 1000 "sent by the program"
echo "sent $sent, received $(receiver_get native .received), told $(gaps), stale $stale"
assert_json "$tmp/native.json" '.duplicates == 0 and .reordered == 0'
assert_eq $(($(receiver_get native .received) + $(gaps))) $sent "received and told"
assert_json "$tmp/blind.json" '.duplicates == 0 and .reordered == 0'
assert_eq $(($(receiver_get blind .received) + stale)) $sent "sent by the gateway or the program"

# A death in the middle: what the gateway and its socket had is missing too, and no number in silence.
receiver_start native consumer --native 10.0.0.2:4150 --group g --name c --places
receiver_start blind collector --listen 10.0.0.4:4739
wait_for "ctl consumer list | jq -e '.consumers | length == 2 and all(.state == \"reachable\")'"
in_ns_start exporter weirload send --to 10.0.0.2:4739 --keys 40 --size 100 --rate 2000 --seconds 60 \
	--json "$tmp/sent.json"
sending=$!
wait_for "ctl consumer list | jq -e 'all(.consumers[]; .delivered > 0)'"
in_kernel() {
	weirctl --socket "$socket" -j failover show | jq '.ports[0].queues[0].in_kernel'
}
before=$(in_kernel)
gateway_kill
wait_for "[ \$(in_kernel) -gt $((before + 100)) ]"
weir_start "$tmp/weir.json"
ready
wait_for "ctl group list | jq -e '.groups[] | select(.name == \"g\").delivered > 0'"
kill -TERM $sending
wait $sending
settled
receiver_stop native
receiver_stop blind
weir_stop
sent=$(jq .sent "$tmp/sent.json")
lost=$((sent - $(receiver_get native .received) - $(gaps)))
echo "sent $sent, received $(receiver_get native .received), told $(gaps), lost $lost"
assert_json "$tmp/native.json" '.duplicates == 0 and .reordered == 0 and .places.silent == 0 and
	.native.sessions == 2'
grep -q '^gap: .*, restart$' "$tmp/native.log" || fail "the jump was not told"
assert_num "$(receiver_get native .native.degraded)" -ge 90 "sent by the program"
assert_num "$lost" -ge 0 "numbers told, but not of a message"
assert_json "$tmp/blind.json" '.duplicates == 0 and .reordered == 0'
