#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# light
#
# A group with pre-shared keys: who proves a key is served, everybody else is refused alike; what
# was recorded, changed or made up is dropped and counted, and changes nothing.

# shellcheck source=tests/system/_init.sh
. "$(dirname "$0")/_init.sh"

lan
host exporter 1
kernel_port gw0 2
host consumer 3
host stranger 4
cat >"$tmp/weir.json" <<-END
	{"workers": {"cpus": [1]},
	"control": {"socket": "$socket"},
	"memory": {"hugepages": false},
	"ports": [{"name": "lan", "driver": "af_packet", "interface": "gw0"}],
	"streams": [{"name": "flows", "match": {"udp_port": 4739}, "key": "ipfix", "partitions": 8}],
	"groups": [{"name": "g", "class": "native", "streams": ["flows"], "key_file": "$tmp/keys"}]}
END

# key_file FILE LINES...
key_file() {
	(umask 077 && printf '%s\n' "${@:2}" >"$tmp/$1.new")
	mv "$tmp/$1.new" "$tmp/$1"
}

one=$(openssl rand -hex 32)
two=$(openssl rand -hex 32)
key_file keys "# of the gateway" "1 $one" "2 $two bound"
key_file right "1 $one"
key_file wrong "1 $two"
key_file unknown "3 $one"
key_file other "2 $two"

# refused NAME [KEYS]: its HELLOs are answered by "not permitted", without saying why
refused() {
	local arguments=()
	[ -z "${2:-}" ] || arguments=(--key-file "$tmp/$2")
	in_ns stranger weirload receive --native 10.0.0.2:4150 --group g --name "$1" --seconds 0.6 \
		--json /dev/null "${arguments[@]}" 2>"$tmp/refused.log" || true
	grep -q '^refused: .*(5)$' "$tmp/refused.log" ||
		fail "$1 with ${2:-no key}: $(cat "$tmp/refused.log")"
	grep '^refused: ' "$tmp/refused.log" | sort -u >>"$tmp/refusals"
	grep -q '^subscribed' "$tmp/refused.log" && fail "$1 with ${2:-no key} was let in"
	true
}

native() {
	ctl stats get | jq ".native | $1"
}

load() {
	send exporter --to 10.0.0.2:4739 --keys 40 --size 100 --rate 4000 --count 1000 \
		--json "$tmp/sent.json"
	wait_for "ctl group list | jq -e '.groups[0].delivered == $1'"
}

weir_start "$tmp/weir.json"

# Refused: another key, none, one that nobody has, and somebody else's.
refused someone wrong
refused someone
refused someone unknown
refused someone other
assert_eq "$(sort -u "$tmp/refusals" | wc -l)" 1 "ways to say no"
assert_eq "$(ctl consumer list | jq '.consumers | length')" 0 "consumers"

# Served: the right key, and the one of this name.
capture_start consumer eth0 "$tmp/session.pcap" udp dst port 4150
receiver_start right consumer --native 10.0.0.2:4150 --group g --name right \
	--key-file "$tmp/right" --places --late
receiver_start bound stranger --native 10.0.0.2:4150 --group g --name bound --key-file "$tmp/other" \
	--late
wait_for "ctl consumer list | jq -e '[.consumers[] | .state == \"reachable\" and .partitions > 0 and
	.delivery.authenticated] == [true, true]'"
load 1000
receiver_stop bound
assert_json "$tmp/bound.json" '.lost == 0 and .duplicates == 0 and .native.unauthentic == 0'
wait_for "ctl consumer show right | jq -e '.partitions == 8'"
load 2000
capture_stop
assert_law

# What the client sent, again: from its own place, byte for byte. Nothing changes.
native .dropped >"$tmp/before.json"
ctl consumer show right | jq '{state, partitions, delivered, credit}' >"$tmp/shown.json"
in_ns consumer "$weir_tests/frames_again.py" eth0 "$tmp/session.pcap" 4150 >"$tmp/again.json"
assert_json "$tmp/again.json" '.tagged > 20 and .sent > .tagged' "datagrams sent again"
wait_for "[ \$(native '.dropped | (.frame_replay // 0) + (.frame_tag // 0)') -ge \
	$(jq .tagged "$tmp/again.json") ]"
echo "again: $(jq -c . "$tmp/again.json"), dropped: $(native .dropped | tr -d ' \n')"
assert_eq "$(native '.dropped.frame_replay // 0')" \
	"$(jq -n --slurpfile a "$tmp/again.json" --slurpfile b "$tmp/before.json" \
		'$a[0].tagged + ($b[0].frame_replay // 0)')" "datagrams dropped as seen before"
assert_eq "$(ctl consumer show right | jq '.state, .partitions, .delivered')" \
	"$(jq '.state, .partitions, .delivered' "$tmp/shown.json")" "the session"

# The same with a bit turned: the tag is wrong.
was=$(native '.dropped.frame_tag // 0')
in_ns consumer "$weir_tests/frames_again.py" eth0 "$tmp/session.pcap" 4150 changed >"$tmp/changed.json"
wait_for "[ \$(native '.dropped.frame_tag // 0') -ge $((was + $(jq .sent "$tmp/changed.json"))) ]"
load 3000

# Made up, by somebody without a key: no answer has more bytes than the question, for the gateway
# as a whole. (Nothing else is sent while its port is looked at but what the session does.)
in_ns stranger "$weir_tests/hostile_datagrams.py" 10.0.0.2 4150 >"$tmp/hostile.json"
assert_json "$tmp/hostile.json" '.amplified == 0 and .answered > 200'

# A key that is withdrawn: its session goes on, nobody comes in by it any more.
key_file keys "2 $two bound"
refused someone right
load 4000
assert_json "$(ctl consumer show right)" '.state == "reachable" and .delivery.authenticated'
key_file keys "1 $one" "2 $two bound"

# A key file that others may read is of no use, on either side.
chmod 644 "$tmp/keys"
touch "$tmp/keys"
refused someone right
wait_for_line "$gateway_log" 'keys: .*; nobody who needs a key of it is admitted'
chmod 644 "$tmp/other"
assert_fails in_ns stranger weirload receive --native 10.0.0.2:4150 --group g --name bound \
	--key-file "$tmp/other" --seconds 0.1 --json /dev/null
load 5000
receiver_stop right
assert_json "$tmp/right.json" '.lost == 0 and .duplicates == 0 and .reordered == 0 and
	.native.sessions == 1 and .native.gaps == 0 and .places.silent == 0 and
	.places.conflicts == 0'
# The answers to its HELLOs that were sent again were not for it.
assert_json "$tmp/right.json" ".native.unauthentic + .native.foreign <=
	2 * $(jq '.sent - .tagged' "$tmp/again.json")"
assert_eq "$(jq -s 'map(.received) | add' "$tmp/right.json" "$tmp/bound.json")" 5000 "messages"

# Amplification, alone on the wire: HELLO after HELLO without a cookie.
ctl port list | jq '.ports[0]' >"$tmp/before.json"
in_ns stranger "$weir_tests/hostile_datagrams.py" 10.0.0.2 4150 >"$tmp/hostile.json"
ctl port list | jq '.ports[0]' >"$tmp/after.json"
assert_eq "$(jq -n --slurpfile a "$tmp/before.json" --slurpfile b "$tmp/after.json" '
	$b[0].sent_bytes - $a[0].sent_bytes <= $b[0].received_bytes - $a[0].received_bytes and
	$b[0].sent > $a[0].sent + 200')" true "bytes sent to strangers, of those that came"
assert_law
weir_stop
