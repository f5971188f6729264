#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# light
# time limit: 180
#
# The quickstart accounts for every flow record, says so, and leaves nothing behind: neither when
# it ends nor when it is interrupted.

# shellcheck source=tests/system/_init.sh
. "$(dirname "$0")/_init.sh"

quickstart=$weir_root/scripts/quickstart
export WEIR_BUILD=$weir_build TMPDIR=$tmp/inner
mkdir "$tmp/inner"

"$quickstart" --no-build --seconds 5 --json "$tmp/account.json" >"$tmp/shown"
assert_json "$tmp/account.json" '.law_holds and .complete and .faults == []'
assert_json "$tmp/account.json" '.sent > 0 and .records > .sent and .received == .sent'
assert_json "$tmp/account.json" '.delivered == 3 * .sent and .dropped == {}'
assert_json "$tmp/account.json" '.stored.balanced == .records and .stored.slow == .records and
	.stored.native == .sent'
assert_json "$tmp/account.json" '.collectors["nfcapd-1"] > 0 and .collectors["nfcapd-2"] > 0' \
	"both nfcapd have work"
grep -q '^ *5 s' "$tmp/shown" || fail "no live counters"
assert_eq "$(ls "$tmp/inner")" "" "files left behind"

for signal in INT TERM; do
	: >"$tmp/shown"
	# A script's background process ignores SIGINT unless it is told not to.
	env --default-signal=INT "$quickstart" --no-build --seconds 60 >"$tmp/shown" 2>"$tmp/said" &
	pid=$!
	wait_for_line "$tmp/shown" '^ *2 s' 60
	kill -s $signal $pid
	status=0
	wait $pid || status=$?
	assert_eq "$status" "$([ $signal = INT ] && echo 130 || echo 143)" "status after SIG$signal"
	assert_eq "$(ls "$tmp/inner")" "" "files left behind after SIG$signal"
	assert_eq "$(pgrep -c 'flowd|capd|weir' || true)" 0 "processes left"
done

for arguments in "--seconds 0" "--seconds x" "--seconds" "--nonsense"; do
	# shellcheck disable=SC2086 # several arguments
	assert_fails "$quickstart" $arguments >"$tmp/out" 2>&1
done
