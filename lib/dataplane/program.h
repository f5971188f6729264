/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "dataplane/report.h"

/*
 * What the ports' program in the kernel delivered, put to what workers did. For streams and groups
 * only where a stream is, or once was, on the kernel's path: else it is what a fail-over took,
 * which is told apart, and to native groups a second time as what they missed. Private to
 * lib/dataplane. Control thread only.
 */

/* See weir_port_ops; false when no port has a program. */
bool weir_program_flow(const struct weir_dataplane *dataplane, const char *stream,
	const char *group, struct weir_failover_flow *flow);

void weir_program_add_stream(
	const struct weir_dataplane *dataplane, struct weir_stream_report *report);
void weir_program_add_group(
	const struct weir_dataplane *dataplane, struct weir_group_report *report);
void weir_program_add_consumer(const struct weir_dataplane *dataplane,
	const struct weir_consumer *consumer, struct weir_consumer_report *report);
