/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/rtnetlink.h>

#include "base/list.h"
#include "host/decode.h"

#define LINK_BUCKETS      256  /* power of two */
#define NEIGHBOUR_BUCKETS 4096 /* power of two */

struct cached_address {
	struct weir_list node; /* in cached_link.addresses */
	struct weir_host_address value;
};

struct cached_link {
	struct weir_list node; /* in weir_host_cache.links */
	struct weir_list addresses;
	struct weir_host_link value;
};

struct cached_neighbour {
	struct weir_list node; /* in weir_host_cache.neighbours */
	int ifindex;
	struct weir_address address;
	struct weir_host_neighbour value;
};

struct weir_host_cache {
	struct weir_list links[LINK_BUCKETS];
	struct weir_list neighbours[NEIGHBOUR_BUCKETS];
};

static unsigned int link_bucket(int ifindex)
{
	return (unsigned int)ifindex & (LINK_BUCKETS - 1);
}

/* FNV-1a. Whoever fills a subnet's table on purpose is bounded by the kernel's table first. */
static unsigned int neighbour_bucket(int ifindex, const struct weir_address *address)
{
	uint32_t hash = 2166136261u ^ (uint32_t)ifindex;

	for (unsigned int i = 0; i < (address->family == 4 ? 4u : 16u); i++)
		hash = (hash ^ address->bytes[i]) * 16777619u;
	return (hash ^ hash >> 16) & (NEIGHBOUR_BUCKETS - 1);
}

static struct cached_link *find_link(const struct weir_host_cache *cache, int ifindex)
{
	weir_list_for_each (node, &cache->links[link_bucket(ifindex)]) {
		struct cached_link *link = weir_list_entry(node, struct cached_link, node);

		if (link->value.ifindex == ifindex)
			return link;
	}
	return NULL;
}

static struct cached_address *find_address(
	const struct cached_link *link, const struct weir_host_address *wanted)
{
	weir_list_for_each (node, &link->addresses) {
		struct cached_address *address = weir_list_entry(node, struct cached_address, node);

		if (address->value.length == wanted->length &&
			weir_address_equal(&address->value.address, &wanted->address))
			return address;
	}
	return NULL;
}

static struct cached_neighbour *find_neighbour(
	const struct weir_host_cache *cache, int ifindex, const struct weir_address *address)
{
	weir_list_for_each (node, &cache->neighbours[neighbour_bucket(ifindex, address)]) {
		struct cached_neighbour *neighbour =
			weir_list_entry(node, struct cached_neighbour, node);

		if (neighbour->ifindex == ifindex &&
			weir_address_equal(&neighbour->address, address))
			return neighbour;
	}
	return NULL;
}

static void free_link(struct cached_link *link)
{
	while (!weir_list_is_empty(&link->addresses)) {
		struct weir_list *node = link->addresses.next;

		weir_list_remove(node);
		free(weir_list_entry(node, struct cached_address, node));
	}
	weir_list_remove(&link->node);
	free(link);
}

/* Of one interface, or of all with 0. */
static void free_neighbours(struct weir_host_cache *cache, int ifindex)
{
	for (unsigned int i = 0; i < NEIGHBOUR_BUCKETS; i++) {
		struct weir_list *node = cache->neighbours[i].next;

		while (node != &cache->neighbours[i]) {
			struct cached_neighbour *neighbour =
				weir_list_entry(node, struct cached_neighbour, node);

			node = node->next;
			if (ifindex != 0 && neighbour->ifindex != ifindex)
				continue;
			weir_list_remove(&neighbour->node);
			free(neighbour);
		}
	}
}

static int take_link(struct weir_host_cache *cache, const struct nlmsghdr *message,
	struct weir_host_change *change)
{
	struct weir_host_link value;
	struct cached_link *link;

	if (weir_host_decode_link(message, &value) < 0)
		return 0;
	link = find_link(cache, value.ifindex);
	change->kind = WEIR_HOST_LINK;
	change->ifindex = value.ifindex;
	if (message->nlmsg_type == RTM_DELLINK) {
		if (link == NULL)
			return 0;
		free_link(link);
		free_neighbours(cache, value.ifindex);
		return 1;
	}
	if (link == NULL) {
		link = calloc(1, sizeof(*link));
		if (link == NULL)
			return -ENOMEM;
		weir_list_init(&link->addresses);
		weir_list_add_tail(&cache->links[link_bucket(value.ifindex)], &link->node);
	} else if (memcmp(&link->value, &value, sizeof(value)) == 0) {
		/* Padding could at worst tell a change for nothing. */
		return 0;
	}
	link->value = value;
	return 1;
}

static int take_address(struct weir_host_cache *cache, const struct nlmsghdr *message,
	struct weir_host_change *change)
{
	struct weir_host_address value;
	struct cached_address *address;
	struct cached_link *link;
	int ifindex;

	if (weir_host_decode_address(message, &ifindex, &value) < 0)
		return 0;
	link = find_link(cache, ifindex);
	if (link == NULL)
		return 0;
	address = find_address(link, &value);
	change->kind = WEIR_HOST_ADDRESS;
	change->ifindex = ifindex;
	if (message->nlmsg_type == RTM_DELADDR) {
		if (address == NULL)
			return 0;
		weir_list_remove(&address->node);
		free(address);
		return 1;
	}
	if (address == NULL) {
		address = calloc(1, sizeof(*address));
		if (address == NULL)
			return -ENOMEM;
		weir_list_add_tail(&link->addresses, &address->node);
	} else if (address->value.is_usable == value.is_usable) {
		return 0;
	}
	address->value = value;
	return 1;
}

static int take_neighbour(struct weir_host_cache *cache, const struct nlmsghdr *message,
	struct weir_host_change *change)
{
	struct cached_neighbour *neighbour;
	struct weir_host_neighbour value;
	struct weir_address key;
	int ifindex;

	if (weir_host_decode_neighbour(message, &ifindex, &key, &value) < 0)
		return 0;
	neighbour = find_neighbour(cache, ifindex, &key);
	change->kind = WEIR_HOST_NEIGHBOUR;
	change->ifindex = ifindex;
	change->address = key;
	if (message->nlmsg_type == RTM_DELNEIGH) {
		if (neighbour == NULL)
			return 0;
		weir_list_remove(&neighbour->node);
		free(neighbour);
		return 1;
	}
	if (neighbour == NULL) {
		neighbour = calloc(1, sizeof(*neighbour));
		if (neighbour == NULL)
			return -ENOMEM;
		neighbour->ifindex = ifindex;
		neighbour->address = key;
		weir_list_add_tail(
			&cache->neighbours[neighbour_bucket(ifindex, &key)], &neighbour->node);
	} else if (neighbour->value.nud == value.nud &&
		   memcmp(neighbour->value.mac, value.mac, sizeof(value.mac)) == 0) {
		return 0;
	}
	neighbour->value = value;
	return 1;
}

struct weir_host_cache *weir_host_cache_create(void)
{
	struct weir_host_cache *cache = malloc(sizeof(*cache));

	if (cache == NULL)
		return NULL;
	for (unsigned int i = 0; i < LINK_BUCKETS; i++)
		weir_list_init(&cache->links[i]);
	for (unsigned int i = 0; i < NEIGHBOUR_BUCKETS; i++)
		weir_list_init(&cache->neighbours[i]);
	return cache;
}

void weir_host_cache_destroy(struct weir_host_cache *cache)
{
	if (cache == NULL)
		return;
	for (unsigned int i = 0; i < LINK_BUCKETS; i++)
		while (!weir_list_is_empty(&cache->links[i]))
			free_link(weir_list_entry(cache->links[i].next, struct cached_link, node));
	free_neighbours(cache, 0);
	free(cache);
}

int weir_host_cache_take(struct weir_host_cache *cache, const struct nlmsghdr *message,
	struct weir_host_change *change)
{
	memset(change, 0, sizeof(*change));
	switch (message->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		return take_link(cache, message, change);
	case RTM_NEWADDR:
	case RTM_DELADDR:
		return take_address(cache, message, change);
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		return take_neighbour(cache, message, change);
	default:
		return 0;
	}
}

const struct weir_host_link *weir_host_cache_link(const struct weir_host_cache *cache, int ifindex)
{
	const struct cached_link *link = find_link(cache, ifindex);

	return link != NULL ? &link->value : NULL;
}

const struct weir_host_link *weir_host_cache_link_named(
	const struct weir_host_cache *cache, const char *name)
{
	for (unsigned int i = 0; i < LINK_BUCKETS; i++)
		weir_list_for_each (node, &cache->links[i]) {
			const struct cached_link *link =
				weir_list_entry(node, struct cached_link, node);

			if (strcmp(link->value.name, name) == 0)
				return &link->value;
		}
	return NULL;
}

const struct weir_host_neighbour *weir_host_cache_neighbour(
	const struct weir_host_cache *cache, int ifindex, const struct weir_address *address)
{
	const struct cached_neighbour *neighbour = find_neighbour(cache, ifindex, address);

	return neighbour != NULL ? &neighbour->value : NULL;
}

unsigned int weir_host_cache_addresses(const struct weir_host_cache *cache, int ifindex,
	struct weir_host_address *addresses, unsigned int max)
{
	const struct cached_link *link = find_link(cache, ifindex);
	unsigned int count = 0;

	if (link == NULL)
		return 0;
	weir_list_for_each (node, &link->addresses) {
		if (count < max)
			addresses[count] =
				weir_list_entry(node, struct cached_address, node)->value;
		count++;
	}
	return count;
}
