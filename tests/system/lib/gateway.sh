# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2154 # tmp and socket are set by _init.sh
#
# The gateway under test: started from a configuration file, asked through its control socket,
# stopped in order. Tests write the configuration themselves; its control socket must be
# "$socket".

gateway_pid=
gateway_log=$tmp/weir.log

# weirctl on this test's gateway, JSON out.
ctl() {
	weirctl --socket "$socket" -j "$@"
}

# weir_start CONFIG [ARGUMENTS...]: returns when the control socket answers
weir_start() {
	local config=$1 start=${EPOCHREALTIME/./}
	shift
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

# weir_stop [SIGNAL]: in order, exit status 0, nothing found by a sanitizer
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
