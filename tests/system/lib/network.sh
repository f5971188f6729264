# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2154 # tmp and socket are set by _init.sh
#
# Namespaces joined by veth pairs to a switch, some by a wire that impairs. Addresses: host N is
# 10.0.0.N and fd00::N, MAC 02:00:00:00:00:NN.

hugepages_added=0
capture_pid=
impaired_mtu=1500
declare -A link_pid=()

# in_ns NAME COMMAND...: in a named namespace. Not `ip netns exec`: that mounts a fresh /sys.
in_ns() {
	local name=$1
	shift
	nsenter --net="/run/netns/$name" -- "$@"
}

# The same in the background; $! is the command itself, so that a signal reaches it.
in_ns_start() {
	local name=$1
	shift
	nsenter --net="/run/netns/$name" -- "$@" &
}

# capture_start NS DEV FILE [FILTER...], one at a time; returns when it captures. Packets are in
# the file as soon as they are seen.
capture_start() {
	local ns=$1 device=$2 file=$3
	shift 3
	: >"$tmp/tcpdump.log"
	in_ns_start "$ns" tcpdump -q -U --immediate-mode -Z root -i "$device" -w "$file" "$@" \
		2>"$tmp/tcpdump.log"
	capture_pid=$!
	wait_for_line "$tmp/tcpdump.log" 'listening on'
}

capture_stop() {
	kill -TERM "$capture_pid"
	wait "$capture_pid" || true
}

# Packets of a capture file that match a display filter, also while it is written.
capture_count() {
	tshark -r "$1" -Y "${2:-frame}" 2>/dev/null | wc -l
}

ns_add() {
	ip netns add "$1"
	in_ns "$1" sysctl -q net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0 \
		net.ipv6.conf.default.accept_ra=0 net.ipv6.conf.default.router_solicitations=0
	ip -n "$1" link set lo up
}

# DPDK reads frames as they are on the wire: a veth that leaves checksums, segments or tags to
# an offload that never happens hands it broken ones. offloads_off DEV [NS]
offloads_off() {
	local run=()
	[ -z "${2:-}" ] || run=(in_ns "$2")
	"${run[@]}" ethtool -K "$1" tx off rx off gro off gso off tso off rxvlan off txvlan off \
		rx-vlan-stag-hw-parse off tx-vlan-stag-hw-insert off >/dev/null
}

# The switch. Every other function here joins something to it.
lan() {
	ns_add switch
	ip -n switch link add lan type bridge stp_state 0 mcast_snooping 0 2>/dev/null ||
		ip -n switch link add lan type bridge
	ip -n switch link set lan up
}

# A veth pair from DEV (in NS, or here when NS is empty) to the switch: lan_join NS DEV [MTU]
lan_join() {
	local ns=$1 device=$2 far="${1:-gw}-$2"
	ip -n switch link add "${far:0:15}" type veth peer name "peer"
	if [ -n "$ns" ]; then
		ip -n switch link set peer netns "$ns" name "$device"
	else
		ip -n switch link set peer netns $$ name "$device"
	fi
	offloads_off "${far:0:15}" switch
	offloads_off "$device" "$ns"
	ip -n switch link set "${far:0:15}" mtu "${3:-1500}" master lan up
}

# mac_of NUMBER
mac_of() {
	printf '02:00:00:00:00:%02x\n' "$1"
}

# host_address NAME NUMBER [MTU]: eth0 becomes that of host NUMBER
host_address() {
	ip -n "$1" link set eth0 address "$(mac_of "$2")" mtu "${3:-1500}" up
	ip -n "$1" address add "10.0.0.$2/24" dev eth0
	ip -n "$1" -6 address add "fd00::$2/64" dev eth0 nodad
}

# host NAME NUMBER [MTU]: a namespace with eth0 on the switch
host() {
	ns_add "$1"
	lan_join "$1" eth0 "${3:-}"
	host_address "$1" "$2" "${3:-}"
}

# impaired NAME NUMBER [LINK-OPTIONS...]: a host whose way to the switch is a wire of `weirload
# link`, in the namespace NAME-wire; "ab" is the way from the host, "ba" the way to it. Set
# impaired_mtu before it for another MTU than 1500.
impaired() {
	local name=$1 number=$2 wire=$1-wire device
	shift 2
	ns_add "$name"
	ns_add "$wire"
	# The wire's ends say nothing themselves.
	in_ns "$wire" sysctl -q net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
	ip -n "$wire" link add host0 type veth peer name peer
	ip -n "$wire" link set peer netns "$name" name eth0
	offloads_off host0 "$wire"
	offloads_off eth0 "$name"
	lan_join "$wire" lan0 "$impaired_mtu"
	for device in host0 lan0; do
		ip -n "$wire" link set "$device" mtu "$impaired_mtu" up
	done
	host_address "$name" "$number" "$impaired_mtu"
	link_start "$name" "$@"
}

# link_start NAME [LINK-OPTIONS...]: the wire of an impaired host anew; returns when it passes
# packets
link_start() {
	local name=$1
	shift
	[ -z "${link_pid[$name]:-}" ] || fail "the link of $name is running already"
	rm -f "$tmp/$name-link.json"
	: >"$tmp/$name-link.log"
	in_ns_start "$name-wire" weirload link host0 lan0 --json "$tmp/$name-link.json" "$@" \
		2>>"$tmp/$name-link.log"
	link_pid[$name]=$!
	wait_for_line "$tmp/$name-link.log" '^joined '
}

# link_counters NAME: prints its JSON while it runs
link_counters() {
	rm -f "$tmp/$1-link.json"
	kill -USR1 "${link_pid[$1]}"
	wait_for "jq -e . '$tmp/$1-link.json'"
	cat "$tmp/$1-link.json"
}

# link_stop NAME: ends it, into $tmp/NAME-link.json. Every frame must have its fate counted, and
# the instrument must not have lost one itself. Not in $(...): it changes a variable.
link_stop() {
	local pid=${link_pid[$1]}
	kill -TERM "$pid"
	wait "$pid" || fail "the link of $1: $(tail -n 3 "$tmp/$1-link.log")"
	unset "link_pid[$1]"
	assert_json "$tmp/$1-link.json" 'all(.ab, .ba; .overrun == 0 and .device_drops == 0 and
		.packets + .duplicated == .sent + .lost + .cut + .queue_full + .failed + .held)' \
		"the link of $1"
}

# gateway_port DEV NUMBER [MTU]: an interface on the switch in the gateway's namespace. It gets
# no address: the kernel must not answer for the gateway; its twin has them.
gateway_port() {
	lan_join "" "$1" "${3:-}"
	sysctl -q "net.ipv6.conf.$1.disable_ipv6=1"
	ip link set "$1" address "$(mac_of "$2")" mtu "${3:-1500}" up
}

# kernel_port DEV NUMBER [MTU]: the same for a port that the kernel keeps (af_packet), with the
# addresses on it.
kernel_port() {
	lan_join "" "$1" "${3:-}"
	sysctl -q net.ipv6.conf.all.accept_dad=0 "net.ipv6.conf.$1.accept_dad=0" \
		"net.ipv6.conf.$1.router_solicitations=0"
	ip link set "$1" address "$(mac_of "$2")" mtu "${3:-1500}" up
	ip address add "10.0.0.$2/24" dev "$1"
	ip -6 address add "fd00::$2/64" dev "$1" nodad
}

# keeps_order DEV: the switch takes what this interface sends in the order in which it was sent,
# as a wire does. A veth has a queue for each CPU instead: what one worker sent before a partition
# moved to another may be overtaken there when the CPUs are not equally busy.
keeps_order() {
	# shellcheck disable=SC2016 # the shell in the switch's namespace expands it
	in_ns switch unshare --mount sh -c 'mount -t sysfs sysfs /sys &&
		echo 1 >"/sys/class/net/gw-$0/queues/rx-0/rps_cpus"' "$1"
}

# Room for 2 MiB pages: hugepages COUNT. Fails when the machine does not give them; the
# gateway then runs with "hugepages": false. They are given back when the test ends.
hugepages() {
	local free before after
	free=$(awk '/^HugePages_Free/ {print $2}' /proc/meminfo)
	if [ "$free" -lt "$1" ]; then
		before=$(cat /proc/sys/vm/nr_hugepages)
		echo $((before + $1 - free)) >/proc/sys/vm/nr_hugepages || return 1
		after=$(cat /proc/sys/vm/nr_hugepages)
		hugepages_added=$((after - before))
		[ $((free + hugepages_added)) -ge "$1" ] || return 1
	fi
	mkdir -p "$tmp/huge"
	umount /dev/hugepages 2>/dev/null || true
	mount -t hugetlbfs -o pagesize=2M hugetlbfs "$tmp/huge"
}

hugepages_restore() {
	if mountpoint -q "$tmp/huge"; then
		umount -l "$tmp/huge"
	fi
	if [ "$hugepages_added" -gt 0 ]; then
		echo $(($(cat /proc/sys/vm/nr_hugepages) - hugepages_added)) \
			>/proc/sys/vm/nr_hugepages
	fi
}
