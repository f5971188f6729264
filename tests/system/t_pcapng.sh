#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# light
#
# A packet capture has what was received, dropped with its reason, and sent, as tshark reads it;
# it ends at its bounds, and never leaves its directory.

# shellcheck source=tests/system/_init.sh
. "$(dirname "$0")/_init.sh"

lan
host exporter 1
kernel_port gw0 2
host c1 3
host c2 4
mkdir "$tmp/captures" "$tmp/elsewhere"
cat >"$tmp/weir.json" <<EOF
{"workers": {"cpus": [1]}, "control": {"socket": "$socket"}, "memory": {"buffers": 32768},
"capture": {"directory": "$tmp/captures", "bytes": "1M"},
"ports": [{"name": "lan", "driver": "af_packet", "interface": "gw0"}],
"streams": [{"name": "flows", "match": {"udp_port": 4739}, "key": "ipfix", "partitions": 4},
	{"name": "lines", "match": {"udp_port": 514}, "key": "source", "partitions": 1}],
"groups": [
	{"name": "g1", "streams": ["flows", "lines"], "consumers": [
		{"name": "c1", "address": "10.0.0.3", "port": 9995}]},
	{"name": "g2", "streams": ["flows"], "consumers": [
		{"name": "c2", "address": "10.0.0.4", "port": 9996, "source": "keep"}]}]}
EOF
weir_start "$tmp/weir.json"
wait_for "ctl consumer list | jq -e 'all(.consumers[]; .state == \"reachable\")'"
receiver_start r1 c1 --listen 10.0.0.3:9995
receiver_start r2 c2 --listen 10.0.0.4:9996

# begin ARGUMENTS...: starts a capture, its number in $id
begin() {
	ctl capture start "$@" >"$tmp/begun.json" || fail "capture start $*"
	id=$(jq .id "$tmp/begun.json")
}
# ended ID REASON: waits until a capture has ended for that reason
ended() {
	wait_for "ctl capture list | jq -e '.captures[] | select(.id == $1) |
		.state == \"ended\" and .ended_by == \"$2\"'"
}
# fields FILE FILTER FIELD...
fields() {
	local file=$1 filter=$2 arguments=() field port
	shift 2
	for field in "$@"; do arguments+=(-e "$field"); done
	for port in 514 4739 9995 9996; do arguments+=(-d "udp.port==$port,data"); done
	tshark -r "$tmp/captures/$file" -Y "$filter" -T fields "${arguments[@]}" 2>/dev/null
}
counted() {
	sort | uniq -c | awk '{$1 = $1} 1'
}
load() {
	send exporter --to "$@" --rate 10k --size 100 --json "$tmp/sent.json"
}

begin points=rx,tx,drop file=all packets=100000
everything=$id
begin points=rx stream=lines file=lines.pcapng
lines=$id
begin points=tx consumer=c2 file=c2 snap=64
second=$id
begin points=drop reasons=key_version,key_truncated file=odd packets=2
odd=$id
assert_json "$(ctl capture list)" '.captures | length == 4 and all(.[]; .state == "running")'
assert_fails ctl capture start points=rx

capture_start exporter eth0 "$tmp/exporter.pcap" 'udp port 4739 or udp port 514'
load 10.0.0.2:4739 --count 200 --keys 20
load 10.0.0.2:514 --count 30 --keys 1
# key_truncated, and key_version twice
in_ns exporter python3 - <<'END'
import socket
link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for payload in b"\x00\x0a", b"\x00\x63" + bytes(30), b"\x00\x64" + bytes(30):
	link.sendto(payload, ("10.0.0.2", 4739))
END
wait_for "ctl group list | jq -e '[.groups[].delivered] | add == 430'"
wait_for "ctl stream list | jq -e '[.streams[0].dropped[]] | add == 3'"
capture_stop
ended "$odd" packets
for number in $everything $lines $second; do
	ctl capture stop id="$number" >"$tmp/stopped.json"
	ended "$number" stop
done
assert_json "$(ctl capture list)" 'all(.captures[]; .lost == 0 and .error == null) and
	([.captures[].packets] | .[1:] == [30, 200, 2])' "what was captured"
receiver_stop r1
receiver_stop r2

# Received is what was sent, byte for byte; each says where it was and for what.
assert_eq "$(fields all.pcapng 'frame.comment contains "rx; stream"' udp.payload | sort)" \
	"$(tshark -r "$tmp/exporter.pcap" -d udp.port==4739,data -d udp.port==514,data \
		-T fields -e udp.payload 2>/dev/null | sort)" "payloads received"
assert_eq "$(fields lines.pcapng udp frame.comment frame.interface_name | counted)" \
	"30 rx; stream lines/0 lan" "stream lines"
# Sent is what was delivered, whole and truncated.
assert_eq "$(fields all.pcapng 'frame.comment matches "^tx.*consumer c1"' ip.dst udp.dstport |
	counted)" "230 10.0.0.3 9995" "sent to c1"
assert_eq "$(fields c2.pcapng frame ip.src udp.dstport frame.cap_len frame.len | counted)" \
	"200 10.0.0.1 9996 64 142" "sent to c2"
assert_eq \
	"$(fields all.pcapng 'frame.comment matches "^tx; stream flows/[0-3]; consumer c2"' \
		udp.payload | sort)" \
	"$(fields all.pcapng 'frame.comment matches "^rx; stream flows/"' udp.payload | sort)" \
	"payloads sent to c2"
# What was dropped says why.
assert_eq "$(fields odd.pcapng frame frame.comment | sort)" \
	"drop key_truncated: ends before the bytes of the key; stream flows
drop key_version: protocol version that the key does not know; stream flows" "reasons"
assert_eq "$(fields all.pcapng 'frame.comment matches "^drop"' frame.comment | wc -l)" 3 "drops"
# Times are in nanoseconds, and those of now.
fields all.pcapng frame frame.time_epoch | awk -v now="$EPOCHREALTIME" '
	length($1) < 20 || $1 > now || now - $1 > 60 {exit 1}' || fail "time stamps"
assert_eq "$(stat -c %a "$tmp/captures/all.pcapng")" 640 "mode of the file"

# Bounds end it.
begin points=rx seconds=1
ended "$id" seconds
begin points=rx bytes=4096 file=small
load 10.0.0.2:4739 --count 200 --keys 20
ended "$id" bytes
assert_num "$(stat -c %s "$tmp/captures/small.pcapng")" -le 4096
assert_eq "$(stat -c %s "$tmp/captures/small.pcapng")" \
	"$(ctl capture list | jq ".captures[] | select(.id == $id) | .bytes")" "bytes of the file"

# A lane's drop says whose it was: what its consumer is not sent grows too old.
begin points=drop stream=flows consumer=c2 file=late packets=5
jq '.streams[0].ring = {"age_ms": 50}' "$tmp/weir.json" >"$tmp/aged.json"
ctl consumer pause c2 >"$tmp/paused.json"
ctl config apply "$tmp/aged.json" >"$tmp/applied.json"
load 10.0.0.2:4739 --count 20 --keys 20
ended "$id" packets
assert_eq "$(fields late.pcapng frame frame.comment | sed -E 's/[0-9]+/N/g' | sort -u)" \
	"drop expired: past its deadline or the ring's age limit; stream flows/N; sequence N; consumer cN"

# Nothing leaves the directory, nothing is written over, no nonsense is begun.
ln -s "$tmp/elsewhere/target" "$tmp/captures/link.pcapng"
long=$(printf 'x%.0s' {1..65})
for arguments in "points=rx file=../elsewhere/x" "points=rx file=/tmp/x" \
	"points=rx file=.hidden" "points=rx file=-x" "points=rx file=$long" \
	"points=rx file=all" "points=rx file=link" "points=" "points=rx,all" "points=rx,,tx" \
	"points=rx reasons=expired" "points=drop reasons=expird" "points=drop reasons=none" \
	"points=rx port=wan" "points=rx stream=no" "points=tx consumer=c9" \
	"points=rx consumer=c1" "points=rx packets=0" "points=rx seconds=0" \
	"points=rx bytes=2000000" "points=rx snap=1"; do
	# shellcheck disable=SC2086 # each is several words
	assert_fails ctl capture start $arguments
done
assert_fails ctl capture stop id=1
assert_eq "$(ls "$tmp/elsewhere")" "" "files elsewhere"
assert_json "$(ctl capture list)" 'all(.captures[]; .state == "ended")' "nothing runs"

# One that runs when the gateway stops is whole.
begin points=rx,tx file=last
load 10.0.0.2:514 --count 30 --keys 1
wait_for "ctl stream list | jq -e '.streams[1].received == 60'"
assert_law
weir_stop
assert_eq "$(capture_count "$tmp/captures/last.pcapng" 'frame.comment contains "rx; stream"')" 30 \
	"the last one"
