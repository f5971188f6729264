#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The quickstart inside its namespaces: run.sh SECONDS JSON-FILE-OR-NOTHING

seconds=$1
json=$2

# The scene is one of a system test.
# shellcheck source=tests/system/_init.sh
. "$(dirname "$0")/../../tests/system/_init.sh"
# shellcheck source=scripts/quickstart.d/scene.sh
. "$weir_root/scripts/quickstart.d/scene.sh"
# shellcheck source=scripts/quickstart.d/account.sh
. "$weir_root/scripts/quickstart.d/account.sh"

interrupt() {
	gateway_log=/dev/null # asked for: nothing to explain
	echo "quickstart: interrupted" >&2
	exit 143
}
trap interrupt INT TERM

# The group table, in place on a terminal. live SECOND
live() {
	local table
	table=$(ctl group list | jq -r '
		["group", "received", "delivered", "held", "dropped"],
		(.groups[] | [.name, .received, .delivered, .held, ([.dropped[]] | add // 0)]) | @tsv' |
		column -t -s $'\t')
	if [ -t 1 ] && [ "$1" -gt 1 ]; then
		printf '\033[%dA\033[J' $((1 + $(wc -l <<<"$table")))
	fi
	printf '%3d s, datagrams:\n%s\n' "$1" "$table"
}

scene
echo "A gateway, two exporters and four collectors. The same view: weirctl group list"
traffic_start
for ((second = 1; second <= seconds; second++)); do
	sleep 1 # the second that is shown
	live "$second"
done
exporters_stop
echo "The exporters have ended; delivering what is held"
(drain) || true # what is missing then is in the account
ctl stats get >"$tmp/stats.json"
collectors_stop
weir_stop
account >"$tmp/account.json"
show_account
if [ -n "$json" ]; then
	cp "$tmp/account.json" "$json"
fi
jq -e '.complete and .law_holds' "$tmp/account.json" >/dev/null
