/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * An error as an operator reads it: where, why, and what to do about it. Filled by whoever
 * finds the fault, printed unchanged by the control socket and the command line.
 */
struct weir_error {
	int code;         /* negative errno */
	char path[160];   /* JSON path ("$.streams[2].key"), a file, or "" */
	char reason[256]; /* what is wrong, with the value that is wrong */
	char hint[256];   /* what would be right */
};

/* Fill `error` (may be NULL) and return `code`. Longer texts are cut. */
int weir_error_set(struct weir_error *error, int code, const char *path, const char *hint,
	const char *reason_format, ...) __attribute__((format(printf, 5, 6)));
