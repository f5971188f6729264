/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * The UDP payloads of a capture file (pcap or pcapng, Ethernet), in memory, in their order.
 * Fragments and everything that is no UDP datagram are left out and counted.
 */
struct load_capture_datagram {
	size_t offset; /* in `bytes` */
	uint16_t length;
};

struct load_capture {
	uint8_t *bytes;
	size_t byte_count;
	struct load_capture_datagram *datagrams;
	size_t count;
	size_t left_out;
};

/* 0 and the caller frees; a negative errno after a message on stderr. Without a single datagram
 * that is -ENODATA. */
int load_capture_read(const char *path, struct load_capture *capture);
void load_capture_free(struct load_capture *capture);
