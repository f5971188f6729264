#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# light
# time limit: 600
#
# The Debian packages: installed by dpkg into a root of their own, all that a unit, a program and a
# client library need is there. The gateway starts as the unit has it, with its user, capabilities,
# filter of system calls and read-only root, says so to the service manager, forwards, is reloaded,
# and feeds the watchdog only while its workers get round.
#
# The root is this host's with a layer on top; PACKAGE_FULL=1 makes a bookworm by debootstrap, and
# a build of the packages' own.

if [ "${PACKAGE_FULL:-}" = 1 ] && [ "${WEIR_TEST_UNSHARED:-}" != 1 ]; then
	# Before the namespaces: it takes a network.
	set -euo pipefail
	source_root=$(cd "$(dirname "$0")/../.." && pwd)
	full=$(mktemp -d)
	trap 'rm -rf "$full"' EXIT
	debootstrap --variant=minbase bookworm "$full/root" "${DEBIAN_MIRROR:-http://deb.debian.org/debian}"
	"$source_root/scripts/package" --output "$full/root/debs"
	chroot "$full/root" sh -c 'export DEBIAN_FRONTEND=noninteractive
		apt-get install -y --no-install-recommends /debs/*.deb gcc libc6-dev pkg-config'
	PACKAGE_FULL=$full/root "$0"
	exit
fi

# shellcheck source=tests/system/_init.sh
. "$(dirname "$0")/_init.sh"

if nm -D "$weir_build/lib/client/libweir.so" 2>/dev/null | grep -q __asan_init; then
	skip "programs with sanitizers are not packaged"
fi
# Not below $tmp, which is removed at the end; its devices are its own.
root=/mnt
if [ -n "${PACKAGE_FULL:-}" ]; then
	mount --bind "$PACKAGE_FULL" "$root"
else
	package_root "$root"
fi
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
mount -t tmpfs tmpfs "$root/dev"
for device in "null 1 3" "zero 1 5" "full 1 7" "random 1 8" "urandom 1 9"; do
	read -r name major minor <<<"$device"
	mknod -m 666 "$root/dev/$name" c "$major" "$minor"
done
ln -s /proc/self/fd "$root/dev/fd"
inside() {
	chroot "$root" "$@"
}
[ -n "${PACKAGE_FULL:-}" ] || package_install inside

# What is there, and what it needs.
version=$(weirctl --version | sed 's/.* //')
for package in weir weirctl weir-agent libweir0 libweir-dev python3-weir; do
	# shellcheck disable=SC2016 # the dollars are dpkg-query's
	assert_eq "$(inside dpkg-query -W -f '${db:Status-Abbrev}${Version}' $package)" \
		"ii $version" "$package"
done
assert_eq "$(inside dpkg --verify weir weirctl weir-agent libweir0 libweir-dev)" "" "changed files"
assert_eq "$(inside id -nG weir)" weir "the user's groups"
assert_eq "$(inside stat -c '%a %U %G' /etc/weir)" "750 root weir" /etc/weir
for program in /usr/sbin/weir /usr/bin/weirctl /usr/bin/weir-agent; do
	inside ldd $program >"$tmp/ldd"
	if grep -q 'not found' "$tmp/ldd"; then
		fail "$program: $(cat "$tmp/ldd")"
	fi
	assert_eq "$(inside $program --version | sed 's/.* //')" "$version" "$program"
done
for file in man/man8/weir.8 man/man1/weirctl.1 man/man8/weir-agent.8 man/man3/libweir.3 \
	man/man7/weir-methods.7; do
	gzip -t "$root/usr/share/$file.gz"
done
inside weir --check --config /usr/share/doc/weir/examples/minimal.json >/dev/null
# shellcheck disable=SC2016 # the dollar is for inside
inside sh -c 'cd /tmp && cc -o consumer /usr/share/doc/libweir/examples/consumer.c \
	$(pkg-config --cflags --libs libweir) && ldd ./consumer | grep -q libweir.so.0'
inside /usr/bin/python3 -c 'import weir' 2>/dev/null || [ -n "${PACKAGE_FULL:-}" ] ||
	fail "the Python module does not load"

# The units: sound, and tight.
units=/usr/lib/systemd/system
for unit in weir.service weir-hugepages.service weir-agent@.service; do
	inside systemd-analyze verify --man=no $units/$unit 2>&1 | grep "$unit" && fail "$unit"
done
for unit in weir.service weir-agent@.service; do
	inside systemd-analyze security --offline=true --threshold=30 $units/$unit \
		>"$tmp/security" 2>&1 || fail "$unit: $(tail -1 "$tmp/security")"
	tail -1 "$tmp/security"
done
mkdir "$tmp/pages"
printf "3\n" >"$tmp/pages/nr_hugepages"
hugepages_of() {
	WEIR_HUGEPAGES_FOLDER=$tmp/pages "$root/usr/libexec/weir/hugepages" "$1"
	cat "$tmp/pages/nr_hugepages"
}
assert_eq "$(hugepages_of 2)" 3 "huge pages are never taken away"
assert_eq "$(hugepages_of 7)" 7 "huge pages"
assert_fails "$root/usr/libexec/weir/hugepages" 7x 2>/dev/null

# Started as the unit has it.
setting() {
	sed -n "s/^$1=//p" "$root$units/weir.service"
}
lan
host exporter 1
kernel_port gw0 2
host collector 3
mkdir -p "$root/run/weir" "$root/var/lib/weir"
socket=$root/run/weir/weir.sock
cat >"$root/etc/weir/weir.json" <<-END
	{"workers": {"cpus": [1], "idle": "sleep", "stall_ms": 200},
	"memory": {"hugepages": false},
	"state": {"file": "/var/lib/weir/state"},
	"ports": [{"name": "lan", "driver": "af_packet", "interface": "gw0"}],
	"streams": [{"name": "flows", "match": {"udp_port": 514}, "key": "source", "partitions": 2}],
	"groups": [{"name": "g", "streams": ["flows"], "consumers": [
		{"name": "c", "address": "10.0.0.3", "port": 4739}]}]}
END
inside chown -R weir:weir /run/weir /var/lib/weir
mount --bind "$root/run/weir" "$root/run/weir"
mount --bind "$root/var/lib/weir" "$root/var/lib/weir"
mount -o remount,bind,ro "$root"

# The service manager's side: what is told to it, a line each.
cat >"$tmp/manager.py" <<-'END'
	import socket, sys
	listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
	listener.bind("\0weir-test-manager")
	print("listening", flush=True)
	while True:
	    print(listener.recv(4096).decode(), flush=True)
END
python3 "$tmp/manager.py" >"$tmp/told" &
wait_for "grep -q listening $tmp/told"
told() {
	grep -c "$1" "$tmp/told" || true
}

# unit_filter: what the lines SystemCallFilter= allow, then COMMAND under it
cat >"$tmp/filter.c" <<-'END'
	#include <errno.h>
	#include <seccomp.h>
	#include <stdio.h>
	#include <string.h>
	#include <unistd.h>
	int main(int argc, char **argv)
	{
		scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
		FILE *names = fopen(argv[1], "re");
		char name[64];
		while (fscanf(names, "%63s", name) == 1)
			if (seccomp_syscall_resolve_name(name) >= 0)
				seccomp_rule_add(filter, SCMP_ACT_ALLOW,
					seccomp_syscall_resolve_name(name), 0);
		if (seccomp_load(filter) < 0)
			return 1;
		execv(argv[2], argv + 2);
		return argc;
	}
END
gcc -o "$tmp/filter" "$tmp/filter.c" -lseccomp
cat >"$tmp/expand.py" <<-'END'
	import subprocess, sys
	sets, name = {}, ""
	for line in subprocess.check_output(["systemd-analyze", "syscall-filter"], text=True).splitlines():
	    if line.startswith("@"):
	        name = line.strip()
	        sets[name] = []
	    elif line.strip() and not line.strip().startswith("#"):
	        sets[name].append(line.strip())
	def expand(word):
	    return {word} if word[0] != "@" else set().union(*map(expand, sets[word]))
	# systemd itself lets these through, so that it can execute the service at all.
	allowed = expand("@default") | {"execve"}
	for line in sys.stdin.read().splitlines():
	    calls = set().union(*map(expand, line.lstrip("~").split()))
	    allowed = allowed - calls if line[0] == "~" else allowed | calls
	print(*sorted(allowed), sep="\n")
END
setting SystemCallFilter | python3 "$tmp/expand.py" >"$tmp/calls" 2>/dev/null
assert_num "$(wc -l <"$tmp/calls")" -gt 200 "system calls of the unit's filter"
grep -qx ptrace "$tmp/calls" && fail "the unit's filter was not read"

capabilities=$(setting CapabilityBoundingSet | tr '[:upper:]' '[:lower:]' | sed 's/cap_/+/g; s/ /,/g')
assert_eq "$(setting AmbientCapabilities)" "$(setting CapabilityBoundingSet)" "capabilities"
read -ra start <<<"$(setting ExecStart)"
# In a subshell, which becomes the command.
as_unit() {
	exec chroot "$root" setpriv --reuid "$(inside id -u weir)" --regid "$(inside id -g weir)" \
		--init-groups --inh-caps "-all,$capabilities" --ambient-caps "-all,$capabilities" \
		--bounding-set "-all,$capabilities" --no-new-privs -- "$@"
}
cp "$tmp/filter" "$tmp/calls" "$root/run/"
chmod 755 "$root/run/filter" "$root/run/calls"
RUNTIME_DIRECTORY=/run/weir NOTIFY_SOCKET=@weir-test-manager WATCHDOG_USEC=400000 \
	as_unit /run/filter /run/calls "${start[@]}" >>"$gateway_log" 2>&1 &
gateway_pid=$!
wait_for "[ \$(grep -c READY=1 $tmp/told) = 1 ] || ! is_running $gateway_pid" 30
is_running $gateway_pid || fail "it ended while starting"
assert_eq "$(awk '$1 == "Uid:" {print $2}' "/proc/$gateway_pid/status")" "$(inside id -u weir)" user
assert_eq "$(awk '$1 == "Seccomp_filters:" {print $2}' "/proc/$gateway_pid/status")" 2 "filters"
receiver_start c collector --listen 10.0.0.3:4739
wait_for "ctl consumer show c | jq -e '.state == \"reachable\"'"
send exporter --to 10.0.0.2:514 --rate 5k --count 1000 --keys 20 --size 100 --json "$tmp/sent.json"
wait_for "ctl group list | jq -e '.groups[0].delivered == 1000'"
receiver_stop c
read -ra reload <<<"$(setting ExecReload)"
(as_unit "${reload[@]}") >"$tmp/reload"

# The watchdog is fed; not while a worker does not come round.
fed=$(told WATCHDOG=1)
wait_for "[ \$(grep -c WATCHDOG=1 $tmp/told) -gt $((fed + 2)) ]"
thread=$(grep -l worker /proc/"$gateway_pid"/task/*/comm | head -n 1 | cut -d / -f 5)
python3 "$weir_tests/stop_thread.py" "$thread" >"$tmp/stopped" &
stopper=$!
wait_for "ctl worker list | jq -e '.workers[0].state == \"stalled\"'"
fed=$(told WATCHDOG=1)
sleep 1 # five times as long as from one to the next
assert_eq "$(told WATCHDOG=1)" "$fed" "times that the watchdog was fed"
kill "$stopper"
wait "$stopper" || true
fed=$(told WATCHDOG=1)
wait_for "[ \$(grep -c WATCHDOG=1 $tmp/told) -gt $((fed + 1)) ]"
assert_eq "$(told STOPPING=1)" 0 "told that it stops"
weir_stop
assert_eq "$(told STOPPING=1)" 1 "told that it stops"
