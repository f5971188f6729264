/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "control/gateway.h"

/*
 * The facts of a look for drift: a name, what was meant, what is. Control thread only; nothing here
 * blocks: memory of this process, small files of /proc and /sys, and links by rtnetlink.
 */

/* `intended` is NULL: what it was when the reference was taken. Texts are lent for the call. */
typedef void (*weir_drift_fact)(
	void *context, const char *name, const char *intended, const char *actual);

/*
 * What workers, consumers and features run with, by the configuration. Of consumers only those
 * that differ, unless `is_whole`.
 */
void weir_drift_effective(
	struct weir_gateway *gateway, bool is_whole, weir_drift_fact fact, void *context);
/* What the gateway stands on: memory, CPUs, ports' devices, settings of the kernel. */
void weir_drift_host(struct weir_gateway *gateway, weir_drift_fact fact, void *context);
