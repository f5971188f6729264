#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# light
# time limit: 600
#
# The Debian packages: installed by dpkg into a root of their own, all that a unit, a program and a
# client library need is there, and the units are sound and tight. (t_systemd starts them.)
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
