#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Without its gateway an XDP port goes on: every group of a stream gets each packet from the program
# in the kernel, also behind one interface, rewritten as the gateway would, and no faster than its
# rate; and the next gateway takes over with the tokens that are left. A stream on the kernel's path is
# delivered so with a gateway too, which shows what became of it as of any other.

# shellcheck source=tests/system/_init.sh
. "$(dirname "$0")/_init.sh"

lan
host exporter 1
kernel_port gw0 2
host c1 3
host c2 4
# A veth takes redirected frames only when its other end collects them (GRO).
in_ns switch ethtool -K gw-gw0 gro on
cat >"$tmp/weir.json" <<-END
	{"workers": {"cpus": [1]},
	"control": {"socket": "$socket"},
	"memory": {"hugepages": false, "buffers": 32768},
	"failover": {"heartbeat_ms": 10000, "gate": 8192},
	"ports": [{"name": "lan", "driver": "xdp", "interface": "gw0"}],
	"streams": [
		{"name": "flows", "match": {"udp_port": 4739}, "key": "ipfix", "partitions": 8},
		{"name": "quick", "match": {"udp_port": 4740}, "key": "ipfix", "partitions": 8,
			"path": "kernel"},
		{"name": "still", "match": {"udp_port": 4741}, "key": "ipfix", "partitions": 8,
			"path": "kernel"},
		{"name": "logs", "match": {"udp_port": 5140}, "key": "syslog", "partitions": 8}],
	"groups": [
		{"name": "one", "streams": ["flows", "quick"], "consumers": [
			{"name": "a", "address": "10.0.0.3", "port": 9001}]},
		{"name": "two", "streams": ["flows", "quick"], "consumers": [
			{"name": "b", "address": "10.0.0.4", "port": 9002, "source": "keep"}]},
		{"name": "none", "streams": ["still"], "consumers": [
			{"name": "d", "address": "10.0.0.4", "port": 9004}]},
		{"name": "slow", "streams": ["logs"], "consumers": [
			{"name": "c", "address": "10.0.0.3", "port": 9003,
				"rate": {"packets_per_s": 1000, "burst_packets": 100}}]}]}
END
receiver_start a c1 --listen 10.0.0.3:9001
receiver_start b c2 --listen 10.0.0.4:9002
receiver_start c c1 --listen 10.0.0.3:9003

reachable() {
	wait_for "ctl consumer list | jq -e '.consumers | length == 4 and all(.state == \"reachable\")'"
}

load() {
	send exporter --to 10.0.0.2:4739 --keys 40 --count 2000 --rate 20000 --size 100 \
		--json "$tmp/sent.json"
	assert_json "$tmp/sent.json" '.failed == 0'
}

weir_start "$tmp/weir.json"
reachable
load

# The kernel's path, while the gateway is there and takes the other streams.
send exporter --to 10.0.0.2:4740 --keys 40 --count 2000 --rate 20000 --size 100 \
	--json "$tmp/sent.json"
assert_json "$tmp/sent.json" '.failed == 0'
quick() {
	ctl failover show | jq -c '[(.streams, .groups)[] | select(.stream == "quick") |
		[.received, .delivered]]'
}
assert_eq "$(quick)" '[[2000,2000],[2000,2000],[2000,2000]]' "the kernel's path"
# What a stream's row, and its groups', say: received = delivered + dropped + held.
rows() {
	ctl stream list | jq -c ".streams[] | select(.name == \"$1\") |
		[.path, .received, .by_program, .appended, .under_way, .dropped]"
	ctl group list | jq -c ".groups[] | select(.stream == \"$1\") |
		[.received, .delivered, .held, .dropped]"
}
consumers() {
	ctl consumer list | jq -c '[.consumers[] | select(.name == "a" or .name == "b") |
		[.name, .delivered, .bytes, .dropped]]'
}
assert_eq "$(rows quick)" '["kernel",2000,2000,0,0,{}]
[2000,2000,0,{}]
[2000,2000,0,{}]' "rows of the kernel's path"
assert_eq "$(consumers)" '[["a",4000,400000,{}],["b",4000,400000,{}]]' "by both paths"
ctl consumer pause d >/dev/null
send exporter --to 10.0.0.2:4741 --keys 40 --count 500 --rate 20000 --size 100 \
	--json "$tmp/sent.json"
assert_eq "$(rows still)" '["kernel",500,500,0,0,{}]
[500,0,0,{"closed":500}]' "rows of what a paused consumer did not get"
assert_eq "$(ctl consumer show d | jq -c '[.delivered, .dropped]')" '[0,{"closed":500}]' "the paused one"
assert_law
# What the program itself keeps back of a packet for several groups is none that the device refused.
ctl consumer pause b >/dev/null
send exporter --to 10.0.0.2:4740 --keys 40 --count 500 --rate 20000 --size 100 \
	--json "$tmp/sent.json"
assert_eq "$(rows quick | tail -n 2)" '[2500,2500,0,{}]
[2500,2000,0,{"closed":500}]' "rows of the kernel's path, a consumer of which is paused"
assert_json "$(ctl port list)" '.ports[0].device.tx_errors == 0' "what the device refused"
ctl consumer resume b >/dev/null
for metric in program_group_delivered group_delivered; do
	wait_for "ctl metric list name=weir_${metric}_messages | jq -e '[.metrics[] |
		select(.labels.stream == \"quick\").value] == [2500, 2000]'"
done
wait_for "ctl stream show still | jq -e '.messages_per_s > 0 and .skew == 0'"
gateway_kill
# From here on nobody but the program is there.
load
send exporter --to 10.0.0.2:5140 --keys 10 --seconds 2 --rate 5000 --size 100 \
	--json "$tmp/fast.json"
# What it did for each stream and group can be asked without a gateway, and afterwards.
flows() {
	weirctl --socket "$socket" -j failover show | jq -c '[.gateway] + [(.streams, .groups)[] |
		select(.stream == "flows") | {group, received, delivered, dropped}]'
}
expected='{"group":null,"received":2000,"delivered":2000,"dropped":{}},'
for group in one two; do
	expected+="{\"group\":\"$group\",\"received\":2000,\"delivered\":2000,\"dropped\":{}},"
done
assert_eq "$(flows)" "[false,${expected%,}]" "flows without the gateway"
weirctl --socket "$socket" -j failover show | jq -e '.groups[] | select(.group == "slow") |
	.delivered + .dropped.rate == .received and .dropped.rate > 5000' >/dev/null ||
	fail "what the rate held back: $(weirctl --socket "$socket" -j failover show)"
weir_start "$tmp/weir.json"
reachable
load
assert_eq "$(flows)" "[true,${expected%,}]" "flows with the next gateway"
# Its own rows begin with it.
assert_eq "$(rows quick | head -n 1)" '["kernel",0,0,0,0,{}]' "the kernel's path with the next gateway"
assert_eq "$(consumers)" '[["a",2000,200000,{}],["b",2000,200000,{}]]' "with the next gateway"
assert_law
weir_stop

for name in a b c; do
	receiver_stop $name
done
assert_json "$tmp/a.json" '.received == 8500 and .keys == 200'
assert_json "$tmp/b.json" '.received == 8000 and .keys == 160'
for name in a b; do
	assert_json "$tmp/$name.json" '.lost == 0 and .duplicates == 0 and .reordered == 0'
done
# The rate holds in the kernel too: its burst, and no more than it says.
assert_json "$tmp/c.json" '.received >= 1000 and .received <= 1.05 * (100 + 1000 * (.seconds + 0.1))'
assert_json "$tmp/fast.json" '.sent > 5000'
grep -q 'went on with the pinned program' "$gateway_log" || fail "the program was not adopted"
! grep -q 'do not fit' "$gateway_log" || fail "its maps were not adopted"
