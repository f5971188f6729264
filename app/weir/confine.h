/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "config/config.h"
#include "control/gateway.h"

/*
 * What the gateway gives up, by what its configuration has it do: the drivers of its ports say
 * which capabilities and system calls stay.
 */

/* Before any thread: capabilities, no_new_privs, and with `user` (NULL: none) the user. */
int weir_confine_start(
	const struct weir_config *config, const char *user, struct weir_error *error);
/* All is open: the filter of system calls on all threads; refusals are logged from now on. */
int weir_confine_finish(struct weir_gateway *gateway, struct weir_error *error);
