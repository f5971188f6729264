/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "telemetry/publish.h"

/*
 * The same figures by DPDK's telemetry socket: "/weir/metrics,PREFIX" gives {"name/value of
 * label/...": value} of what begins so, 255 at most, and "/weir/names" the families. Its own thread
 * asks; it prints the published set. Values are whole numbers there: seconds and ratios in
 * millionths, by "_micro".
 */
/* 0 or negative errno. The publisher outlasts the process's last request. */
int weir_rte_telemetry_open(struct weir_publisher *publisher);
/* From now on there are no figures. */
void weir_rte_telemetry_close(void);
