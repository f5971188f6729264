#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# light
#
# What is retained can be had again: from the earliest, from a number, from a time; and what a
# group does not want can be left out. A group's places survive a restart in order.

# shellcheck source=tests/system/_init.sh
. "$(dirname "$0")/_init.sh"

lan
host exporter 1
kernel_port gw0 2
host consumer 3
cat >"$tmp/weir.json" <<-END
	{"workers": {"cpus": [1]},
	"control": {"socket": "$socket"},
	"memory": {"hugepages": false, "buffers": 32768},
	"state": {"file": "$tmp/state/positions"},
	"ports": [{"name": "lan", "driver": "af_packet", "interface": "gw0"}],
	"streams": [{"name": "flows", "match": {"udp_port": 4739}, "key": "ipfix", "partitions": 8,
		"ring": {"messages": 4096, "age_ms": 600000, "retain_ms": 600000}}],
	"groups": [{"name": "g", "class": "native", "streams": ["flows"]},
		{"name": "other", "class": "native", "streams": ["flows"]}]}
END

# load COUNT, of a run of its own
load() {
	send exporter --to 10.0.0.2:4739 --keys 40 --size 100 --rate 5000 --count "$1" \
		--json "$tmp/sent.json"
	assert_json "$tmp/sent.json" ".sent == $1 and .failed == 0"
}

join() {
	receiver_start "$1" consumer --native 10.0.0.2:4150 --group g --name c --places "${@:2}"
	wait_for "ctl consumer show c | jq -e '.state == \"reachable\" and .partitions == 8'"
}

rows() {
	ctl partition list flows | jq -c "[.partitions[] | select(.group == \"g\") | $1]"
}

# The group g is done with all there is.
settled() {
	wait_for "[ \"\$(rows '.done == .head' | jq all)\" = true ]"
	assert_law
}

# left NAME COUNT: it leaves, having got COUNT, all in place
left() {
	receiver_stop "$1"
	wait_for "[ \"\$(ctl consumer list | jq '.consumers | length')\" = 0 ]"
	assert_json "$tmp/$1.json" ".received == $2 and .stale == 0 and .untracked == 0 and
		.places.silent == 0 and .places.conflicts == 0 and .places.unexplained == 0" "$1"
}

once='.lost == 0 and .duplicates == 0 and .reordered == 0 and .places.back == 0'

weir_start "$tmp/weir.json"

# Two loads, taken as they come. The group is where they end, and still they are there.
join first
load 1000
settled
between=$(date +%s%N)
load 500
settled
left first 1500
assert_json "$tmp/first.json" "$once and .native.gaps == 0"
assert_eq "$(rows .messages | jq add)" 1500 "messages that came"
assert_eq "$(rows '.head - .tail' | jq add)" 1500 "messages retained"

# The earliest, again by the same group.
join earliest --start earliest
settled
left earliest 1500
assert_json "$tmp/earliest.json" "$once and .native.gaps == 0"

# From a time: what came after it.
join time --start "time=$between" --late
settled
left time 500
assert_json "$tmp/time.json" "$once and .native.gaps == 0"

# From a number, the same for each partition.
from=$(rows '.tail + 40' | jq min)
expected=$(rows "if .tail > $from then .head - .tail elif .head > $from then .head - $from else 0 end" |
	jq add)
assert_num "$expected" -lt 1500 "messages from a number on"
join sequence --start "sequence=$from" --late
settled
left sequence "$expected"
assert_json "$tmp/sequence.json" "$once"

# The latest: what waits for the group is left out, and counted so.
load 300
assert_json "$(ctl group list)" '.groups[] | select(.name == "g") | .held == 300'
join latest --start latest --late
load 200
settled
left latest 200
assert_json "$tmp/latest.json" "$once"
assert_json "$(ctl group list)" '.groups[] | select(.name == "g") | .dropped.skipped >= 300' \
	"messages left out"

# Resume, which is the default: nothing is left.
join resume
load 100
settled
left resume 100

# Seek to the earliest while it runs.
join seek --seek earliest --seek-after 0.5
load 100
settled
wait_for_line "$tmp/seek.log" '^sought: yes'
wait_for "[ \"\$(ctl consumer show c | jq .delivered)\" -ge 2300 ]"
settled
left seek 2300
assert_json "$tmp/seek.json" '.places.repeats == 100 and .places.back == 0 and .native.sessions == 1'

# A restart in order: each group is where it was.
load 50
places=$(rows '[.head, .done]')
assert_eq "$(rows '.head - .done' | jq add)" 50 "messages before the group"
weir_stop
weir_start "$tmp/weir.json"
join after
load 100
settled
left after 100
assert_json "$tmp/after.json" '.native.gap_sequences == 50' "what was held is told as a gap"
assert_eq "$(grep '^gap: ' "$tmp/after.log" | grep -cv ', restart$')" 0 "gaps of other reasons"
assert_eq "$(rows '[.head - .messages, .done - .head]')" "$(jq -c 'map([.[0], 0])' <<<"$places")" \
	"places of the group"
weir_stop
