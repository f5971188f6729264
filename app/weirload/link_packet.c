/* SPDX-License-Identifier: BSD-3-Clause */
#include "link_packet.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define ADDRESSES 12 /* bytes of an Ethernet frame before its first tag */

/* No multiple of a page: else the headers of all packets would share a few lines of the cache. */
#define STRIDE (LOAD_LINK_VLAN + sizeof(load_link_head) + LOAD_LINK_MAX_FRAME + 1010)

int load_packet_pool_init(struct load_packet_pool *pool, size_t count)
{
	*pool = (struct load_packet_pool){.count = count, .size = count * STRIDE};
	pool->packets = calloc(count, sizeof(*pool->packets));
	if (pool->packets == NULL)
		return -ENOMEM;
	pool->memory = mmap(NULL, pool->size, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (pool->memory == MAP_FAILED) {
		pool->memory = NULL;
		return -ENOMEM;
	}
	/* A frame must not make a huge page of its neighbours. */
	madvise(pool->memory, pool->size, MADV_NOHUGEPAGE);
	for (size_t i = count; i-- > 0;) {
		pool->packets[i].room = pool->memory + i * STRIDE;
		load_packet_put(pool, &pool->packets[i]);
	}
	return 0;
}

void load_packet_pool_free(struct load_packet_pool *pool)
{
	if (pool->memory != NULL)
		munmap(pool->memory, pool->size);
	free(pool->packets);
	*pool = (struct load_packet_pool){0};
}

struct load_packet *load_packet_get(struct load_packet_pool *pool)
{
	struct load_packet *packet = pool->free;

	if (packet == NULL)
		return NULL;
	pool->free = packet->next;
	pool->free_count--;
	packet->bytes = packet->room + LOAD_LINK_VLAN;
	packet->length = 0;
	packet->users = 0;
	return packet;
}

void load_packet_put(struct load_packet_pool *pool, struct load_packet *packet)
{
	if (packet->users > 1) {
		packet->users--;
		return;
	}
	packet->next = pool->free;
	pool->free = packet;
	pool->free_count++;
}

void load_packet_tag(struct load_packet *packet, uint16_t type, uint16_t tag)
{
	uint8_t *place = packet->room + sizeof(load_link_head) + ADDRESSES;
	load_link_head head;

	if (packet->length < ADDRESSES || packet->bytes == packet->room)
		return;
	memmove(packet->room, packet->bytes, sizeof(head) + ADDRESSES);
	place[0] = (uint8_t)(type >> 8);
	place[1] = (uint8_t)type;
	place[2] = (uint8_t)(tag >> 8);
	place[3] = (uint8_t)tag;
	packet->bytes = packet->room;
	packet->length += LOAD_LINK_VLAN;

	/* Offsets from the frame's begin, of the machine's byte order (packet(7)). */
	memcpy(&head, packet->bytes, sizeof(head));
	if (head.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		head.csum_start = (__virtio16)(head.csum_start + LOAD_LINK_VLAN);
	if (head.hdr_len != 0)
		head.hdr_len = (__virtio16)(head.hdr_len + LOAD_LINK_VLAN);
	memcpy(packet->bytes, &head, sizeof(head));
}
