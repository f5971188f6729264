/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>

#include "host/cache.h"
#include "host/request.h"

/* Inside lib/host: what its netlink files share. */

struct weir_host {
	weir_host_changed changed; /* may be NULL */
	void *context;
	struct mnl_socket *notifications;
	struct weir_request request;
	struct weir_host_cache *cache;
	char *buffer;        /* for notifications, WEIR_REQUEST_BUFFER bytes */
	bool is_stale;       /* notifications were lost since the cache was filled */
	bool routes_changed; /* to be told at the end of weir_host_process() */
};
