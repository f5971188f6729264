#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# An alert is raised by what lasts and ends with it: the gateway's own, and the shipped rules in a
# real Prometheus, through a real Alertmanager. Events tell of it as it happens, the watchdogs say
# what is wrong, and baselines are kept over a restart.

# shellcheck source=tests/system/_init.sh
. "$(dirname "$0")/_init.sh"

lan
host exporter 1
kernel_port gw0 2
host c1 3
state=/mnt # a disk of its own, in this namespace alone
mount -t tmpfs -o size=4m tmpfs "$state"
cat >"$tmp/weir.json" <<-END
	{"workers": {"cpus": [1]},
	"control": {"socket": "$socket"},
	"memory": {"hugepages": false, "buffers": 32768},
	"telemetry": {"interval_ms": 200},
	"alerts": {"short_s": 4, "long_s": 12},
	"log": {"format": "json"},
	"state": {"file": "$state/weir", "interval_ms": 200},
	"health": {"park_ms": 300},
	"reach": {"probe_ms": 100},
	"ports": [{"name": "lan", "driver": "af_packet", "interface": "gw0"}],
	"streams": [{"name": "flows", "match": {"udp_port": 4739}, "key": "ipfix", "partitions": 8,
		"ring": {"age_ms": 600000}}],
	"groups": [{"name": "g", "streams": ["flows"], "consumers": [
		{"name": "c1", "address": "10.0.0.3", "port": 9995}]}]}
END
weir_start "$tmp/weir.json"
wait_for "ctl consumer list | jq -e '.consumers[0].state == \"reachable\"'"
receiver_start r1 c1 --listen 10.0.0.3:9995
ctl events >"$tmp/events" &
events=$!

promtool check rules "$weir_root/config/prometheus/weir.rules.yml" >/dev/null ||
	fail "promtool refuses the shipped rules"
prometheus_start 4 12 2

# hooked STATUS: Alertmanager has told of the parked consumer
hooked() {
	told "$1" WeirConsumerParked '.consumer == "c1"'
}

# Nothing is wrong: no alert, neither here nor there.
assert_json "$(ctl health get)" '.well and .troubles == []'
assert_json "$(ctl alert list)" '.alerts == []'
assert_fails hooked firing

# A consumer that nothing is let through to, while messages wait for it.
ctl consumer pause c1 >/dev/null
send exporter --to 10.0.0.2:4739 --rate 5k --count 500 --keys 20 --size 100 --json "$tmp/sent.json"
parked='.alerts[] | select(.alert == "WeirConsumerParked" and .state == "active")'
wait_for "ctl alert list | jq -e '$parked'" 20
assert_json "$(ctl alert list)" "$parked | .subject == \"consumer=c1 group=g\" and
	.short > 0.5 and .severity == \"warning\" and .acknowledged == false"
assert_json "$(ctl alert ack WeirConsumerParked)" '.acknowledged == 1'
assert_json "$(ctl alert list)" "$parked | .acknowledged"
wait_for "hooked firing" 20
wait_for "curl -s http://127.0.0.1:9464/metrics |
	grep -q '^weir_alerts{alert=\"WeirConsumerParked\",severity=\"warning\"} 1'"
ctl consumer resume c1 >/dev/null
wait_for "ctl group list | jq -e '.groups[0].held == 0'"
wait_for "ctl alert list | jq -e '.alerts == []'" 20
wait_for "hooked resolved" 20

# The same was told as it happened, and logged; the reason has one name everywhere.
for event in consumer_state alert alert_over; do
	wait_for "jq -se 'any(.[]; .params.event == \"$event\")' $tmp/events"
done
jq -se 'map(.params | select(.event == "alert" and .reason != "WeirDrift"))[0] |
	.reason == "WeirConsumerParked" and .subject == "consumer=c1 group=g"' "$tmp/events" >/dev/null || fail "$(cat "$tmp/events")"
grep '^{' "$gateway_log" | jq -se 'map(select(.event == "alert" and
	.reason == "WeirConsumerParked" and .level == "warning")) | length == 1' >/dev/null ||
	fail "the log has no line for the alert"

# A link that goes: named by a watchdog, which looks at routes again; and well again with it.
ip link set gw0 down
wait_for "ctl health get | jq -e '.troubles[] | select(.watchdog == \"port\" and
	.subject == \"port=lan\" and .acted >= 1)'"
assert_eq "$(curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:9464/healthz)" 503 "health"
assert_json "$(ctl metric list name=weir_remedy)" '.metrics[] | select(.labels.action ==
	"look_again" and .labels.watchdog == "port" and .labels.outcome == "done") | .value >= 1'
ip link set gw0 up
wait_for "ctl health get | jq -e '.well'" 20

# A consumer's host, the disk and a worker: each is named, and well again with its cause.
# troubles WATCHDOG SUBJECT: it is named
troubles() {
	ctl health get | jq -e ".troubles[] | select(.watchdog == \"$1\" and .subject == \"$2\")" \
		>/dev/null
}
in_ns c1 ip link set eth0 down
mount -o remount,ro "$state"
wait_for "troubles neighbour consumer=c1" 20
wait_for "troubles disk file=$state/weir"
in_ns c1 ip link set eth0 up
mount -o remount,rw "$state"
wait_for "ctl health get | jq -e '.well'" 20
thread=$(grep -l worker /proc/"$gateway_pid"/task/*/comm | head -n 1 | cut -d / -f 5)
python3 "$weir_tests/stop_thread.py" "$thread" >"$tmp/stopped" 2>&1 &
stopper=$!
wait_for "troubles worker worker=0"
kill "$stopper"
wait_for "ctl health get | jq -e '.well'" 20

# Told to report only, it leaves it at that.
jq '.watchdog.act = false' "$tmp/weir.json" >"$tmp/next.json"
ctl config apply "$tmp/next.json" >/dev/null
ip link set gw0 down
wait_for "ctl metric list name=weir_remedy | jq -e '.metrics[] | select(.labels.watchdog == \"port\" and
	.labels.outcome == \"reported\") | .value >= 1'"
ip link set gw0 up
wait_for "ctl health get | jq -e '.well'" 20

# Drift: what is changed under the gateway is named with both values, an event and an alert tell of
# it, and with the change it is gone.
# differs NAME INTENDED ACTUAL
differs() {
	assert_json "$(ctl drift show)" ".drifted and any(.differences[]; .name == \"$1\" and
		.intended == \"$2\" and .actual == \"$3\" and .for_ms >= 0)" "drift of $1"
}
mtu=$(cat /sys/class/net/gw0/mtu)
filter=$(cat /proc/sys/net/ipv4/conf/gw0/rp_filter)
assert_json "$(ctl drift show)" '.drifted == false and all(.sides[]; .intended == .actual)'
ip link set gw0 mtu 1400
echo $((filter == 2 ? 1 : 2)) >/proc/sys/net/ipv4/conf/gw0/rp_filter
ctl consumer set-rate c1 packets_per_s=1000000 >/dev/null
thread=$(grep -l worker /proc/"$gateway_pid"/task/*/comm | head -n 1 | cut -d / -f 5)
taskset -pc 0 "$thread" >/dev/null
pages=$(cat /proc/sys/vm/nr_hugepages)
echo $((pages + 1)) >/proc/sys/vm/nr_hugepages
hugepages_added=$(($(cat /proc/sys/vm/nr_hugepages) - pages))
differs port.lan.mtu "$mtu" 1400
differs net.ipv4.conf.gw0.rp_filter "$filter" $((filter == 2 ? 1 : 2))
differs consumer.c1.packets_per_s 0 1000000
differs worker.0.cpus 1 0
[ "$hugepages_added" = 0 ] || differs hugepages.2048kB "$pages" $((pages + 1))
assert_json "$(ctl drift show)" "(.differences | length) == $((4 + (hugepages_added > 0))) and
	all(.sides[]; .intended != .actual)"
wait_for "ctl alert list | jq -e '[.alerts[] | select(.alert == \"WeirDrift\" and
	.state == \"active\") | .subject] | sort == [\"side=effective\", \"side=host\"]'" 20
wait_for "told firing WeirDrift" 20
hugepages_restore
hugepages_added=0
echo "$filter" >/proc/sys/net/ipv4/conf/gw0/rp_filter
ctl consumer set-rate c1 packets_per_s=0 >/dev/null
taskset -pc 1 "$thread" >/dev/null
assert_json "$(ctl drift show)" '[.differences[].name] == ["port.lan.mtu"]'
assert_json "$(ctl drift accept)" '.drifted == false'
ip link set gw0 mtu "$mtu"
differs port.lan.mtu 1400 "$mtu"
ctl drift accept >/dev/null
wait_for "ctl metric list name=weir_drift_differences | jq -e '(.metrics | length) == 2 and
	all(.metrics[]; .value == 0)'"
for event in drift drift_over; do
	jq -se "any(.[].params; .event == \"$event\" and .subject == \"port.lan.mtu\" and
		.reason == \"host\")" "$tmp/events" >/dev/null || fail "no event $event"
done

wait_for "told resolved WeirDrift" 20

# What is usual is kept. A gateway that is gone cannot say so; Prometheus does.
assert_json "$(ctl baseline compare)" '.baselines | length >= 3'
assert_fails told firing WeirDown
receiver_stop r1
weir_stop
wait "$events" || true
wait_for "told firing WeirDown" 20
[ -s "$state/weir.baseline" ] || fail "no baseline was kept"
cp "$state/weir.baseline" "$tmp/before"
weir_start "$tmp/weir.json"
wait_for "told resolved WeirDown" 20
prometheus_stop
assert_json "$(ctl baseline show 'weir_worker_duty_ratio{worker="0",cpu="1"}')" \
	'[.hours[].values] | add >= 1'
weir_stop
