#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# light
# time limit: 240
#
# libweir as others get it: installed, found by pkg-config, its examples compiled outside of the
# tree against the shared library and the static one, and the Python module, all of them
# with a gateway and a wire that loses 1 %. A journal in Python that is killed holds each message once.

# shellcheck source=tests/system/_init.sh
. "$(dirname "$0")/_init.sh"

# Installed into a root of its own, as packagers do.
root=$tmp/root
/usr/bin/meson install -C "$weir_build" --no-rebuild --destdir "$root" >"$tmp/install.log" ||
	fail "$(tail "$tmp/install.log")"
found() {
	find "$root" -path "*/$1" -print -quit | grep . || fail "not installed: $1"
}
library=$(found libweir.so.0)
libraries=$(dirname "$library")
if nm -D "$library" | grep -q __asan_init; then
	skip "a library with sanitizers does not load into any program"
fi
for file in include/weir.h libweir.a libweir.so man/man3/libweir.3 examples/consumer.py \
	examples/journal.py; do
	found $file >/dev/null
done
python_path=$(dirname "$(dirname "$(found weir/__init__.py)")")
export PKG_CONFIG_PATH=$libraries/pkgconfig PKG_CONFIG_SYSROOT_DIR=$root
read -ra shared_flags <<<"$(pkg-config --cflags --libs libweir)"
read -ra static_flags <<<"$(pkg-config --static --cflags --libs libweir)"
assert_eq "$(pkg-config --modversion libweir)" "$(weirctl --version | sed 's/.* //')" "version"

# The header needs nothing but itself and a C compiler.
cd "$tmp"
printf '#include <weir.h>\n' |
	cc -std=c99 -pedantic -Wall -Wextra -Werror -fsyntax-only "${shared_flags[0]}" -xc - ||
	fail "weir.h alone"
for example in consumer producer; do
	cp "$(found examples/$example.c)" .
	cc -std=gnu11 -Wall -Wextra -Werror -o $example-shared $example.c "${shared_flags[@]}" ||
		fail "$example.c with the shared library"
	cc -std=gnu11 -static -o $example-static $example.c "${static_flags[@]}" ||
		fail "$example.c with the static library"
	readelf -d $example-shared | grep -qF 'Shared library: [libweir.so.0]' ||
		fail "$example is not linked to the soname"
	assert_eq "$(readelf -d $example-static | grep -c NEEDED)" 0 "libraries of a static program"
done
export LD_LIBRARY_PATH=$libraries PYTHONPATH=$python_path PYTHONDONTWRITEBYTECODE=1

lan
host exporter 1
kernel_port gw0 2
impaired consumer 3 --loss 1% --seed 5
cat >"$tmp/weir.json" <<END
{"workers": {"cpus": [1]}, "control": {"socket": "$socket"},
"memory": {"hugepages": false, "buffers": 131072, "buffer_bytes": 2048},
"ports": [{"name": "lan", "driver": "af_packet", "interface": "gw0"}],
"streams": [
	{"name": "flows", "match": {"udp_port": 4739}, "key": "ipfix", "partitions": 8,
		"ring": {"messages": 8192, "age_ms": 60000}, "producers": {}},
	{"name": "orders", "match": {"udp_port": 4740}, "key": "source", "partitions": 8,
		"ring": {"messages": 4096, "age_ms": 60000, "retain_ms": 60000}, "producers": {}},
	{"name": "records", "match": {"udp_port": 4742}, "key": "source", "partitions": 8, "tier": "bulk",
		"ring": {"messages": 8192, "age_ms": 60000}, "producers": {}},
	{"name": "closed", "match": {"udp_port": 4741}, "key": "source"}],
"groups": [
	{"name": "examples", "class": "native", "streams": ["flows"]},
	{"name": "durable", "class": "native", "streams": ["records"]},
	{"name": "python", "class": "native", "streams": ["orders"]}]}
END
weir_start "$tmp/weir.json"

# run_examples KIND: as many as a producer of that kind sends come to a consumer of that kind
run_examples() {
	local pid
	in_ns_start consumer "./consumer-$1" 10.0.0.2 examples >"$1.log" 2>&1
	pid=$!
	wait_for_line "$1.log" '^joined'
	in_ns consumer "./producer-$1" 10.0.0.2 flows 20000 >"$1-sent.log" 2>&1 ||
		fail "producer-$1: $(cat "$1-sent.log")"
	assert_eq "$(grep -c '^acknowledged 20000,' "$1-sent.log")" 1 "acknowledged, $1"
	wait_for_line "$1.log" '^taken 20000 ' 20
	kill -TERM $pid
	wait $pid || fail "consumer-$1: $(tail -n 3 "$1.log")"
	assert_eq "$(tail -n 1 "$1.log" | sed 's/ bytes .* lost/ lost/; s/ held.*,/,/')" \
		"taken 20000 messages 20000 lost 0, at least once" "the consumer's count, $1"
	assert_eq "$(grep -c '^missing' "$1.log")" 0 "gaps, $1"
}
run_examples shared
run_examples static

# The consumer in ten lines, beside a wire that loses 1 %: each sequence once and in order.
in_ns_start consumer /usr/bin/python3 "$(found examples/consumer.py)" 10.0.0.2 examples \
	>python.log 2>python.err
python_pid=$!
wait_for "ctl consumer list | jq -e '[.consumers[] | select(.state == \"reachable\" and
	.partitions == 8)] | length == 1'"
send exporter --to 10.0.0.2:4739 --rate 10k --count 20000 --keys 40 --size 200 \
	--json "$tmp/sent.json"
assert_json "$tmp/sent.json" '.sent == 20000 and .failed == 0'
wait_for "[ \$(wc -l <python.log) -ge 20000 ]" 30
kill -TERM $python_pid
wait $python_pid || true
assert_eq "$(wc -l <python.log)" 20000 "messages of the Python consumer"
awk '{
	partition = $1 "/" $2
	if (partition in last && $3 != last[partition] + 1) exit 1
	last[partition] = $3
}' python.log || fail "the Python consumer saw sequences out of order"
assert_json "$(link_counters consumer)" '.ba.lost > 50 and .ab.lost > 5' "the wire's losses"

in_ns consumer /usr/bin/python3 "$weir_tests/libweir_python.py" 10.0.0.2 2>python.err ||
	fail "$(cat python.err)"

# The durable path: a journal that is killed whenever has each message once, in order, and whole.
killed=5
in_ns_start consumer weirload produce --to 10.0.0.2:4150 --stream records --name maker --rate 4000 \
	--count 600000 --keys 50 --size 200 --json maker.json
maker=$!
: >journal
for life in $(seq 0 $killed); do
	before=$(stat -c %s journal)
	in_ns_start consumer /usr/bin/python3 "$(found examples/journal.py)" 10.0.0.2 durable journal \
		2>>journal.err
	journal_pid=$!
	wait_for "[ \$(stat -c %s journal) -gt $before ]" 20
	[ "$life" -lt $killed ] || break
	sleep "0.$(printf %03d $((RANDOM % 400)))" # at some moment
	kill -KILL $journal_pid
	wait $journal_pid 2>/dev/null || true
done
kill -TERM $maker
wait $maker
durable() {
	ctl group list | jq ".groups[] | select(.name == \"durable\") | $1"
}
wait_for "[ \$(durable '.received - .delivered') = 0 ]" 30
kill -KILL "$journal_pid"
wait "$journal_pid" 2>/dev/null || true
assert_json "$(durable .)" '.dropped == {}'
echo "journal: $(durable .delivered) messages over $killed deaths, $(stat -c %s journal) bytes"
# It was told to end, and waits for no answer then.
assert_json maker.json ".acknowledged <= $(durable .received) and
	.acknowledged + .outstanding >= $(durable .received)"
/usr/bin/python3 - "$(found examples/journal.py)" journal "$(durable .received)" <<'END'
import runpy
import sys

program = runpy.run_path(sys.argv[1])
places, count, last = {}, 0, {}
with open(sys.argv[2], "a+b") as file:
    size = file.tell()
    file.seek(0)
    places = program["places_of"](file)
    assert file.tell() == size, "half a record at the end"
    file.seek(0)
    while line := file.readline():
        _, partition, sequence, length, _ = line.split()
        file.read(int(length) + 1)
        assert last.get(partition) in (None, int(sequence) - 1), line
        last[partition] = int(sequence)
        count += 1
assert {("records", int(key)): value for key, value in last.items()} == places
assert count == int(sys.argv[3]), count
END
assert_law
weir_stop
link_stop consumer
