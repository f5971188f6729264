#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The benchmarks inside their namespaces: run.sh ARGUMENTS-OF-BENCH.PY...

# shellcheck source=tests/system/_init.sh
. "$(dirname "$0")/../system/_init.sh"

pages=--hugepages
if ! hugepages 512; then
	pages=--no-hugepages
fi
# Not exec: the trap of _init.sh gives the hugepages back. In the background, so that a signal is
# not kept waiting; the measurement ends with this process.
/usr/bin/python3 "$weir_tests/../bench/bench.py" --directory "$tmp" $pages "$@" &
wait $!
