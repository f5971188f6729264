#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Ten failures at once and after one another: each is found by the name of its alert, and ended by
# the commands of that alert's runbook, which are run as they stand there. A real Prometheus with the
# shipped rules tells of each, and that it is over.

# shellcheck source=tests/system/_init.sh
. "$(dirname "$0")/_init.sh"

lan
host exporter 1
kernel_port gw0 2
lan_join "" gw1
ip link set gw1 up
number=4
for name in paused limited away picky noise; do
	host $name $number
	number=$((number + 1))
done
state=/mnt # a disk of its own, in this namespace alone
mount -t tmpfs -o size=4m tmpfs "$state"
cat >"$tmp/weir.json" <<-END
	{"workers": {"cpus": [1], "stall_ms": 200},
	"control": {"socket": "$socket"},
	"memory": {"hugepages": false, "buffers": 65536},
	"telemetry": {"interval_ms": 100},
	"alerts": {"short_s": 1, "long_s": 2},
	"native": {"heartbeat_ms": 20, "liveness_ms": 10000},
	"state": {"file": "$state/weir", "interval_ms": 100},
	"health": {"park_ms": 300},
	"reach": {"probe_ms": 100},
	"chaos": {"allow": true},
	"ports": [{"name": "lan", "driver": "af_packet", "interface": "gw0"},
		{"name": "spare", "driver": "af_packet", "interface": "gw1"}],
	"streams": [{"name": "flows", "match": {"udp_port": 4739}, "key": "ipfix", "partitions": 4,
			"ring": {"messages": 8192, "age_ms": 600000}},
		{"name": "small", "match": {"udp_port": 4740}, "key": "ipfix", "partitions": 1,
			"ring": {"messages": 16, "age_ms": 600000}}],
	"groups": [
		{"name": "paused", "streams": ["flows"], "consumers": [
			{"name": "paused", "address": "10.0.0.4", "port": 9995}]},
		{"name": "limited", "streams": ["small"], "consumers": [
			{"name": "limited", "address": "10.0.0.5", "port": 9995}]},
		{"name": "away", "streams": ["flows"], "consumers": [
			{"name": "away", "address": "10.0.0.6", "port": 9995}]},
		{"name": "picky", "class": "native", "streams": ["flows"], "attempts": 3}]}
END
weir_start "$tmp/weir.json"
prometheus_start 1 2 0
receiver_start paused paused --listen 10.0.0.4:9995
receiver_start limited limited --listen 10.0.0.5:9995
receiver_start away away --listen 10.0.0.6:9995
receiver_start picky picky --native 10.0.0.2:4150 --group picky --name picky
wait_for "ctl consumer list | jq -e '(.consumers | length) == 4 and
	all(.consumers[]; .state == \"reachable\")'"

# load PORT: in the background
load() {
	in_ns_start exporter weirload send --to "10.0.0.2:$1" --keys 20 --size 100 --rate 400 \
		--seconds 60 --json "$tmp/sent.$1.json"
	helpers+=($!)
}
helpers=()
for port in 4739 4740 4741; do
	load $port
done

# commands ALERT CAUSE: of the alert's runbook, for that cause
commands() {
	awk -v cause="$2" '$0 == "```sh " cause {inside = 1; next} /^```/ {inside = 0} inside' \
		"$weir_root/docs/runbooks/$1.md"
}

# runbook NS ALERT CAUSE [VARIABLE=VALUE...]: its commands, as an operator on that host runs them
runbook() {
	local run=()
	[ "$1" = - ] || run=(in_ns "$1")
	commands "$2" "$3" >"$tmp/commands"
	[ -s "$tmp/commands" ] || fail "docs/runbooks/$2.md has no commands for: $3"
	"${run[@]}" env "WEIR_SOCKET=$socket" "${@:4}" bash -eu "$tmp/commands" >"$tmp/said" 2>&1 ||
		fail "$2, $3: $(cat "$tmp/said")"
}

# active ALERT SUBJECT
active() {
	ctl alert list | jq -e --arg alert "$1" --arg subject "$2" \
		'any(.alerts[]; .alert == $alert and .subject == $subject and .state == "active")'
}

# found ALERT SUBJECT
found() {
	wait_for "active '$1' '$2'" 20
	wait_for "told firing $1" 20
	echo "found $1 $2"
}

# over ALERT SUBJECT
over() {
	wait_for "! active '$1' '$2'" 20
	wait_for "told resolved $1" 20
	echo "over $1 $2"
}

wait_for "ctl group list | jq -e 'all(.groups[]; .delivered > 50)'"
assert_json "$(ctl alert list)" 'all(.alerts[]; .state != "active")'

# Nine at once. What is sent to port 4741 is for no stream until a configuration makes one, and then
# for no group.
jq '.streams += [{"name": "stray", "match": {"udp_port": 4741}, "key": "ipfix"}]' \
	"$tmp/weir.json" >"$tmp/stray.json"
ctl config apply "$tmp/stray.json" >/dev/null
ctl consumer pause paused >/dev/null
ctl consumer set-rate limited packets_per_s=10 burst_packets=1 >/dev/null
in_ns away ip link set eth0 down
ip -n picky link set eth0 mtu 1280
send exporter --to 10.0.0.2:4739 --keys 1 --rate 100 --count 2 --size 1300 --json "$tmp/large.json"
ip link set gw1 down
dd if=/dev/zero of="$state/core.1234" bs=64k >/dev/null 2>&1 || true
in_ns_start noise python3 -c '
import socket, time
out = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
while True:  # a UDP header whose length is 4
    out.sendto(bytes.fromhex("1234128300040000") + bytes(60), ("10.0.0.2", 0))
    time.sleep(0.005)'
helpers+=($!)
ctl chaos start exhaust percent=95 seconds=60 >/dev/null

found WeirConsumerParked "consumer=paused group=paused"
found WeirGroupLosing "stream=small group=limited"
found WeirConsumerUnreachable "consumer=away group=away"
found WeirQuarantine ""
found WeirPortDown "port=spare"
found WeirDiskTrouble "subject=file=$state/weir"
found WeirPortDropping "port=lan"
found WeirStreamDropping "stream=stray"
found WeirPoolShort "subject=pool=receive"
found WeirChaos "fault=exhaust"

runbook - WeirDiskTrouble full folder="$state" file="$state/core.1234"
runbook - WeirPoolShort chaos
runbook - WeirConsumerParked paused consumer=paused
runbook - WeirGroupLosing rate consumer=limited
runbook away WeirConsumerUnreachable link interface=eth0
runbook - WeirPortDown link interface=gw1
runbook switch WeirPortDropping flood interface=noise-eth0
runbook - WeirStreamDropping configuration
runbook picky WeirQuarantine path interface=eth0 mtu=1500
runbook - WeirQuarantine retry

over WeirConsumerParked "consumer=paused group=paused"
over WeirGroupLosing "stream=small group=limited"
over WeirConsumerUnreachable "consumer=away group=away"
over WeirQuarantine ""
over WeirPortDown "port=spare"
over WeirDiskTrouble "subject=file=$state/weir"
over WeirPortDropping "port=lan"
over WeirStreamDropping "stream=stray"
over WeirPoolShort "subject=pool=receive"
over WeirChaos "fault=exhaust"

# A worker's thread that a debugger holds: alone, for nothing else is looked at meanwhile.
receiver_stop picky
thread=$(grep -l worker /proc/"$gateway_pid"/task/*/comm | head -n 1 | cut -d / -f 5)
python3 "$weir_tests/stop_thread.py" "$thread" >/dev/null 2>&1 &
helpers+=($!)
found WeirWorkerStalled "worker=0"
runbook - WeirWorkerStalled traced
over WeirWorkerStalled "worker=0"

kill "${helpers[@]}" 2>/dev/null || true
wait "${helpers[@]}" || true
wait_for "ctl health get | jq -e .well" 20
wait_for "ctl alert list | jq -e 'all(.alerts[]; .state != \"active\")'" 20
assert_law
for name in paused limited away; do
	receiver_stop $name
done
prometheus_stop
weir_stop
