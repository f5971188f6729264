#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# light
#
# A message that never gets through to a consumer that lives is given up after the configured
# attempts and kept in quarantine, where an operator can look at it, send it to its group again, or
# drop it. The consumer's way swallows large packets without a word, as a tunnel with a wrong MTU
# does; nothing else is in its way.

# shellcheck source=tests/system/_init.sh
. "$(dirname "$0")/_init.sh"

lan
host exporter 1
kernel_port gw0 2
host consumer 3
host other 4

# configure FILE QUARANTINE GROUPS...
configure() {
	local groups
	printf -v groups ',%s' "${@:3}"
	cat >"$1" <<-END
		{"workers": {"cpus": [1]}, "control": {"socket": "$socket"},
		"memory": {"hugepages": false, "buffers": 65536}, "quarantine": $2,
		"ports": [{"name": "lan", "driver": "af_packet", "interface": "gw0"}],
		"streams": [{"name": "flows", "match": {"udp_port": 4739}, "key": "ipfix",
			"partitions": 4, "ring": {"messages": 8192, "age_ms": 60000}}],
		"groups": [${groups:1}]}
	END
}
reliable='{"name": "reliable", "class": "native", "reliable": true, "streams": ["flows"],
	"attempts": 3}'
second='{"name": "second", "class": "native", "reliable": true, "streams": ["flows"]}'
blind='{"name": "blind", "streams": ["flows"], "consumers": [
	{"name": "other", "address": "10.0.0.4", "port": 9995}]}'

# swallow MTU: what is larger on its way to the consumer is lost
swallow() {
	ip -n consumer link set eth0 mtu "$1"
}

# load COUNT SIZE
load() {
	send exporter --to 10.0.0.2:4739 --keys 1 --rate 200 --count "$1" --size "$2" \
		--json "$tmp/sent.json"
	assert_json "$tmp/sent.json" ".sent == $1 and .failed == 0"
}
small=100
large=1300

# group NAME: its row
group() {
	ctl group list | jq ".groups[] | select(.name == \"$1\")"
}

# counters CONDITION: of quarantine, which also balance
counters() {
	assert_json "$(ctl quarantine list)" "($1) and
		.quarantined == .evicted + .retried + .dropped + .held" "quarantine"
}

# exits STATUS MESSAGE ARGUMENTS...
exits() {
	local status=0
	weirctl --socket "$socket" "${@:3}" >"$tmp/out" 2>"$tmp/err" || status=$?
	assert_eq "$status" "$1" "status of: weirctl ${*:3}"
	grep -qF "$2" "$tmp/out" "$tmp/err" ||
		fail "no '$2' from: weirctl ${*:3}: $(cat "$tmp/out" "$tmp/err")"
}

configure "$tmp/weir.json" '{"messages": 8, "bytes": "64k"}' "$reliable" "$second" "$blind"
receiver_start other other --listen 10.0.0.4:9995 --late
weir_start "$tmp/weir.json"
receiver_start one consumer --native 10.0.0.2:4150 --group reliable --name one --late
receiver_start two other --native 10.0.0.2:4150 --group second --name two --late
wait_for "ctl consumer list | jq -e 'all(.consumers[]; .state == \"reachable\")'"
assert_json "$(ctl consumer show one)" '.guarantee == "at least once"'
counters '.quarantined == 0 and .messages == []'

# One of many does not get through: it alone is given up, in the time of three attempts.
swallow 1280
load 20 $small
load 1 $large
wait_for "ctl quarantine list | jq -e '.held == 1'"
load 20 $small
wait_for "group reliable | jq -e '.delivered == 40'"
assert_json "$(group reliable)" '.dropped == {"quarantined": 1} and .held == 0'
assert_json "$(group blind)" '.delivered == 41 and .dropped == {}'
assert_json "$(ctl consumer show one)" '.state != "unreachable" and .delivery.retransmitted >= 2' "it lives"
wait_for_line "$tmp/one.log" '^gap: flows, .*quarantined'
counters '.quarantined == 1 and .held == 1 and .held_bytes == 1300 and .matching == 1'
assert_json "$(ctl quarantine list)" '.messages | length == 1 and (.[0] | .id == 1 and
	.stream == "flows" and .group == "reliable" and .consumer == "one" and .attempts == 3 and
	.reason == "unacknowledged" and .length == 1300 and .source == "10.0.0.1" and
	.source_port > 0 and .epoch > 0 and .ingested <= .quarantined and
	(.quarantined | test("^20[0-9-]+T[0-9:.]+Z$")))'
assert_json "$(ctl quarantine show 1)" '.id == 1 and (.payload_hex | length == 2600 and
	startswith("000a")) and (.payload_text | length == 1300)'
for filter in stream=flows group=reliable consumer=one "stream=flows group=reliable"; do
	# shellcheck disable=SC2086 # several words
	assert_json "$(ctl quarantine list $filter)" '.matching == 1'
done
for filter in stream=none group=blind consumer=other limit=0 offset=1; do
	assert_json "$(ctl quarantine list $filter)" '.messages == []' "$filter"
done
assert_json "$(ctl stats get)" '.quarantine.held == 1 and .streams[0].requeued == 0'
assert_law

# Sent again while nothing has changed it comes back, as another; nobody else gets it.
assert_json "$(ctl quarantine retry id=1)" '.retried == 1 and .kept == 0'
wait_for "ctl quarantine list | jq -e '.held == 1 and .messages[0].id == 2'"
exits 1 'no such message' quarantine show 1
exits 1 'no such message' quarantine retry id=1
exits 1 'which messages' quarantine drop
assert_json "$(group reliable)" '.delivered == 40 and .dropped == {"quarantined": 2}'
for name in second blind; do
	assert_json "$(group $name)" '.delivered == 41 and .dropped == {"elsewhere": 1}'
done
assert_law

# With the way mended, it arrives.
swallow 1500
assert_json "$(ctl quarantine retry all=true)" '.retried == 1 and .kept == 0 and .reason == null'
wait_for "group reliable | jq -e '.delivered == 41'"
counters '.quarantined == 2 and .retried == 2 and .held == 0 and .messages == []'
assert_json "$(ctl stream list)" '.streams[0] | .received == 41 and .requeued == 2 and
	.appended == 43 and .dropped == {}'
for name in second blind; do
	assert_json "$(group $name)" '.delivered == 41 and .dropped == {"elsewhere": 2}'
done
assert_law

# Tables; dropping; the oldest goes first when there are more than the configuration allows.
swallow 1280
load 10 $large
wait_for "ctl quarantine list | jq -e '.quarantined == 12'" 20
counters '.held == 8 and .evicted == 2 and [.messages[].id] == [5,6,7,8,9,10,11,12]'
assert_json "$(ctl quarantine list limit=2 offset=1)" '[.messages[].id] == [6,7] and .matching == 8'
exits 0 'held_bytes:' quarantine list
assert_eq "$(awk '$1 == "id" {rows = 1; next} rows {print $1, $3}' "$tmp/out" | head -n 2 |
	paste -sd ,)" "5 reliable,6 reliable" "rows of the table"
exits 0 'payload_text:' quarantine show 5
assert_json "$(ctl quarantine drop id=6)" '.dropped == 1'
counters '.held == 7 and .dropped == 1 and [.messages[].id] == [5,7,8,9,10,11,12]'
configure "$tmp/smaller.json" '{"messages": 4, "bytes": "64k"}' "$reliable" "$second" "$blind"
ctl config apply "$tmp/smaller.json" >/dev/null
counters '.held == 4 and .evicted == 5 and .messages[0].id == 9'
assert_law

# What has no place to go back to stays, and says why.
configure "$tmp/without.json" '{"messages": 4, "bytes": "64k"}' "$second" "$blind"
ctl config apply "$tmp/without.json" >/dev/null
exits 1 'its group no longer takes the stream' quarantine retry id=9
assert_json "$(ctl quarantine retry group=reliable)" '.retried == 0 and .kept == 4 and
	(.reason | startswith("its group"))'
counters '.held == 4 and .retried == 2'
assert_json "$(ctl quarantine drop all=true)" '.dropped == 4'
counters '.held == 0 and .held_bytes == 0 and .dropped == 5 and .messages == []'
assert_law

receiver_stop one
receiver_stop two
receiver_stop other
assert_json "$tmp/one.json" '.received == 41 and .duplicates == 0'
for name in two other; do
	assert_json "$tmp/$name.json" '.received == 51 and .lost == 0 and .duplicates == 0 and
		.reordered == 0'
done
assert_json "$tmp/two.json" '.native.gaps == 0 and .native.lost_messages == 0'
weir_stop
