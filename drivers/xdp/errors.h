/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "xdp/bpf/errors.h"

/*
 * Redirected packets that did not leave: counted while this is open, and longer where it is pinned.
 * Control thread only.
 */
struct weir_xdp_errors_counter;

/*
 * -errno: the kernel has no such tracepoints for us. `folder`: pins below it, or NULL for none.
 * `kept_back`: the program's map of that name, for what it has dropped itself; -1: none.
 */
int weir_xdp_errors_open(
	const char *folder, int kept_back, struct weir_xdp_errors_counter **counter);
/* NULL is fine. */
void weir_xdp_errors_close(struct weir_xdp_errors_counter *counter);
/* Count for this interface of our network namespace from now on. */
int weir_xdp_errors_add(struct weir_xdp_errors_counter *counter, int ifindex);
int weir_xdp_errors_read(
	struct weir_xdp_errors_counter *counter, int ifindex, struct weir_xdp_errors *errors);
/*
 * Whether a program can send by this interface: one frame of no protocol, from the interface to
 * itself, is tried. 0 or the -errno that the kernel gave; 1: it cannot be tried here.
 */
int weir_xdp_errors_probe(int ifindex);
