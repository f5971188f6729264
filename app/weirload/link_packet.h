/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <linux/virtio_net.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Buffers for frames on their way. Each has room for the largest frame that the kernel hands
 * out: with TCP's segmentation offload that is 64 KiB whatever the MTU. A page that no frame
 * reached takes no memory, and the buffer given back last is used first. One thread.
 */
#define LOAD_LINK_VLAN      4     /* bytes of a tag (IEEE 802.1Q), kept free before the frame */
#define LOAD_LINK_MAX_FRAME 67584 /* 64 KiB and headers */

/* The kernel's word on the frame behind it: checksum and segments that an offload has yet to
 * make. It is given back with the frame when that is sent, so the offload is still there. */
typedef struct virtio_net_hdr load_link_head;

struct load_packet {
	struct load_packet *next; /* free ones */
	uint8_t *room;            /* LOAD_LINK_VLAN bytes, head, frame */
	uint8_t *bytes;           /* where the head begins: in `room`, or LOAD_LINK_VLAN on */
	uint32_t length;          /* of the frame, without the head */
	uint32_t users;           /* times that it still has to be sent */
};

struct load_packet_pool {
	struct load_packet *packets;
	struct load_packet *free;
	uint8_t *memory;
	size_t size; /* of memory */
	size_t count;
	size_t free_count;
};

/* 0 or -ENOMEM; free in both cases. */
int load_packet_pool_init(struct load_packet_pool *pool, size_t count);
void load_packet_pool_free(struct load_packet_pool *pool);
/* NULL when there is none left. With no users, and `bytes` LOAD_LINK_VLAN on. */
struct load_packet *load_packet_get(struct load_packet_pool *pool);
/* One user less; the last gives the packet back. Also of a packet that found no user yet. */
void load_packet_put(struct load_packet_pool *pool, struct load_packet *packet);
/* Put a tag back into the frame that the kernel took out of it; `type` and `tag` in host order. */
void load_packet_tag(struct load_packet *packet, uint16_t type, uint16_t tag);
