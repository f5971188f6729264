#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# measures time
#
# A native consumer is never sent one message more than it gave credit for, however slow it is;
# what waits is held by the gateway, and comes whole and in order.

# shellcheck source=tests/system/_init.sh
. "$(dirname "$0")/_init.sh"

lan
host exporter 1
kernel_port gw0 2
host consumer 3

# configure CPUS QUEUES
configure() {
	cat >"$tmp/weir.json" <<-END
		{"workers": {"cpus": $1},
		"control": {"socket": "$socket"},
		"memory": {"hugepages": false, "buffers": 65536},
		"ports": [{"name": "lan", "driver": "af_packet", "interface": "gw0", "queues": $2}],
		"streams": [{"name": "flows", "match": {"udp_port": 4739}, "key": "ipfix",
			"partitions": 16, "ring": {"messages": 8192, "age_ms": 60000}}],
		"groups": [{"name": "slow", "class": "native", "streams": ["flows"]}]}
	END
}

# Credit as the gateway sees it, again and again until `$tmp/sampling` is gone.
sample_credit() {
	while [ -e "$tmp/sampling" ]; do
		ctl consumer show slow 2>/dev/null >>"$tmp/shown" || true
	done
}

# slow_consumer COUNT SERVICE LEAST MOST ARGUMENTS...: COUNT messages come faster than it serves; the
# most that it holds is between these
slow_consumer() {
	local count=$1 service=$2 least=$3 window=$4 sampler
	shift 4
	: >"$tmp/shown"
	: >"$tmp/sampling"
	receiver_start slow consumer --native 10.0.0.2:4150 --group slow --name slow \
		--rate "$service" --strict "$@"
	wait_for "ctl consumer show slow | jq -e '.state == \"reachable\" and .partitions == 16'"
	sample_credit &
	sampler=$!
	send exporter --to 10.0.0.2:4739 --rate 5000 --count "$count" --keys 40 --size 200 \
		--json "$tmp/sent.json"
	# More was offered than the consumer can have taken: the gateway holds the rest.
	assert_json "$(ctl group list)" '.groups[0].held > 0 and .groups[0].dropped == {}' \
		"messages held for a slow consumer"
	assert_law
	wait_for "ctl group list | jq -e '.groups[0].held == 0'" 30
	receiver_stop slow
	rm "$tmp/sampling"
	wait $sampler
	jq -c '{credit, held: .gate, queue: .delivery.report.queue}' "$tmp/shown" >"$tmp/samples" # a line each

	jq -c -s '{most_held: $slow[0].native.most_held_messages,
		queue: [.[].queue] | sort | .[length / 2 | floor]}' --slurpfile slow "$tmp/slow.json" \
		"$tmp/samples"
	assert_json "$tmp/sent.json" ".sent == $count and .failed == 0"
	assert_json "$tmp/slow.json" ".received == $count and .lost == 0 and .duplicates == 0 and
		.reordered == 0 and .keys == 40"
	assert_json "$tmp/slow.json" ".native.overruns == 0 and .native.sessions == 1 and
		.native.gaps == 0 and .native.lost_messages == 0 and .native.malformed == 0 and
		.native.most_held_messages <= $window"
	assert_num "$(wc -l <"$tmp/samples")" -ge 20 "samples of the credit"
	assert_eq "$(jq -c 'select(.credit.used_messages > .credit.limit_messages or
		.credit.used_bytes > .credit.limit_bytes)' "$tmp/samples" | head -n 1)" "" \
		"a sample with more sent than credit given"
	# Never more outstanding than a window: what was sent is at most that ahead of what was taken.
	assert_eq "$(jq -s '[.[].credit.limit_messages] | . == sort' "$tmp/samples")" true \
		"limits that only grow"
	assert_json "$tmp/slow.json" ".native.most_held_messages >= $least" \
		"a window that was used"
}

for workers in "[1] 1" "[0,1] 2"; do
	# shellcheck disable=SC2086 # two arguments
	configure $workers
	weir_start "$tmp/weir.json"

	# Push, messages first to run out.
	slow_consumer 3000 1500 16 64 --window-messages 64
	assert_num "$(jq -s '[.[].held.credit_messages // 0] | max' "$tmp/samples")" -gt 10 \
		"times that the credit in messages stopped it"
	# Push, bytes first to run out: 28 messages of 200 bytes.
	slow_consumer 1500 750 7 28 --window-messages 1000 --window-bytes 5600
	assert_json "$tmp/slow.json" '.native.most_held_bytes <= 5600'
	assert_num "$(jq -s '[.[].held.credit_bytes // 0] | max' "$tmp/samples")" -gt 10 \
		"times that the credit in bytes stopped it"
	# Pull: 32 at a time, asked for while the last one before is still in hand.
	slow_consumer 2000 1000 8 33 --window-messages 1000 --pull 32
	assert_num "$(jq -s '[.[].held.credit_messages // 0] | max' "$tmp/samples")" -gt 10 \
		"times that a pull had been answered in full"

	# It says that a message takes 1 ms: when that is known, 100 ms of work are ahead of it, and
	# not the 1,000 that fit.
	slow_consumer 2500 1000 64 1000 --window-messages 1000
	assert_num "$(jq -s '[.[].queue] | sort | .[length / 2 | floor]' "$tmp/samples")" -le 200 \
		"messages ahead of the consumer, median"
	assert_num "$(jq -s '[.[].held.window // 0] | max' "$tmp/samples")" -gt 10 \
		"times that it was kept no further ahead"

	assert_json "$(ctl stats get)" '.native.dropped == {} and .streams[0].dropped == {} and
		.groups[0].delivered == 9000 and .groups[0].held == 0'
	assert_law
	weir_stop
done
