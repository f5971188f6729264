#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# light
#
# A blind consumer that cannot be reached is found out, said why, and its partitions go to the
# others of its group until it is back.

# shellcheck source=tests/system/_init.sh
. "$(dirname "$0")/_init.sh"

lan
host exporter 1
kernel_port gw0 2
host c1 3
host c2 4
cat >"$tmp/weir.json" <<-END
	{"workers": {"cpus": [1]},
	"control": {"socket": "$socket"},
	"memory": {"hugepages": false, "buffers": 65536},
	"reach": {"probe_ms": 500, "hold_ms": 1500},
	"ports": [{"name": "lan", "driver": "af_packet", "interface": "gw0"}],
	"streams": [{"name": "flows", "match": {"udp_port": 4739}, "key": "ipfix", "partitions": 16,
		"ring": {"messages": 8192, "age_ms": 60000}}],
	"groups": [
		{"name": "pair", "streams": ["flows"], "consumers": [
			{"name": "one", "address": "10.0.0.3", "port": 9995},
			{"name": "two", "address": "10.0.0.4", "port": 9995}]},
		{"name": "nowhere", "streams": ["flows"], "consumers": [
			{"name": "routeless", "address": "192.0.2.7", "port": 9995},
			{"name": "looped", "address": "10.0.0.2", "port": 9995},
			{"name": "ghost", "address": "10.0.0.99", "port": 9995}]}]}
END

# is_state NAME STATE REASON-REGEX PARTITIONS-CONDITION
is_state() {
	ctl consumer show "$1" | jq -e ".state == \"$2\" and ((.reason // \"\") | test(\"$3\")) and
		.partitions $4"
}
load() {
	send exporter --to 10.0.0.2:4739 --keys 64 --size 100 --rate 2000 --json "$tmp/sent.json" "$@"
}
settled() {
	wait_for "[ \$(ctl group list | jq '.groups[0] | .delivered + .held') = $1 ]"
	assert_json "$(ctl group list)" '.groups[0] | .held == 0 and .dropped == {}'
}

receiver_start one c1 --listen 10.0.0.3:9995 --late
receiver_start two c2 --listen 10.0.0.4:9995 --late
weir_start "$tmp/weir.json"
wait_for "is_state one reachable '^$' '> 0' && is_state two reachable '^$' '> 0'"
assert_eq "$(ctl consumer list | jq '[.consumers[] | select(.group == "pair") | .partitions] | add')" \
	16 "partitions of the pair"

# No way there: each says its own why.
wait_for "is_state routeless unreachable 'no route' '>= 0'"
wait_for "is_state looped unreachable 'type local' '>= 0'"
wait_for "is_state ghost unreachable '10.0.0.99 does not answer' '>= 0'" 10
assert_json "$(ctl group list)" '.groups[] | select(.name == "nowhere") |
	.reachable == 0 and .consumers == 3'

load --count 2000
settled 2000

# The receiver's process dies, its host answers with ICMP: the other has everything.
receiver_stop one
first=$(receiver_get one .received)
assert_num "$first" -gt 300 "messages of the first before it was stopped"
load --count 6000 &
loading=$!
wait_for "is_state one unreachable 'nobody listens on its port, says 10.0.0.3 by ICMP' '== 0'" 5
wait_for "is_state two reachable '^$' '== 16'" 2
assert_num "$(ctl consumer show one | jq .became_unreachable)" -ge 1 "times it was lost"
at_loss=$(ctl consumer show one | jq .delivered)
wait $loading
settled 8000
assert_eq "$(ctl consumer show one | jq .delivered)" "$at_loss" \
	"messages sent to a consumer that refuses"
# It was found out within some datagrams, not seconds.
refused=$((at_loss - first))
assert_num $refused -le 200 "messages that were refused before it was noticed"
assert_law

# It listens again: a probe finds it, its partitions come back.
receiver_start one c1 --listen 10.0.0.3:9995 --late
wait_for "is_state one reachable '^$' '> 0'" 12
assert_num "$(ctl consumer show two | jq .partitions)" -lt 16 "partitions of the other"
back=$(ctl consumer show one | jq .delivered)
load --count 2000
settled 10000
assert_num "$(ctl consumer show one | jq .delivered)" -ge $((back + 300)) "messages after it is back"

# Its interface goes down: the neighbour does not answer any more.
ip -n c1 link set eth0 down
load --seconds 20 --rate 500 &
loading=$!
wait_for "is_state one unreachable 'next hop 10.0.0.3 does not answer' '== 0'" 15
wait_for "is_state two reachable '^$' '== 16'" 2
at_loss=$(ctl consumer show one | jq .delivered)
other=$(ctl consumer show two | jq .delivered)
wait_for "[ \$(ctl consumer show two | jq .delivered) -gt $((other + 500)) ]"
assert_eq "$(ctl consumer show one | jq .delivered)" "$at_loss" "messages sent to a host that is gone"

# And up again.
ip -n c1 link set eth0 up
ip -n c1 -6 address add fd00::3/64 dev eth0 nodad 2>/dev/null || true
wait_for "is_state one reachable '^$' '> 0'" 10
back=$(ctl consumer show one | jq .delivered)
wait_for "[ \$(ctl consumer show one | jq .delivered) -gt $((back + 100)) ]"
kill -INT "$(pgrep -P $loading weirload || echo $loading)"
wait $loading || true
assert_law

# A route appears: the one that had none is looked for behind it.
in_ns c2 ip address add 192.0.2.7/32 dev lo
receiver_start far c2 --listen 192.0.2.7:9995 --late
ip route add 192.0.2.0/24 via 10.0.0.4
wait_for "is_state routeless reachable '^$' '> 0'"
assert_eq "$(ctl consumer show routeless | jq -r .next_hop)" 10.0.0.4 "next hop of a routed consumer"

receiver_stop far
receiver_stop one
receiver_stop two
assert_json "$tmp/one.json" '.duplicates == 0 and .reordered == 0'
assert_json "$tmp/two.json" '.duplicates == 0 and .reordered == 0'
assert_law
weir_stop
