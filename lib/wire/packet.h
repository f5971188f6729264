/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>

#include "base/reason.h"

/* What the parser learned of a UDP datagram. It travels with the packet, so it is small. */
struct weir_packet {
	uint16_t l3_offset;      /* of the IP header, from the start of the frame */
	uint16_t l4_offset;      /* of the UDP header */
	uint16_t payload_length; /* UDP payload, bytes; it starts at l4_offset + 8 */
	uint16_t vlan;           /* innermost VID; 0: untagged or priority-tagged */
	uint16_t outer_vlan;     /* outer VID of a double-tagged frame; 0: none */
	uint16_t source_port;    /* host order */
	uint16_t destination_port;
	uint8_t ip_version; /* 4 or 6 */
};

enum weir_parse_result {
	WEIR_PARSE_UDP,    /* `packet` is filled */
	WEIR_PARSE_KERNEL, /* sound, but no UDP datagram: the kernel's */
	WEIR_PARSE_DROP,   /* malformed or a UDP fragment: *reason says why */
};

enum weir_parse_flags {
	WEIR_PARSE_IP_CHECKSUM_DONE = 1 << 0, /* the NIC found the IPv4 header checksum right */
	WEIR_PARSE_ZERO_CHECKSUM = 1 << 1,    /* take UDP over IPv6 without checksum (RFC 6935) */
};
