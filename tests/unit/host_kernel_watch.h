/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "host/netlink.h"

/* A host, and how often it told each kind of change. */
struct host_watch {
	struct weir_host *host;
	unsigned int told[WEIR_HOST_EVERYTHING + 1];
};

/* Opened here and now; aborts the test when it can't be. */
void host_watch_open(struct host_watch *watch);
void host_watch_close(struct host_watch *watch);
/* Take what is there already, and forget it. */
void host_watch_settle(struct host_watch *watch);
/* Process until `kind` was told once more than `before`; false after 10 s. */
bool host_watch_until_told(
	struct host_watch *watch, enum weir_host_change_kind kind, unsigned int before);
/* Process until the neighbour is in this state; false after 10 s. */
bool host_watch_until_state(struct host_watch *watch, int ifindex, const char *address,
	enum weir_neighbour_state state);
int host_watch_ifindex(const struct host_watch *watch, const char *name);
