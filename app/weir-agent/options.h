/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/address.h"

#define AGENT_PORTS 16 /* that one process watches */

/* The command line of weir-agent. */
struct agent_options {
	char gateway[WEIR_ADDRESS_TEXT];
	uint16_t gateway_port;
	const char *group;
	const char *name;            /* NULL: one is made up */
	const char *key_file;        /* NULL: none */
	struct weir_address address; /* family 0: that which the gateway sees us by */
	uint16_t ports[AGENT_PORTS];
	unsigned int port_count;
	uint32_t interval_us;
	bool is_once;
	bool is_verbose;
};

/*
 * 0: go on; else exit with *status. --help and --version print to stdout, faults to stderr.
 */
int agent_options_parse(int argc, char **argv, struct agent_options *options, int *status);
