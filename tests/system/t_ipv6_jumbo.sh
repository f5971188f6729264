#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# light
#
# Both IP versions on both sides, source kept or rewritten, and datagrams up to what the MTU takes:
# real sockets receive them, which says that all lengths and checksums are right.

# shellcheck source=tests/system/_init.sh
. "$(dirname "$0")/_init.sh"

mtu=9000
lan
host exporter 1 $mtu
kernel_port gw0 2 $mtu
host c1 3 $mtu
# The switch's ends; and a consumer whose path takes less.
for device in $(ip -n switch -j link show master lan | jq -r '.[].ifname'); do
	ip -n switch link set "$device" mtu $mtu
done
in_ns c1 ip address add 10.0.0.4/24 dev eth0
ip route add 10.0.0.4/32 dev gw0 mtu 1500

cat >"$tmp/weir.json" <<-END
	{"workers": {"cpus": [1]},
	"control": {"socket": "$socket"},
	"memory": {"hugepages": false, "buffers": 16384, "buffer_bytes": 16384},
	"native": {"max_frame": 8900},
	"ports": [{"name": "lan", "driver": "af_packet", "interface": "gw0", "mtu": $mtu,
		"descriptors": 256}],
	"streams": [
		{"name": "four", "match": {"udp_port": 4739, "destination": "10.0.0.2"}, "key": "ipfix"},
		{"name": "six", "match": {"udp_port": 4739, "destination": "fd00::2"}, "key": "ipfix"}],
	"groups": [
		{"name": "keep4", "streams": ["four"], "consumers": [
			{"name": "k4", "address": "10.0.0.3", "port": 9991, "source": "keep"}]},
		{"name": "keep6", "streams": ["six"], "consumers": [
			{"name": "k6", "address": "fd00::3", "port": 9991, "source": "keep"}]},
		{"name": "four-to-six", "streams": ["four"], "consumers": [
			{"name": "r46", "address": "fd00::3", "port": 9992}]},
		{"name": "six-to-four", "streams": ["six"], "consumers": [
			{"name": "r64", "address": "10.0.0.3", "port": 9993}]},
		{"name": "six-to-six", "streams": ["six"], "consumers": [
			{"name": "r66", "address": "fd00::3", "port": 9994}]},
		{"name": "impossible", "streams": ["six"], "consumers": [
			{"name": "kept-in-four", "address": "10.0.0.3", "port": 9991, "source": "keep"}]},
		{"name": "narrow", "streams": ["four", "six"], "consumers": [
			{"name": "small", "address": "10.0.0.4", "port": 9995}]},
		{"name": "native", "class": "native", "streams": ["four", "six"]}]}
END
receiver_start k4 c1 --listen 10.0.0.3:9991
receiver_start k6 c1 --listen '[fd00::3]:9991'
receiver_start r46 c1 --listen '[fd00::3]:9992'
receiver_start r64 c1 --listen 10.0.0.3:9993
receiver_start r66 c1 --listen '[fd00::3]:9994'
receiver_start small c1 --listen 10.0.0.4:9995
weir_start "$tmp/weir.json"
# Sessions over IPv6 too.
receiver_start native c1 --native '[fd00::2]:4150' --group native --name native \
	--max-datagram 8900
wait_for "ctl consumer list | jq -e '[.consumers[] | select(.state == \"reachable\")] | length == 8'"
capture_start c1 eth0 "$tmp/c1.pcap" -s 128 udp

# 500 small ones, then 500 of 8,000 bytes and 10 as large as IPv4 takes, by each IP version.
for to in 10.0.0.2:4739 '[fd00::2]:4739'; do
	for shape in "100 500" "8000 500" "8952 10"; do
		# shellcheck disable=SC2086 # size and count
		set -- $shape
		send exporter --to "$to" --rate 1000 --size "$1" --count "$2" --keys 20 --json "$tmp/sent.json"
		assert_json "$tmp/sent.json" ".sent == $2 and .failed == 0"
	done
done

dropped() {
	ctl group list | jq -c "[.groups[] | select(.name == \"$1\") | .dropped]"
}
wait_for "ctl group list | jq -e '[.groups[] | .received - .delivered - (.dropped | add // 0)] | add == 0'"
assert_json "$(ctl stream list)" '[.streams[].received] == [1010, 1010]'
assert_json "$(ctl port list)" '.ports[0].dropped == {}'
for group in keep4 keep6 six-to-four six-to-six; do
	assert_eq "$(dropped $group)" '[{}]' "dropped for $group"
done
# 8,952 bytes fit 9,000 with the headers of IPv6 only just.
assert_eq "$(dropped four-to-six)" '[{}]' "dropped from IPv4 to IPv6"
assert_eq "$(dropped impossible)" '[{"family":1010}]' "kept sources of another IP version"
assert_eq "$(dropped narrow)" '[{"too_big":510},{"too_big":510}]' "too big for the way to the consumer"
assert_json "$(ctl group list)" '[.groups[] | select(.name == "narrow") | .delivered] == [500, 500]'
assert_law

for name in k4 k6 r46 r64 r66; do
	receiver_stop $name
	assert_json "$tmp/$name.json" '.received == 1010 and .lost == 0 and .duplicates == 0 and
		.reordered == 0 and .bytes == 500 * 8100 + 10 * 8952' "what $name received"
done
receiver_stop small
assert_json "$tmp/small.json" '.received == 1000 and .bytes == 100000'

# Who the datagrams say that they come from.
wait_for "[ \$(capture_count '$tmp/c1.pcap' 'udp.dstport in {9991..9994}') -ge 5050 ]"
capture_stop
from() {
	assert_eq "$(capture_count "$tmp/c1.pcap" "$1")" 1010 "datagrams with $1"
}
from 'ip.src == 10.0.0.1 && udp.dstport == 9991'
from 'ipv6.src == fd00::1 && udp.dstport == 9991'
from 'ipv6.src == fd00::2 && udp.dstport == 9992 && udp.srcport == 9992'
from 'ip.src == 10.0.0.2 && udp.dstport == 9993 && udp.srcport == 9993'
from 'ipv6.src == fd00::2 && udp.dstport == 9994 && udp.srcport == 9994'

# A native consumer that takes 8,900 bytes: all but those of 8,952.
assert_eq "$(dropped native)" '[{"too_big":10},{"too_big":10}]' "too big for a frame"
receiver_stop native
assert_json "$tmp/native.json" '.received == 2000 and .duplicates == 0 and .reordered == 0 and
	.native.overruns == 0 and .native.lost_messages == 0 and .native.gap_sequences == 20'
weir_stop
