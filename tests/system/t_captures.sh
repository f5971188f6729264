#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# light
#
# What routers sent is what collectors get: every capture goes through the gateway, and comes
# out with the same payloads, in the order of each key, under headers that are right.

# shellcheck source=tests/system/_init.sh
. "$(dirname "$0")/_init.sh"

[ -d "$weir_data" ] || skip "no captures at $weir_data"

# Its addresses are those that the rewritten datagrams come from.
lan
kernel_port gw0 2

# consumer NAME ADDRESS SOURCE: a group with one consumer, which gets all, on a port of its name
consumer() {
	cat <<-EOF
		{"name": "$1", "streams": ["flows", "yang"], "consumers": [{
			"name": "$1", "address": "$2", "port": 9995, "source": "$3",
			"egress": "$1", "mac": "02:00:00:00:00:09"}]}
	EOF
}

# configure CAPTURE ADDRESS: the address of the consumer that keeps the source
configure() {
	cat >"$tmp/weir.json" <<-EOF
		{"workers": {"cpus": [1]}, "control": {"socket": "$socket"},
		"memory": {"buffers": 32768},
		"ports": [
			{"name": "in", "driver": "pcap", "rx_file": "$1"},
			{"name": "lan", "driver": "af_packet", "interface": "gw0"},
			{"name": "keep", "driver": "pcap", "tx_file": "$tmp/keep.pcap"},
			{"name": "four", "driver": "pcap", "tx_file": "$tmp/four.pcap"},
			{"name": "six", "driver": "pcap", "tx_file": "$tmp/six.pcap"}],
		"streams": [
			{"name": "flows", "match": {"udp_port": "9991-9992"}, "key": "ipfix",
				"partitions": 16},
			{"name": "yang", "match": {"udp_port": 10003}, "key": "udp_notif",
				"partitions": 16}],
		"groups": [$(consumer keep "$2" keep), $(consumer four 10.0.0.9 rewrite),
			$(consumer six fd00::9 rewrite)]}
	EOF
}

# One row for each UDP datagram of a capture, in its order; absent fields are "-":
# KEY PAYLOAD SOURCE PORT ID TOS | DESTINATION PORT MAC | IP-CHECKSUM UDP-CHECKSUM
# of the last two 0 is wrong, 1 right, 3 none.
rows() {
	tshark -r "$1" -o ip.check_checksum:TRUE -o udp.check_checksum:TRUE -Y udp -T fields \
		-e udp.payload -e ip.src -e ipv6.src -e udp.srcport -e ip.id -e ip.dsfield \
		-e ipv6.tclass -e ip.dst -e ipv6.dst -e udp.dstport -e eth.dst \
		-e ip.checksum.status -e udp.checksum.status 2>/dev/null | awk -F '\t' '{
		key = "none"
		if ($1 ~ /^000a/) key = substr($1, 25, 8)	# IPFIX: observation domain
		if ($1 ~ /^0009/) key = substr($1, 33, 8)	# NetFlow v9: source id
		if ($1 ~ /^21/) key = substr($1, 9, 8)		# UDP-Notif: publisher
		for (i = 1; i <= 13; i++)
			if ($i == "") $i = "-"
		print key, $1, $2 $3, $4, $5, $6 $7, "|", $8 $9, $10, $11, "|", $12, $13
	}'
}

count_wrong() {
	awk '$12 == "0" || $13 == "0"' "$1" | wc -l
}

# same WHAT COLUMNS: all datagrams of the capture, each key's in their order
same() {
	sort -s -k 1,1 "$tmp/in.rows" | cut -d ' ' -f "$2" >"$tmp/expected"
	sort -s -k 1,1 "$tmp/$1.rows" | cut -d ' ' -f "$2" >"$tmp/actual"
	cmp "$tmp/expected" "$tmp/actual" >&2 || fail "$name: $1: not the same datagrams"
}

# headers WHAT COLUMNS VALUES: every datagram has these
headers() {
	assert_eq "$(cut -d ' ' -f "$2" "$tmp/$1.rows" | sort -u)" "$3" "$name: headers to $1"
}

through_gateway() {
	local udp tcp address=10.0.0.9 kept="10.0.0.9-" wrong to
	rows "$capture" >"$tmp/in.rows"
	udp=$(wc -l <"$tmp/in.rows")
	tcp=$(capture_count "$capture" tcp)
	wrong=$(count_wrong "$tmp/in.rows")
	if grep -q ' -[0-9a-f]*:[0-9a-f:]* ' "$tmp/in.rows"; then
		address=fd00::9
		kept=-fd00::9
	fi
	configure "$capture" "$address"
	weir_start "$tmp/weir.json"
	wait_for "ctl group list | jq -e '[.groups[].delivered] | add == 3 * $udp'"
	assert_law
	assert_json "$(ctl port list)" ".ports[0] | .matched == $udp and .kernel == $tcp and
		.received == $udp + $tcp and .dropped == {}" "$name: the port's counters"
	of_options[$name]=$(ctl stream list | jq -c \
		'.streams[0].options | [.known, .changed + .refreshed, .refused]')
	# What a pcap port wrote is in its file when the port was closed.
	weir_stop

	for to in keep four six; do
		rows "$tmp/$to.pcap" >"$tmp/$to.rows"
		# A datagram that was damaged before it came stays visibly so; no other may be.
		assert_eq "$(count_wrong "$tmp/$to.rows")" "$wrong" "$name: wrong checksums to $to"
	done
	same keep 1-6
	same four 1-2
	same six 1-2
	headers keep 8-10 "$kept 9995 02:00:00:00:00:09"
	headers four 3,8-10 "10.0.0.2- 10.0.0.9- 9995 02:00:00:00:00:09"
	headers six 3,8-10 "-fd00::2 -fd00::9 9995 02:00:00:00:00:09"
	# Over IPv6 there is always a checksum.
	assert_eq "$(awk '$13 == "3"' "$tmp/six.rows" | wc -l)" 0 \
		"$name: datagrams without checksum over IPv6"
	datagrams=$((datagrams + udp))
	segments=$((segments + tcp))
}

declare -A of_options
datagrams=0
segments=0
captures=0
for capture in "$weir_data"/*.pcap; do
	name=${capture##*/}
	through_gateway
	captures=$((captures + 1))
done
assert_num $captures -ge 8 "captures"
# Both kinds were there.
assert_num $datagrams -gt 1000 "datagrams in all captures"
assert_num $segments -gt 0 "TCP segments in all captures"
# Records of options data: of interfaces, VRFs, a sampler and a clock, each sent 26 times; of one VRF
# and one sampler, once each.
assert_eq "${of_options[ipfix-bmp-srv6-multi.pcap]}" '[13,325,0]' "known, sent again, refused"
assert_eq "${of_options[ipfix-huawei-vrf.pcap]}" '[1,0,0]' "known, sent again, refused"
assert_eq "${of_options[ipfix-ipv6-cisco-sampling-option.pcap]}" '[1,0,0]' "known, sent again, refused"
