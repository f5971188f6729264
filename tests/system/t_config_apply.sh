#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# measures time
#
# The configuration is changed again and again under load, and who is in all of them loses
# nothing. What cannot be taken over is refused, and changes nothing.

# shellcheck source=tests/system/_init.sh
. "$(dirname "$0")/_init.sh"

lan
host exporter 1
kernel_port gw0 2
host c1 3
host c2 4
ip -n c2 address add 10.0.0.5/24 dev eth0

# The part that stays the same. In all that follows, jq changes this document.
cat >"$tmp/weir.json" <<EOF
{"workers": {"cpus": [1]}, "control": {"socket": "$socket"}, "memory": {"buffers": 65536},
"ports": [{"name": "lan", "driver": "af_packet", "interface": "gw0",
	"descriptors": 8192}],
"streams": [
	{"name": "flows", "match": {"udp_port": 4739}, "key": "ipfix", "partitions": 16,
		"buffers": 16384},
	{"name": "spare", "match": {"udp_port": 2055}, "key": "flow", "buffers": 4096}],
"groups": [{"name": "kept", "streams": ["flows"], "consumers": [
	{"name": "kept", "address": "10.0.0.3", "port": 9995, "source": "keep"}]}]}
EOF
weir_start "$tmp/weir.json"
wait_for "ctl consumer show kept | jq -e '.state == \"reachable\"'"

digest() {
	ctl config get | jq -r .digest
}

# refused METHOD FILE PATH [HINT]: and nothing changed
refused() {
	local before status=0
	before=$(ctl config get | jq -c '{generation, digest}')
	ctl "$1" "$2" >"$tmp/out" 2>"$tmp/err" || status=$?
	assert_eq "$status" 1 "status of $1 that must be refused"
	grep -qF "$3" "$tmp/err" || fail "no path $3 in: $(cat "$tmp/err")"
	grep -qi "${4:-hint}" "$tmp/err" || fail "no '${4:-hint}' in: $(cat "$tmp/err")"
	assert_eq "$(ctl config get | jq -c '{generation, digest}')" "$before" "configuration"
}

# variant NUMBER: of the first configuration, with a change as an operator makes it
variant() {
	local other='{"name": "other", "address": "10.0.0.4", "port": 9996}'
	local more='{"name": "more", "address": "10.0.0.5", "port": 9996}'
	local group="{\"name\": \"new\", \"streams\": [\"flows\"], \"consumers\": [$other]}"
	local stream='{"name": "new", "match": {"udp_port": "5000-5010"}, "buffers": 1024}'
	case $1 in
	0) echo ".groups += [$group]" ;;
	1) echo ".groups += [$group] | .groups[1].consumers += [$more]" ;;
	2) echo ".groups += [$group] | .groups[1].consumers = [$more]" ;;
	3) echo ".groups += [$group] | .groups[1].consumers[0].rate = {packets_per_s: 500}" ;;
	4) echo ".groups += [$group] | .groups[1].sample = 10" ;;
	5) echo ".streams += [$stream] | .groups += [$group] | .groups[1].streams += [\"new\"]" ;;
	6) echo ".streams = [$stream] + .streams | .groups = [$group] + .groups" ;;
	7) echo '.streams |= map(select(.name == "flows"))' ;;
	8) echo '.groups[0].consumers[0].rate = {packets_per_s: 1000000}' ;;
	9) echo . ;;
	esac
}
for number in $(seq 0 9); do
	jq "$(variant "$number")" "$tmp/weir.json" >"$tmp/variant$number.json"
done

# change NUMBER
change() {
	ctl config_apply "$tmp/variant$(($1 % 10)).json" >"$tmp/applied.json" ||
		fail "refused: $(variant $(($1 % 10)))"
	jq -r .digest "$tmp/applied.json" >>"$tmp/digests"
}

receiver_start kept c1 --listen 10.0.0.3:9995
# Both consumers who come and go are one socket, which has what came first in front.
receiver_start other c2 --listen 0.0.0.0:9996 --late
send exporter --to 10.0.0.2:4739 --rate 5k --seconds 20 --keys 100 --size 200 \
	--json "$tmp/sent.json" &
sender=$!
wait_for "ctl consumer show kept | jq -e '.delivered > 0'"
before=$(ctl config get | jq .generation)
jq '.groups[0].consumers[0].port = 70000' "$tmp/weir.json" >"$tmp/port.json"
jq '.groups[0].streams = ["flow"]' "$tmp/weir.json" >"$tmp/stream.json"
jq '.groups[0].sample = 2' "$tmp/weir.json" >"$tmp/half.json"
# A hundred, or as many as a busy machine lets happen while there is load.
changes=0
while [ "$changes" -lt 100 ] && is_running "$sender"; do
	change "$changes"
	if [ $((changes % 20)) = 12 ]; then
		assert_eq "$(digest)" "$(jq -r .digest "$tmp/applied.json")" "digest"
		refused config_apply "$tmp/port.json" '$.groups[0].consumers[0].port'
		refused config_apply "$tmp/stream.json" '$.groups[0].streams'
	fi
	changes=$((changes + 1))
done
# One whose confirmation never comes.
jq '.groups += [{"name": "tried", "streams": ["flows"], "consumers": [
	{"name": "tried", "address": "10.0.0.4", "port": 9996}]}]' "$tmp/weir.json" >"$tmp/next.json"
running=$(digest)
ctl config apply "$tmp/next.json" confirm_s=1 >"$tmp/applied.json"
assert_eq "$(digest)" "$(jq -r .digest "$tmp/applied.json")" "digest of what is on trial"
refused config_apply "$tmp/half.json" '$' 'config_confirm'
wait_for "[ \"\$(digest)\" = $running ]"
assert_json "$(ctl group list)" 'all(.groups[]; .name != "tried")' "after the trial"
echo "$changes changes"
assert_num "$changes" -ge 30 "changes under load"
assert_num "$(ctl config get | jq .generation)" -ge $((before + changes)) "generation"
assert_num "$(sort -u "$tmp/digests" | wc -l)" -eq 10 "different digests"
wait $sender
wait_for "ctl stream list | jq -e '.streams[0].received == $(jq .sent "$tmp/sent.json")'"
wait_for "ctl group list | jq -e 'all(.groups[]; .held == 0)'"
receiver_stop kept
receiver_stop other

assert_eq "$(receiver_get kept .received)" "$(jq .sent "$tmp/sent.json")" "messages to kept"
assert_json "$tmp/kept.json" '.lost == 0 and .reordered == 0 and .duplicates == 0'
assert_json "$(ctl group list)" '.groups[] | select(.name == "kept") | .dropped == {}'
assert_num "$(receiver_get other .received)" -gt 0 "messages to those who came and went"
assert_json "$tmp/other.json" '.reordered == 0 and .duplicates == 0'
assert_law

# Ports cannot be changed while they run: the error says where, and what to do.
jq '.ports += [{"name": "more", "driver": "null"}]' "$tmp/weir.json" >"$tmp/bad.json"
refused config_apply "$tmp/bad.json" '$.ports' restart
assert_eq "$(ctl config_check "$tmp/bad.json" | jq -r .needs_restart)" '$.ports' "needs_restart"
jq '.ports[0].interface = "gw1"' "$tmp/weir.json" >"$tmp/bad.json"
refused config_apply "$tmp/bad.json" '$.ports[0].interface' restart
jq '.workers.cpus = [0, 1]' "$tmp/weir.json" >"$tmp/bad.json"
refused config_apply "$tmp/bad.json" '$.workers.cpus' restart
# A check alone changes nothing, and knows the digest before.
jq '.groups[0].sample = 3' "$tmp/weir.json" >"$tmp/next.json"
checked=$(ctl config_check "$tmp/next.json" | jq -r .digest)
[ "$checked" != "$(digest)" ] || fail "config_check took the configuration over"
ctl config_apply "$tmp/next.json" >"$tmp/applied.json"
assert_eq "$(digest)" "$checked" "digest that config_check foretold"
# What config_get gives can be applied again, and is the same.
ctl config get | jq .config >"$tmp/got.json"
ctl config_apply "$tmp/got.json" >"$tmp/applied.json"
assert_json "$tmp/applied.json" '.changed.any == false'
assert_eq "$(digest)" "$checked" "digest of the same configuration"
weir_stop
