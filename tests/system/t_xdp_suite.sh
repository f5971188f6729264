#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# time limit: 3600
# measures time
#
# Tests that were written for af_packet ports hold on ports of driver xdp: a choice of them or, with
# XDP_SUITE_FULL=1, all, about a quarter of an hour. One of them: WEIR_TEST_DRIVER=xdp
# tests/system/t_NAME.sh.
set -euo pipefail

here=$(dirname "$0")
if [ "${WEIR_TEST_DRIVER:-}" = xdp ]; then
	echo "skipped: all tests run on xdp ports anyway"
	exit 77
fi
names=(groups takeover)
if [ "${XDP_SUITE_FULL:-}" = 1 ]; then
	mapfile -t names < <(grep -l 'driver.*af_packet' "$here"/t_*.sh |
		sed 's|.*/t_\(.*\)\.sh|\1|' | grep -v '^xdp_suite$')
fi

log=$(mktemp "${TMPDIR:-/tmp}/weir-suite.XXXXXX")
trap 'rm -f "$log"' EXIT

# run NAME: within its own time limit, and again if it measures time and fails
run() {
	local file=$here/t_$1.sh limit rounds=1 status=1
	limit=$(sed -n '1,20s/^# time limit: \([0-9]*\)$/\1/p' "$file")
	! sed -n 1,20p "$file" | grep -qx '# measures time' || rounds=2
	for ((; rounds > 0 && status != 0 && status != 77; rounds--)); do
		status=0
		WEIR_TEST_DRIVER=xdp timeout --kill-after=15 "${limit:-120}" bash "$file" \
			>"$log" 2>&1 </dev/null || status=$?
	done
	return $status
}

failed=0
for name in "${names[@]}"; do
	start=$SECONDS status=0
	run "$name" || status=$?
	case $status in
	0) echo "ok $name ($((SECONDS - start)) s)" ;;
	77) echo "skipped $name: $(tail -n 1 "$log")" ;;
	*)
		failed=$((failed + 1))
		tail -n 60 "$log"
		echo "FAILED $name ($((SECONDS - start)) s)"
		;;
	esac
done
[ $failed -eq 0 ]
