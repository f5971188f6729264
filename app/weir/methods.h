/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "control/gateway.h"

/* All methods of the control socket. */

/* Make gateway->rpc with all of them; 0 or -errno. */
int weir_methods_create(struct weir_gateway *gateway);
/* What rpc_methods answers, to stdout, without a gateway: manual and completion are made of it. */
int weir_methods_print(void);
