# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2154 # tmp is set by _init.sh, slow_rate by scene.sh
#
# What each side of the quickstart counted, and whether it agrees. Nobody's word is taken for
# another's: the kernels of the hosts count datagrams, nfdump counts the records in the files,
# the witness says what records there were.

# udp_count HOST COLUMN: InDatagrams, OutDatagrams, ... of the host's kernel
udp_count() {
	# shellcheck disable=SC2016 # the dollars are awk's
	in_ns "$1" awk -v name="$2" '$1 == "Udp:" {
		for (i = 2; column == 0 && i <= NF; i++)
			if ($i == name)
				column = i
		value = $column
	} END { print value }' /proc/net/snmp
}

# Datagrams that an exporter sent to the gateway; it sent as many to the witness.
sent_by() {
	echo $(($(udp_count "$1" OutDatagrams) / 2))
}

# records NAME: in the files that its nfcapd closed
records() {
	nfdump -R "$tmp/$1" -I | awk '/^Flows:/ {n += $2} END {print n + 0}'
}

# Datagrams that the two nfcapd have read.
arrived_balanced() {
	echo $(($(udp_count nfcapd-1 InDatagrams) + $(udp_count nfcapd-2 InDatagrams)))
}

delivered_to() {
	ctl group list | jq --arg group "$1" '.groups[] | select(.name == $group) | .delivered'
}

# Everything that was sent has come in, and nothing is under way or held. The slow group's queue
# is what takes time; half a minute more than its rate says is enough.
drain() {
	local sent limit
	sent=$(($(sent_by netflow) + $(sent_by ipfix)))
	limit=$((30 + $(ctl group list | jq '[.groups[].held] | max') / slow_rate))
	wait_for "ctl stats get | jq -e '(.streams[0] | .received >= $sent and .under_way == 0) and
		([.groups[].held] | add) == 0'" $limit
	# The last datagrams are on the wire or in a socket: InDatagrams are those that were read.
	wait_for "[ \$(udp_count slow InDatagrams) -ge $(delivered_to slow) ]"
	wait_for "[ \$(arrived_balanced) -ge $(delivered_to balanced) ]"
	wait_for "[ \$(udp_count witness InDatagrams) -ge $sent ]"
}

account() {
	jq -n --slurpfile stats "$tmp/stats.json" --slurpfile native "$tmp/native.json" \
		--argjson seconds "$seconds" \
		--argjson netflow "$(sent_by netflow)" --argjson ipfix "$(sent_by ipfix)" \
		--argjson records "$(records witness)" \
		--argjson stored_1 "$(records nfcapd-1)" --argjson stored_2 "$(records nfcapd-2)" \
		--argjson stored_slow "$(records slow)" \
		--argjson arrived_balanced "$(arrived_balanced)" \
		--argjson arrived_slow "$(udp_count slow InDatagrams)" \
		-f "$weir_root/scripts/quickstart.d/account.jq"
}

show_account() {
	jq -r '
		"",
		"Exported: \(.sent) datagrams with \(.records) flow records " +
			"(NetFlow v9 \(.exporters.netflow), IPFIX \(.exporters.ipfix) datagrams)",
		""' "$tmp/account.json"
	jq -r '["side", "received", "delivered", "dropped", "arrived", "stored", "unit"],
		(.sides | to_entries[] | [.key, (.value | .received, .delivered,
			([.dropped[]] | add // 0), .arrived, .stored, .unit)]) | @tsv' \
		"$tmp/account.json" | column -t -s $'\t'
	jq -r '
		"",
		"Of the balanced records, nfcapd-1 stored \(.collectors["nfcapd-1"]) and " +
			"nfcapd-2 \(.collectors["nfcapd-2"])",
		"The law holds: received = delivered + dropped + held: " +
			(if .law_holds then "yes" else "NO" end),
		"Everything is where it belongs: " + (if .complete then "yes" else "NO" end),
		(.faults[] | "  " + .)' "$tmp/account.json"
}
