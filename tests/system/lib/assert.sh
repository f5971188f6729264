# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
#
# Claims that end a test when they do not hold, and waiting for what will come.

# The test failed: say why and where.
fail() {
	echo "FAILED: $*" >&2
	local frame=0 where
	while where=$(caller $frame); do
		echo "  at ${where##* }:${where%% *}" >&2
		frame=$((frame + 1))
	done
	exit 1
}

# The test cannot be run on this machine.
skip() {
	echo "skipped: $*" >&2
	exit 77
}

# assert_eq ACTUAL EXPECTED [WHAT]
assert_eq() {
	[ "$1" = "$2" ] || fail "${3:-value}: is '$1', expected '$2'"
}

# assert_num A -lt|-le|-eq|-ne|-ge|-gt B [WHAT]: whole numbers
assert_num() {
	test "$1" "$2" "$3" || fail "${4:-number}: $1 $2 $3 does not hold"
}

# assert_within ACTUAL EXPECTED PERCENT [WHAT]
assert_within() {
	awk -v a="$1" -v e="$2" -v p="$3" 'BEGIN {
		d = a - e; if (d < 0) d = -d
		exit !(a != "" && d <= e * p / 100)
	}' || fail "${4:-value}: is $1, expected $2 within $3 %"
}

# assert_json FILE-OR-TEXT JQ-CONDITION [WHAT]
assert_json() {
	local text=$1
	if [ -f "$text" ]; then
		text=$(cat "$text")
	fi
	# Of no text at all jq says that it is fine.
	if [ -z "$text" ] || ! jq -e "$2" <<<"$text" >/dev/null; then
		fail "${3:-JSON}: not '$2' in: $(jq -c . <<<"$text" 2>/dev/null || echo "$text")"
	fi
}

# assert_fails COMMAND...: it must end with a failure, not by a signal
assert_fails() {
	local status=0
	"$@" || status=$?
	if [ $status -eq 0 ] || [ $status -ge 128 ]; then
		fail "expected a failure, got status $status from: $*"
	fi
}

# received = delivered + dropped + held, for every stream and group, by the gateway's own
# check and at this instant.
assert_law() {
	local report
	report=$(ctl check) || fail "the conservation law: $report"
}

# wait_for "CONDITION" [SECONDS]: looks every 50 ms, for what gives no event to wait on
wait_for() {
	local condition=$1 seconds=${2:-10} start=${EPOCHREALTIME/./}
	until (eval "$condition") >/dev/null 2>&1; do
		if [ $((${EPOCHREALTIME/./} - start)) -gt $((seconds * 1000000)) ]; then
			fail "not after $seconds s: $condition"
		fi
		sleep 0.05
	done
}

# wait_for_line FILE REGEX [SECONDS]
wait_for_line() {
	wait_for "grep -qsE '$2' '$1'" "${3:-10}"
}
