# SPDX-License-Identifier: BSD-3-Clause
#
# The account of a quickstart, of the gateway's statistics and the others' counts. Datagrams,
# where nothing else is said; `stored` is in flow records, the native consumer's in messages.

def total: [.[]] | add // 0;

# Counts by name, added up: [{a: 1}, {a: 2, b: 3}] is {a: 3, b: 3}
def merged: map(to_entries[]) | group_by(.key)
	| map({key: .[0].key, value: (map(.value) | add)}) | from_entries;

$stats[0] as $gateway
| $native[0].native as $client
| ($netflow + $ipfix) as $sent
| ($gateway.groups | map({key: .name, value: .}) | from_entries) as $groups
| {
	balanced: {arrived: $arrived_balanced, stored: ($stored_1 + $stored_2),
		unit: "flow records"},
	slow: {arrived: $arrived_slow, stored: $stored_slow, unit: "flow records"},
	native: {arrived: $client.messages, stored: $client.taken, unit: "messages"}
} as $ends
| ($ends | with_entries(.value = {sent: $sent}
	+ ($groups[.key] | {received, delivered, dropped, held}) + .value)) as $sides
| ($sides.slow.dropped | total) as $slow_dropped
| {
	seconds: $seconds,
	law_holds: $gateway.law.holds,
	sent: $sent,
	received: $gateway.streams[0].received,
	delivered: ($sides | map_values(.delivered) | total),
	dropped: ([$gateway.streams[].dropped, $gateway.groups[].dropped, $gateway.ports[].dropped]
		| merged),
	records: $records,
	stored: ($sides | map_values(.stored)),
	exporters: {netflow: $netflow, ipfix: $ipfix},
	collectors: {"nfcapd-1": $stored_1, "nfcapd-2": $stored_2, slow: $stored_slow,
		native: $client.taken},
	sides: $sides
}
| .faults = ([
	[$sent > 0 and $records > 0, "nothing was exported"],
	[.received == $sent, "the gateway received \(.received) of \($sent) datagrams"],
	[.stored.balanced == $records,
		"the two nfcapd stored \(.stored.balanced) of \($records) records"],
	[.stored.native == $sent and $client.gaps == 0,
		"the native consumer took \(.stored.native) of \($sent) messages"],
	[$sides.slow.arrived == $sides.slow.delivered,
		"\($sides.slow.arrived) of \($sides.slow.delivered) datagrams came to the slow one"],
	[$slow_dropped > 0 or .stored.slow == $records,
		"the slow nfcapd stored \(.stored.slow) of \($records) records"]
] | map(select(.[0] | not) | .[1]))
| .complete = (.faults == [])
