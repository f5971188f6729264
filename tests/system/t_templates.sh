#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# light
#
# A collector that takes an exporter over has its templates before the first record that needs
# them, and knows how it samples: through twenty moves, nfcapd and nfacctd store every record that a
# witness gets from the exporters directly, nfacctd multiplied by the exporter's sampling rate, and
# see no sequence number missing or twice but where a move left a gap. The exporters of
# flow_exporter.py send their templates and rates once, and never again: not when the gateway is
# killed or stopped and another one serves collectors that are new, nor when the stream is made
# anew with another number of partitions.

# shellcheck source=tests/system/_init.sh
. "$(dirname "$0")/_init.sh"

moves=20
templates=26 # of all domains of flow_exporter.py, options templates among them
options=4    # records of options data, one of each domain
declare -A number_of=([witness]=25 [n1]=21 [n2]=22 [n3]=23 [n4]=24 [a1]=31 [a2]=32 [a3]=33 [a4]=34)
declare -A pid_of=()

consumer() {
	printf '{"name": "%s", "address": "10.0.0.%s", "port": 9995, "source": "keep"}' \
		"$1" "${number_of[$1]}"
}

# write_config MEMBER [PARTITIONS]: of both groups, the one that has everything
write_config() {
	cat >"$tmp/weir.json" <<END
{"workers": {"cpus": [1]}, "control": {"socket": "$socket"}, "memory": {"hugepages": false},
"state": {"file": "$tmp/state", "interval_ms": 50},
"ports": [{"name": "lan", "driver": "af_packet", "interface": "gw0"}],
"streams": [{"name": "flows", "match": {"udp_port": 2055}, "key": "flow",
	"partitions": ${2:-3}}],
"groups": [
	{"name": "nfcapd", "streams": "flows", "consumers": [$(consumer "n$1")]},
	{"name": "nfacctd", "streams": "flows", "consumers": [$(consumer "a$1")]}]}
END
}

nfcapd_start() {
	host "$1" "${number_of[$1]}"
	mkdir -p "$tmp/$1"
	in_ns_start "$1" nfcapd -p 9995 -w "$tmp/$1" -t 86400 >"$tmp/$1.log" 2>&1
	pid_of[$1]=$!
	wait_for "[ -n \"\$(in_ns $1 ss -Hlun 'sport = :9995')\" ]"
}

nfacctd_start() {
	host "$1" "${number_of[$1]}"
	cat >"$tmp/$1.conf" <<END
daemonize: false
nfacctd_port: 9995
nfacctd_ip: 10.0.0.${number_of[$1]}
nfacctd_disable_checks: false
nfacctd_renormalize: true
plugins: print
print_output: json
print_output_file: $tmp/$1.flows
print_refresh_time: 3600
aggregate: src_host, dst_host, src_port, dst_port
plugin_buffer_size: 102400
plugin_pipe_size: 10240000
END
	in_ns_start "$1" nfacctd -f "$tmp/$1.conf" >"$tmp/$1.log" 2>&1
	pid_of[$1]=$!
	wait_for "[ -n \"\$(in_ns $1 ss -Hlun 'sport = :9995')\" ]" 20
}

ended() {
	wait_for "! is_running ${pid_of[$1]}" 20
	wait "${pid_of[$1]}" || true
}

# stored NAME...: the records that their nfcapd closed, sorted
stored() {
	local name
	for name in "$@"; do
		nfdump -R "$tmp/$name" -q -o 'fmt:%sa %da %sp %dp %pr %pkt %byt'
	done | sort
}

# scaled NAME: as nfacctd is to have them, by the rate of the domain, which is the last octet's
scaled() {
	stored "$1" | awk '{rate = 10 * substr($1, 8)
		print $1, $2, $3, $4, $6 * rate, $7 * rate}' | sort | sha256sum
}

flows_of_nfacctd() {
	jq -r '[.ip_src, .ip_dst, .port_src, .port_dst, .packets, .bytes] | join(" ")' \
		"$tmp"/a?.flows | sort | sha256sum
}

# are_reachable: the gateway serves those of its configuration
are_reachable() {
	ctl consumer list |
		jq -e '(.consumers | length == 2) and all(.consumers[]; .state == "reachable")'
}

# is_on_disk: the file has all templates and records, each with 35 bytes and the name, behind 16 and before 32
is_on_disk() {
	[ "$(stat -c %s "$tmp/state.templates")" = "$(ctl template list limit=100 |
		jq '[.templates[] | .bytes + 35 + (.stream | length)] | add + 48')" ]
}

# export_more: the next five messages of each domain come to whoever is configured
message=0 received=0
export_more() {
	in_ns exporter python3 "$weir_tests/flow_exporter.py" --to 10.0.0.2:2055 --to 10.0.0.25:9995 \
		--first $message --count 5 >>"$tmp/sent"
	message=$((message + 5))
	received=$((received + 20))
	wait_for "ctl group list | jq -e 'all(.groups[] | select(.draining | not);
		.received == $received and .held == 0)'"
}

# replayed TEMPLATES RECORDS: since the counters began, to the collectors of each group
replayed() {
	assert_json "$(ctl group list)" "[.groups[] | select(.draining | not) | .template_replayed |
		[.templates, .options]] == [[$1, $2], [$1, $2]]" "templates and options replayed"
}

lan
host exporter 11
kernel_port gw0 2
nfcapd_start witness
for i in 1 2 3 4; do
	nfcapd_start "n$i"
	nfacctd_start "a$i"
done
write_config 1
weir_start "$tmp/weir.json"
wait_for are_reachable
export_more
replayed 0 0
assert_json "$(ctl template list)" ".matching == $((templates + options)) and
	.templates[0].stream == \"flows\" and
	([.templates[] | select(.kind == \"record\") | .id] == [500, 500, 500, 500])"
assert_json "$(ctl template list exporter=10.0.0.11 limit=3 offset=$((templates + options - 1)))" \
	".matching == $((templates + options)) and (.templates | length == 1)"
assert_json "$(ctl stream list)" ".streams[0].options | .known == $options and .learned == $options"

# Killed, and stopped in order: collectors that never heard the exporters have all from the gateway.
wait_for is_on_disk
gateway_kill
received=0
write_config 2
weir_start "$tmp/weir.json"
wait_for are_reachable
export_more
replayed $templates $options
weir_stop
received=0
write_config 3
weir_start "$tmp/weir.json"
wait_for are_reachable
export_more
replayed $templates $options

# A stream made anew, and a new collector for it.
received=0
write_config 4 8
ctl config apply "$tmp/weir.json" >/dev/null
wait_for are_reachable
export_more
replayed $templates $options

# A move each 20 messages: the partitions of all domains go to the other member.
for ((move = 1; move <= moves; move++)); do
	write_config $((move % 2 + 1)) 8
	ctl config apply "$tmp/weir.json" >/dev/null
	wait_for are_reachable
	export_more
done
assert_law

# Every record is in the files, as the witness has it, and as often as it was sent.
sent=$(awk '{n += $1} END {print n}' "$tmp/sent")
for name in n1 n2 n3 n4 witness; do
	kill -TERM "${pid_of[$name]}"
	ended "$name"
done
for name in a1 a2 a3 a4; do
	kill -INT "${pid_of[$name]}"
	ended "$name"
done
assert_eq "$(stored witness | wc -l)" "$sent" "records of the witness"
assert_eq "$(stored n1 n2 n3 n4 | sha256sum)" "$(stored witness | sha256sum)" "records of nfcapd"
assert_eq "$(scaled witness)" "$(flows_of_nfacctd)" "records of nfacctd, by their sampling rates"
assert_eq "$(cat "$tmp"/a?.flows | wc -l)" "$sent" "records of nfacctd"

# A collector that gets four domains back misses what the other got: once for each. The records of
# options data that come with two of them are in the sequence numbers of IPFIX, but nfcapd does not
# count such, not the exporter's own either: so it misses them as often, and n2 also where it first
# got one in the datagram of a message with flows.
for name in a1 a2; do
	assert_eq "$(grep -c 'expecting flow' "$tmp/$name.log")" $((4 * moves / 2)) \
		"sequence failures of $name"
done
declare -A failures=([n1]=$(((4 + 2) * moves / 2)) [n2]=$(((4 + 2) * moves / 2 + 1)))
for name in n1 n2; do
	assert_eq "$(nfdump -R "$tmp/$name" -I | awk '/^Sequence failures:/ {print $3}')" \
		"${failures[$name]}" "sequence failures of $name"
done
weir_stop
