#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# light
#
# Groups of one stream are independent: each has its own sample, filter, pace and losses, and each
# loss is counted by its reason.

# shellcheck source=tests/system/_init.sh
. "$(dirname "$0")/_init.sh"

lan
host exporter 1
host other 5
kernel_port gw0 2
host c1 3
cat >"$tmp/weir.json" <<-END
	{"workers": {"cpus": [1]},
	"control": {"socket": "$socket"},
	"memory": {"hugepages": false, "buffers": 65536},
	"ports": [{"name": "lan", "driver": "af_packet", "interface": "gw0"}],
	"streams": [
		{"name": "alarms", "match": {"udp_port": 514}, "key": "syslog", "tier": "critical",
			"partitions": 1},
		{"name": "flows", "match": {"udp_port": 4739}, "key": "ipfix", "partitions": 4,
			"tier": "bulk", "ring": {"messages": 4096, "age_ms": 0}},
		{"name": "short", "match": {"udp_port": 4740}, "key": "ipfix", "partitions": 1,
			"ring": {"messages": 64, "age_ms": 0}},
		{"name": "brief", "match": {"udp_port": 4741}, "key": "ipfix", "partitions": 2,
			"ring": {"messages": 4096, "age_ms": 500}}],
	"groups": [
		{"name": "all", "streams": ["flows", "alarms"], "consumers": [
			{"name": "all-1", "address": "10.0.0.3", "port": 9001, "source": "keep"}]},
		{"name": "tenth", "streams": ["flows"], "sample": 10, "consumers": [
			{"name": "tenth-1", "address": "10.0.0.3", "port": 9002, "source": "keep"}]},
		{"name": "filtered", "streams": ["flows"], "source": ["10.0.0.5", "fd00::/64"],
			"consumers": [
			{"name": "filtered-1", "address": "10.0.0.3", "port": 9003, "source": "keep"}]},
		{"name": "slow", "streams": ["short", "brief"], "consumers": [
			{"name": "slow-1", "address": "10.0.0.3", "port": 9004, "source": "keep"}]},
		{"name": "fast", "streams": ["short", "brief"], "consumers": [
			{"name": "fast-1", "address": "10.0.0.3", "port": 9005, "source": "keep"}]}]}
END
receiver_start all c1 --listen 10.0.0.3:9001
receiver_start tenth c1 --listen 10.0.0.3:9002
receiver_start filtered c1 --listen 10.0.0.3:9003
receiver_start slow c1 --listen 10.0.0.3:9004
receiver_start fast c1 --listen 10.0.0.3:9005
weir_start "$tmp/weir.json"
wait_for "ctl consumer list | jq -e '[.consumers[] | select(.state == \"reachable\")] | length == 5'"

# group NAME STREAM JQ-PATH
group() {
	ctl group list | jq -c ".groups[] | select(.name == \"$1\" and .stream == \"$2\") | $3"
}
# received_all GROUP STREAM COUNT: all of them are delivered, dropped or held
received_all() {
	wait_for "[ \$(group $1 $2 .received) = $3 ]"
}
load() {
	send "$1" --to "10.0.0.2:$2" --rate "$3" --count "$4" --keys 20 --size 100 \
		--json "$tmp/sent.json" "${@:5}"
	assert_json "$tmp/sent.json" ".sent == $4 and .failed == 0"
}

# Tiers are what the operator sees them to be.
assert_eq "$(ctl stream list | jq -c '[.streams[].tier]')" \
	'["critical","bulk","standard","standard"]' "tiers"
assert_eq "$(ctl stream list | jq -c '[.streams[].groups]')" '[1,3,2,2]' "groups of the streams"

# 1 in 10 exactly, of each partition; the filter takes one exporter; the third group has all.
load exporter 4739 4000 6000
load other 4739 4000 4000
send exporter --to 10.0.0.2:514 --type syslog --rate 1000 --count 500 --json "$tmp/sent.json"
for name in all tenth filtered; do
	received_all $name flows 10000
	wait_for "[ \$(group $name flows .held) = 0 ]"
done
wait_for "[ \$(group all alarms .delivered) = 500 ]"
assert_eq "$(group all flows '[.delivered, .dropped]')" '[10000,{}]' "all"
assert_eq "$(group filtered flows '[.delivered, .dropped]')" '[4000,{"filtered":6000}]' "filtered"
# Each of 4 partitions begins to count by itself.
sampled=$(group tenth flows .delivered)
assert_num "$sampled" -ge 1000 "1 in 10"
assert_num "$sampled" -le 1004 "1 in 10"
assert_eq "$(group tenth flows .dropped)" "{\"sampled\":$((10000 - sampled))}" "left out by sampling"
exact=0
for head in $(ctl partition list flows | jq '.partitions[] | select(.group == "tenth") | .messages'); do
	exact=$((exact + (head + 9) / 10))
done
assert_num "$sampled" -le $exact "1 in 10 of each partition"
assert_num "$sampled" -ge $((exact - 4)) "1 in 10 of each partition"
assert_law

# A consumer that stands still is overtaken by the ring of 64: it loses the oldest, and gets the
# newest 64 when it goes on. Its neighbour loses nothing.
ctl consumer pause slow-1 >/dev/null
load exporter 4740 2000 1000
received_all slow short 1000
assert_eq "$(group slow short '[.delivered, .held, .dropped]')" '[0,64,{"lapped":936}]' \
	"a group that was lapped"
wait_for "[ \$(group fast short .delivered) = 1000 ]"
assert_eq "$(group fast short .dropped)" '{}' "dropped for who kept up"
assert_law
ctl consumer resume slow-1 >/dev/null
wait_for "[ \$(group slow short .delivered) = 64 ]"
assert_eq "$(group slow short '[.held, .dropped]')" '[0,{"lapped":936}]' "after it went on"

# What is older than the stream's age is not sent any more, but counted; nobody has to ask for it.
ctl consumer pause slow-1 >/dev/null
load exporter 4741 2000 600
assert_num "$(group slow brief .held)" -gt 0 "messages that wait to be too old"
wait_for "[ \$(group slow brief .held) = 0 ]" 3
assert_eq "$(group slow brief '[.received, .delivered, .dropped]')" '[600,0,{"expired":600}]' \
	"messages that grew old"
wait_for "[ \$(group fast brief .delivered) = 600 ]"
assert_eq "$(group fast brief .dropped)" '{}' "expired for who kept up"
# A worker keeps a lease of up to 64 at hand.
assert_num "$(ctl stream list | jq '.streams[] | select(.name == "brief") | .buffers_used')" -le 64 \
	"buffers that old messages keep"
assert_law
ctl consumer resume slow-1 >/dev/null
load exporter 4741 2000 100
wait_for "[ \$(group slow brief .delivered) = 100 ]"

for name in all tenth filtered slow fast; do
	receiver_stop $name
done
assert_json "$tmp/all.json" '.received == 10500 and .lost == 0 and .reordered == 0'
assert_json "$tmp/filtered.json" '.received == 4000 and .lost == 0 and .reordered == 0 and .keys == 20'
assert_json "$tmp/tenth.json" ".received == $sampled and .duplicates == 0 and .reordered == 0"
assert_json "$tmp/slow.json" '.received == 164 and .duplicates == 0 and .reordered == 0'
assert_json "$tmp/fast.json" '.received == 1700 and .lost == 0 and .reordered == 0'
weir_stop
