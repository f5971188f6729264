/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
#pragma once

#include <linux/types.h>

/* Packets that were redirected and did not leave, by interface. */

#define WEIR_XDP_ERRORS_MAX 64

struct weir_xdp_errors_key {
	__u64 net_cookie; /* of the interface's network namespace */
	__u32 ifindex;
	__u32 reserved;
};

struct weir_xdp_errors {
	__u64 refused;  /* at the redirect; the interface is the one that the packet came by */
	__u64 not_sent; /* by the interface's driver; it is the one that the packet was to leave by
			 */
	__s32 newest;   /* -errno */
	__u32 reserved;
};
