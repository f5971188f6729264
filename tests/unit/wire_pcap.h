/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A capture file in memory: little-endian pcap of Ethernet frames, as those in ../shared/data. */

#define PCAP_FILE_HEADER   24
#define PCAP_PACKET_HEADER 16

struct pcap {
	uint8_t *bytes;
	size_t length;
	size_t next;
};

/* 0, or -1 when the file is not there or is no capture. */
static inline int pcap_open(struct pcap *pcap, const char *path)
{
	static const uint8_t magic[4] = {0xd4, 0xc3, 0xb2, 0xa1};
	FILE *file = fopen(path, "rb");
	long size = -1;

	*pcap = (struct pcap){.next = PCAP_FILE_HEADER};
	if (file == NULL)
		return -1;
	if (fseek(file, 0, SEEK_END) == 0)
		size = ftell(file);
	rewind(file);
	if (size >= PCAP_FILE_HEADER)
		pcap->bytes = malloc((size_t)size);
	if (pcap->bytes != NULL)
		pcap->length = fread(pcap->bytes, 1, (size_t)size, file);
	fclose(file);
	if (pcap->bytes == NULL || memcmp(pcap->bytes, magic, sizeof(magic)) != 0) {
		free(pcap->bytes);
		return -1;
	}
	return 0;
}

/* The next frame, or NULL at the end. */
static inline const uint8_t *pcap_next(struct pcap *pcap, size_t *length)
{
	const uint8_t *header = pcap->bytes + pcap->next;
	uint32_t captured;

	if (pcap->next + PCAP_PACKET_HEADER > pcap->length)
		return NULL;
	captured = header[8] | header[9] << 8 | header[10] << 16 | (uint32_t)header[11] << 24;
	if (captured > pcap->length - pcap->next - PCAP_PACKET_HEADER)
		return NULL;
	pcap->next += PCAP_PACKET_HEADER + captured;
	*length = captured;
	return header + PCAP_PACKET_HEADER;
}

static inline void pcap_close(struct pcap *pcap)
{
	free(pcap->bytes);
}
