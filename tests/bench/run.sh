#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The benchmarks inside their namespaces: run.sh ARGUMENTS-OF-BENCH.PY...

# shellcheck source=tests/system/_init.sh
. "$(dirname "$0")/../system/_init.sh"

# What keys_1m, cycles and native_N keep in buffers takes much.
need=512
case " $* " in
*" keys_1m"* | *" curves "* | *" native_"*) need=1800 ;;
*" --quick "*) ;;
*" cycles "*) need=1800 ;;
*" --case "*) ;;
*) need=1800 ;;
esac
pages=--hugepages
if ! hugepages $need; then
	pages=--no-hugepages
fi
# Not exec: the trap of _init.sh gives the hugepages back. In the background, so that a signal is
# not kept waiting; the measurement ends with this process.
/usr/bin/python3 "$weir_tests/../bench/bench.py" --directory "$tmp" $pages "$@" &
wait $!
