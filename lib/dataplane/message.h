/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>

#include <rte_mbuf.h>

/*
 * A message: one datagram and what parsing it once has shown. It travels by value, from the
 * receiving worker through the mesh into the slot of its partition ring, so that the owner never
 * touches the mbuf's second cache line or the headers again. Half a cache line.
 */

#define WEIR_SLOT_IPV6          0x01
#define WEIR_SLOT_CHECKSUM_GOOD 0x02 /* UDP checksum verified, or none to verify */
#define WEIR_SLOT_TEMPLATES                                                                        \
	0x04 /* has templates or may have options data, in a stream that keeps them */
#define WEIR_SLOT_STALE   0x08 /* older than what the port's program sent: see port.h */
#define WEIR_SLOT_MISSED  0x10 /* empty: stands for one that the program took; see missed.h */
#define WEIR_SLOT_TRACED  0x20 /* see trace.h */
#define WEIR_SLOT_CONTEXT 0x40 /* see context.h */

struct weir_message_slot {
	struct rte_mbuf *mbuf;   /* NULL once nothing holds it any more */
	uint64_t ingest;         /* time stamp counter at receive */
	uint32_t time_left_us;   /* to its own deadline when it came; 0: only the stream's holds */
	uint16_t payload_length; /* UDP payload, bytes */
	uint16_t l4_offset;      /* UDP header, from the mbuf's data */
	uint16_t stream;         /* slot number */
	union {
		uint16_t partition; /* on its way to the ring: within its stream */
		uint16_t only;      /* in the ring: slot of the one group it is for, + 1; 0: all */
	};
	uint8_t l3_offset;
	uint8_t flags;
	uint8_t holders; /* groups that have yet to pass, and retention; owner worker only */
	uint8_t reserved;
};

_Static_assert(sizeof(struct weir_message_slot) == 32, "two slots a cache line");

/* Length as a rate limit in bits counts it: the IP packet as it was received. */
static inline uint32_t weir_message_l3_bytes(const struct weir_message_slot *message)
{
	return (uint32_t)message->payload_length + 8 + (message->l4_offset - message->l3_offset);
}
