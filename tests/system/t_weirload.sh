#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# measures time
#
# The measuring instrument itself, without a gateway: what is sent arrives once, in order, at
# its rate; every type is what it says; what is wrong is found.

# shellcheck source=tests/system/_init.sh
. "$(dirname "$0")/_init.sh"

lan
host exporter 1
host collector 2

# 20,000 packets/s over a switch, many keys, several sources: nothing lost, in order.
receiver_start steady collector --listen 10.0.0.2:4739 --idle 2 --strict
send exporter --to 10.0.0.2:4739 --rate 20k --seconds 3 --keys 100 --sources 5 --json "$tmp/sent.json"
receiver_wait steady
assert_json "$tmp/sent.json" '.sent >= 59000 and .failed == 0 and .refused == 0'
assert_eq "$(receiver_get steady .received)" "$(jq .sent "$tmp/sent.json")" "messages received"
assert_json "$tmp/steady.json" '.keys == 100 and .lost == 0 and .reordered == 0 and .duplicates == 0'
assert_within "$(receiver_get steady .rate_pps)" 20000 1 "rate in packets/s"
# 48 bytes of IPFIX, 28 of headers.
assert_within "$(receiver_get steady .rate_bps)" $((20000 * 76 * 8)) 1 "rate in bits/s"

# IPv6, a service rate of its own, ended by a signal: what was taken is reported.
receiver_start slow collector --listen '[fd00::2]:4739' --rate 500
send exporter --to '[fd00::2]:4739' --rate 2000 --count 2000 --size 512 --json "$tmp/sent.json"
receiver_stop slow
assert_json "$tmp/slow.json" '.received > 300 and .received < 800 and .lost == 0'

# A full socket buffer is a loss that is seen, and told from one on the way.
receiver_start full collector --listen 10.0.0.2:4739 --buffer 4096 --pause-for 1 --idle 1
send exporter --to 10.0.0.2:4739 --rate 10k --count 1000 --json "$tmp/sent.json"
send exporter --to 10.0.0.2:4739 --rate 100 --count 200 --json "$tmp/sent.json"
receiver_wait full
assert_json "$tmp/full.json" '.socket_drops > 0 and .received < 1200 and
	.received + .socket_drops == 1200 and .lost > 0'

# Nobody there: the ICMP error is counted, not fatal.
send exporter --to 10.0.0.2:4740 --rate 100 --count 20 --json "$tmp/sent.json"
assert_json "$tmp/sent.json" '.refused > 0'

# Wrong arguments are refused with status 2, a message, and no report.
for arguments in "" "--to 10.0.0.2" "--to 10.0.0.2:1 --type morse" "--to 10.0.0.2:1 --keys 0" \
	"--to 10.0.0.2:1 --sources 4 --keys 2" "--to 10.0.0.2:1 --type netflow5 --size 9000" \
	"--to 10.0.0.2:1 --from ::1" "--to 10.0.0.2:1 --rate" "--nonsense"; do
	status=0
	# shellcheck disable=SC2086 # several arguments
	weirload send $arguments >"$tmp/out" 2>"$tmp/err" || status=$?
	assert_eq "$status" 2 "status of: send $arguments"
	assert_eq "$(wc -c <"$tmp/out")" 0 "bytes on stdout for: send $arguments"
	grep -q '^weirload' "$tmp/err" || fail "no message for: send $arguments"
done
assert_fails weirload receive --listen 10.9.9.9:1
assert_fails weirload send --to 127.0.0.1:9 --pcap "$tmp/absent.pcap"

# Each type is a sound message of its protocol, by tshark's reading, with the key in its field.
dissect() {
	local type=$1 port=$2 protocol=$3 field=$4 expected=$5 capture=$tmp/$1.pcap
	shift 5
	capture_start collector eth0 "$capture" udp port "$port"
	send exporter --to "10.0.0.2:$port" --type "$type" --rate 0 --count 6 --keys 3 --size 100 \
		--json "$tmp/sent.json"
	wait_for "[ \$(capture_count '$capture') -ge 6 ]"
	capture_stop
	assert_eq "$(tshark -r "$capture" "$@" -Y "$protocol && !(_ws.expert.severity == Error)" 2>/dev/null | wc -l)" \
		6 "$type messages that tshark finds sound"
	assert_eq "$(tshark -r "$capture" "$@" -T fields -e "$field" 2>/dev/null | tail -n 1)" \
		"$expected" "key in the last $type message"
}
dissect ipfix 4739 cflow cflow.od_id 2
dissect netflow9 2055 cflow cflow.source_id 2
dissect netflow5 2055 cflow cflow.engine_id 2
dissect sflow5 6343 sflow sflow_245.sub_agent_id 2
dissect gtpu 2152 gtp gtp.teid 0x00000002
dissect syslog 514 syslog syslog.hostname key-00000002
dissect rtp 5004 rtp rtp.ssrc 0x00000002 -d udp.port==5004,rtp

# The payloads of a capture, byte for byte.
if [ -d "$weir_data" ]; then
	capture=$weir_data/netflow9-cisco.pcap
	capture_start collector eth0 "$tmp/replay.pcap" udp port 9991
	send exporter --to 10.0.0.2:9991 --pcap "$capture" --json "$tmp/sent.json"
	wait_for "[ \$(capture_count '$tmp/replay.pcap') -ge $(jq .sent "$tmp/sent.json") ]"
	capture_stop
	assert_eq "$(tshark -r "$tmp/replay.pcap" -T fields -e udp.payload 2>/dev/null)" \
		"$(tshark -r "$capture" -Y udp -T fields -e udp.payload 2>/dev/null)" "replayed payloads"
fi
