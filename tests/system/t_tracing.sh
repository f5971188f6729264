#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# light
#
# Messages are followed from receive to acknowledgement: which they are is as asked, each stage is
# a span with the gate that held it, an operator sees a waterfall and a collector gets OTLP. While
# nothing is asked for, nothing is traced. A producer's trace goes on in the gateway's spans, and at
# its consumers.

# shellcheck source=tests/system/_init.sh
. "$(dirname "$0")/_init.sh"

# A collector: each document is a line.
cat >"$tmp/collector.py" <<'END'
import http.server
import sys


class Collector(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/v1/traces" and self.headers["Content-Type"] == "application/json":
            with open(sys.argv[1], "ab") as file:
                file.write(body + b"\n")
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *args):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", 4318), Collector).serve_forever()
END
: >"$tmp/documents"
python3 "$tmp/collector.py" "$tmp/documents" &

# spans FILTER: those that the collector has, one a line, with attributes as members
spans() {
	jq -c '.resourceSpans[].scopeSpans[].spans[] | . + (.attributes | map({(.key):
		(.value.stringValue // (.value.intValue | tonumber))}) | add)' "$tmp/documents" |
		jq -c "select($1)"
}

lan
host exporter 1
kernel_port gw0 2
host limited 3
host slow 4
host maker 5
host told 6
cat >"$tmp/weir.json" <<END
{"workers": {"cpus": [0, 1]}, "control": {"socket": "$socket"},
"memory": {"hugepages": false, "buffers": 32768},
"trace": {"collector": "http://127.0.0.1:4318/v1/traces", "keep": 1024},
"ports": [{"name": "lan", "driver": "af_packet", "interface": "gw0"}],
"streams": [
	{"name": "flows", "match": {"udp_port": 4739}, "key": "ipfix", "partitions": 16},
	{"name": "other", "match": {"udp_port": 4740}, "key": "ipfix", "partitions": 4},
	{"name": "orders", "match": {"udp_port": 4741}, "key": "source", "partitions": 4,
		"producers": {"max": 2}}],
"groups": [
	{"name": "rated", "streams": ["flows", "other"], "consumers": [
		{"name": "limited", "address": "10.0.0.3", "port": 9995,
			"rate": {"packets_per_s": 4000, "burst_packets": 50}}]},
	{"name": "pulled", "class": "native", "streams": ["flows"]},
	{"name": "traced", "class": "native", "streams": ["orders"]}]}
END
weir_start "$tmp/weir.json"
receiver_start limited limited --listen 10.0.0.3:9995
receiver_start slow slow --native 10.0.0.2:4150 --group pulled --name slow --rate 4000 \
	--window-messages 64
wait_for "ctl consumer list | jq -e '[.consumers[] | select(.state == \"reachable\")] | length == 2'"
wait_for "ctl consumer show slow | jq -e '.partitions == 16'"

# Off: no message has a trace, and nobody is told of any.
send exporter --to 10.0.0.2:4739 --rate 2000 --count 500 --keys 40 --size 200 >/dev/null
wait_for "ctl group list | jq -e 'all(.groups[]; .held == 0)'"
assert_json "$(ctl trace list)" '.traces == [] and .rules == [] and .counters.begun == 0' "off"
assert_fails ctl trace show

# Bad rules name the parameter.
assert_fails ctl trace start stream=none
assert_fails ctl trace start key=10.0.0.1
assert_fails ctl trace start stream=flows key=nonsense

# One in so many: the share is right, and every one of them is whole.
ctl trace start stream=flows sample=10 count=100000 seconds=30 >"$tmp/rule.json"
assert_json "$tmp/rule.json" '.on and .sample == 10 and .stream == "flows"'
send exporter --to 10.0.0.2:4739 --rate 8000 --count 8000 --keys 40 --size 200 >/dev/null
key=$(ctl stream hotkeys flows | jq -r '.keys[0].key') # it is forgotten when nothing comes
send exporter --to 10.0.0.2:4740 --rate 8000 --count 100 --keys 40 --size 200 >/dev/null
wait_for "ctl group list | jq -e 'all(.groups[]; .held == 0)'"
wait_for "ctl trace list | jq -e '.counters | .open == 0 and .finished == .begun'"
ctl trace stop >"$tmp/rule.json"
assert_json "$tmp/rule.json" 'all(.rules[]; .ended_by == "stop" and (.on | not))'
ctl trace list limit=1024 >"$tmp/list.json"
assert_json "$tmp/list.json" '.counters.begun > 650 and .counters.begun < 950 and
	.counters.lost_events == 0 and .counters.unfinished == 0' "share of 1 in 10"
assert_json "$tmp/list.json" 'all(.traces[]; .stream == "flows")'
begun=$(jq .counters.begun "$tmp/list.json")

# Each of them is with the collector, with all its stages.
wait_for "[ \$(grep -o '\"name\":\"message\"' '$tmp/documents' | wc -l) -ge $begun ]"
for name in message receive; do
	assert_eq "$(spans ".name == \"$name\"" | wc -l)" "$begun" "spans: $name"
done
for name in wait send; do
	assert_eq "$(spans ".name == \"$name\"" | wc -l)" $((2 * begun)) "spans: $name"
done
assert_eq "$(spans '.name == "acknowledge" and ."weir.consumer" == "slow"' | wc -l)" "$begun" \
	"spans: acknowledge"
assert_num "$(spans '.name == "mesh"' | wc -l)" -gt 0 "spans of the mesh"
# A parent has the same trace, and time goes on.
spans true | jq -s -e --argjson begun "$begun" '
	(map(select(.parentSpanId == null)) | map({(.spanId): .}) | add) as $whole |
	($whole | length) == $begun and ([.[].spanId] | unique | length) == length and
	all(.[]; (.traceId | test("^[0-9a-f]{32}$")) and (.spanId | test("^[0-9a-f]{16}$")) and
		(.startTimeUnixNano | tonumber) <= (.endTimeUnixNano | tonumber)) and
	all(.[] | select(.parentSpanId != null); $whole[.parentSpanId].traceId == .traceId)' \
	>/dev/null || fail "spans that do not belong together"
# What held them is the gate of each consumer, and lasted nearly as long as they waited.
for pair in "limited packet_rate" "slow credit_messages"; do
	read -r consumer gate <<<"$pair"
	assert_num "$(spans ".name == \"wait\" and .\"weir.consumer\" == \"$consumer\" and
		.\"weir.gate\" == \"$gate\"" | wc -l)" -gt $((begun / 2)) "held by $gate"
done

# What a message of an operator's choice goes through, as a waterfall; one that waits shows where.
ctl consumer pause limited >/dev/null
ctl trace start stream=flows key="$key" consumer=slow count=1 >"$tmp/rule.json"
send exporter --to 10.0.0.2:4739 --rate 2000 --count 200 --keys 40 --size 200 >/dev/null
wait_for "ctl trace list | jq -e '.rules | any(.ended_by == \"count\")'"
wait_for "ctl trace show | jq -e '.open and any(.spans[]; .open and .gate == \"paused\")'"
weirctl --socket "$socket" trace >"$tmp/waterfall"
grep -qE '^wait +limited .*>.* paused [0-9.]+ m?s' "$tmp/waterfall" || fail "no waterfall with what holds it"
ctl consumer resume limited >/dev/null
wait_for "ctl trace show | jq -e '.open | not'"
weirctl --socket "$socket" trace show >"$tmp/waterfall"
for name in message receive wait send acknowledge; do
	grep -qE "^$name .*\|.*=.*\|" "$tmp/waterfall" || fail "a waterfall without $name"
done
assert_json "$(ctl trace list)" ".counters.begun == $begun + 1" "one of one key"

# A drop is the end of a trace, and has its reason.
ctl consumer pause limited >/dev/null
ctl trace start stream=other count=1 >/dev/null
send exporter --to 10.0.0.2:4740 --rate 2000 --count 1 --keys 1 --size 200 >/dev/null
wait_for "ctl trace show | jq -e '.stream == \"other\"'"
jq '.groups |= map(select(.name != "rated"))' "$tmp/weir.json" >"$tmp/without.json"
ctl config apply "$tmp/without.json" >/dev/null
wait_for "ctl trace show | jq -e 'any(.spans[]; .reason == \"removed\")'"
wait_for "[ -n \"\$(spans '.\"weir.reason\" == \"removed\" and .status.code == 2')\" ]"

# A trace context from Python to Python: the producer's span is above the gateway's, the gateway's
# above the consumer's; one that is not sampled is carried as it is, and without one there is none.
if ! nm -D "$weir_build/lib/client/libweir.so.0" | grep -q __asan_init; then
	PYTHONPATH=$weir_root/lib/client/python WEIR_LIBRARY=$weir_build/lib/client/libweir.so.0 \
		PYTHONDONTWRITEBYTECODE=1 in_ns told timeout 30 /usr/bin/python3 - >"$tmp/python" <<-'END'
			import weir

			sampled = weir.TraceContext(bytes(range(16)), bytes(range(8)))
			contexts = sampled, sampled._replace(flags=0), None
			with weir.Consumer("10.0.0.2", "traced") as consumer:
			    with weir.Producer("10.0.0.2", "orders") as producer:
			        for context in contexts:
			            producer.send(b"one key", key=b"k", trace=context)
			    first, second, third = (consumer.next(20).trace for _ in contexts)
			    consumer.next(0)
			assert first.trace_id == sampled.trace_id and first.flags == 1, first
			assert second == contexts[1] and third is None, (second, third)
			print(sampled.trace_id.hex(), sampled.span_id.hex(), first.span_id.hex())
		END
	read -r trace parent span <"$tmp/python"
	wait_for "[ -n \"\$(spans '.traceId == \"$trace\" and .name == \"acknowledge\"')\" ]"
	assert_eq "$(spans ".traceId == \"$trace\" and .name == \"message\"" | jq -r '.parentSpanId, .spanId' |
		paste -sd ' ')" "$parent $span" "the gateway's span between Python's"
	begun=$((begun + 1))
fi

# A producer's trace: the gateway's spans are of it, below the producer's; the consumer's is below
# the gateway's. One that is not sampled is carried as it is, and a flood of them is followed in part.
trace=4bf92f3577b34da6a3ce929d0e0e4736
receiver_start told told --native 10.0.0.2:4150 --group traced --name told
wait_for "ctl consumer show told | jq -e '.partitions == 4'"
produce() { # TRACEPARENT [OPTION...]
	in_ns maker weirload produce --to 10.0.0.2:4150 --stream orders --name maker \
		--traceparent "$@" >"$tmp/produced.json" || fail "produce"
}
produce "00-$trace-00f067aa0ba902b7-01" --count 1
wait_for "[ -n \"\$(spans '.traceId == \"$trace\" and .name == \"acknowledge\"')\" ]"
assert_eq "$(spans ".traceId == \"$trace\" and .name == \"message\"" | jq -r .parentSpanId)" \
	00f067aa0ba902b7 "the producer's span before the gateway's"
span=$(spans ".traceId == \"$trace\" and .name == \"message\"" | jq -r .spanId)
assert_eq "$(spans ".traceId == \"$trace\" and .name != \"message\"" | jq -r .parentSpanId | sort -u)" \
	"$span" "the gateway's own spans"
assert_json "$(ctl trace show)" ".id == \"$trace\" and .parent == \"00f067aa0ba902b7\"" "trace show"
produce "00-$trace-00f067aa0ba902b7-01" --count 400 --rate 0
produce "00-$trace-b7ad6b7169203331-00" --count 200 --rate 0 --trace-every 2
wait_for "ctl group list | jq -e 'all(.groups[]; .held == 0)'"
wait_for "ctl trace list | jq -e '.counters | .open == 0 and .finished == .begun'"
receiver_stop told
assert_json "$tmp/told.json" ".received == 601 and .lost == 0 and .native.contexts == 501 and
	.native.traceparent == \"00-$trace-b7ad6b7169203331-00\"" "what its consumer was told"
# As many as the budget has, at most; the counter is of all traces.
assert_num "$(ctl trace list | jq .counters.begun)" -gt $((begun + 3)) "some are followed"
assert_num "$(ctl trace list | jq .counters.begun)" -lt $((begun + 403)) "not all are"

# A collector that is gone is said once, and holds up nothing.
jq '.trace.collector = "http://127.0.0.1:4319/v1/traces" | .trace.sample = 2' "$tmp/weir.json" \
	>"$tmp/gone.json"
ctl config apply "$tmp/gone.json" >/dev/null
send exporter --to 10.0.0.2:4739 --rate 2000 --count 200 --keys 40 --size 200 >/dev/null
wait_for "ctl trace list | jq -e '.counters.documents.failed > 0'"
assert_eq "$(grep -c 'takes no traces' "$gateway_log")" 1 "lines about the collector"
assert_law
for name in limited slow; do
	receiver_stop $name
done
weir_stop
