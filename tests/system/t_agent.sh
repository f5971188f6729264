#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# time limit: 300
# measures time
#
# Unmodified collectors with weir-agent beside them lose nothing while they are stopped for two
# seconds under 20,000 packets a second; without it they do. The agent costs next to nothing when
# there is no traffic, and outlives its collector and the gateway.

# shellcheck source=tests/system/_init.sh
. "$(dirname "$0")/_init.sh"

rate=20k
seconds=4
stop_after=20000 # packets delivered
declare -A pid_of=() agent_pid=()

lan
host exporter 1
kernel_port gw0 2
host flows 3
host logs 4
cat >"$tmp/weir.json" <<END
{"workers": {"cpus": [1]}, "control": {"socket": "$socket"},
"memory": {"hugepages": false, "buffers": 131072, "buffer_bytes": 2048},
"reach": {"probe_ms": 500},
"ports": [{"name": "lan", "driver": "af_packet", "interface": "gw0", "descriptors": 8192}],
"streams": [
	{"name": "netflow", "match": {"udp_port": 2055}, "key": "flow", "partitions": 16,
		"ring": {"messages": 16384, "age_ms": 60000}},
	{"name": "syslog", "match": {"udp_port": 5514}, "key": "5tuple", "partitions": 16,
		"ring": {"messages": 16384, "age_ms": 60000}}],
"groups": [
	{"name": "collectors", "class": "assisted", "streams": "netflow", "consumers": [
		{"name": "nfcapd", "address": "10.0.0.3", "port": 9995}]},
	{"name": "logs", "class": "assisted", "streams": "syslog", "consumers": [
		{"name": "rsyslog", "address": "10.0.0.4", "port": 514}]}]}
END

# All of them with the socket buffer that they have by default.
collector_start() {
	case $1 in
	nfcapd)
		mkdir -p "$tmp/flows"
		in_ns_start flows nfcapd -p 9995 -w "$tmp/flows" -t 86400 >>"$tmp/nfcapd.log" 2>&1
		pid_of[nfcapd]=$!
		wait_for "[ -n \"\$(in_ns flows ss -Hlun 'sport = :9995')\" ]"
		;;
	rsyslog)
		cat >"$tmp/rsyslog.conf" <<END
global(workDirectory="$tmp" net.enableDNS="off")
main_queue(queue.size="300000" queue.timeoutEnqueue="60000")
module(load="imudp")
input(type="imudp" address="10.0.0.4" port="514")
if \$programname == "weirload" then action(type="omfile" file="$tmp/syslog.txt")
END
		in_ns_start logs rsyslogd -n -f "$tmp/rsyslog.conf" -i "$tmp/rsyslog.pid" \
			>>"$tmp/rsyslog.log" 2>&1
		pid_of[rsyslog]=$!
		wait_for "[ -n \"\$(in_ns logs ss -Hlun 'sport = :514')\" ]"
		;;
	esac
}

# In order: what it has is in its files then.
collector_stop() {
	kill -TERM "${pid_of[$1]}"
	wait_for "! is_running ${pid_of[$1]}" 60
	wait "${pid_of[$1]}" || true
}

# stored NAME: records in the collector's files
stored() {
	case $1 in
	nfcapd) nfdump -R "$tmp/flows" -I | awk '/^Flows:/ {n += $2} END {print n + 0}' ;;
	rsyslog) wc -l <"$tmp/syslog.txt" ;;
	esac
}

host_of() {
	[ "$1" = nfcapd ] && echo flows || echo logs
}

port_of() {
	[ "$1" = nfcapd ] && echo 9995 || echo 514
}

# What the collector's kernel dropped at its socket, as the kernel says.
socket_drops() {
	# shellcheck disable=SC2016 # the dollars are awk's
	in_ns "$(host_of "$1")" awk -v port="$(printf '%04X' "$(port_of "$1")")" \
		'$2 ~ ":" port "$" {n += $NF} END {print n + 0}' /proc/net/udp /proc/net/udp6
}

shown() {
	ctl consumer show "$1"
}

# agent_start NAME GROUP [ARGUMENTS...]: returns when the gateway has its reports
agent_start() {
	in_ns_start "$(host_of "$1")" weir-agent --port "$(port_of "$1")" --gateway 10.0.0.2 \
		--group "$2" --name "agent-$1" "${@:3}" 2>>"$tmp/agent-$1.log"
	agent_pid[$1]=$!
	wait_for "shown $1 | jq -e '.agent.reports > 0'"
}

agent_stop() {
	local status=0
	kill -TERM "${agent_pid[$1]}"
	wait "${agent_pid[$1]}" || status=$?
	assert_eq $status 0 "status of the agent of $1"
	wait_for "shown $1 | jq -e '.agent == null'"
}

# Messages that the gateway has received for the collector. A machine that is busy elsewhere may
# lose some before that, in the exporter or in the kernel's ring: they are not this test's.
received() {
	ctl group list | jq --arg group "$1" '.groups[] | select(.name == $group) | .received'
}

# all_received GROUP: no more comes, and nothing is held. Sets took.
all_received() {
	local last=-1
	took=$(received "$1")
	while [ "$took" != "$last" ]; do
		last=$took
		sleep 0.5 # what is on its way comes within that
		took=$(received "$1")
	done
	wait_for "ctl group list | jq -e 'all(.groups[]; .held == 0)'" 60
}

# load NAME PORT TYPE GROUP: traffic, and the collector stopped for two seconds of it. Sets sent,
# which is what the gateway took of it.
load() {
	local name=$1 before took_before now sender
	before=$(shown "$name" | jq .delivered)
	took_before=$(received "$4")
	send exporter --to "10.0.0.2:$2" --type "$3" --rate $rate --seconds $seconds --keys 64 \
		--sources 64 --json "$tmp/$name-sent.json" &
	sender=$!
	wait_for "shown $name | jq -e '.delivered > $before + $stop_after'"
	kill -STOP "${pid_of[$name]}"
	sleep 2 # as long as a file rotation may take
	kill -CONT "${pid_of[$name]}"
	wait $sender
	all_received "$4"
	sent=$((took - took_before))
	assert_within "$sent" "$(jq .sent "$tmp/$name-sent.json")" 10 "received by the gateway"
	assert_json "$(ctl group list)" 'all(.groups[]; .dropped == {})' "dropped by the gateway"
	now=$(shown "$name" | jq .delivered)
	assert_eq $((now - before)) "$sent" "delivered to $name"
	# What was delivered is in the socket; the collector takes it out.
	wait_for "[ -z \"\$(in_ns $(host_of "$name") ss -Hlun 'sport = :$(port_of "$name")' |
		awk '\$2 != 0')\" ]" 30
	wait_for "ctl check" # a busy machine may not answer at once
}

# run NAME PORT TYPE GROUP: with the agent, and without it
run() {
	local name=$1 all
	collector_start "$name"
	assert_json "$(shown "$name")" '.class == "assisted" and .agent == null and
		.guarantee == "at most once"' "$name without an agent"
	agent_start "$name" "$4"
	assert_json "$(shown "$name")" '.guarantee == "at most once, without overrun" and
		.agent.limit_bytes > 0' "$name with an agent"
	load "$name" "$2" "$3" "$4"
	shown "$name" >"$tmp/$name-with.json"
	assert_eq "$(socket_drops "$name")" 0 "drops at the socket of $name with an agent"
	assert_json "$tmp/$name-with.json" '.agent.drops == 0 and .gate.credit_bytes > 0'
	agent_stop "$name"
	collector_stop "$name"
	all=$(stored "$name")
	echo "$name with an agent: sent $sent, stored $all; $(jq -c .agent "$tmp/$name-with.json")"
	assert_eq "$all" "$sent" "stored by $name with an agent"

	collector_start "$name"
	load "$name" "$2" "$3" "$4"
	assert_num "$(socket_drops "$name")" -gt 0 "drops at the socket of $name without an agent"
	collector_stop "$name"
	echo "$name without one: sent $sent, stored $(($(stored "$name") - all))"
	assert_num $(($(stored "$name") - all)) -lt "$sent" "stored by $name without an agent"
}

# The processor time of the agent in ms.
agent_ms() {
	awk '{print int($1 / 1000000)}' "/proc/${agent_pid[$1]}/schedstat"
}

weir_start "$tmp/weir.json" --log-level info
wait_for "ctl consumer list | jq -e 'all(.consumers[]; .state == \"reachable\")'"
run nfcapd 2055 netflow5 collectors
run rsyslog 5514 syslog logs

# A collector that is gone is waited for: what comes meanwhile is kept, and nothing is refused.
collector_start nfcapd
agent_start nfcapd collectors --verbose
sleep 1.2 # it looks often for a second after the first question
agent_before=$(agent_ms nfcapd)
sleep 2 # idle
spent=$(($(agent_ms nfcapd) - agent_before))
echo "the idle agent took $spent ms of 2 s"
assert_num $spent -le 20 "ms of processor time in 2 s without traffic"
# A queue that moves is looked at every millisecond.
kill -STOP "${pid_of[nfcapd]}"
agent_before=$(agent_ms nfcapd)
send exporter --to 10.0.0.2:2055 --type netflow5 --count 40 --rate 10 --keys 64 \
	--sources 64 --json "$tmp/trickle.json"
spent=$(($(agent_ms nfcapd) - agent_before))
kill -CONT "${pid_of[nfcapd]}"
echo "the agent that looks every millisecond took $spent ms of 4 s"
# A look takes some 3 us; to sleep and wake takes a virtual machine up to ten times that.
assert_num $spent -le 160 "ms of processor time in 4 s at 1 ms"
wait_for_line "$tmp/agent-nfcapd.log" ' [89][0-9][0-9] looks'
collector_stop nfcapd
wait_for "shown nfcapd | jq -e '.agent.limit_bytes == 0 and .state == \"paused\"'"
delivered_before=$(shown nfcapd | jq .delivered)
took_before=$(received collectors)
send exporter --to 10.0.0.2:2055 --type netflow5 --count 5000 --rate 5k --keys 64 \
	--sources 64 --json "$tmp/gone.json"
wait_for_line "$tmp/weir.log" 'consumer nfcapd: nobody listens'
assert_eq "$(shown nfcapd | jq .delivered)" "$delivered_before" "sent to nobody"
before=$(stored nfcapd)
collector_start nfcapd
all_received collectors

took=$((took - took_before))
assert_num $took -ge 4500 "received while the collector was gone"

# A gateway that is restarted finds its agent again.
weir_stop
weir_start "$tmp/weir.json" --log-level info
wait_for "shown nfcapd | jq -e '.agent.name == \"agent-nfcapd\" and .agent.limit_bytes > 0'" 20
agent_stop nfcapd
collector_stop nfcapd
assert_eq $(($(stored nfcapd) - before)) $took "stored by a collector that was restarted"

# What cannot be is said clearly.
in_ns flows weir-agent --port 9996 --gateway 10.0.0.2 --group nobody --once 2>"$tmp/said" &&
	fail "an agent of no group"
grep -q 'no such group' "$tmp/said" || fail "the refusal: $(cat "$tmp/said")"
status=0
in_ns flows weir-agent --port 9996 --gateway 10.0.0.2 --group collectors --once 2>"$tmp/said" ||
	status=$?
assert_eq $status 1 "status without a socket"
grep -q 'nobody listens' "$tmp/said" || fail "the missing socket: $(cat "$tmp/said")"
for arguments in "" "--port 0" "--port x --gateway 1 --group g" "--gateway 10.0.0.2" \
	"--port 1 --gateway 10.0.0.2 --group g more" "--nonsense"; do
	status=0
	# shellcheck disable=SC2086 # several arguments
	weir-agent $arguments >"$tmp/said" 2>&1 || status=$?
	assert_eq $status 2 "status of: weir-agent $arguments"
done
assert_law
weir_stop
