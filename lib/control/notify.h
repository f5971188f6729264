/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "control/gateway.h"

/*
 * What the service manager is told (sd_notify(3)): that the gateway runs, that it stops, and, as
 * often as WatchdogSec= asks for it, that it is alive: that the control thread gets round and no
 * worker is stalled. Nothing where $NOTIFY_SOCKET is not set.
 */
struct weir_notify;

/* Looks at the environment. `notify` becomes NULL where nobody is to be told. 0 or -ENOMEM. */
int weir_notify_create(struct weir_gateway *gateway, struct weir_notify **notify);
/* NULL is fine in all of these. */
void weir_notify_ready(struct weir_notify *notify);
void weir_notify_stopping(const struct weir_notify *notify);
void weir_notify_destroy(struct weir_notify *notify);
