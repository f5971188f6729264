#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# light
#
# A port that DPDK took from the kernel keeps its place in the network: its twin answers ARP, ping
# and TCP while streams flow by the same port. And ports that are the kernel's or a neighbour
# gateway's: TAP and memif.

# shellcheck source=tests/system/_init.sh
. "$(dirname "$0")/_init.sh"

lan
host exporter 1
gateway_port gw0 2
host c1 3

cat >"$tmp/weir.json" <<-END
	{"workers": {"cpus": [1]},
	"control": {"socket": "$socket"},
	"memory": {"hugepages": false, "buffers": 65536},
	"ports": [
		{"name": "lan", "driver": "af_xdp", "interface": "gw0",
			"twin": {"name": "weir-lan", "addresses": ["10.0.0.2/24", "fd00::2/64"]}},
		{"name": "here", "driver": "tap", "interface": "dtap0", "mac": "02:00:00:00:01:01"}],
	"streams": [{"name": "flows", "match": {"udp_port": 4739}, "key": "ipfix", "partitions": 8}],
	"groups": [
		{"name": "away", "streams": ["flows"], "consumers": [
			{"name": "c1", "address": "10.0.0.3", "port": 9995}]},
		{"name": "away6", "streams": ["flows"], "consumers": [
			{"name": "c6", "address": "fd00::3", "port": 9996}]},
		{"name": "native", "class": "native", "streams": ["flows"]},
		{"name": "local", "streams": ["flows"], "consumers": [
			{"name": "l1", "address": "10.7.0.1", "port": 9997, "source": "keep",
			"egress": "here", "mac": "02:00:00:00:01:01"}]}]}
END
weir_start "$tmp/weir.json"
ip address add 10.7.0.1/24 dev dtap0
ip link set dtap0 up
receiver_start c1 c1 --listen 10.0.0.3:9995
receiver_start c6 c1 --listen '[fd00::3]:9996'
receiver_start l1 - --listen 10.7.0.1:9997
receiver_start n1 c1 --native 10.0.0.2:4150 --group native --name n1
wait_for "ctl consumer list | jq -e '[.consumers[] | select(.state == \"reachable\")] | length == 4'"
assert_json "$(ctl consumer show c1)" '.egress == "lan" and .mac == "02:00:00:00:00:03"'

# The kernel's own addresses answer, from the first packet on.
in_ns exporter ping -c 3 -i 0.2 -W 2 -q 10.0.0.2 >"$tmp/ping"
grep -q ' 0% packet loss' "$tmp/ping" || fail "ping: $(cat "$tmp/ping")"
in_ns exporter ping -6 -c 3 -i 0.2 -W 2 -q fd00::2 >"$tmp/ping"
grep -q ' 0% packet loss' "$tmp/ping" || fail "ping6: $(cat "$tmp/ping")"
# And the other way: the kernel sends by the port.
ping -c 2 -i 0.2 -W 2 -q 10.0.0.1 >"$tmp/ping"
grep -q ' 0% packet loss' "$tmp/ping" || fail "ping from the gateway: $(cat "$tmp/ping")"

# TCP in both families, 300 kB each way of it, beside 5,000 messages a second.
mkdir "$tmp/www"
head -c 300000 /dev/urandom >"$tmp/www/file"
python3 -m http.server --bind :: --directory "$tmp/www" 8080 >"$tmp/http.log" 2>&1 &
server=$!
wait_for "curl -s -o /dev/null http://[::1]:8080/"
send exporter --to 10.0.0.2:4739 --rate 5000 --count 20000 --keys 50 --size 120 \
	--json "$tmp/sent.json" &
loading=$!
fetched=0
while is_running $loading; do
	for address in 10.0.0.2 '[fd00::2]'; do
		in_ns exporter curl -s -m 5 -o "$tmp/fetched" "http://$address:8080/file" ||
			fail "no answer to HTTP from $address"
		cmp "$tmp/www/file" "$tmp/fetched" || fail "the file came differently"
		fetched=$((fetched + 1))
	done
	in_ns exporter ping -c 1 -W 2 -q 10.0.0.2 >"$tmp/ping" || fail "no ping beside the stream"
done
wait $loading
kill $server
wait $server || true
assert_num $fetched -ge 4 "files fetched while the stream flowed"

assert_json "$tmp/sent.json" '.sent == 20000 and .failed == 0 and .refused == 0'
wait_for "ctl group list | jq -e '[.groups[].delivered] == [20000, 20000, 20000, 20000]'"
assert_law
for name in c1 c6 l1 n1; do
	receiver_stop $name
	assert_json "$tmp/$name.json" '.received == 20000 and .lost == 0 and .duplicates == 0 and
		.reordered == 0 and .keys == 50' "what $name got beside the kernel's traffic"
done
assert_json "$(ctl port list)" '.ports[] | select(.name == "lan") |
	.twin.to_kernel > 100 and .twin.from_kernel > 200 and .twin.dropped == 0 and
	.matched == 20000 and .kernel >= .twin.to_kernel and .dropped == {}' "the twin's counters"
assert_json "$(ctl port list)" '.ports[] | select(.name == "here") |
	.twin == null and .sent == 20000' "a port without a twin"
weir_stop
[ ! -e /sys/class/net/weir-lan ] || fail "the twin is still there"

# Two gateways joined by shared memory: what the first delivers by its memif port is the second's
# stream. The second has a socket of its own.
first=$socket
second=$tmp/second.sock
cat >"$tmp/second.json" <<-END
	{"workers": {"cpus": [0]},
	"control": {"socket": "$second"},
	"memory": {"hugepages": false, "buffers": 32768},
	"native": {"udp_port": 0},
	"ports": [{"name": "up", "driver": "memif", "socket": "$tmp/memif.sock", "role": "server",
			"mac": "02:00:00:00:02:02"},
		{"name": "out", "driver": "tap", "interface": "dtap1", "mac": "02:00:00:00:02:03"}],
	"streams": [{"name": "passed", "match": {"udp_port": 5000, "source": "10.0.0.1"},
		"key": "ipfix", "partitions": 8}],
	"groups": [{"name": "end", "streams": ["passed"], "consumers": [
		{"name": "e1", "address": "10.8.0.1", "port": 9998, "source": "keep",
		"egress": "out", "mac": "02:00:00:00:02:03"}]}]}
END
cat >"$tmp/first.json" <<-END
	{"workers": {"cpus": [1]},
	"control": {"socket": "$first"},
	"memory": {"hugepages": false, "buffers": 32768},
	"telemetry": {"interval_ms": 100},
	"ports": [
		{"name": "lan", "driver": "af_xdp", "interface": "gw0",
			"twin": {"addresses": ["10.0.0.2/24"]}},
		{"name": "down", "driver": "memif", "descriptors": 256, "socket": "$tmp/memif.sock", "role": "client",
			"mac": "02:00:00:00:02:01"}],
	"streams": [{"name": "flows", "match": {"udp_port": 4739}, "key": "ipfix", "partitions": 8}],
	"groups": [{"name": "on", "streams": ["flows"], "consumers": [
		{"name": "second", "address": "10.9.0.2", "port": 5000, "source": "keep",
		"egress": "down", "mac": "02:00:00:00:02:02"}]}]}
END
socket=$second
weir_start "$tmp/second.json"
second_pid=$gateway_pid
gateway_pid=
ip address add 10.8.0.1/24 dev dtap1
ip link set dtap1 up
receiver_start e1 - --listen 10.8.0.1:9998
socket=$first
weir_start "$tmp/first.json"
wait_for "ctl port list | jq -e '.ports[] | select(.name == \"down\") | .link == \"up\"'"
in_ns exporter ping -c 1 -W 2 -q 10.0.0.2 >"$tmp/ping" || fail "no ping to the twin's address"
send exporter --to 10.0.0.2:4739 --rate 2000 --count 4000 --keys 20 --json "$tmp/sent.json"
socket=$second
wait_for "ctl group list | jq -e '.groups[0].delivered == 4000'"
assert_law
receiver_stop e1
assert_json "$tmp/e1.json" '.received == 4000 and .lost == 0 and .duplicates == 0 and
	.reordered == 0 and .keys == 20' "what came through both gateways"

# The queue between them is stuck while the second stands still: the first restarts its port, by
# itself. What was in the queue is lost with it, and what comes meanwhile waits.
socket=$first
kill -STOP "$second_pid"
send exporter --to 10.0.0.2:4739 --rate 2000 --count 2000 --keys 20 --json "$tmp/sent.json"
wait_for "ctl health get | jq -e '.troubles | any(.watchdog == \"queue\" and .acted == 1)'"
wait_for "ctl metric list name=weir_remedy_actions | jq -e '.metrics[] | select(.labels.action ==
	\"restart_port\" and .labels.outcome == \"done\") | .value == 1'"
kill -CONT "$second_pid"
wait_for "ctl port list | jq -e '.ports[] | select(.name == \"down\") | .link == \"up\"'"
wait_for "ctl group list | jq -e '.groups[0] | .delivered == 6000 and .held == 0'"
socket=$second
wait_for "ctl stream list | jq -e '.streams[0].received >= 6000 - 256'"
receiver_start e1 - --listen 10.8.0.1:9998
# By hand; and where it makes no sense.
socket=$first
ctl port restart down >/dev/null
wait_for "ctl port list | jq -e '.ports[] | select(.name == \"down\") | .link == \"up\"'"
assert_fails ctl port restart lan
assert_fails ctl port restart none
send exporter --to 10.0.0.2:4739 --rate 2000 --count 1000 --keys 20 --json "$tmp/sent.json"
socket=$second
wait_for "ctl group list | jq -e '.groups[0].held == 0'"
assert_law
receiver_stop e1
assert_json "$tmp/e1.json" '.received == 1000 and .lost == 0 and .reordered == 0' "after the restarts"
socket=$first
assert_law
weir_stop
gateway_pid=$second_pid
weir_stop
