# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2154 # tmp and socket are set by _init.sh
#
# The gateway under test: started from a configuration file, asked through its control socket,
# stopped in order. Tests write the configuration themselves; its control socket must be
# "$socket".

gateway_pid=
gateway_log=$tmp/weir.log

# With WEIR_TEST_DRIVER=xdp every af_packet port of a configuration file becomes one of driver xdp,
# without the fail-over, which on a busy machine would take packets that the test counts.
with_driver() {
	local file changed
	[ -n "${WEIR_TEST_DRIVER:-}" ] || return 0
	for file in "$@"; do
		if [ -f "$file" ] && changed=$(jq --arg driver "$WEIR_TEST_DRIVER" '
			if any(.ports[]?; .driver == "af_packet") then
				.failover //= {"enabled": false}
				| .ports[] |= (select(.driver == "af_packet").driver = $driver)
			else empty end' "$file" 2>/dev/null) && [ -n "$changed" ]; then
			printf '%s\n' "$changed" >"$file"
		fi
	done
}

# on_xdp: the ports of this test are of driver xdp, instead of af_packet
on_xdp() {
	[ "${WEIR_TEST_DRIVER:-}" = xdp ]
}

# What an af_packet port makes for itself an xdp port finds: as many queues as it is to use.
with_queues() {
	local device count
	on_xdp && [ -f "$1" ] || return 0
	while read -r device count; do
		[ -d "/sys/class/net/$device/queues" ] || continue
		[ "$(find "/sys/class/net/$device/queues/" -name 'rx-*' | wc -l)" -ne "$count" ] ||
			continue
		in_ns switch ethtool -L "gw-$device" tx "$count" rx "$count"
		ethtool -L "$device" rx "$count" tx "$count"
	done < <(jq -r '.ports[]? | select(.driver == "xdp" and (.queues | type) != "string") |
		"\(.interface) \(.queues // 1)"' "$1" 2>/dev/null)
}

# weirctl on this test's gateway, JSON out.
ctl() {
	with_driver "$@"
	weirctl --socket "$socket" -j "$@"
}

# weir_start CONFIG [ARGUMENTS...]: returns when the control socket answers
weir_start() {
	local config=$1 start=${EPOCHREALTIME/./}
	shift
	with_driver "$config"
	with_queues "$config"
	[ -z "$gateway_pid" ] || fail "the gateway is running already"
	weir --config "$config" "$@" >>"$gateway_log" 2>&1 &
	gateway_pid=$!
	until weirctl --socket "$socket" -j -t 2 version >/dev/null 2>&1; do
		is_running "$gateway_pid" || {
			gateway_pid=
			fail "the gateway ended while starting"
		}
		if [ $((${EPOCHREALTIME/./} - start)) -gt 30000000 ]; then
			fail "the gateway's control socket did not answer in 30 s"
		fi
		sleep 0.05
	done
}

# weir_stop [SIGNAL]: in order, exit status 0, nothing found by a sanitizer or refused by the sandbox
# shellcheck disable=SC2120 # most give no signal
weir_stop() {
	local status=0
	kill -s "${1:-TERM}" "$gateway_pid"
	wait_for "! is_running $gateway_pid" 20
	wait "$gateway_pid" || status=$?
	gateway_pid=
	[ $status -eq 0 ] || fail "the gateway ended with status $status"
	if grep -qE 'ERROR: (Address|Leak)Sanitizer|runtime error:' "$gateway_log"; then
		fail "a sanitizer reported, see the log"
	fi
	if grep -q 'the sandbox refused' "$gateway_log" && [ -z "${refusals_expected:-}" ]; then
		fail "$(grep -m1 'the sandbox refused' "$gateway_log")"
	fi
}

# A killed child stays a zombie until it is waited for; it does not run any more.
is_running() {
	local state
	state=$(awk '/^State:/ {print $2}' "/proc/$1/status" 2>/dev/null) || return 1
	[ -n "$state" ] && [ "$state" != Z ]
}

gateway_kill() {
	if [ -n "$gateway_pid" ]; then
		kill -KILL "$gateway_pid" 2>/dev/null || true
		wait "$gateway_pid" 2>/dev/null || true
		gateway_pid=
	fi
}

gateway_show_log() {
	if [ -s "$gateway_log" ]; then
		echo "--- last lines of the gateway's log:" >&2
		tail -n 40 "$gateway_log" >&2
	fi
}
