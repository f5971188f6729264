# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2154 # tmp and socket are set by _init.sh
#
# The hosts of the quickstart and what runs on them. Every host is a namespace on one switch:
#
#	netflow 10.0.0.11, ipfix .33    softflowd, watching an interface towards `traffic`
#	gateway .2                      this namespace
#	nfcapd-1 .21, nfcapd-2 .22      the group "balanced"
#	slow .23                        the group "slow"
#	native .24                      the group "native"
#	witness .25                     not behind the gateway

# A native message travels whole: the exporters' 1,428 bytes and 96 of frame, UDP and IP.
mtu=1600
slow_rate=20 # packets/s, about two thirds of what the exporters send
flows=1000   # at a time, for each exporter

exporters=(netflow ipfix)
declare -A number_of=([netflow]=11 [ipfix]=33) # whose partitions are of different collectors
declare -A pid_of=()

write_config() {
	cat >"$tmp/weir.json" <<END
{
	"workers": {"idle": "sleep"},
	"memory": {"hugepages": false, "buffers": 16384},
	"control": {"socket": "$socket"},
	"native": {"max_frame": $((mtu - 28))},
	"ports": [
		{"name": "lan", "driver": "af_packet", "interface": "gw0", "mtu": $mtu}
	],
	"streams": [{
		"name": "flows",
		"match": {"udp_port": [2055, 4739]},
		"key": "flow",
		"partitions": 16,
		"ring": {"messages": 1024, "age_ms": 60000}
	}],
	"groups": [
		{"name": "balanced", "streams": "flows", "consumers": [
			{"name": "nfcapd-1", "address": "10.0.0.21", "port": 9995, "source": "keep"},
			{"name": "nfcapd-2", "address": "10.0.0.22", "port": 9995, "source": "keep"}
		]},
		{"name": "slow", "streams": "flows", "consumers": [
			{"name": "slow", "address": "10.0.0.23", "port": 9995, "source": "keep",
				"rate": {"packets_per_s": $slow_rate}}
		]},
		{"name": "native", "class": "native", "streams": "flows"}
	]
}
END
}

# collector NAME NUMBER: a host with nfcapd, which stores in $tmp/NAME
collector() {
	host "$1" "$2" $mtu
	mkdir "$tmp/$1"
	in_ns_start "$1" nfcapd -p 9995 -w "$tmp/$1" -t 86400 >"$tmp/$1.log" 2>&1
	pid_of[$1]=$!
	wait_for "[ -n \"\$(in_ns $1 ss -Hlun 'sport = :9995')\" ]"
}

# exporter NAME VERSION PORT: a host with softflowd on an interface towards `traffic`.
# A flow is reported at most every two seconds, so that it exports all the time.
exporter() {
	local name=$1 number=${number_of[$1]}
	host "$name" "$number" $mtu
	ip -n "$name" link add watched type veth peer name "$name" netns traffic
	in_ns "$name" sysctl -q net.ipv6.conf.watched.disable_ipv6=1
	in_ns traffic sysctl -q "net.ipv6.conf.$name.disable_ipv6=1"
	ip -n "$name" link set watched up
	ip -n traffic link set "$name" up
	ip -n traffic address add "192.0.$number.1/24" dev "$name"
	ip -n traffic neighbour add "192.0.$number.2" lladdr 02:00:00:00:01:00 dev "$name"
	in_ns_start "$name" softflowd -d -i watched -v "$2" -n "10.0.0.2:$3,10.0.0.25:9995" \
		-t maxlife=1 -t expint=1 -p "$tmp/$name.pid" -c "$tmp/$name.ctl" \
		2>"$tmp/$name.log"
	pid_of[$name]=$!
	wait_for "[ -S '$tmp/$name.ctl' ]"
}

scene() {
	lan
	kernel_port gw0 2 $mtu
	collector nfcapd-1 21
	collector nfcapd-2 22
	collector slow 23
	collector witness 25
	host native 24 $mtu
	write_config
	weir_start "$tmp/weir.json"
	receiver_start native native --native 10.0.0.2:4150 --group native --name native \
		--window-messages 256 --max-datagram $((mtu - 28))
	ns_add traffic
	exporter netflow 9 2055
	exporter ipfix 10 4739
}

# Many short packets of many flows past each exporter.
traffic_start() {
	local name number
	for name in "${exporters[@]}"; do
		number=${number_of[$name]}
		in_ns_start traffic weirload send --type raw --from "192.0.$number.1" \
			--to "192.0.$number.2:9" --sources $flows --keys $flows --rate 3000 \
			--json "$tmp/traffic-$name.json" 2>"$tmp/traffic-$name.log"
		pid_of[traffic-$name]=$!
	done
}

# ended NAME: stopped as asked, and waited for
ended() {
	wait_for "! is_running ${pid_of[$1]}" 20
	wait "${pid_of[$1]}" || fail "$1 ended with status $?"
}

# softflowd exports the flows it still holds, and ends (with status 1, though all is well). One
# after the other: bursts stay small.
exporters_stop() {
	local name
	for name in "${exporters[@]}"; do
		kill -TERM "${pid_of[traffic-$name]}"
		ended "traffic-$name"
		softflowctl -c "$tmp/$name.ctl" shutdown >/dev/null
		wait_for "! is_running ${pid_of[$name]}" 20
	done
}

collectors_stop() {
	local name
	for name in nfcapd-1 nfcapd-2 slow witness; do
		kill -TERM "${pid_of[$name]}"
		ended "$name"
	done
	receiver_stop native
}
