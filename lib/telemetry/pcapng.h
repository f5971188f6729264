/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/*
 * Blocks of a pcapng file (draft-ietf-opsawg-pcapng): one section, Ethernet interfaces, packets
 * with a comment. Times are nanoseconds. Each function returns the bytes that it wrote; whether
 * the file took them says ferror(). Any thread, one a file.
 */

enum weir_pcapng_direction {
	WEIR_PCAPNG_UNKNOWN = 0,
	WEIR_PCAPNG_IN = 1,
	WEIR_PCAPNG_OUT = 2,
};

struct weir_pcapng_packet {
	uint32_t interface; /* in the order in which they were written, from 0 */
	uint64_t time_ns;   /* Unix */
	uint32_t length;    /* on the wire */
	uint32_t captured;
	const uint8_t *bytes;
	const char *comment; /* NULL: none */
	enum weir_pcapng_direction direction;
};

/* Begins a file. */
size_t weir_pcapng_section(FILE *file, const char *application, const char *comment);
size_t weir_pcapng_interface(FILE *file, const char *name, uint32_t snap);
size_t weir_pcapng_packet(FILE *file, const struct weir_pcapng_packet *packet);
/* Ends what is known of an interface: packets that were not written. */
size_t weir_pcapng_statistics(FILE *file, uint32_t interface, uint64_t time_ns, uint64_t lost);
#define WEIR_PCAPNG_STATISTICS_SIZE 40
/* Bytes that such a packet takes. */
size_t weir_pcapng_packet_size(const struct weir_pcapng_packet *packet);
