#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# light
#
# Streams are told apart by their VLAN tags, single and double, on a port that the kernel keeps and
# on one that it does not; a consumer behind a VLAN interface is sent tagged frames.

# shellcheck source=tests/system/_init.sh
. "$(dirname "$0")/_init.sh"

lan
host exporter 1
kernel_port gw0 2
gateway_port gw1 5
host c1 3
# The consumer and the gateway have an interface each on VLAN 50, if this kernel has such.
vlan=50 ours=gw0.50 its=eth0.50
if ip link add link gw0 name $ours type vlan id $vlan 2>/dev/null; then
	ip -n c1 link add link eth0 name $its type vlan id $vlan
	ip link set $ours up
	ip -n c1 link set $its up
else
	echo "no VLAN interfaces in this kernel: sending to one is not tested"
	vlan=0 ours=gw0 its=eth0
fi
ip address add 10.50.0.2/24 dev $ours
ip -n c1 address add 10.50.0.3/24 dev $its

cat >"$tmp/weir.json" <<-END
	{"workers": {"cpus": [1]},
	"control": {"socket": "$socket"},
	"memory": {"hugepages": false, "buffers": 65536},
	"ports": [
		{"name": "kept", "driver": "af_packet", "interface": "gw0"},
		{"name": "taken", "driver": "af_xdp", "interface": "gw1",
			"twin": {"addresses": ["10.0.5.5/24"]}}],
	"streams": [
		{"name": "v100", "match": {"udp_port": 5001, "vlan": 100, "outer_vlan": "none"}},
		{"name": "inner", "match": {"udp_port": 5001, "vlan": 400, "outer_vlan": 300}},
		{"name": "outer", "match": {"udp_port": 5001, "outer_vlan": 300}},
		{"name": "plain", "match": {"udp_port": 5001, "vlan": "untagged"}},
		{"name": "rest", "match": {"udp_port": 5001, "vlan": "any"}}],
	"groups": [
		{"name": "tagged", "streams": ["v100", "inner", "outer"], "consumers": [
			{"name": "by-vlan", "address": "10.50.0.3", "port": 9850}]},
		{"name": "others", "streams": ["plain", "rest"], "consumers": [
			{"name": "untagged", "address": "10.0.0.3", "port": 9801}]}]}
END
receiver_start by-vlan c1 --listen 10.50.0.3:9850
receiver_start untagged c1 --listen 10.0.0.3:9801
weir_start "$tmp/weir.json"
wait_for "ctl consumer list | jq -e '[.consumers[].state] == [\"reachable\", \"reachable\"]'"
assert_json "$(ctl consumer list)" '[.consumers[] | .vlan] == ['$vlan', 0]'
assert_json "$(ctl consumer show by-vlan)" '.egress == "kept" and .next_hop == "10.50.0.3"'

capture_start c1 eth0 "$tmp/c1.pcap" 'udp or (vlan and udp)'
for number in 2 5; do
	# Double tags by either EtherType; a priority tag is no VLAN; three tags are too many.
	in_ns exporter "$weir_tests/tagged_frames.py" eth0 "$(mac_of $number)" "10.0.0.2:5001" \
		100=10 200=20 s300.400=30 300.400=5 s300.401=7 300.0=4 s301.400=2 300.100=1 \
		=40 0=3 100.200.300=2
done
counted() {
	ctl stream list | jq -c '[.streams[] | {(.name): .received}] | add'
}
expected='{"v100":20,"inner":70,"outer":24,"plain":86,"rest":44}'
wait_for "[ \$(counted | jq add) -ge 244 ]" 5
assert_eq "$(counted)" "$expected" "messages by stream"
assert_json "$(ctl port list)" '[.ports[].matched] == [122, 122]'
assert_json "$(ctl port list)" '[.ports[].dropped.vlan_depth] == [2, 2]' "frames of three tags"
wait_for "ctl group list | jq -e '[.groups[].delivered] | add == 244'"
assert_json "$(ctl group list)" '[.groups[].dropped] | add == {}'
assert_law

# What the consumer's host got: all untagged, but for the one on a VLAN.
wait_for "[ \$(capture_count '$tmp/c1.pcap' 'udp.dstport in {9850, 9801}') -ge 244 ]"
capture_stop
[ $vlan = 0 ] && filter='!vlan' || filter="vlan.id == $vlan"
assert_eq "$(capture_count "$tmp/c1.pcap" "$filter && udp.dstport == 9850")" 114 \
	"datagrams on the consumer's VLAN"
assert_eq "$(capture_count "$tmp/c1.pcap" '!vlan && udp.dstport == 9801')" 130 \
	"datagrams without a tag"
receiver_stop by-vlan
receiver_stop untagged
weir_stop
