#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# light
#
# Every malformed frame is dropped and counted under its own reason, and no sound one is.

# shellcheck source=tests/system/_init.sh
. "$(dirname "$0")/_init.sh"

"$weir_build/lib/wire/malformed_pcap" "$tmp/malformed.pcap" >"$tmp/expected.json"
assert_json "$tmp/expected.json" '(del(.kernel, .udp) | add) >= 50' "malformed frames"

cat >"$tmp/weir.json" <<EOF
{"workers": {"cpus": [1]}, "control": {"socket": "$socket"}, "memory": {"buffers": 32768},
"ports": [
	{"name": "in", "driver": "pcap", "rx_file": "$tmp/malformed.pcap"},
	{"name": "out", "driver": "pcap", "tx_file": "$tmp/out.pcap"}],
"streams": [{"name": "all", "key": "source", "partitions": 4}],
"groups": [{"name": "all", "streams": ["all"], "consumers": [
	{"name": "four", "address": "10.0.0.9", "port": 9995, "source": "keep",
		"egress": "out", "mac": "02:00:00:00:00:09"}]},
	{"name": "six", "streams": ["all"], "consumers": [
	{"name": "six", "address": "fd00::9", "port": 9995, "source": "keep",
		"egress": "out", "mac": "02:00:00:00:00:09"}]}]}
EOF
weir_start "$tmp/weir.json"
frames=$(jq 'add' "$tmp/expected.json")
wait_for "ctl port list | jq -e '.ports[0].received == $frames'"
wait_for "ctl group list | jq -e '[.groups[] | .held] | add == 0'"

ctl port list >"$tmp/ports.json"
assert_eq "$(jq -cS '.ports[0].dropped' "$tmp/ports.json")" \
	"$(jq -cS 'del(.kernel, .udp)' "$tmp/expected.json")" "dropped by reason"
assert_eq "$(jq -cS '.ports[0] | {kernel, udp: .matched}' "$tmp/ports.json")" \
	"$(jq -cS '{kernel, udp}' "$tmp/expected.json")" "sound frames"
assert_eq "$(ctl stats get | jq -cS '.ports[0].dropped')" \
	"$(jq -cS '.ports[0].dropped' "$tmp/ports.json")" "the same in stats_get"

# Each sound datagram has gone to the consumer of its IP version, and is missed at the other.
udp=$(jq .udp "$tmp/expected.json")
assert_json "$(ctl group list)" "([.groups[].delivered] | add) == $udp and
	([.groups[].dropped.family] | add) == $udp and all(.groups[]; .delivered > 0)" "delivered"
assert_law
weir_stop
assert_eq "$(capture_count "$tmp/out.pcap" 'udp.dstport == 9995')" "$udp" "datagrams sent"
