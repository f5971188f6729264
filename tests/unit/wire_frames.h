/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Frames made from a short description, for tests: a sound UDP datagram (an IPFIX message to
 * port 9991) with the wanted tags and headers, then patched, then cut.
 */

#define FRAME_ROOM    512
#define FRAME_CHAIN   10
#define FRAME_PATCHES 6
#define FRAME_PORT    9991
#define FRAME_PAYLOAD 24

/* A place in the frame: bytes from the Ethernet, IP, first extension or UDP header. */
#define L2(offset)  (0x1000 | (offset))
#define L3(offset)  (0x2000 | (offset))
#define EXT(offset) (0x3000 | (offset))
#define L4(offset)  (0x4000 | (offset))

struct frame_patch {
	uint16_t at;  /* L2(), L3(), EXT() or L4(); 0 ends the list */
	uint8_t size; /* 1 or 2 bytes */
	uint16_t value;
};

struct frame_spec {
	uint8_t version;            /* 4 or 6 */
	uint8_t tags;               /* VLAN tags: VID 100 innermost, then 200, 300 */
	uint8_t options;            /* IPv4: words of options */
	uint8_t chain[FRAME_CHAIN]; /* IPv6: extension headers, 8 bytes each (AH 24) */
	uint8_t chain_count;
	uint8_t padding; /* bytes after the IP packet */
	struct frame_patch patches[FRAME_PATCHES];
	uint16_t cut; /* the frame ends here, a place as above; 0: not cut */
	bool is_raw;  /* leave the checksums as patched; else they are made right at last */
};

struct frame {
	uint8_t bytes[FRAME_ROOM];
	size_t length;
	size_t l3, l4; /* offsets */
};

void frame_make(const struct frame_spec *spec, struct frame *frame);
