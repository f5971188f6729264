#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# light
# time limit: 180
#
# Producers by the stream protocol: what they send comes once and in order per key, whatever the
# wire loses; a full ring, a rate or nobody who takes the stream holds them back, and nothing is lost.

# shellcheck source=tests/system/_init.sh
. "$(dirname "$0")/_init.sh"

lan
host maker 1
kernel_port gw0 2
host consumer 3
host plain 4
# Of everything of the stream protocol, both ways.
impaired lossy 5 --only-udp 4150 --loss 2% --duplicate 1% --reorder 1%

# configure CPUS QUEUES PRODUCERS RING
configure() {
	cat >"$tmp/weir.json" <<-END
		{"workers": {"cpus": $1},
		"control": {"socket": "$socket"},
		"memory": {"hugepages": false, "buffers": 65536},
		"ports": [{"name": "lan", "driver": "af_packet", "interface": "gw0", "queues": $2}],
		"streams": [{"name": "events", "match": {"udp_port": 4739}, "key": "source",
			"partitions": 8, "producers": $3,
			"ring": {"messages": $4, "age_ms": 60000}}],
		"groups": [{"name": "takers", "class": "native", "streams": ["events"]}]}
	END
}

# produce NS ARGUMENTS...
produce() {
	local ns=$1
	shift
	in_ns "$ns" weirload produce --to 10.0.0.2:4150 --stream events --name maker \
		--json "$tmp/maker.json" "$@"
}

# taker ARGUMENTS...: a consumer that counts what comes
taker() {
	receiver_start taker consumer --native 10.0.0.2:4150 --group takers --name taker "$@"
	wait_for "ctl consumer show taker | jq -e '.state == \"reachable\" and .partitions == 8'"
}

# Everything that was sent is acknowledged and has come, once and in order.
assert_all() {
	assert_json "$tmp/maker.json" ".sent == $1 and .acknowledged == $1 and .outstanding == 0 and
		.refused == 0 and .expired == 0 and .sessions == 1 and .malformed == 0" "the producer"
	assert_json "$tmp/taker.json" ".received == $1 and .lost == 0 and .duplicates == 0 and
		.reordered == 0" "the consumer"
	assert_law
}

for workers in "[1] 1" "[0,1] 2"; do
	# shellcheck disable=SC2086 # two arguments
	configure $workers '{"max": 2}' 4096
	weir_start "$tmp/weir.json"

	# A clean wire, as fast as it goes; plain datagrams beside it.
	taker --count 22000 --seconds 60 --strict
	send plain --to 10.0.0.2:4739 --rate 2000 --count 2000 --keys 20 --size 100 \
		--json "$tmp/plain.json" &
	plain=$!
	produce maker --count 20000 --rate 0 --keys 50 --size 100
	wait $plain
	receiver_wait taker
	assert_json "$tmp/maker.json" '.acknowledged == 20000 and .sessions == 1 and
		.datagrams < 10000' "the producer"
	assert_json "$tmp/plain.json" '.sent == 2000'
	assert_law

	# Two percent lost in both directions, some doubled, some late.
	taker --count 20000 --seconds 60 --strict
	produce lossy --count 20000 --rate 20000 --keys 50 --size 100
	receiver_wait taker
	assert_all 20000
	assert_json "$tmp/maker.json" '.resent > 100 and .resent < 4000'
	assert_json "$(ctl stats get)" '.native.dropped == {}'

	weir_stop
done

# Nobody takes messages: the rings fill, the producer is told, and nothing is lost.
configure "[1]" 1 '{"max": 2}' 256
weir_start "$tmp/weir.json"
taker --count 6000 --seconds 60 --strict --pause-after 0 --pause-for 1.5
produce maker --count 6000 --rate 0 --keys 50 --size 100 --linger 20
receiver_wait taker
assert_all 6000
assert_json "$tmp/maker.json" '.held_by.ring_full.ms > 500' "held back by full rings"
assert_json "$(ctl stats get)" '.groups[0].dropped == {} and .streams[0].dropped == {}'

# The gateway goes away and comes back: at least once.
taker --seconds 60
produce maker --count 20000 --rate 4000 --keys 50 --size 100 --linger 20 &
maker=$!
wait_for "ctl producer list | jq -e '.producers[0].retained > 4000'"
assert_json "$(ctl producer list)" '.producers | length == 1 and .[0].name == "maker" and
	.[0].stream == "events" and .[0].refused == 0'
weir_stop
weir_start "$tmp/weir.json"
wait $maker
assert_json "$tmp/maker.json" '.acknowledged == 20000 and .outstanding == 0 and .sessions == 2'
receiver_stop taker
weir_stop

# A rate limit is kept, and told as what holds the producer back.
configure "[1]" 1 '{"max": 1, "rate": {"packets_per_s": 2000}}' 4096
weir_start "$tmp/weir.json"
taker --count 4000 --seconds 60 --strict
produce maker --count 4000 --rate 0 --keys 50 --size 100
receiver_wait taker
assert_all 4000
assert_json "$tmp/maker.json" '.seconds > 1.8 and .seconds < 2.6 and .held_by.rate.ms > 1000' \
	"the rate"
# One that starts right behind another of its name is not taken for it.
taker --count 100 --seconds 20
# shellcheck disable=SC2016 # the shell in the namespace expands it
in_ns maker timeout 30 bash -c 'for _ in {1..20}; do weirload produce --to 10.0.0.2:4150 --stream events \
	--name maker --count 5 --rate 0 --json "$0" || exit 1; done' "$tmp/maker.json" || fail "starts"
receiver_wait taker
assert_json "$tmp/taker.json" '.received == 100 and .lost == 0' "what 20 starts have sent"
# Only as many as the stream takes; an unknown stream has none.
in_ns_start maker weirload produce --to 10.0.0.2:4150 --stream events --name maker --rate 10 \
	--json "$tmp/maker.json"
maker=$!
wait_for "ctl producer list | jq -e '.producers | length == 1'"
in_ns maker weirload produce --to 10.0.0.2:4150 --stream events --name second --seconds 0.5 \
	--json "$tmp/second.json"
assert_json "$tmp/second.json" '.sent == 0 and .code == 3 and .held_by.closed.times > 0'
in_ns maker weirload produce --to 10.0.0.2:4150 --stream nothing --name third --seconds 0.5 \
	--json "$tmp/third.json"
assert_json "$tmp/third.json" '.sent == 0 and .code == 6'
kill -TERM $maker
wait $maker
wait_for "ctl producer list | jq -e '.producers == []'"
weir_stop
