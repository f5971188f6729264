/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* The subcommands, with argv[0] their own name, and what they share. */

/* Exit statuses. */
enum {
	LOAD_EXIT_OK = 0,
	LOAD_EXIT_FAILED = 1, /* it could not be run, or not to its end */
	LOAD_EXIT_USAGE = 2,
	LOAD_EXIT_UNCLEAN = 3, /* --strict: something was lost, doubled or out of order */
};

int load_send_command(int argc, char **argv);
int load_produce_command(int argc, char **argv);
int load_receive_command(int argc, char **argv);
int load_link_command(int argc, char **argv);

/* A descriptor that becomes readable on SIGINT or SIGTERM, which no longer end the process. Of
 * threads made later as well. Negative errno. */
int load_signals_open(void);
