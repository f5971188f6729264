/* SPDX-License-Identifier: BSD-3-Clause */
/* DPDK's headers, parsed once for a target: most of what compiling one of its files costs. */
#include <rte_cycles.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <rte_rcu_qsbr.h>
#include <rte_ring.h>
