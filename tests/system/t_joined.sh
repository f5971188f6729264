#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# light
#
# What native consumers catch up with leaves a port of driver xdp as few packets of many datagrams
# each, over IPv4 and IPv6, and comes to libweir so, where the devices on the way take them whole;
# where they do not, the kernel cuts them. Either way everything comes once and in order.

# shellcheck source=tests/system/_init.sh
. "$(dirname "$0")/_init.sh"

count=6000

# whole DEVICE [NAMESPACE]: it sends packets of several datagrams, with checksums yet to be made
whole() {
	local run=()
	[ -z "${2:-}" ] || run=(in_ns "$2")
	"${run[@]}" ethtool -K "$1" tx on gso on tx-udp-segmentation on >/dev/null
}

lan
host exporter 1
kernel_port gw0 2
host near 3
host far 4
# The two that send on the way there.
whole gw0
whole near-eth0 switch
cat >"$tmp/weir.json" <<END
{"control": {"socket": "$socket"},
 "memory": {"hugepages": false, "buffers": 65536},
 "failover": {"heartbeat_ms": 10000, "gate": 8192},
 "ports": [{"name": "lan", "driver": "xdp", "interface": "gw0"}],
 "streams": [{"name": "flows", "match": {"udp_port": 4739}, "key": "ipfix", "partitions": 4,
	      "ring": {"messages": 16384, "age_ms": 600000}}],
 "groups": [{"name": "a", "class": "native", "streams": ["flows"]},
	    {"name": "b", "class": "native", "streams": ["flows"]},
	    {"name": "c", "class": "native", "streams": ["flows"]}]}
END

# packets NAMESPACE: that its interface has received, of any number of datagrams
packets() {
	in_ns "$1" sh -c 'ip -j -s link show eth0' | jq '.[0].stats64.rx.packets'
}

# catch_up NAME NAMESPACE GATEWAY: a consumer of the group of that name takes all from the earliest
# message on; prints in how many packets
catch_up() {
	local before
	before=$(packets "$2")
	receiver_start "$1" "$2" --native "$3" --group "$1" --name "$1" --start earliest \
		--count $count --strict
	receiver_wait "$1"
	echo $(($(packets "$2") - before))
}

weir_start "$tmp/weir.json"
send exporter --to 10.0.0.2:4739 --keys 50 --size 600 --rate 10000 --count $count
wait_for "ctl stream list | jq -e '.streams[0].appended == $count'"

# No datagram has room for three.
datagrams=$((count / 2))
four=$(catch_up a near 10.0.0.2:4150)
six=$(catch_up b near "[fd00::2]:4150")
echo "figure: $count messages in $four packets over IPv4, $six over IPv6"
[ $((4 * four)) -lt $datagrams ] || fail "$datagrams datagrams came in $four packets"
[ $((4 * six)) -lt $datagrams ] || fail "$datagrams datagrams came in $six packets over IPv6"
cut=$(catch_up c far 10.0.0.2:4150)
[ "$cut" -ge $datagrams ] || fail "$datagrams datagrams came in $cut packets to who takes none whole"
for name in a b c; do
	assert_json "$tmp/$name.json" ".received == $count and .lost == 0 and .duplicates == 0 and
		.reordered == 0 and .native.malformed == 0"
done
assert_json "$(ctl port list)" '.ports[0].device.tx_errors == 0'
assert_law
weir_stop
