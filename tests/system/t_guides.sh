#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# light
#
# The steps of docs/guides/replace-a-tee.md, as they stand, in the place of a real nfacctd: both
# receivers get every datagram before, after, and after the way back.

# shellcheck source=tests/system/_init.sh
. "$(dirname "$0")/_init.sh"

command -v nfacctd >/dev/null || {
	echo "nfacctd (pmacct) is not installed"
	exit 77
}
guide=$weir_root/docs/guides/replace-a-tee.md
lan
host exporter 1
kernel_port gw0 2
host first 3
host second 4
cd "$tmp"

# blocks KIND: the guide's commands of that kind; "": those of the numbered steps
blocks() {
	awk -v fence="\`\`\`sh${1:+ $1}" '$0 == fence { on = 1; next } /^```$/ { on = 0 } on' "$guide"
}

cat >tee.receivers <<-END
	id=1 ip=10.0.0.3:2055,10.0.0.4:2055
END
cat >tee.conf <<-END
	daemonize: false
	nfacctd_ip: 10.0.0.2
	nfacctd_port: 2055
	plugins: tee[copy]
	tee_receivers[copy]: $tmp/tee.receivers
	tee_transparent: true
END
# What a reader says in the first block; the commands find the gateway's socket by the usual variable.
grep -c = <(blocks setting) >/dev/null || fail "the guide has no settings"
INTERFACE=gw0 PORT=2055 FIRST=10.0.0.3 SECOND=10.0.0.4 STOP_TEE="bash $tmp/stop.sh" START_TEE="bash $tmp/start.sh"
for name in $(blocks setting | sed 's/=.*//'); do
	[ -n "${!name:-}" ] || fail "the guide sets $name, this test does not"
done
tee_listens() {
	ss -Hlun 'sport = :2055' | grep -q 2055
}

# both_get COUNT: so many more datagrams come to both, and nothing else
both_get() {
	local name
	for name in first second; do
		receiver_start $name $name --listen 0.0.0.0:2055 --idle 1
	done
	send exporter --to 10.0.0.2:2055 --keys 5 --size 100 --rate 1000 --count "$1" >/dev/null
	for name in first second; do
		receiver_wait $name
		assert_json "$tmp/$name.json" ".received == $1 and .lost == 0 and .duplicates == 0" \
			"$name has all $1"
	done
}

# As no service manager runs here. It heeds a signal when the next datagram comes, so it is killed.
echo "pkill -KILL -x nfacctd" >stop.sh
echo "nfacctd -f $tmp/tee.conf >>$tmp/tee.log 2>&1 &" >start.sh
$START_TEE
wait_for tee_listens
both_get 300

# The gateway has the place that the guide's commands expect.
mkdir -p /run/weir
mount -t tmpfs tmpfs /run/weir
gateway_log=$tmp/replaced.log
blocks "" >steps.sh
[ "$(grep -c '^weirctl' steps.sh)" -ge 5 ] || fail "the guide's steps are not all there"
export INTERFACE PORT FIRST SECOND STOP_TEE START_TEE
bash -euo pipefail steps.sh >steps.log 2>&1 || fail "the guide's steps: $(tail -n 5 steps.log)"
assert_fails pgrep -x nfacctd
wait_for "weirctl -j consumer list | jq -e '.consumers | length == 2 and all(.state == \"reachable\")'"
assert_json "$(weirctl -j config history)" ".running == 2 and .trial == null" "the limit was kept"
both_get 300
assert_json "$(weirctl -j check)" '.holds'

blocks back >back.sh
bash -euo pipefail back.sh >back.log 2>&1 || fail "the way back: $(tail -n 5 back.log)"
assert_fails pgrep -x weir
wait_for tee_listens
both_get 300
