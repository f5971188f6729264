#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# light
#
# The gateway keeps the capabilities that its ports need, and a list of system calls, on all its
# threads; what it is refused is counted and named, and it forwards on. Members of the group weir
# write to its control socket, others read at most. As a user of its own it forwards the same.

# shellcheck source=tests/system/_init.sh
. "$(dirname "$0")/_init.sh"

if nm -D "$weir_build/app/weir/weir" | grep -q __asan_init; then
	skip "with sanitizers there is no filter of system calls"
fi
lan
host exporter 1
kernel_port gw0 2
host collector 3

# A group and two users, in this test's mount namespace alone.
sed '/^weir:/d' /etc/group >"$tmp/group"
sed '/^weir:/d' /etc/passwd >"$tmp/passwd"
printf 'weir:x:64242:\n' >>"$tmp/group"
printf 'weir:x:64243:64242::/:/usr/sbin/nologin\n' >>"$tmp/passwd"
mount --bind "$tmp/group" /etc/group
mount --bind "$tmp/passwd" /etc/passwd
chmod 711 "$tmp"
mkdir "$tmp/run"
socket=$tmp/run/weir.sock
cat >"$tmp/weir.json" <<-END
	{"workers": {"cpus": [1], "idle": "sleep"},
	"control": {"socket": "$socket"},
	"memory": {"hugepages": false},
	"state": {"file": "$tmp/run/state"},
	"telemetry": {"port": 9464},
	"ports": [{"name": "lan", "driver": "af_packet", "interface": "gw0"}],
	"streams": [{"name": "low", "match": {"udp_port": 514}, "key": "source", "partitions": 2}],
	"groups": [{"name": "g", "streams": ["low"], "consumers": [
		{"name": "c", "address": "10.0.0.3", "port": 4739}]}]}
END

# bits CAP...: their mask as in /proc/PID/status
bits() {
	local name number mask=0
	for name in "$@"; do
		number=$(awk -v name="CAP_${name^^}" '$1 == "#define" && $2 == name {print $3}' \
			/usr/include/linux/capability.h)
		mask=$((mask | 1 << number))
	done
	printf '%016x\n' "$mask"
}

# each_thread FIELD: its values over all threads of the gateway
each_thread() {
	awk -v field="$1:" '$1 == field {print $2}' "/proc/$gateway_pid"/task/*/status | sort -u
}

refused() {
	wait_for "ctl metric list name=weir_sandbox_refused | jq -e '.metrics[0].value == $1'"
}

confined() {
	assert_num "$(find "/proc/$gateway_pid/task" -mindepth 1 -maxdepth 1 | wc -l)" -ge 3 threads
	assert_eq "$(each_thread CapPrm)" "$kept" "permitted capabilities of its threads"
	assert_eq "$(each_thread CapEff)" "$kept" "effective"
	assert_eq "$(each_thread CapAmb)" 0000000000000000 ambient
	assert_eq "$(each_thread CapBnd)" 0000000000000000 bounding
	assert_eq "$(each_thread NoNewPrivs)" 1 "no_new_privs"
	assert_eq "$(each_thread Seccomp)" 2 "filter of system calls"
	refused 0
}

forwards() {
	receiver_start c collector --listen 10.0.0.3:4739
	wait_for "ctl consumer show c | jq -e '.state == \"reachable\"'"
	send exporter --to 10.0.0.2:514 --rate 5k --count 1000 --keys 20 --size 100 \
		--json "$tmp/sent.json"
	wait_for "ctl group list | jq -e '.groups[0].delivered == 1000'"
	receiver_stop c
	assert_json "$tmp/c.json" '.received == 1000 and .lost == 0' "messages at the receiver"
}

# as USER-ID GROUP-ID COMMAND...
as() {
	setpriv --reuid "$1" --regid "$2" --clear-groups "${@:3}"
}

caps=(net_bind_service net_admin net_raw ipc_lock)
! on_xdp || caps+=(bpf perfmon)
kept=$(bits "${caps[@]}")
weir_start "$tmp/weir.json"
confined
forwards

# Two roles.
assert_eq "$(stat -c '%a %G' "$socket")" "660 weir" "the control socket's mode and group"
assert_fails as 64250 64250 weirctl --socket "$socket" version 2>/dev/null
as 64250 64242 weirctl --socket "$socket" log set-level info >/dev/null
setpriv --reuid 64250 --regid 64250 --groups 64242 \
	weirctl --socket "$socket" log set-level notice >/dev/null
chmod 666 "$socket" # the administrator lets everybody read
as 64250 64250 weirctl --socket "$socket" version >/dev/null
assert_fails as 64250 64250 weirctl --socket "$socket" log set-level debug 2>"$tmp/role.log"
grep -q 'may only read' "$tmp/role.log" || fail "the role is not named: $(cat "$tmp/role.log")"
weir_stop

# What is refused: a thread of the process tries, once the filter is there.
cat >"$tmp/intruder.c" <<-'END'
	#include <errno.h>
	#include <pthread.h>
	#include <stdio.h>
	#include <stdlib.h>
	#include <string.h>
	#include <sys/ptrace.h>
	#include <unistd.h>
	static void *intrude(void *context)
	{
		char line[256], mode = '0';
		while (mode != '2') {
			FILE *file = fopen("/proc/thread-self/status", "re");
			while (file != NULL && fgets(line, sizeof(line), file) != NULL)
				if (strncmp(line, "Seccomp:", 8) == 0)
					mode = line[9];
			if (file != NULL)
				fclose(file);
			usleep(10000);
		}
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		execl("/bin/sh", "sh", "-c", "id", NULL);
		fprintf(stderr, "intruder: %s\n", strerror(errno));
		return context;
	}
	__attribute__((constructor)) static void start(void)
	{
		pthread_t thread;
		unsetenv("LD_PRELOAD");
		pthread_create(&thread, NULL, intrude, NULL);
	}
END
gcc -shared -fPIC -o "$tmp/intruder.so" "$tmp/intruder.c"
export LD_PRELOAD=$tmp/intruder.so
weir --config "$tmp/weir.json" >>"$gateway_log" 2>&1 &
gateway_pid=$!
unset LD_PRELOAD
wait_for "ctl version" 30
wait_for "grep -q 'sandbox refused the system call ptrace' $gateway_log"
wait_for "grep -q 'sandbox refused the system call execve' $gateway_log"
grep -q 'intruder: Operation not permitted' "$gateway_log" || fail "it was let through"
refused 2
forwards
refusals_expected=1
weir_stop
refusals_expected=
: >"$gateway_log"

# As a user of its own, whose the files are.
rm -rf "$tmp/run"
install -d -o weir -g weir "$tmp/run"
weir_start "$tmp/weir.json" --user weir
assert_eq "$(stat -c '%U' "/proc/$gateway_pid/task" "$socket" | sort -u)" weir "its user"
assert_eq "$(awk '$1 == "Uid:" {print $2, $3, $4}' "/proc/$gateway_pid/status")" \
	"64243 64243 64243" "its user ids"
confined
forwards
weir_stop

# Off, to debug.
rm -rf "$tmp/run/state"*
chown -R root: "$tmp/run"
weir_start "$tmp/weir.json" --no-sandbox
grep -q -- '--no-sandbox: all privileges' "$gateway_log" || fail "it is not said that it is off"
assert_eq "$(each_thread Seccomp)" 0 "no filter"
assert_eq "$(each_thread CapPrm)" "$(awk '$1 == "CapPrm:" {print $2}' /proc/self/status)" "all"
weir_stop
assert_fails weir --config "$tmp/weir.json" --user nobody.here 2>"$tmp/user.log"
grep -q 'no user "nobody.here"' "$tmp/user.log" || fail "$(cat "$tmp/user.log")"
