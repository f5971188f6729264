#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# time limit: 180
# measures time
#
# A gateway takes over from another that runs: sessions go on, what the rings held is delivered, once
# and in order, and numbers go on without a jump. Nothing is received for a moment only.

# shellcheck source=tests/system/_init.sh
. "$(dirname "$0")/_init.sh"

lan
host exporter 1
kernel_port gw0 2
host consumer 3
host collector 4
printf '1 %s\n' "$(printf '%064d' 7)" >"$tmp/keys"
chmod 600 "$tmp/keys"
cat >"$tmp/weir.json" <<-END
	{"workers": {"cpus": [0, 1], "idle": "sleep"},
	"control": {"socket": "$socket"},
	"memory": {"hugepages": false, "buffers": 32768},
	"state": {"file": "$tmp/state/positions"},
	"ports": [{"name": "lan", "driver": "af_packet", "interface": "gw0", "descriptors": 4096}],
	"streams": [{"name": "flows", "match": {"udp_port": 4739}, "key": "ipfix", "partitions": 8,
		"ring": {"messages": 4096, "age_ms": 60000}}],
	"groups": [{"name": "g", "class": "native", "streams": ["flows"], "key_file": "$tmp/keys"},
		{"name": "b", "streams": ["flows"], "consumers": [
			{"name": "c4", "address": "10.0.0.4", "port": 4739}]}]}
END

# take_over: a new gateway in the place of the one that runs, which ends in order
take_over() {
	local old=$gateway_pid
	gateway_pid=
	weir --config "$tmp/weir.json" --takeover >>"$gateway_log" 2>&1 &
	gateway_pid=$!
	wait_for "! is_running $old" 20
	wait "$old" || fail "the gateway that was taken over from ended with status $?"
	wait_for "ctl version" 20
	ctl group list | jq -c '[.groups[] | [.name, .received, .delivered, .dropped]]'
}

group() {
	ctl group list | jq "[.groups[] | select(.name == \"$1\") | $2] | add"
}

heads() {
	ctl partition list flows | jq -c '[.partitions[].head]'
}

weir_start "$tmp/weir.json"
assert_fails weir --config "$tmp/weir.json" 2>"$tmp/second.log"
grep -qE 'another (gateway owns|XDP program)' "$tmp/second.log" || fail "a second gateway: $(cat "$tmp/second.log")"
receiver_start native consumer --native 10.0.0.2:4150 --group g --name c --places \
	--key-file "$tmp/keys"
receiver_start blind collector --listen 10.0.0.4:4739
wait_for "ctl consumer show c | jq -e '.state == \"reachable\" and .partitions == 8'"
wait_for "ctl consumer show c4 | jq -e '.state == \"reachable\"'"

# What is held crosses with its numbers, for groups that acknowledge and for those that do not.
ctl consumer pause c >/dev/null
ctl consumer pause c4 >/dev/null
send exporter --to 10.0.0.2:4739 --keys 40 --size 100 --rate 8000 --count 4000 \
	--json "$tmp/sent.json"
wait_for "[ \$(group g .held) = 4000 ] && [ \$(group b .held) = 4000 ]"
before=$(heads)
take_over
assert_eq "$(heads)" "$before" "numbers in the new gateway"
wait_for "[ \$(group g .delivered) = 4000 ] && [ \$(group b .delivered) = 4000 ]"
assert_law
grep -oE 'took over from.*' "$gateway_log" | tail -n 1
grep -qE 'took over from pid [0-9]+: 4000 messages, 1 of 1 sessions' "$gateway_log" ||
	fail "the log does not say what was taken over"
# Who watches it finds the new one where the old one was.
wait_for "curl -sf -m 2 http://127.0.0.1:9464/metrics | grep -q '^weir_group_delivered'"

# Under load, again and again.
in_ns_start exporter weirload send --to 10.0.0.2:4739 --keys 40 --size 100 --rate 5000 \
	--seconds 600 --json "$tmp/sent.json"
sending=$!
for _ in 1 2 3 4 5; do
	wait_for "[ \$(group g .delivered) -gt 500 ]"
	take_over
done
wait_for "[ \$(group g .delivered) -gt 500 ]"
kill -TERM $sending
wait $sending
wait_for "[ \$(group g .held) = 0 ] && [ \$(group b .held) = 0 ]"
assert_law
receiver_stop native
receiver_stop blind
jq -c '{received, lost, duplicates, reordered, native: (.native | {sessions, gaps, gap_sequences})}' \
	"$tmp/native.json"
# One session through six gateways, without a gap in numbers: all that any of them received came. What
# an xdp port's program took in between is told.
told=$(awk '/^gap: .*, failover$/ { sum += $5 } END { print sum + 0 }' "$tmp/native.log")
[ "${WEIR_TEST_DRIVER:-}" = xdp ] || assert_eq "$told" 0 "numbers told as missed"
assert_json "$tmp/native.json" '.native.sessions == 1 and
	.native.gap_sequences == '"$told"' and .duplicates == 0 and .reordered == 0 and
	.places.silent == 0 and .places.back == 0 and .places.repeats == 0 and .places.conflicts == 0'
assert_json "$tmp/blind.json" '.duplicates == 0 and .reordered == 0'
assert_eq "$(receiver_get blind .received)" "$(receiver_get native .received)" \
	"messages of the two groups"
gaps=$(grep -oE 'nothing was received for [0-9.]+' "$gateway_log" | awk '{print $5}' | sort -n)
echo "milliseconds without a receiver: $(xargs <<<"$gaps")"
awk -v most="$(sed -n 3p <<<"$gaps")" 'BEGIN {exit !(most < 200)}' ||
	fail "nothing was received for $(sed -n 3p <<<"$gaps") ms, at the median"

# A stream that is made anew directly after it: a session hears of its number before its messages, also
# when the gateway before has told it of another one in the same way. (The blind one is there so that
# nothing waits for it until the old stream's time is up.)
receiver_start blind collector --listen 10.0.0.4:4739
wait_for "ctl consumer show c4 | jq -e '.state == \"reachable\"'"
receiver_start native consumer --native 10.0.0.2:4150 --group g --name c --key-file "$tmp/keys"
wait_for "ctl consumer show c | jq -e '.state == \"reachable\" and .partitions == 8'"
in_ns_start exporter weirload send --to 10.0.0.2:4739 --keys 40 --size 100 --rate 5000 \
	--seconds 600 --json "$tmp/sent.json"
sending=$!
for partitions in 4 16; do
	wait_for "[ \$(group g .delivered) -gt 500 ]"
	take_over
	jq ".streams[0].partitions = $partitions" "$tmp/weir.json" >"$tmp/next.json"
	ctl config apply "$tmp/next.json" >/dev/null
	mv "$tmp/next.json" "$tmp/weir.json"
done
wait_for "ctl group list | jq -e 'all(.groups[]; .draining | not)'"
kill -TERM $sending
wait $sending
wait_for "[ \$(group g .held) = 0 ]"
assert_law
receiver_stop native
receiver_stop blind
jq -c '{received, lost, duplicates, reordered, native: (.native | {sessions, gaps, malformed})}' \
	"$tmp/native.json"
told=$(awk '/^gap: .*, failover$/ { sum += $5 } END { print sum + 0 }' "$tmp/native.log")
[ "${WEIR_TEST_DRIVER:-}" = xdp ] || assert_eq "$told" 0 "numbers told as missed"
assert_json "$tmp/native.json" '.native.sessions == 1 and .native.gap_sequences == '"$told"' and
	.native.malformed <= .received / 100 and .duplicates == 0 and .reordered == 0'

# A configuration that the new gateway cannot start with leaves the running one alone.
jq '.ports[0].driver = "pci" | .ports[0].device = "0000:00:1f.0" | del(.ports[0].interface)' \
	"$tmp/weir.json" >"$tmp/pci.json"
assert_fails weir --config "$tmp/pci.json" --takeover 2>"$tmp/pci.log"
grep -q 'cannot be taken over' "$tmp/pci.log" || fail "a PCI port: $(cat "$tmp/pci.log")"
assert_law
weir_stop
assert_fails weir --config "$tmp/weir.json" --takeover 2>"$tmp/none.log"
grep -q 'no gateway answers' "$tmp/none.log" || fail "nobody to take over from: $(cat "$tmp/none.log")"
