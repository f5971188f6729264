#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# time limit: 300
# measures time
#
# Tests that were written for af_packet ports hold on ports of driver xdp. All of them, instead of
# this choice: WEIR_TEST_DRIVER=xdp scripts/test system.
set -euo pipefail

if [ "${WEIR_TEST_DRIVER:-}" = xdp ]; then
	echo "skipped: all tests run on xdp ports anyway"
	exit 77
fi
for name in groups takeover; do
	echo "--- $name"
	WEIR_TEST_DRIVER=xdp bash "$(dirname "$0")/t_$name.sh"
done
