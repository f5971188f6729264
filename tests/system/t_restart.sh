#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# time limit: 240
# measures time
#
# Whoever of gateway and consumer dies and comes back: nothing is lost that the gateway held, what
# it no longer holds is told as a gap, nothing comes twice to an application that lived, and a
# number never stands for two messages.

# shellcheck source=tests/system/_init.sh
. "$(dirname "$0")/_init.sh"

lan
host exporter 1
kernel_port gw0 2
host consumer 3
state=$tmp/state/positions
cat >"$tmp/weir.json" <<-END
	{"workers": {"cpus": [1]},
	"control": {"socket": "$socket"},
	"memory": {"hugepages": false, "buffers": 32768},
	"native": {"heartbeat_ms": 20, "liveness_ms": 200},
	"state": {"file": "$state", "interval_ms": 50},
	"ports": [{"name": "lan", "driver": "af_packet", "interface": "gw0", "descriptors": 8192}],
	"streams": [{"name": "flows", "match": {"udp_port": 4739}, "key": "ipfix", "partitions": 8,
		"ring": {"messages": 4096, "age_ms": 60000}}],
	"groups": [{"name": "g", "class": "native", "streams": ["flows"]}]}
END

join() {
	receiver_start "$1" consumer --native 10.0.0.2:4150 --group g --name c --places "${@:2}"
	wait_for "ctl consumer show c | jq -e '.state == \"reachable\" and .partitions == 8'"
}

load() {
	send exporter --to 10.0.0.2:4739 --keys 40 --size 100 --json "$tmp/sent.json" "$@"
	assert_json "$tmp/sent.json" '.failed == 0'
}

group() {
	ctl group list | jq "[.groups[] | select(.name == \"g\") | $1] | add"
}

heads() {
	ctl partition list flows | jq -c '[.partitions[].head]'
}

# Every head of the first list is at most that of the second.
not_below() {
	jq -n -e --argjson a "$1" --argjson b "$2" '[$a, $b] | transpose | all(.[0] <= .[1])' \
		>/dev/null || fail "$3: $2 after $1"
}

# Numbers and contents fit together.
numbered='.places.silent == 0 and .places.back == 0 and .places.repeats == 0 and
	.places.conflicts == 0 and .places.untracked == 0 and .native.malformed == 0 and .native.overruns == 0'
consistent="$numbered and .places.unexplained == 0"

# CLOCK_MONOTONIC, as sender and receiver have it
monotonic() {
	python3 -c 'import time; print(time.monotonic())'
}

weir_start "$tmp/weir.json"

# A consumer dies: another of its name gets what the dead one's application was not done with, and
# nothing else. (It stops taking before it dies, so that the gateway knows all that it was done
# with.)
join first --rate 4000 --pause-after 0.3 --pause-for 60 --window-messages 512
load --rate 8000 --count 6000
wait_for "[ \"\$(ctl consumer show c | jq .delivery.report.queue)\" -gt 200 ]"
done_with=0
until [ "$(group .delivered)" = "$done_with" ]; do
	done_with=$(group .delivered)
	sleep 0.2
done
kill -KILL "${receiver_pid[first]}"
wait "${receiver_pid[first]}" 2>/dev/null || true
wait_for "[ \"\$(ctl consumer list | jq '.consumers | length')\" = 0 ]"
assert_eq "$(group .delivered)" "$done_with" "messages that the dead one was done with"
join second --late
wait_for "[ \$(group .held) = 0 ]"
receiver_stop second
assert_json "$tmp/second.json" ".received == 6000 - $done_with and .lost == 0 and
	.duplicates == 0 and .reordered == 0 and .native.gaps == 0 and $consistent"
echo "a consumer died: $done_with done," \
	"$(receiver_get second .native.redelivered) sent again with the flag"
assert_num "$(receiver_get second .native.redelivered)" -gt 0 "messages that say they come again"
assert_num "$(receiver_get second .native.redelivered)" -le 512 "of them, no more than a window"
assert_eq "$(group .delivered)" 6000 "messages"
assert_law

# The gateway is stopped and started: numbers go on without a jump, what was held is told as a gap.
join through
load --rate 4000 --count 1000
wait_for "[ \$(group .delivered) = 7000 ]"
ctl consumer pause c >/dev/null
load --rate 4000 --count 500
assert_eq "$(group .held)" 500 "messages held"
before=$(heads)
weir_stop
wait_for_line "$tmp/through.log" '^session lost: .*\(18\)'
weir_start "$tmp/weir.json"
assert_eq "$(heads)" "$before" "numbers after a restart in order"
wait_for "ctl consumer show c | jq -e '.state == \"reachable\" and .partitions == 8'"
load --rate 4000 --count 1000
wait_for "[ \$(group .delivered) = 1000 ]"
assert_law
receiver_stop through
assert_json "$tmp/through.json" ".received == 2000 and .native.sessions == 2 and
	.native.gap_sequences == 500 and .duplicates == 0 and .native.redelivered == 0 and
	$consistent"
assert_eq "$(grep '^gap: ' "$tmp/through.log" | grep -cv ', restart$')" 0 "gaps of other reasons"

# Both damaged: numbers go on from the clock, above all that was.
before=$(heads)
weir_stop
for file in "$state" "$state.old"; do
	printf 'damaged' | dd of="$file" bs=1 seek=60 conv=notrunc status=none
done
weir_start "$tmp/weir.json"
wait_for_line "$gateway_log" 'numbering begins from the clock'
join last --late
load --rate 4000 --count 1000
wait_for "[ \$(group .delivered) = 1000 ]"
not_below "$before" "$(heads)" "numbers from the clock"
receiver_stop last
assert_json "$tmp/last.json" ".received == 1000 and $consistent"

# A damaged file: the one before is used, and numbers go on above it.
before=$(heads)
weir_stop
printf 'damaged' | dd of="$state" bs=1 seek=60 conv=notrunc status=none
weir_start "$tmp/weir.json"
wait_for_line "$gateway_log" 'damaged.*the one before it is used'
not_below "$before" "$(heads)" "numbers out of the file before"

# The gateway is killed at ten moments under load. The consumer is one process through all.
join survivor --late
in_ns_start exporter weirload send --to 10.0.0.2:4739 --keys 40 --size 100 --rate 5000 \
	--seconds 600 --json "$tmp/sent.json"
sending=$!
before=$(heads)
: >"$tmp/downs"
for life in {1..10}; do
	wait_for "[ \$(group .delivered) -gt 0 ]"
	after=$(heads)
	not_below "$before" "$after" "numbers in life $life"
	before=$after
	sleep "0.$(printf %03d $((RANDOM % 400)))"
	from=$(monotonic)
	gateway_kill
	weir_start "$tmp/weir.json"
	echo "{\"from\": $from, \"to\": $(monotonic)}" >>"$tmp/downs"
done
wait_for "[ \$(group .delivered) -gt 0 ]"
kill -TERM $sending
wait $sending
# What a program has while the gateway starts is told as a gap.
wait_for "[ \$(group '.received - .delivered - (.dropped.failover // 0)') = 0 ]"
assert_law
receiver_stop survivor
assert_json "$tmp/survivor.json" ".duplicates == 0 and .reordered == 0 and .stale == 0 and
	.native.sessions == 11 and .native.redelivered == 0 and .native.lost_messages == 0 and
	.native.events_lost == 0 and $numbered"
assert_num "$(receiver_get survivor .received)" -gt 5000 "messages received over 11 lives"
assert_num "$(receiver_get survivor .native.gaps)" -gt 10 "gaps told"
reasons=restart
! on_xdp || reasons='(restart|failover)'
assert_eq "$(grep '^gap: ' "$tmp/survivor.log" | grep -cvE ", $reasons\$")" 0 "gaps of other reasons"
# What is missing of the sender's numbers is beside a told gap, or was sent while there was no
# gateway yet: its port takes some, and then none for a moment, while it starts.
assert_eq "$(jq -c --slurpfile downs "$tmp/downs" '[.places.holes[] | . as $hole |
	select(all($downs[]; $hole.until_s < .from or $hole.until_s > .to + 0.1))]' \
	"$tmp/survivor.json")" "[]" "holes while the gateway ran"
assert_num "$(receiver_get survivor '.received + .lost')" -le "$(jq .sent "$tmp/sent.json")" \
	"messages that came or are known to be missing"
weir_stop

# The stream is made anew, and then as it was when the file was written: not with the numbers of
# that time.
weir_start "$tmp/weir.json"
join anew --late
for count in 8 4 8; do
	jq ".streams[0].partitions = $count" "$tmp/weir.json" >"$tmp/next.json"
	ctl config_apply "$tmp/next.json" >/dev/null
	load --rate 4000 --count 200
	wait_for "[ \$(group '.received - .delivered') = 0 ]"
done
receiver_stop anew
assert_json "$tmp/anew.json" ".received == 600 and .duplicates == 0 and .places.back == 0 and
	.places.repeats == 0 and .places.conflicts == 0"
weir_stop

# The state is lost after a crash, and the consumer lives on: nothing new looks like what it had.
weir_start "$tmp/weir.json"
join steadfast --late
load --rate 4000 --count 400
wait_for "[ \$(group .delivered) = 400 ]"
gateway_kill
weir_start "$tmp/weir.json"
wait_for "ctl consumer show c | jq -e '.state == \"reachable\" and .partitions == 8'"
load --rate 4000 --count 400
wait_for "[ \$(group .delivered) = 400 ]"
before=$(heads)
weir_stop
rm "$state" "$state.old"
weir_start "$tmp/weir.json"
wait_for "ctl consumer show c | jq -e '.state == \"reachable\" and .partitions == 8'"
not_below "$before" "$(heads)" "numbers without a state"
load --rate 4000 --count 1000
wait_for "[ \$(group .delivered) = 1000 ]"
receiver_stop steadfast
assert_json "$tmp/steadfast.json" ".received == 1800 and .duplicates == 0 and $consistent"

# Started with another number of partitions: what was held is told all the same.
join moved --late
load --rate 4000 --count 400
wait_for "[ \$(group .delivered) = 1400 ]"
ctl consumer pause c >/dev/null
load --rate 4000 --count 100
assert_eq "$(group .held)" 100 "messages held"
weir_stop
jq ".streams[0].partitions = 4" "$tmp/weir.json" >"$tmp/next.json"
weir_start "$tmp/next.json"
wait_for "ctl consumer show c | jq -e '.state == \"reachable\" and .partitions == 4'"
load --rate 4000 --count 200
wait_for "[ \$(group .delivered) = 200 ]"
receiver_stop moved
assert_num "$(grep -c '^gap: .*, restart$' "$tmp/moved.log")" -gt 0 "gaps told"
assert_json "$tmp/moved.json" ".received == 600 and .duplicates == 0 and $numbered"
weir_stop

# It dies before it has ever written that there is a group: who was there is told of the jump all
# the same.
jq '.state.interval_ms = 60000' "$tmp/weir.json" >"$tmp/seldom.json"
jq '.groups += [{"name": "young", "class": "native", "streams": ["flows"]}]' "$tmp/seldom.json" \
	>"$tmp/younger.json"
young() {
	ctl group list | jq -e ".groups[] | select(.name == \"young\").delivered == 400"
}
weir_start "$tmp/seldom.json"
ctl config apply "$tmp/younger.json" >/dev/null
receiver_start young consumer --native 10.0.0.2:4150 --group young --name y --places
for life in killed ended; do
	wait_for "ctl consumer show y | jq -e '.state == \"reachable\" and .partitions == 8'"
	load --rate 4000 --count 400
	wait_for young
	[ $life = ended ] || gateway_kill
	[ $life = ended ] || weir_start "$tmp/younger.json"
done
receiver_stop young
assert_json "$tmp/young.json" ".received == 800 and .native.gaps > 0 and $consistent"
weir_stop

# A newer version's file is left alone: the gateway does not start, and says why.
printf '\x00\x00\x00\x63' | dd of="$state" bs=1 seek=8 conv=notrunc status=none
python3 - "$state" <<-END
	import hashlib, sys
	data = open(sys.argv[1], "rb").read()[:-32]
	open(sys.argv[1], "wb").write(data + hashlib.blake2b(data, digest_size=32).digest())
END
sum=$(sha256sum <"$state")
assert_fails weir --config "$tmp/weir.json" 2>"$tmp/newer.log"
grep -qE 'newer|version 99' "$tmp/newer.log" || fail "a newer version: $(cat "$tmp/newer.log")"
assert_eq "$(sha256sum <"$state")" "$sum" "the newer version's file"
