#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# measures time
#
# The bad wire of the other tests: it passes all frames as they are when nothing is asked of it,
# and as much is lost, late, doubled and out of order as was asked for, in the asked direction.

# shellcheck source=tests/system/_init.sh
. "$(dirname "$0")/_init.sh"

lan
host near 2 9000
impaired_mtu=9000
impaired far 1

# relink OPTIONS...: the same wire with other options
relink() {
	link_stop far
	link_start far "$@"
}

# load NAME RATE COUNT: from far to near, verified there; the report is $tmp/NAME.json
load() {
	receiver_start "$1" near --listen 10.0.0.2:4739 --idle 1 --buffer 64M
	send far --to 10.0.0.2:4739 --rate "$2" --count "$3" --size 100 --keys 10 \
		--json "$tmp/sent.json"
	receiver_wait "$1"
	assert_json "$tmp/sent.json" ".sent == $3 and .failed == 0"
}

# The median in microseconds: a CPU that is busy now and then does not change it
round_trip() {
	in_ns far ping -i 0.01 -c 101 -W 2 10.0.0.2 | sed -n 's/.* time=\([0-9.]*\) ms$/\1/p' |
		sort -n | awk 'NR == 51 {printf "%d\n", $1 * 1000}'
}

# Nothing asked: 100,000 packets/s without loss, in order. (An address resolution goes ahead.)
round_trip >/dev/null
load clean 100k 150000
assert_json "$tmp/clean.json" '.received == 150000 and .lost == 0 and .duplicates == 0 and
	.reordered == 0' "a load over a wire without impairments"
assert_json "$(link_counters far)" '.ab.packets >= 150000 and .ab.sent == .ab.packets and
	.ab.lost == 0 and .ab.delayed == 0 and .ba.sent == .ba.packets' "its counters"

# Frames as they are: jumbo, VLAN tags, checksums and segments that are left to an offload.
in_ns far ping -q -c 3 -i 0.05 -W 2 -M 'do' -s 8972 10.0.0.2 >/dev/null ||
	fail "no jumbo frame passes"
capture_start near eth0 "$tmp/tagged.pcap" vlan
in_ns far python3 "$weir_tests/tagged_frames.py" eth0 "$(mac_of 2)" 10.0.0.2:5001 7=5 s300.400=5
wait_for "[ \$(capture_count '$tmp/tagged.pcap' udp) -ge 10 ]"
capture_stop
assert_eq "$(capture_count "$tmp/tagged.pcap" 'vlan.id == 7 && !ieee8021ad && frame.len == 78')" \
	5 "tagged frames"
assert_eq "$(capture_count "$tmp/tagged.pcap" \
	'ieee8021ad.id == 300 && vlan.id == 400 && frame.len == 82')" 5 "frames with two tags"
for name in far near; do
	in_ns $name ethtool -K eth0 tx on tso on gso on gro on >/dev/null
done
mkdir "$tmp/www"
head -c 3000000 /dev/urandom >"$tmp/www/file"
in_ns_start far python3 -m http.server --directory "$tmp/www" 8080 >"$tmp/http.log" 2>&1
server=$!
wait_for "in_ns far curl -s -o /dev/null http://127.0.0.1:8080/"
in_ns near curl -s -m 10 -o "$tmp/fetched" "http://10.0.0.1:8080/file" || fail "no TCP"
cmp "$tmp/www/file" "$tmp/fetched" || fail "the file came differently"
kill $server
wait $server || true
assert_json "$(link_counters far)" '.ab.failed == 0 and .ba.failed == 0'

# Loss is that of the asked direction; 1 % of 100,000 is 1,000, five deviations are 160.
relink --loss-ab 1% --seed 7
load loss 50k 100000
link_stop far
assert_json "$tmp/loss.json" '.lost >= 840 and .lost <= 1160 and .reordered == 0 and
	.duplicates == 0'
assert_json "$tmp/far-link.json" '.ab.lost >= 840 and .ab.lost <= 1160 and .ba.lost == 0'
lost=$(jq .ab.lost "$tmp/far-link.json")
assert_num "$(receiver_get loss .lost)" -le "$lost" "losses the receiver saw"
assert_num "$(receiver_get loss .lost)" -ge $((lost - 5)) "losses the receiver saw"

# The same seed loses the same packets. Only the load is impaired here, so the wire sees the same
# in both runs.
for run in first second; do
	link_start far --loss 1% --burst 4 --duplicate 0.5% --seed 7 --only-udp 4739
	in_ns far ping -q -i 0.01 -c 100 -W 2 10.0.0.2 >"$tmp/ping" || fail "no ping"
	grep -q ' 0% packet loss' "$tmp/ping" || fail "ping is impaired too: $(cat "$tmp/ping")"
	load $run 50k 50000
	link_stop far
	assert_json "$tmp/far-link.json" '.ab.impaired == 50000 and .ba.impaired == 0 and
		.ab.packets >= 50100'
done
for what in lost duplicates gaps; do
	assert_eq "$(receiver_get second .$what)" "$(receiver_get first .$what)" "$what of one seed"
	assert_num "$(receiver_get first .$what)" -gt 50 "$what"
done

# A delay is in the round trip once for each way; jitter adds half of itself in the middle, and
# neither takes packets out of order.
link_start far --delay 5ms
delay=$(round_trip)
assert_num "$delay" -ge 10000 "round trip with twice 5 ms"
assert_num "$delay" -le 11500 "round trip with twice 5 ms"
assert_json "$(link_counters far)" '.ab.delayed >= 100 and .ba.delayed >= 100'
relink --delay-ab 2ms --jitter-ab 4ms
delay=$(round_trip)
assert_num "$delay" -ge 3000 "round trip with 2 to 6 ms"
assert_num "$delay" -le 5500 "round trip with 2 to 6 ms"
load jitter 20k 20000
assert_json "$tmp/jitter.json" '.received == 20000 and .lost == 0 and .reordered == 0'

# Packets held back for 1 ms come behind some 20 later ones, of which two are of the same key.
relink --reorder-ab 1% --seed 3
load reorder 20k 50000
assert_json "$tmp/reorder.json" '.received == 50000 and .lost == 0 and .duplicates == 0 and
	.reordered > 350 and .reordered < 650'
assert_json "$(link_counters far)" '.ab.reordered > 350 and .ab.reordered < 650'

# A rate: 10,000 packets of 142 bytes a second are 11.4 Mbit/s, of which half gets through.
relink --rate-ab 5680k --queue 10ms
load rate 10k 20000
assert_within "$(receiver_get rate .rate_pps)" 5000 3 "packets/s that the rate lets through"
assert_json "$(link_counters far)" '.ab.queue_full > 9000 and .ab.held == 0'

# Nothing passes while it is cut, either way; before and after everything does.
relink --cut 1s,500ms
load cut 2k 5000
link_stop far
assert_json "$tmp/far-link.json" '.ab.cut > 950 and .ab.cut < 1050 and .ab.lost == 0'
assert_within "$(receiver_get cut .lost)" 1000 5 "messages lost while the wire was cut"
assert_json "$tmp/cut.json" '.gaps == 10 and .reordered == 0'

# An interface that goes down takes the wire with it, until it is up again.
link_start far
ip -n far-wire link set lan0 down
in_ns far ping -q -c 1 -W 0.2 10.0.0.2 >/dev/null && fail "ping over an interface that is down"
ip -n far-wire link set lan0 up
in_ns far ping -q -c 1 -W 2 10.0.0.2 >/dev/null || fail "no ping after the interface came up"
assert_json "$(link_counters far)" '.ab.failed >= 1 and .ab.error == "Network is down"'
link_stop far

# An interface that is not there is refused, and one that goes away ends the link.
assert_fails in_ns far-wire weirload link host0 absent0
assert_fails in_ns far-wire weirload link host0
link_start far
status=0
ip -n far-wire link delete lan0
wait "${link_pid[far]}" || status=$?
assert_eq "$status" 1 "status of a link whose interface went away"
