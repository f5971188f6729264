# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
#
# The harness of the system tests. A test sources it in its first lines:
#
#	# shellcheck source=tests/system/_init.sh
#	. "$(dirname "$0")/_init.sh"
#
# which restarts the test in network, mount and process namespaces of its own: whatever it
# makes is gone when it ends, however it ends, and tests may run side by side.
#
# The way of the packets: `lan` makes a switch in a namespace; `host` joins a named namespace
# to it, `gateway_port` an interface of the test's own namespace, in which the gateway runs.
# All addresses are of 10.0.0.0/24 and fd00::/64 unless the test says otherwise.

set -euo pipefail
trap '' PIPE

weir_tests=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
weir_root=$(cd "$weir_tests/../.." && pwd)
weir_build=${WEIR_BUILD:-$weir_root/build}
export weir_data=${WEIR_DATA:-$weir_root/../shared/data}

if [ "${WEIR_TEST_UNSHARED:-}" != 1 ]; then
	[ "$(id -u)" -eq 0 ] || {
		echo "run as root: namespaces are made here" >&2
		exit 1
	}
	# The process namespace takes every child along when the test ends.
	WEIR_TEST_UNSHARED=1 exec unshare --net --mount --pid --fork --kill-child --mount-proc \
		-- "$BASH" "$0" "$@"
fi

mount --make-rprivate /
mount -t sysfs sysfs /sys
mount -t bpf bpf /sys/fs/bpf 2>/dev/null || true
mkdir -p /run/netns /run/dpdk
mount -t tmpfs tmpfs /run/netns
mount -t tmpfs tmpfs /run/dpdk
tmp=$(mktemp -d "${TMPDIR:-/tmp}/weir-test.XXXXXX")
export socket=$tmp/weir.sock
PATH=$weir_build/app/weir:$weir_build/app/weirctl:$weir_build/app/weirload:$PATH
PATH=$weir_build/app/weir-agent:$weir_build/drivers/xdp:$weir_build/lib/client:$PATH
PATH=$weir_build/lib/dataplane:$PATH
ip link set lo up

# shellcheck source=tests/system/lib/assert.sh
. "$weir_tests/lib/assert.sh"
# shellcheck source=tests/system/lib/network.sh
. "$weir_tests/lib/network.sh"
# shellcheck source=tests/system/lib/gateway.sh
. "$weir_tests/lib/gateway.sh"
# shellcheck source=tests/system/lib/load.sh
. "$weir_tests/lib/load.sh"
# shellcheck source=tests/system/lib/prometheus.sh
. "$weir_tests/lib/prometheus.sh"
# shellcheck source=tests/system/lib/package.sh
. "$weir_tests/lib/package.sh"

cleanup() {
	local status=$?
	set +e
	trap - EXIT
	if [ $status -ne 0 ] && [ $status -ne 77 ]; then
		gateway_show_log
	fi
	gateway_kill
	machine_stop
	hugepages_restore
	if [ "${WEIR_KEEP:-}" = 1 ]; then
		echo "kept: $tmp" >&2
	else
		rm -rf --one-file-system "$tmp" # never into what a test has mounted there
	fi
	exit $status
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Shortly before the time limit (WEIR_TEST_LIMIT, seconds): what is running, and where the test is.
on_limit() {
	sleep $((WEIR_TEST_LIMIT - 3))
	echo "--- what runs shortly before the time limit:" >&2
	ps -eo pid,ppid,etimes,stat,wchan:20,args >&2
	kill -ALRM $$
	pkill -TERM -P $$ # whatever the test waits for
}
if [ -n "${WEIR_TEST_LIMIT:-}" ]; then
	trap 'fail "the time limit of $WEIR_TEST_LIMIT s is reached"' ALRM
	on_limit &
	disown
fi
