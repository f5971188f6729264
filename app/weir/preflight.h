/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdio.h>

#include "config/config.h"

/*
 * What the machine has of what a sound configuration needs: for each port which driver, mode, MTU
 * and queues, and for the whole the memory; what is missing, and the command that mends it.
 * Changes nothing. Returns how much is missing.
 */
unsigned int weir_preflight(const struct weir_config *config, FILE *out);
