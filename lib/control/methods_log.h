/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "control/rpc.h"

/* The methods log_get_level and log_set_level, on the process's log (base/log.h). */
int weir_methods_log_register(struct weir_rpc *rpc);
