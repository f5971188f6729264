# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2154 # tmp and weir_root are set by _init.sh
#
# A root of this host's files with a layer on top, into which this build's packages are installed, and
# a machine that systemd starts from it.

machine=         # its first process
machine_manager= # the process that made it
machine_cgroup=  # all of its processes

# package_root ROOT: what is written below it goes into the layer
package_root() {
	"$weir_root/scripts/package" --from "$weir_build" --output "$tmp/debs" >"$tmp/package.log" 2>&1 ||
		fail "$(tail "$tmp/package.log")"
	mkdir "$tmp/layer"
	mount -t tmpfs tmpfs "$tmp/layer"
	mkdir "$tmp/layer/upper" "$tmp/layer/work"
	mount -t overlay overlay "$1" -o "lowerdir=/,upperdir=$tmp/layer/upper,workdir=$tmp/layer/work" ||
		skip "no layer can be put on top of this root"
	cp -r "$tmp/debs" "$1/debs"
}

# package_install COMMAND...: there, as in `chroot ROOT` or `in_machine`
package_install() {
	"$@" sh -c 'sed -i /^weir:/d /etc/passwd /etc/group && dpkg --install /debs/*.deb' \
		>"$tmp/dpkg.log" 2>&1 || fail "$(tail "$tmp/dpkg.log")"
}

# in_machine COMMAND...
in_machine() {
	nsenter --target "$machine" --all -- "$@"
}

# machine_boot ROOT: in this test's network; of the root's services only systemd's own
machine_boot() {
	mount -t cgroup2 cgroup2 /sys/fs/cgroup 2>/dev/null || skip "no cgroup2 can be mounted"
	machine_cgroup=$(mktemp -d /sys/fs/cgroup/weir-test.XXXXXX) || skip "no cgroup can be made"
	cat >"$1/etc/systemd/system/weir-test.target" <<-END
		[Unit]
		Requires=basic.target
		After=basic.target
		AllowIsolate=yes
	END
	(
		echo 0 >"$machine_cgroup/cgroup.procs"
		SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 exec systemd-nspawn --quiet --register=no --keep-unit \
			--capability=all --system-call-filter='bpf @all' --directory="$1" --boot \
			systemd.unit=weir-test.target
	) >"$tmp/machine.log" 2>&1 </dev/null &
	machine_manager=$!
	wait_for "machine_is_up || ! is_running $machine_manager" 60
	machine=$(pgrep -P "$machine_manager" | tail -n 1)
	is_running $machine_manager || skip "systemd does not start here: $(tail -n 1 "$tmp/machine.log")"
}

machine_is_up() {
	machine=$(pgrep -P "$machine_manager" | tail -n 1)
	[ "$(in_machine systemctl is-system-running)" = running ]
}

machine_stop() {
	if [ -n "$machine_cgroup" ]; then
		echo 1 >"$machine_cgroup/cgroup.kill"
		[ -z "$machine_manager" ] || wait "$machine_manager" 2>/dev/null || true
		wait_for "grep -q 'populated 0' $machine_cgroup/cgroup.events" || true
		find "$machine_cgroup" -depth -type d -exec rmdir {} \;
		machine_cgroup=
	fi
}
