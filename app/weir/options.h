/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>

/* The command line of weir. */
struct weir_options {
	const char *config;
	bool check_only;
	bool print_methods;
	bool unload; /* remove what is pinned, and end */
	bool takes_over;
	bool no_sandbox;  /* keep privileges and all system calls */
	const char *user; /* to become; NULL: none */
};

/*
 * 0: go on; else exit with *status. --help and --version print to stdout, faults to stderr. Sets
 * the log level.
 */
int weir_options_parse(int argc, char **argv, struct weir_options *options, int *status);
