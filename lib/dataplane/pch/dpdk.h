/* SPDX-License-Identifier: BSD-3-Clause */
/* DPDK's headers, parsed once for all files of a target: most of what compiling such a file costs.
 */
#include <rte_cycles.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <rte_rcu_qsbr.h>
#include <rte_ring.h>
