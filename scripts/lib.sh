# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
#
# What the scripts share. Sourced, never run. Messages go to stderr, results to stdout.

weir_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() {
	printf '%s\n' "$*" >&2
}

die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# The value of an option that takes one: option_value NAME COUNT-OF-ARGUMENTS-LEFT VALUE
option_value() {
	[ "$2" -ge 2 ] || die "$1 needs a value"
	printf '%s\n' "$3"
}

need_root() {
	[ "$(id -u)" -eq 0 ] || die "run as root: $1"
}

# Install what is missing of these package groups (build, test, lint).
need_packages() {
	"$weir_root/scripts/install-deps" "${@/#/--}"
}

# Our C files, or those below the given root: one path a line, relative to it.
c_files() {
	(cd "${1:-$weir_root}" && find app drivers lib tests -name '*.[ch]' 2>/dev/null | sort)
}

# Every shell script, by its first line or by its name.
shell_files() {
	(cd "${1:-$weir_root}" && {
		find scripts .ci tests -type f -exec grep -lE -m1 '^#!.*\b(ba)?sh\b' {} + || true
		find scripts .ci tests -type f -name '*.sh'
	} 2>/dev/null | sort -u)
}

# in_own_namespaces SCRIPT ARGUMENTS...: run it, as the first process of a process namespace, so
# that all others end with it however it ends; it sources tests/system/_init.sh for the rest.
# A signal is handed on to it, past unshare, which takes none.
in_own_namespaces() {
	local status=0
	trap 'hand_on 130' INT
	trap 'hand_on 143' TERM HUP
	handed_on=0
	WEIR_TEST_UNSHARED=1 setpriv --pdeathsig KILL \
		unshare --net --mount --pid --fork --kill-child --mount-proc -- bash "$@" &
	inner_pid=$!
	wait "$inner_pid" || status=$?
	if [ "$handed_on" -ne 0 ]; then
		# The first wait ended by the signal; this one ends when everything is gone.
		wait "$inner_pid" || true
		status=$handed_on
	fi
	trap - INT TERM HUP
	return $status
}

# shellcheck disable=SC2317 # called by the traps
hand_on() {
	handed_on=$1
	kill -TERM "$(pgrep -P "$inner_pid")" 2>/dev/null || true
}
