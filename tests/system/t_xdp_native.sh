#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The program of an XDP port goes on for native consumers when the gateway is dead: those of two
# groups get each message, one that acknowledges and one that does not, in their sessions, in order
# and nothing twice; what one of them has no credit for is told. Sessions live on while nothing comes.
# The next gateway tells the rest, and both have, or were told of, all that the program took.

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
		{"name": "h", "class": "native", "streams": ["flows"]}]}
END

state_is() {
	weirctl --socket "$socket" -j failover show |
		jq -e --arg state "$1" '.ports[0].queues | all(.state == $state)' >/dev/null
}

ready() {
	wait_for "ctl consumer list | jq -e '.consumers | length == 2 and all(.state == \"reachable\")'"
	wait_for "state_is gateway"
}

# The consumers have lanes that the program knows of: all that they are sent has come.
settled() {
	wait_for "ctl group list | jq -e '[.groups[] | .held] | add == 0'"
	assert_law
}

load() {
	send exporter --to 10.0.0.2:4739 --keys 40 --count "$1" --rate "$2" --size 100 \
		--json "$tmp/sent.json"
	assert_json "$tmp/sent.json" '.failed == 0'
	sent=$((sent + $1))
}

# program GROUP TERM: what the pins say of the group
program() {
	weirctl --socket "$socket" -j failover show |
		jq --arg group "$1" "[.groups[] | select(.group == \$group) | $2] | add // 0"
}

# in_kernel: packets that the program dealt with
in_kernel() {
	weirctl --socket "$socket" -j failover show | jq '.ports[0].queues[0].in_kernel'
}

# gaps NAME: numbers told as gaps of reason failover
gaps() {
	awk '/^gap: .*, failover$/ { sum += $5 } END { print sum + 0 }' "$tmp/$1.log"
}

sent=0
weir_start "$tmp/weir.json"
receiver_start one consumer --native 10.0.0.2:4150 --group g --name c3 --places
receiver_start two collector --native 10.0.0.2:4150 --group h --name c4 --unreliable --places
ready
load 1000 5000
settled

# A death while nothing is under way: nothing is missing at all.
gateway_kill
load 2000 5000
# Longer than a session lives without a word.
sleep 1.5
load 1000 5000
assert_eq "$(in_kernel)" 3000 "what the program had"
for group in g h; do
	assert_eq "$(program $group .delivered)" 3000 "of it, given to group $group"
done
weir_start "$tmp/weir.json"
ready
load 1000 5000
settled
assert_eq "$(ctl stream list | jq '.streams[0].missed')" 0 "numbers given away"
receiver_stop one
receiver_stop two
for name in one two; do
	assert_json "$tmp/$name.json" '.duplicates == 0 and .reordered == 0 and
		.places.silent == 0 and .places.conflicts == 0 and .native.sessions == 2 and
		.native.degraded == 3000 and .native.overruns == 0'
	assert_eq "$(receiver_get $name .received)" $sent "received by $name"
	assert_eq "$(gaps $name)" 0 "told to $name"
done

# A death under load, of which one consumer takes far less than comes.
taken=$(in_kernel)
one=$(program g .delivered) two=$(program h .delivered)
receiver_start one consumer --native 10.0.0.2:4150 --group g --name c3 --places
receiver_start two collector --native 10.0.0.2:4150 --group h --name c4 --places \
	--window-messages 32 --rate 300
ready
load 200 2000
settled
in_ns_start exporter weirload send --to 10.0.0.2:4739 --keys 40 --size 100 --rate 2000 --seconds 60 \
	--json "$tmp/sent.json"
sending=$!
wait_for "ctl consumer list | jq -e 'all(.consumers[]; .delivered > 0)'"
gateway_kill
wait_for "[ \$(program h .delivered) -gt $((two + 200)) ]"
weir_start "$tmp/weir.json"
ready
wait_for "ctl group list | jq -e 'all(.groups[]; .delivered > 0)'"
kill -TERM $sending
wait $sending
settled
taken=$(($(in_kernel) - taken))
one=$(($(program g .delivered) - one)) two=$(($(program h .delivered) - two))
# Numbers that were given away for one group alone are left out for the other, without a word.
given=$(ctl stream list | jq '.streams[0].missed')
receiver_stop one
receiver_stop two
weir_stop
for name in one two; do
	echo "$name: the program had $taken, received $(receiver_get $name .native.degraded), told $(gaps $name)"
	assert_json "$tmp/$name.json" '.duplicates == 0 and .reordered == 0 and
		.places.unexplained == 0 and .places.conflicts == 0 and .native.sessions == 2 and
		.native.overruns == 0'
	assert_num "$(receiver_get $name .places.silent)" -le "$given" "left out for $name"
	assert_eq $(($(receiver_get $name .native.degraded) + $(gaps $name))) $taken \
		"received and told of what the program had, by $name"
	grep -q '^gap: .*, restart$' "$tmp/$name.log" || fail "the jump was not told to $name"
done
assert_eq "$(receiver_get one .native.degraded)" $one "given by the program to group g"
assert_eq "$(receiver_get two .native.degraded)" $two "given by the program to group h"
assert_num "$(gaps two)" -gt 100 "told for want of credit"
