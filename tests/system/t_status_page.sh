#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# light
#
# The status page in a real browser: it shows what flows and what is wrong, fits a phone, follows
# the dark, and works by keyboard alone. weirctl top shows the same on a terminal and in a pipe.

# shellcheck source=tests/system/_init.sh
. "$(dirname "$0")/_init.sh"

command -v chromium >/dev/null || skip "no chromium"
/usr/bin/python3 -c "import pyte" 2>/dev/null || skip "no python3-pyte"
lan
host exporter 1
kernel_port gw0 2
host c1 3
cat >"$tmp/weir.json" <<-END
	{"workers": {"cpus": [1]},
	"control": {"socket": "$socket"},
	"memory": {"hugepages": false, "buffers": 32768},
	"telemetry": {"interval_ms": 300},
	"reach": {"probe_ms": 100},
	"ports": [{"name": "lan", "driver": "af_packet", "interface": "gw0"}],
	"streams": [{"name": "flows", "match": {"udp_port": 4739}, "key": "ipfix", "partitions": 8}],
	"groups": [{"name": "g", "streams": ["flows"], "consumers": [
		{"name": "c1", "address": "10.0.0.3", "port": 9995},
		{"name": "absent", "address": "10.0.0.77", "port": 9995}]}]}
END
weir_start "$tmp/weir.json"
receiver_start r1 c1 --listen 10.0.0.3:9995
wait_for "ctl consumer list | jq -e '[.consumers[] | .state] | sort == [\"reachable\", \"unreachable\"]'" 20
in_ns_start exporter weirload send --to 10.0.0.2:4739 --rate 2000 --keys 20 --size 100 --seconds 120 \
	--json "$tmp/sent.json"
loading=$!
timeout 90 /usr/bin/python3 "$weir_tests/browser.py" http://127.0.0.1:9464/ "$tmp/browser" ||
	fail "the page is not what it should be"

# weirctl top, printed: the figures are there, and a rate is that of the load.
weirctl -s "$socket" -n 0.5 top --once >"$tmp/once"
for head in '^STREAM .* IN/S' '^STREAM .* LOAD' '^CONSUMER .* HELD BACK' '^WORKER .* HEADROOM'; do
	grep -qE "$head" "$tmp/once" || fail "no '$head' in: $(cat "$tmp/once")"
done
awk '$1 == "flows" && $2 == "standard" {found = $3 ~ /k$/ && $3 > 1.3 && $3 < 3} END {exit !found}' \
	"$tmp/once" || fail "not the load's rate: $(cat "$tmp/once")"
assert_eq "$(weirctl -s "$socket" -n 0.1 -c 3 --batch top workers | grep -c '^WORKER')" 3 "pages"
assert_fails weirctl -s "$socket" top </dev/null 2>/dev/null

# And on a terminal, over a restart of the gateway.
timeout 90 /usr/bin/python3 "$weir_tests/top_terminal.py" "$socket" "$tmp" &
top=$!
wait_for "grep -qs seen '$tmp/phase' || ! is_running $top" 60
gateway_kill
wait_for "grep -qs lost '$tmp/phase' || ! is_running $top" 60
weir_start "$tmp/weir.json"
wait "$top" || fail "top is not what it should be"
kill "$loading" 2>/dev/null || true
wait "$loading" || true
assert_law
weir_stop
