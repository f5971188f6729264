# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2154 # tmp and socket are set by _init.sh
#
# weirload in the background: receivers by name, each with its log $tmp/NAME.log and its report
# $tmp/NAME.json.

declare -A receiver_pid=()

# receiver_start NAME NS ARGUMENTS...: returns when it listens (or its session is up). NS "-":
# the test's own namespace.
receiver_start() {
	local name=$1 ns=$2 run=()
	shift 2
	[ "$ns" = - ] || run=(nsenter --net="/run/netns/$ns" --)
	: >"$tmp/$name.log"
	"${run[@]}" weirload receive --json "$tmp/$name.json" "$@" 2>>"$tmp/$name.log" &
	receiver_pid[$name]=$!
	wait_for_line "$tmp/$name.log" '^(listening|subscribed) '
}

# receiver_stop NAME: end it if it still runs, and wait for its report
receiver_stop() {
	kill -TERM "${receiver_pid[$1]}" 2>/dev/null || true
	receiver_wait "$1"
}

# receiver_wait NAME: until it ends by its own --count, --idle or --seconds
receiver_wait() {
	wait "${receiver_pid[$1]}" || fail "receiver $1: $(tail -n 3 "$tmp/$1.log")"
	unset "receiver_pid[$1]"
}

# receiver_get NAME JQ-PATH: from its report
receiver_get() {
	jq -r "$2" "$tmp/$1.json"
}

# send NS ARGUMENTS...: prints the report
send() {
	local ns=$1 run=()
	shift
	[ "$ns" = - ] || run=(in_ns "$ns")
	"${run[@]}" weirload send "$@"
}
