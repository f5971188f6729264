#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# measures time
#
# A consumer's limit is held within 2 % over five seconds while three times as much is offered,
# in packets and in bits; it can be changed while it runs, and touches nobody else.

# shellcheck source=tests/system/_init.sh
. "$(dirname "$0")/_init.sh"

offered=15000
third=5000
two_thirds=10000
size=200
bits=$(((size + 28) * 8)) # of each IPv4 packet

lan
host exporter 1
kernel_port gw0 2
host c1 3
host c2 4
host c3 5
# A burst of 100 ms: a machine that is busy elsewhere for so long takes nothing from the rate.
cat >"$tmp/weir.json" <<EOF
{"workers": {"cpus": [1]}, "control": {"socket": "$socket"}, "memory": {"buffers": 65536},
"ports": [{"name": "lan", "driver": "af_packet", "interface": "gw0",
	"descriptors": 8192}],
"streams": [{"name": "flows", "match": {"udp_port": 4739}, "key": "ipfix", "partitions": 16}],
"groups": [
	{"name": "g1", "streams": ["flows"], "consumers": [
		{"name": "c1", "address": "10.0.0.3", "port": 9995,
			"rate": {"packets_per_s": $third, "burst_packets": 500}}]},
	{"name": "g2", "streams": ["flows"], "consumers": [
		{"name": "c2", "address": "10.0.0.4", "port": 9995,
			"rate": {"bits_per_s": $((third * bits)), "burst_bytes": $((500 * bits / 8))}}]},
	{"name": "g3", "streams": ["flows"], "consumers": [
		{"name": "c3", "address": "10.0.0.5", "port": 9995}]}]}
EOF

# look HOST: "MICROSECONDS PACKETS BYTES" as the kernel of the receiving host counted them; the
# time is known to 10 ms.
look() {
	local before after counters
	while true; do
		before=${EPOCHREALTIME/./}
		# shellcheck disable=SC2016 # the dollars are awk's
		counters=$(in_ns "$1" awk '/eth0:/ {print $3, $2}' /proc/net/dev)
		after=${EPOCHREALTIME/./}
		[ $((after - before)) -gt 10000 ] || break
	done
	echo "$(((before + after) / 2)) $counters"
}

# measure UNTIL: rates to c1 and c2 from now to UNTIL seconds later, as what the network saw:
# packets/s in $pps1 and bits/s of IP packets in $bps2
measure() {
	local start1 start2 end1 end2
	start1=$(look c1)
	start2=$(look c2)
	sleep "$1"
	end1=$(look c1)
	end2=$(look c2)
	pps1=$(awk '{print ($5 - $2) * 1e6 / ($4 - $1)}' <<<"$start1 $end1")
	bps2=$(awk '{print ($6 - $3 - 14 * ($5 - $2)) * 8e6 / ($4 - $1)}' <<<"$start2 $end2")
}

weir_start "$tmp/weir.json"
wait_for "ctl consumer list | jq -e 'all(.consumers[]; .state == \"reachable\")'"
for number in 1 2 3; do
	receiver_start "r$number" "c$number" --listen "10.0.0.$((number + 2)):9995"
done
send exporter --to 10.0.0.2:4739 --rate $offered --seconds 14 --keys 100 --size $size \
	--json "$tmp/sent.json" &
sender=$!

# The burst is over when more is held than goes out in a moment.
wait_for "ctl group list | jq -e '[.groups[] | select(.held > 1000)] | length == 2'"
measure 5
assert_within "$pps1" $third 2 "packets/s"
assert_within "$bps2" $((third * bits)) 2 "bits/s"
assert_json "$(ctl consumer show c1)" '.gate.packet_rate > 0' "what held c1 back"
assert_json "$(ctl consumer show c2)" '.gate.bit_rate > 0' "what held c2 back"
assert_law

# At run time: twice as much, and the limits are still limits.
ctl consumer set_rate c1 packets_per_s=$two_thirds >"$tmp/shown.json"
assert_json "$tmp/shown.json" ".rate.packets_per_s == $two_thirds"
ctl consumer set_rate c2 bits_per_s=$((two_thirds * bits)) >"$tmp/shown.json"
assert_json "$tmp/shown.json" ".rate.bits_per_s == $((two_thirds * bits))"
measure 5
assert_within "$pps1" $two_thirds 2 "packets/s after consumer_set_rate"
assert_within "$bps2" $((two_thirds * bits)) 2 "bits/s after consumer_set_rate"

# A limit taken away: what waits goes at once.
wait $sender
wait_for "ctl stream list | jq -e '.streams[0].received == $(jq .sent "$tmp/sent.json")'"
ctl consumer set_rate c1 packets_per_s=0 >"$tmp/shown.json"
ctl consumer set_rate c2 bits_per_s=0 >"$tmp/shown.json"
wait_for "ctl group list | jq -e 'all(.groups[]; .held == 0)'"

for number in 1 2 3; do
	receiver_stop "r$number"
done
# The third has no limit, and did not notice.
assert_eq "$(receiver_get r3 .received)" "$(jq .sent "$tmp/sent.json")" "messages to c3"
assert_json "$tmp/r3.json" '.lost == 0 and .reordered == 0 and .duplicates == 0'
assert_within "$(receiver_get r3 .rate_pps)" $offered 2 "packets/s without a limit"
# What was too much is counted; what came was in order.
assert_json "$(ctl group list)" 'all(.groups[] | select(.name != "g3"); .dropped.lapped > 0)' \
	"dropped by the limit"
for number in 1 2; do
	assert_json "$tmp/r$number.json" '.reordered == 0 and .duplicates == 0' "order at c$number"
	assert_eq "$(ctl consumer show c$number | jq .delivered)" \
		"$(receiver_get r$number .received)" "delivered to c$number"
done
assert_law
weir_stop
