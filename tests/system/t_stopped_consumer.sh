#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# measures time
#
# A consumer that stops dead is slowed alone: the consumers of other groups lose nothing, and
# get their messages at the rate of a run without it.

# shellcheck source=tests/system/_init.sh
. "$(dirname "$0")/_init.sh"

rate=10k # to each of three: 30,000 packets/s leave
seconds=4
all_sent=0

lan
host exporter 1
kernel_port gw0 2
host c1 3
host c2 4
host c3 5
cat >"$tmp/weir.json" <<EOF
{"workers": {"cpus": [1]}, "control": {"socket": "$socket"}, "memory": {"buffers": 49152},
"reach": {"probe_ms": 200},
"ports": [{"name": "lan", "driver": "af_packet", "interface": "gw0",
	"descriptors": 8192}],
"streams": [{"name": "flows", "match": {"udp_port": 4739}, "key": "ipfix", "partitions": 16}],
"groups": [
	{"name": "g1", "streams": ["flows"], "consumers": [
		{"name": "c1", "address": "10.0.0.3", "port": 9995, "source": "keep"}]},
	{"name": "g2", "streams": ["flows"], "consumers": [
		{"name": "c2", "address": "10.0.0.4", "port": 9995}]},
	{"name": "g3", "streams": ["flows"], "consumers": [
		{"name": "c3", "address": "10.0.0.5", "port": 9995}]}]}
EOF
weir_start "$tmp/weir.json"
wait_for "ctl consumer list | jq -e 'all(.consumers[]; .state == \"reachable\")'"

# stop_c3 HOW: at the moment when a second's worth has been delivered to it
stop_c3() {
	local before
	before=$(ctl consumer show c3 | jq .delivered)
	wait_for "ctl consumer show c3 | jq -e '.delivered > $before + 10000'"
	case $1 in
	signal) kill -STOP "${receiver_pid[$round-c3]}" ;;
	link) ip -n c3 link set eth0 down ;;
	esac
}

# load RUN [HOW]: all three receive from the start; c3 may be stopped on the way
load() {
	local sender
	round=$1
	receiver_start "$1-c1" c1 --listen 10.0.0.3:9995
	receiver_start "$1-c2" c2 --listen 10.0.0.4:9995
	receiver_start "$1-c3" c3 --listen 10.0.0.5:9995
	send exporter --to 10.0.0.2:4739 --rate $rate --seconds $seconds --keys 100 --size 200 \
		--json "$tmp/$1-sent.json" &
	sender=$!
	[ -z "${2:-}" ] || stop_c3 "$2"
	wait $sender
	sent=$(jq .sent "$tmp/$1-sent.json")
	all_sent=$((all_sent + sent))
	wait_for "ctl stream list | jq -e '.streams[0].received == $all_sent'"
	wait_for "ctl group list | jq -e '[.groups[] | select(.name != \"g3\") | .held] | add == 0'"
	receiver_stop "$1-c1"
	receiver_stop "$1-c2"
	assert_law
}

# share RUN CONSUMER: its rate as a part of the sender's, whose own pace the machine may disturb
share() {
	jq -n --slurpfile sent "$tmp/$1-sent.json" --slurpfile got "$tmp/$1-$2.json" \
		'$got[0].rate_pps / $sent[0].rate_pps'
}

# The two that are alive got everything once and in order, in the same time.
unharmed() {
	local who
	for who in c1 c2; do
		assert_json "$tmp/$1-$who.json" ".received == $sent and .lost == 0 and
			.reordered == 0 and .duplicates == 0 and .socket_drops == 0" "$1: $who"
		assert_within "$(share "$1" "$who")" "$(share alive "$who")" 2 "$1: rate to $who"
	done
	assert_json "$(ctl group list)" 'all(.groups[] | select(.name != "g3"); .dropped == {})' \
		"$1: dropped for others"
	assert_json "$(ctl stream list)" '.streams[0].dropped == {}' "$1: dropped for all"
}

load alive
receiver_stop alive-c3
assert_eq "$(receiver_get alive-c3 .received)" "$sent" "messages to c3 while it is alive"
unharmed alive

# Its process is stopped: the network still takes what it does not read.
load stopped signal
unharmed stopped
kill -CONT "${receiver_pid[stopped-c3]}"
receiver_stop stopped-c3

# Its machine is gone: what is for it is held until its rings are full, then the oldest is given
# up, and nobody else pays.
seconds=9
load gone link
unharmed gone
wait_for "ctl consumer show c3 | jq -e '.state == \"unreachable\"'"
assert_json "$(ctl group list)" '.groups[] | select(.name == "g3") |
	.dropped.lapped > 0 and .held > 0' "what was for c3"

# It comes back, and is served again: first with what was held.
ip -n c3 link set eth0 up
ip -n c3 -6 address replace fd00::5/64 dev eth0 nodad
wait_for "ctl group list | jq -e 'all(.groups[]; .held == 0)'"
assert_json "$(ctl consumer show c3)" '.state == "reachable"'
receiver_stop gone-c3
assert_num "$(receiver_get gone-c3 .received)" -lt "$sent" "messages to c3 while it is gone"
seconds=4
load back
receiver_stop back-c3
unharmed back
assert_eq "$(receiver_get back-c3 .received)" "$sent" "messages to c3 when it is back"
assert_law
weir_stop
