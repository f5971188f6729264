#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# light
#
# What /metrics says is what happened on the wire, the same by HTTP, by the control socket and by
# DPDK's telemetry; a real Prometheus reads it; and HTTP clients that do their worst cost neither
# the control socket nor a packet.

# shellcheck source=tests/system/_init.sh
. "$(dirname "$0")/_init.sh"

lan
host exporter 1
kernel_port gw0 2
host c1 3
(umask 077 && echo "0123456789abcdef0123456789abcdef" >"$tmp/token")
cat >"$tmp/weir.json" <<-END
	{"workers": {"cpus": [1]},
	"control": {"socket": "$socket"},
	"memory": {"hugepages": false, "buffers": 32768},
	"telemetry": {"interval_ms": 200, "token_file": "$tmp/token"},
	"reach": {"probe_ms": 100},
	"ports": [{"name": "lan", "driver": "af_packet", "interface": "gw0"}],
	"streams": [{"name": "flows", "match": {"udp_port": 4739}, "key": "ipfix", "partitions": 8,
		"tier": "bulk"}],
	"groups": [{"name": "g", "streams": ["flows"], "consumers": [
		{"name": "c1", "address": "10.0.0.3", "port": 9995}]}]}
END
weir_start "$tmp/weir.json"
wait_for "ctl consumer list | jq -e '.consumers[0].state == \"reachable\"'"
receiver_start r1 c1 --listen 10.0.0.3:9995

fetch() {
	curl -sf -m 5 -H "Authorization: Bearer $(cat "$tmp/token")" "http://127.0.0.1:9464$1"
}

# value NAME-AND-LABELS: of the newest figures
value() {
	fetch /metrics | awk -v name="$1" 'index($0, name " ") == 1 {print $NF}'
}

# shows NAME-AND-LABELS VALUE
shows() {
	wait_for "[ \"\$(value '$1')\" = '$2' ]"
}

send exporter --to 10.0.0.2:4739 --rate 5k --count 2000 --keys 20 --size 100 --json "$tmp/sent.json"
wait_for "ctl group list | jq -e '.groups[0].delivered == 2000'"
shows 'weir_stream_received_messages_total{stream="flows",tier="bulk"}' 2000
shows 'weir_stream_received_bytes_total{stream="flows",tier="bulk"}' 200000
shows 'weir_tier_received_messages_total{tier="bulk"}' 2000
shows 'weir_group_delivered_messages_total{stream="flows",group="g"}' 2000
shows 'weir_consumer_delivered_messages_total{consumer="c1",group="g",class="blind"}' 2000
shows 'weir_port_matched_packets_total{port="lan"}' 2000
shows weir_law_violations 0
shows 'weir_latency_seconds_count{stage="send",tier="bulk"}' 2000
shows 'weir_latency_seconds_count{stage="ring"}' 2000
assert_eq "$(fetch /metrics | awk '/^weir_partition_messages_total/ {sum += $NF} END {print sum}')" \
	2000 "messages of all partitions"
assert_eq "$(fetch /metrics | tail -n 1)" "# EOF" "the last line"
assert_json "$(ctl stats get)" '.latency[] | select(.tier == "bulk") |
	.messages == 2000 and .p50_us > 0 and .p999_us >= .p50_us' "quantiles"
assert_eq "$(fetch /healthz)" ok "health"

# The same by the other ways.
assert_json "$(ctl metric list name=weir_group_delivered_messages)" \
	'.metrics[0].value == 2000 and .metrics[0].labels.group == "g"'
cat >"$tmp/ask.py" <<-'END'
	import json, socket, sys
	link = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
	link.connect(sys.argv[1])
	link.recv(16384)
	link.send(b"/weir/metrics,weir_port_matched")
	print(json.dumps(json.loads(link.recv(65536))["/weir/metrics"]))
END
telemetry=$(find /run/dpdk -name 'dpdk_telemetry*' | head -n 1)
assert_json "$(python3 "$tmp/ask.py" "$telemetry")" \
	'.["weir_port_matched_packets_total/lan"] == 2000' "DPDK's telemetry"

# What holds a consumer back shows in seconds of its gate.
ctl consumer pause c1 >/dev/null
send exporter --to 10.0.0.2:4739 --rate 5k --count 100 --keys 20 --size 100 --json "$tmp/sent.json"
limited='weir_consumer_limited_seconds_total{consumer="c1",group="g",class="blind",gate="paused"}'
wait_for "value '$limited' | awk '{exit !(\$1 > 0.3)}'"
ctl consumer resume c1 >/dev/null
wait_for "ctl group list | jq -e '.groups[0].delivered == 2100'"
assert_json "$(ctl consumer show c1)" '.health.limited_s.paused > 0.3 and
	(.health.limited_s | keys) == ["paused"]' "seconds by gate"

# A real Prometheus.
cat >"$tmp/prometheus.yml" <<-END
	scrape_configs:
	  - job_name: weir
	    scrape_interval: 500ms
	    authorization: {credentials_file: $tmp/token}
	    static_configs: [{targets: ["127.0.0.1:9464"]}]
END
prometheus --config.file="$tmp/prometheus.yml" --storage.tsdb.path="$tmp/tsdb" \
	--web.listen-address=127.0.0.1:9090 >"$tmp/prometheus.log" 2>&1 &
prometheus_pid=$!
query() {
	curl -sG -m 5 --data-urlencode "query=$1" http://127.0.0.1:9090/api/v1/query
}
wait_for "query 'up{job=\"weir\"} == 1' | jq -e '.data.result | length == 1'" 30
wait_for "query 'sum(weir_group_delivered_messages_total)' |
	jq -e '.data.result[0].value[1] == \"2100\"'"
wait_for "query 'histogram_quantile(0.99, weir_latency_seconds_bucket{stage=\"send\"})' |
	jq -e '.data.result | map(select(.value[1] != \"NaN\")) | length > 0'"
kill "$prometheus_pid"
wait "$prometheus_pid" || true

# Clients that say nothing, stop in the middle or ask without reading: the control socket answers as
# before, no packet is lost, and in the end a scrape comes through again.
cat >"$tmp/hostile.py" <<-'END'
	import socket, sys, time
	held = []
	for number in range(300):
	    link = socket.socket()
	    link.settimeout(2)
	    try:
	        link.connect(("127.0.0.1", 9464))
	        link.send((b"", b"GET /met", b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n" * 50,
	                   b"\x00" * 20000)[number % 4])
	    except OSError:
	        pass
	    held.append(link)
	print("held", flush=True)
	time.sleep(60)
END
python3 "$tmp/hostile.py" >"$tmp/hostile.out" &
hostile=$!
wait_for "grep -q held $tmp/hostile.out" 20
send exporter --to 10.0.0.2:4739 --rate 5k --count 2000 --keys 20 --size 100 --json "$tmp/sent.json"
start=${EPOCHREALTIME/./}
ctl version >/dev/null
assert_num $((${EPOCHREALTIME/./} - start)) -lt 2000000 "us that the control socket took"
wait_for "ctl group list | jq -e '.groups[0].delivered == 4100'"
assert_law
wait_for "fetch /metrics >/dev/null" 40
kill "$hostile"
wait "$hostile" || true
assert_eq "$(curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:9464/metrics)" 401 "no token"

# A limit on samples, and no HTTP, take effect without a restart.
jq '.telemetry.partitions = 3' "$tmp/weir.json" >"$tmp/next.json"
ctl config apply "$tmp/next.json" >/dev/null
shows weir_samples_left_out 5
jq '.telemetry.port = 0' "$tmp/weir.json" >"$tmp/next.json"
ctl config apply "$tmp/next.json" >/dev/null
assert_fails fetch /metrics
assert_json "$(ctl metric list name=weir_http)" '.metrics | map(select(.labels.status == "401")) |
	.[0].value >= 1' "counters survive the listener"
receiver_stop r1
assert_json "$tmp/r1.json" '.received == 4100 and .lost == 0' "messages at the receiver"
weir_stop
