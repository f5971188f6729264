/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <linux/netlink.h>

#include "host/netlink.h"

/*
 * Inside lib/host: the links, their addresses and the neighbours, as the messages taken so far tell
 * them. Pure: a message in, a change out. Addresses belong to their link; a link that goes away
 * takes them and its neighbours along. The kernel bounds how much there is (gc_thresh3). Pointers
 * that are returned hold until the next message is taken.
 */
struct weir_host_cache;

/* NULL when there is no memory. */
struct weir_host_cache *weir_host_cache_create(void);
/* NULL is fine. */
void weir_host_cache_destroy(struct weir_host_cache *cache);
/*
 * Take in one message about a link, an address or a neighbour, from a dump or a notification.
 * 1: `change` tells what is different now; 0: nothing is; -ENOMEM.
 */
int weir_host_cache_take(struct weir_host_cache *cache, const struct nlmsghdr *message,
	struct weir_host_change *change);
/* NULL when there is none. */
const struct weir_host_link *weir_host_cache_link(const struct weir_host_cache *cache, int ifindex);
const struct weir_host_link *weir_host_cache_link_named(
	const struct weir_host_cache *cache, const char *name);
const struct weir_host_neighbour *weir_host_cache_neighbour(
	const struct weir_host_cache *cache, int ifindex, const struct weir_address *address);
/* As weir_host_addresses(). */
unsigned int weir_host_cache_addresses(const struct weir_host_cache *cache, int ifindex,
	struct weir_host_address *addresses, unsigned int max);
