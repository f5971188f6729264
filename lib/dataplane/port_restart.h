/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "dataplane/dataplane.h"

/*
 * Stop a port's device and start it again, as a remedy for a queue that is stuck. Workers find it
 * full and empty meanwhile: what is to leave by it waits as it does when a queue is full. What the
 * device has taken and not sent is lost, and its link may be down for a while. Control thread,
 * which waits for it: for 100 ms at most until no worker is in the port, then for the device.
 *
 * 0; -ENOTSUP: its driver cannot; -EBUSY: a worker stalls, nothing was done; what the device
 * failed with: then it stays held, until another try succeeds.
 */
int weir_port_restart(struct weir_dataplane *dataplane, struct weir_port *port);
/* NULL: no port has this name. */
struct weir_port *weir_port_named(const struct weir_dataplane *dataplane, const char *name);
