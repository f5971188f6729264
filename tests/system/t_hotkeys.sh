#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A stream whose keys are of very different weight: the heaviest are named with their share, their
# partition is shown, and it gets a worker to itself without a message lost or out of order, and in a
# group that is rebalanced a consumer to itself, without anybody asking.

# shellcheck source=tests/system/_init.sh
. "$(dirname "$0")/_init.sh"

lan
host exporter 1
kernel_port gw0 2
host c1 3
host e2 4
host e3 5
cat >"$tmp/weir.json" <<EOF
{"workers": {"cpus": [0, 1], "isolate_percent": 40}, "control": {"socket": "$socket"},
"memory": {"hugepages": false, "buffers": 65536},
"ports": [{"name": "lan", "driver": "af_packet", "interface": "gw0", "queues": 2}],
"streams": [{"name": "flows", "match": {"udp_port": 4739}, "key": "ipfix", "partitions": 32,
	"ring": {"messages": 16384, "age_ms": 60000}}],
"groups": [{"name": "kept", "streams": ["flows"], "consumers": [
	{"name": "k1", "address": "10.0.0.3", "port": 9995, "source": "keep"}]},
	{"name": "even", "streams": ["flows"], "rebalance_s": 1, "consumers": [
	{"name": "m1", "address": "10.0.0.3", "port": 9001, "source": "keep"},
	{"name": "m2", "address": "10.0.0.3", "port": 9002, "source": "keep"},
	{"name": "m3", "address": "10.0.0.3", "port": 9003, "source": "keep"},
	{"name": "m4", "address": "10.0.0.3", "port": 9004, "source": "keep"}]}]}
EOF
weir_start "$tmp/weir.json"
receiver_start k1 c1 --listen 10.0.0.3:9995
for i in 1 2 3 4; do
	receiver_start m$i c1 --listen 10.0.0.3:900$i --late
done
wait_for "ctl consumer list | jq -e 'all(.consumers[]; .state == \"reachable\" and .partitions > 0)'"

# of GROUP: its lines of the partitions, in their order
of() {
	ctl partition list flows | jq "[.partitions[] | select(.group == \"$1\")]"
}

# Half of all is one key's, a quarter are two others', the rest are of a hundred.
send exporter --to 10.0.0.2:4739 --rate 4k --seconds 8 --keys 1 --json "$tmp/sent1.json" &
send e2 --to 10.0.0.2:4739 --rate 2k --seconds 8 --keys 2 --json "$tmp/sent2.json" &
send e3 --to 10.0.0.2:4739 --rate 2k --seconds 8 --keys 100 --json "$tmp/sent3.json" &
senders=$(jobs -p | tail -n 3)

wait_for "ctl stream hotkeys flows | jq -e '.samples >= 300'"
keys=$(ctl stream hotkeys flows count=5)
assert_json "$keys" '(.keys | length) == 5 and (.keys[0].key | startswith("10.0.0.1 domain "))' \
	"the hottest key"
assert_json "$keys" '.keys[0].share_percent > 38 and .keys[0].at_least_percent < 62 and
	.keys[0].at_least_percent <= .keys[0].share_percent' "its share"
assert_json "$keys" '[.keys[1, 2].key | startswith("10.0.0.4 domain ")] | all' "the next two"
hot=$(jq '.keys[0].partition' <<<"$keys")
wait_for "ctl stream show flows | jq -e '.hottest_partition == $hot and .hottest_percent > 40 and
	.skew > 10 and .messages_per_s > 2000'"
assert_json "$(of kept)" ".[$hot] | .share_percent > 40 and
	.messages_per_s > 1000 and .bytes_per_s > .messages_per_s" "its partition"

# The others leave its consumer: what is measured moves them.
wait_for "of even | jq -e '.[$hot].consumer as \$c | all(.[]; .next == null) and
	(map(select(.consumer == \$c)) | length) == 1'"
assert_json "$(ctl group list)" '(.groups | map({(.name): .}) | add) |
	.even.moves > 0 and .kept.moves == 0' "what moved by itself"

# So does the worker: it is hot for three seconds.
wait_for "of kept | jq -e '.[$hot].alone'"
grep -q "event=partition_alone .*partition=$hot .*reason=hot" "$gateway_log" || fail "no event says so"
owner=$(of kept | jq ".[$hot].worker")
wait_for "ctl worker list | jq -e '.workers[$owner].partitions == 1'"
assert_fails ctl partition set-worker flows $(((hot + 1) % 32)) "$owner"
assert_law
ctl worker rebalance >/dev/null
assert_json "$(ctl worker list)" ".workers[$owner].partitions == 1"
# From here on by command alone: else it would be alone again three seconds after it was released.
jq '.workers.isolate_percent = 0' "$tmp/weir.json" >"$tmp/by_hand.json"
ctl config apply "$tmp/by_hand.json" >/dev/null
assert_json "$(of kept)" ".[$hot].alone" "still"
ctl partition release flows "$hot" >/dev/null
assert_json "$(of kept)" ".[$hot].alone | not"
owner=$(of kept | jq ".[$hot].worker")
ctl partition isolate flows "$hot" >/dev/null
assert_json "$(of kept)" ".[$hot] | .alone and .worker == $owner" "on command"
for pid in $senders; do
	wait "$pid"
done
sent=$(jq -s 'map(.sent) | add' "$tmp"/sent?.json)
wait_for "ctl group list | jq -e 'all(.groups[]; .delivered == $sent and .dropped == {})'"
assert_law
receiver_stop k1
assert_json "$tmp/k1.json" ".received == $sent and .lost == 0 and .duplicates == 0 and
	.reordered == 0"
for i in 1 2 3 4; do
	receiver_stop m$i
done
assert_json "$(jq -s . "$tmp"/m?.json)" "(map(.received) | add) == $sent and
	all(.[]; .duplicates == 0 and .reordered == 0)" "the group that was rebalanced"
weir_stop
