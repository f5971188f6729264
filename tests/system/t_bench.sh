#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The benchmarks run, forward what they claim to, and report it in their form. One short pair
# each: the numbers mean nothing here.

# shellcheck source=tests/system/_init.sh
. "$(dirname "$0")/_init.sh"

cases=(forward_64 forward_512 forward_1400 groups_4 partitions_4096 afxdp_rx start_up xdp_program_ns)
/usr/bin/python3 "$weir_root/tests/bench/bench.py" --pairs 1 --seconds 0.3 --directory "$tmp" \
	--no-hugepages --json "$tmp/bench.json" --plots "$tmp/plots" "${cases[@]/#/--case=}" >"$tmp/shown"
assert_eq "$(jq -r '[.results[].name] | join(" ")' "$tmp/bench.json")" "${cases[*]}" "cases"
assert_json "$tmp/bench.json" 'all(.results[]; .ratio > 0 and .ours > 0 and .peer_value > 0 and
	.spread == 0 and (.peer | length) > 0 and (.unit | length) > 0)'
# The ratio is that of the two values when there is one pair.
assert_json "$tmp/bench.json" 'all(.results[]; (.ratio - .ours / .peer_value | fabs) < 0.001)'
assert_eq "$(grep -c '^| forward_' "$tmp/shown")" 3 "rows of the table"
# The curve has a point for each of them.
/usr/bin/python3 -c "import sys, xml.dom.minidom as xml; xml.parse(sys.argv[1])" "$tmp/plots/forward.svg"
assert_eq "$(grep -c '<circle' "$tmp/plots/forward.svg")" 3 "points of the curve"
# And is drawn the same from what was kept of the run.
"$weir_root/tests/bench/plot.py" "$tmp/bench.json" "$tmp/again" >"$tmp/drawn"
assert_eq "$(cat "$tmp/drawn")" "$tmp/again/forward.svg" "curves of the run"
cmp "$tmp/plots/forward.svg" "$tmp/again/forward.svg"

# Frames are of the size that their name says, less the FCS, sound, and of 1,000 keys.
for size in 64 512 1400; do
	assert_eq "$(tshark -r "$tmp/$size-1000.pcap" -o ip.check_checksum:TRUE -o udp.check_checksum:TRUE \
		-Y 'ip.checksum.status == 1 && udp.checksum.status == 1' -T fields -e frame.len \
		2>/dev/null | sort | uniq -c | tr -s ' ')" " 1000 $((size - 4))" "frames of $size bytes"
	assert_eq "$(tshark -r "$tmp/$size-1000.pcap" -T fields -e cflow.od_id 2>/dev/null | sort -u |
		wc -l)" 1000 "keys"
done

# The data plane and libweir execute what is committed for a message, and the bench fails when that
# rises.
/usr/bin/python3 "$weir_root/tests/bench/bench.py" --case instructions --directory "$tmp" \
	--json "$tmp/instructions.json" >"$tmp/shown"
assert_json "$tmp/instructions.json" '[.results[].name | sub("instructions_"; "")] == ["consumer",
	"consumer_1288", "forward", "forward_512", "groups_4", "native", "watched"] and
	all(.results[]; .ours > 0)'
# What may be on at all times takes at most 3 % more, whatever compiled it.
assert_json "$tmp/instructions.json" '[.results[] | {(.name): .ours}] | add |
	.instructions_watched <= 1.03 * .instructions_forward' "instructions with everything on"
(cd "$weir_root/tests/bench" && /usr/bin/python3 -B - <<END_PYTHON)
from instructions import judge
committed = {"compiler": "cc 1", "forward": 100, "native": 200}
assert judge("cc 1", {"forward": 105, "native": 190}, committed) == []
assert "instructions_native" in judge("cc 1", {"forward": 90, "native": 211}, committed)[0]
assert judge("cc 2", {"forward": 300, "native": 300}, committed) == []
END_PYTHON
