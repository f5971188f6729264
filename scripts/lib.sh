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
