#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# light
#
# What the gateway really sends can be read: a delivered datagram as IPFIX, and a native session,
# from HELLO to LEAVE, by the dissector in scripts/weir.lua, with nothing malformed.
# shellcheck source=tests/system/_init.sh
. "$(dirname "$0")/_init.sh"

lan
host exporter 1
kernel_port gw0 2
host c1 3
cat >"$tmp/weir.json" <<END
{"control": {"socket": "$socket"},
 "ports": [{"name": "lan", "driver": "af_packet", "interface": "gw0"}],
 "streams": [{"name": "flows", "match": {"udp_port": 4739}, "key": "ipfix"}],
 "groups": [{"name": "blind", "streams": ["flows"],
	     "consumers": [{"name": "c", "address": "10.0.0.3", "port": 9995, "source": "keep"}]},
	    {"name": "native", "class": "native", "streams": ["flows"]}]}
END
weir_start "$tmp/weir.json"
capture_start c1 eth0 "$tmp/c1.pcap" udp
receiver_start blind c1 --listen 10.0.0.3:9995
receiver_start native c1 --native 10.0.0.2:4150 --group native
wait_for "ctl consumer list | jq -e 'all(.consumers[]; .state == \"reachable\")'" 10
send exporter --to 10.0.0.2:4739 --rate 1000 --count 500 --keys 20 --type ipfix --size 120
wait_for "ctl stats get | jq -e 'all(.groups[]; .delivered == 500)'" 10
receiver_stop native
receiver_stop blind

read_capture() {
	tshark -r "$tmp/c1.pcap" -X "lua_script:$weir_root/scripts/weir.lua" \
		-o udp.check_checksum:TRUE -d udp.port==9995,cflow "$@" 2>/dev/null
}
wait_for "[ \$(read_capture -Y 'weir.type == 5' | wc -l) -ge 1 ]" 10
capture_stop
for type in 1 2 3 5 6 7 8 9 10; do
	assert_num "$(read_capture -Y "weir.type == $type" | wc -l)" -ge 1 "frames of type $type"
done
assert_eq "$(read_capture -Y 'weir && (_ws.malformed || _ws.expert.severity >= 6291456)' |
	wc -l)" 0
assert_eq "$(read_capture -Y 'udp.checksum.status == 0' | wc -l)" 0
assert_eq "$(read_capture -Y 'cflow.version == 10 && udp.dstport == 9995' | wc -l)" 500
# What was sent again, because the machine was slow to answer, does not count.
assert_eq "$(read_capture -Y 'weir.type == 8' -T fields -e weir.data.count \
	-e weir.data.retransmit | awk -F '\t' '{
		frames = split($1, count, ",")
		split($2, again, ",")
		for (i = 1; i <= frames; i++)
			if (again[i] !~ /^(1|True)$/)
				n += count[i]
	}
	END {print n}')" 500
assert_law
weir_stop
