#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# light
#
# scripts/weir.lua shows every frame of the protocol with its values, and complains of a broken one.

set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
build=${WEIR_BUILD:-$root/build}
tmp=$(mktemp -d "${TMPDIR:-/tmp}/weir-test.XXXXXX")
trap 'rm -rf "$tmp"' EXIT

command -v tshark >/dev/null || {
	echo "skipped: no tshark"
	exit 77
}

failures=0

show() {
	tshark -X "lua_script:$root/scripts/weir.lua" -r "$1" "${@:2}" 2>"$tmp/errors"
	if grep -qi 'lua' "$tmp/errors"; then
		cat "$tmp/errors" >&2
		failures=$((failures + 1))
	fi
}

# same NAME EXPECTED ACTUAL
same() {
	if [ "$2" != "$3" ]; then
		printf '%s\n  expected: %s\n  shown:    %s\n' "$1" "$2" "$3" >&2
		failures=$((failures + 1))
	fi
}

# values NAME FILTER EXPECTED FIELD...: the fields of the packets that the filter lets through
values() {
	local name=$1 filter=$2 expected=$3 field
	local -a columns=()
	shift 3
	for field in "$@"; do
		columns+=(-e "$field")
	done
	same "$name" "$expected" "$(show "$tmp/frames.pcap" -Y "$filter" -T fields -E separator=' ' \
		"${columns[@]}")"
}

"$build/lib/wire/frames_pcap" "$tmp/frames.pcap"
"$build/lib/wire/frames_pcap" "$tmp/other.pcap" 33333

session=0xa1b2c3d4e5f60003

same "every packet is dissected" "1 2 3 4 6 7 8 9 10 11,5 12 13 8 14 17 18 19 15 20 21 22 3,23 20 8 99 " \
	"$(show "$tmp/frames.pcap" -T fields -e weir.type | tr '\n' ' ' | sed 's/  *$/ /')"
same "another port is recognised by the magic" 26 \
	"$(show "$tmp/other.pcap" -Y weir -T fields -e frame.number | wc -l)"
same "the columns name the frames" "PAUSE, LEAVE" \
	"$(show "$tmp/frames.pcap" -Y weir.pause.counter -T fields -e _ws.col.Info)"
values "only the packet that was cut is malformed" weir.malformed 26 frame.number
values "nothing else fails in the dissector" '(_ws.malformed || _ws.lua.error) && !weir.malformed' \
	"" frame.number
values "an unknown frame is named so" weir.unknown "25 99" frame.number weir.type
values hello "weir.type == 1" "0x1122334455667788 billing c1 1400 0x00000003" \
	weir.hello.nonce weir.hello.group weir.hello.name weir.hello.max_datagram weir.hello.options
values cookie "weir.type == 2" "0x1122334455667788 $(seq -f %.0f 192 223 | xargs printf '%02x')" \
	weir.cookie.nonce weir.cookie.cookie
values welcome "weir.type == 3 && weir.tagged == 0" "$session 42 1790000000000000000 100 3000" \
	weir.welcome.session weir.welcome.incarnation weir.welcome.clock_ns \
	weir.welcome.heartbeat_ms weir.welcome.liveness_ms
values error "weir.error.code == 3" "1000 group billing has all its 4 consumers" \
	weir.error.retry_ms weir.error.text
values subscribe "weir.type == 6" "$session 1 0 netflow" \
	weir.session weir.subscribe.counter weir.subscribe.start weir.subscribe.name
values subscribed "weir.type == 7" "7 16 netflow" \
	weir.subscribed.stream weir.subscribed.partitions weir.subscribed.name
values data "weir.data.covered == 4" "3 7 5 2 4 990 10 640 1000,1002 2055,4739" \
	weir.slot weir.data.stream weir.data.partition weir.data.epoch weir.data.covered \
	weir.data.lane_first weir.data.lane_messages weir.data.lane_bytes weir.message.seq \
	weir.message.source_port
values "messages of data" "weir.data.covered == 4" \
	"192.0.2.1 2001:db8::1 616263,68656c6c6f" \
	weir.message.ipv4 weir.message.ipv6 weir.message.payload
values heartbeat "weir.heartbeat.starved == 1" "1004 990 12 648" \
	weir.heartbeat.next_seq weir.heartbeat.lane_first weir.heartbeat.lane_messages \
	weir.heartbeat.lane_bytes
values credit "weir.type == 10 && !weir.malformed" "4108 4194952 12 648 4096" \
	weir.credit.limit_messages weir.credit.limit_bytes weir.credit.consumed_messages \
	weir.credit.consumed_bytes weir.credit.capacity
values "pause and leave" "weir.pause.scope == 2" "3 7 16" \
	weir.pause.counter weir.pause.stream weir.leave.reason
values ack "weir.type == 12" "7 5 2 25 1004 1002 1020 1006,1012 1010,1021" \
	weir.ack.stream weir.ack.partition weir.ack.epoch weir.ack.delay weir.ack.next_seq \
	weir.ack.done_seq weir.ack.newest_seq weir.ack.range.first weir.ack.range.end
values nack "weir.type == 13" "7 5 2 1004,1010 1006,1012" \
	weir.nack.stream weir.nack.partition weir.nack.epoch weir.nack.range.first \
	weir.nack.range.end
values retransmit "weir.data.retransmit == 1" "1004 2 29 1310 30000 6c6f7374" \
	weir.data.seq weir.data.covered weir.data.lane_messages weir.data.lane_bytes \
	weir.data.time_left_us weir.message.payload
values gap "weir.gap.reason == 2" "7 5 2 1010 1012 2 128" \
	weir.gap.stream weir.gap.partition weir.gap.epoch weir.gap.first weir.gap.end \
	weir.gap.messages weir.gap.bytes
values revoke "weir.type == 17" "7 5 2 375 1021 29 1310" \
	weir.revoke.stream weir.revoke.partition weir.revoke.epoch weir.revoke.deadline_ms \
	weir.revoke.seq weir.revoke.lane_messages weir.revoke.lane_bytes
values release "weir.type == 18" "7 5 2 1021" \
	weir.release.stream weir.release.partition weir.release.epoch weir.release.seq
values seek "weir.seek.start == 2" "2 7 5 900" \
	weir.seek.counter weir.seek.stream weir.seek.partition weir.seek.value
values load "weir.type == 15" "6 ::ffff:192.0.2.7 9995 65536 212992 166 3 1790000000001000000" \
	weir.load.counter weir.load.address weir.load.port weir.load.queue_bytes \
	weir.load.limit_bytes weir.load.capacity_messages weir.load.drops weir.load.echo_ns
values produce "weir.type == 20 && !weir.message.trace_id" "23 5 1 50000 1790000000000000000 5,7 6b31 616263,68656c6c6f" \
	weir.produce.epoch weir.produce.counter weir.produce.tier weir.produce.time_left_us \
	weir.produce.clock_ns weir.produce.message.counter weir.produce.message.key \
	weir.produce.message.payload
values "a trace context to the gateway" "weir.type == 20 && weir.message.trace_id" \
	"5 101112131415161718191a1b1c1d1e1f 7070707070707070 0x01 6b31 616263" \
	weir.produce.message.counter weir.message.trace_id weir.message.span_id \
	weir.message.trace_flags weir.produce.message.key weir.produce.message.payload
values "a trace context from the gateway" "weir.type == 8 && weir.message.trace_id" \
	"1000 192.0.2.1 101112131415161718191a1b1c1d1e1f 7171717171717171 0x01 616263" \
	weir.message.seq weir.message.ipv4 weir.message.trace_id weir.message.span_id \
	weir.message.trace_flags weir.message.payload
values "produce ack" "weir.type == 21" "23 5 0x0001 9 6 8" \
	weir.produce_ack.epoch weir.produce_ack.next weir.produce_ack.flags \
	weir.produce_ack.newest weir.produce_ack.range.first weir.produce_ack.range.end
values pace "weir.pace.reason == 3" "3 1000 1000000 20000 0 10" \
	weir.pace.counter weir.pace.limit_messages weir.pace.limit_bytes weir.pace.rate_pps \
	weir.pace.rate_kbps weir.pace.retry_ms
values "key and trailer" weir.tagged==1 \
	"1790000000000000000 $(printf '9e%.0s' {1..32}) 1 $(printf '7a%.0s' {1..16})" \
	weir.key.timestamp_ns weir.key.public_key weir.trailer.number weir.trailer.tag

if [ $failures -ne 0 ]; then
	echo "$failures failed" >&2
	exit 1
fi
echo "29 checks passed"
