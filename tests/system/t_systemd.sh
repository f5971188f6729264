#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# light
# time limit: 240
#
# The packages under a real systemd, in a container: installed, the service starts by its unit, is
# reloaded, comes back when it is killed and when a worker of it is stuck, is upgraded by a take-over
# under load, and ends in order.

# shellcheck source=tests/system/_init.sh
. "$(dirname "$0")/_init.sh"

if nm -D "$weir_build/lib/client/libweir.so" 2>/dev/null | grep -q __asan_init; then
	skip "programs with sanitizers are not packaged"
fi
type -P systemd-nspawn >/dev/null || skip "there is no systemd-nspawn"
root=/mnt
lan
host exporter 1
kernel_port gw0 2
host collector 3
package_root "$root"
machine_boot "$root"
package_install in_machine

unit() {
	in_machine systemctl "$@"
}

# property NAME [UNIT]
property() {
	unit show --property="$1" --value "${2:-weir}"
}

asked() {
	in_machine weirctl -j "$@"
}

# configure AGE_MS
configure() {
	cat >"$tmp/weir.json" <<-END
		{"workers": {"cpus": [1], "idle": "sleep", "stall_ms": 200},
		"memory": {"hugepages": false},
		"state": {"file": "/var/lib/weir/state"},
		"ports": [{"name": "lan", "driver": "af_packet", "interface": "gw0"}],
		"streams": [{"name": "flows", "match": {"udp_port": 4739}, "key": "ipfix",
			"partitions": 4, "ring": {"messages": 8192, "age_ms": $1}}],
		"groups": [{"name": "g", "streams": ["flows"], "consumers": [
			{"name": "c", "address": "10.0.0.3", "port": 4739}]}]}
	END
	in_machine sh -c 'cat >/etc/weir/weir.json && chgrp weir /etc/weir/weir.json &&
		chmod 640 /etc/weir/weir.json' <"$tmp/weir.json"
}

reachable() {
	wait_for "asked consumer show c | jq -e '.state == \"reachable\"'" 30
}

group() {
	asked group list | jq "[.groups[].$1] | add"
}

# Nothing is started by the installation, nor without a configuration.
assert_eq "$(property ActiveState)" inactive "after the installation"
unit start weir
assert_eq "$(property ActiveState) $(property ConditionResult)" "inactive no" "without a configuration"

# Started when it forwards, as its own user, with what the unit leaves it.
configure 60000
unit start weir || fail "$(in_machine journalctl --no-pager --unit weir | tail)"
assert_eq "$(property ActiveState) $(property StatusErrno)" "active 0" "the service"
pid=$(property MainPID)
assert_eq "$(in_machine stat -c %U "/proc/$pid")" weir "its user"
confinement() {
	# shellcheck disable=SC2016 # the dollars are awk's
	in_machine awk -v name="$1:" '$1 == name {print $2}' "/proc/$2/status"
}
assert_eq "$(confinement NoNewPrivs "$pid")" 1 "no new privileges"
assert_num "$(confinement Seccomp_filters "$pid")" -gt $(($(confinement Seccomp_filters 1) + 1)) \
	"filters, the unit's and its own"
reachable
receiver_start first collector --listen 10.0.0.3:4739 --late
send exporter --to 10.0.0.2:4739 --rate 5k --count 5000 --keys 20 --json "$tmp/sent.json"
wait_for "[ \$(group delivered) = 5000 ]"
receiver_stop first
assert_json "$tmp/first.json" '.received == 5000 and .lost == 0'

# Reloaded: whole, or not at all.
configure 50000
unit reload weir
assert_json "$(asked stream show flows)" '.stream.age_ms == 50000' "after a reload"
configure '"long"'
assert_fails unit reload weir 2>/dev/null
assert_json "$(asked stream show flows)" '.stream.age_ms == 50000' "after a reload that was refused"
assert_eq "$(property MainPID)" "$pid" "its process"
configure 50000

# It comes back: after a kill at once, and when a worker does not come round by the watchdog.
in_machine kill -KILL "$pid"
wait_for "[ \$(property NRestarts) = 1 ] && [ \$(property ActiveState) = active ]" 30
in_machine mkdir -p /run/systemd/system/weir.service.d
in_machine sh -c 'printf "[Service]\nWatchdogSec=2\n" >/run/systemd/system/weir.service.d/test.conf'
unit daemon-reload
unit restart weir
reachable
pid=$(property MainPID)
thread=$(in_machine sh -c "grep -l worker /proc/$pid/task/*/comm" | head -n 1 | cut -d / -f 5)
nsenter --target "$machine" --all -- /usr/bin/python3 - "$thread" \
	<"$weir_tests/stop_thread.py" >"$tmp/stopped" 2>&1 &
stopper=$!
wait_for "in_machine journalctl --no-pager --unit weir | grep -q 'Watchdog timeout'" 30
pkill -P $stopper # a process cannot end as long as a thread of it is held
wait $stopper || true
wait_for "[ \$(property NRestarts) = 1 ] && [ \$(property ActiveState) = active ]" 60
reachable

# Upgraded while messages flow: the new process goes on where the old one was, which ends in order.
old=$(property MainPID)
receiver_start second collector --listen 10.0.0.3:4739 --late
in_ns_start exporter weirload send --to 10.0.0.2:4739 --keys 20 --size 100 --rate 5000 --seconds 60 \
	--json "$tmp/sent.json"
sending=$!
wait_for "[ \$(group delivered) -gt 2000 ]"
in_machine systemd-run --quiet --unit weir-next weir --takeover --user weir
wait_for "[ \$(property ActiveState) = inactive ]" 30
assert_eq "$(property Result)" success "the service that was taken over from"
wait_for "asked version" 30
assert_eq "$(property ActiveState weir-next)" active "the new one"
next=$(property MainPID weir-next)
[ "$next" != "$old" ] || fail "the process is the same"
assert_eq "$(in_machine stat -c %U "/proc/$next")" weir "the user of the new one"
wait_for "[ \$(group delivered) -gt 2000 ]"
kill -TERM $sending
wait $sending
wait_for "[ \$(group held) = 0 ]"
receiver_stop second
assert_json "$tmp/second.json" '.duplicates == 0 and .reordered == 0'
gap_ms=$(in_machine journalctl --no-pager --unit weir-next |
	sed -n 's/.*nothing was received for \([0-9]*\).*/\1/p')
assert_num "$gap_ms" -gt 0 "ms without a receiver, as the new one says"
echo "over a take-over, $gap_ms ms without a receiver: $(jq .sent "$tmp/sent.json") sent, $(receiver_get second .received) received"

# Back by the unit, and the end.
unit stop weir-next
unit start weir
reachable
unit stop weir
assert_eq "$(property ActiveState) $(property Result)" "inactive success" "after the stop"
