/* SPDX-License-Identifier: BSD-3-Clause */
#include "capture.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/parse.h"

#define FIRST_DATAGRAMS 1024
#define FIRST_BYTES     (1u << 20)
#define UDP_HEADER      8

/* Make room for one more element; 0 or -ENOMEM. */
static int reserve(void **array, size_t *room, size_t needed, size_t size, size_t first)
{
	size_t next = *room == 0 ? first : *room;
	void *grown;

	if (needed <= *room)
		return 0;
	while (next < needed)
		next *= 2;
	grown = realloc(*array, next * size);
	if (grown == NULL)
		return -ENOMEM;
	*array = grown;
	*room = next;
	return 0;
}

static int keep(struct load_capture *capture, const uint8_t *payload, uint16_t length,
	size_t *byte_room, size_t *datagram_room)
{
	void *bytes = capture->bytes, *datagrams = capture->datagrams;
	int error;

	error = reserve(&bytes, byte_room, capture->byte_count + length, 1, FIRST_BYTES);
	capture->bytes = bytes;
	if (error == 0)
		error = reserve(&datagrams, datagram_room, capture->count + 1,
			sizeof(*capture->datagrams), FIRST_DATAGRAMS);
	capture->datagrams = datagrams;
	if (error < 0)
		return error;
	memcpy(capture->bytes + capture->byte_count, payload, length);
	capture->datagrams[capture->count++] = (struct load_capture_datagram){
		.offset = capture->byte_count,
		.length = length,
	};
	capture->byte_count += length;
	return 0;
}

static int read_all(pcap_t *file, struct load_capture *capture)
{
	size_t byte_room = 0, datagram_room = 0;
	struct pcap_pkthdr *header;
	const uint8_t *frame;
	int got;

	while ((got = pcap_next_ex(file, &header, &frame)) == 1) {
		struct weir_packet packet;
		enum weir_reason reason;
		const uint8_t *end = frame + header->caplen;
		int error;

		if (weir_parse(frame, end, &packet, &reason) != WEIR_PARSE_UDP) {
			capture->left_out++;
			continue;
		}
		error = keep(capture, frame + packet.l4_offset + UDP_HEADER, packet.payload_length,
			&byte_room, &datagram_room);
		if (error < 0)
			return error;
	}
	return got == PCAP_ERROR_BREAK ? 0 : -EIO;
}

int load_capture_read(const char *path, struct load_capture *capture)
{
	char text[PCAP_ERRBUF_SIZE];
	pcap_t *file = pcap_open_offline(path, text);
	int error;

	memset(capture, 0, sizeof(*capture));
	if (file == NULL) {
		fprintf(stderr, "weirload: %s\n", text);
		return -EINVAL;
	}
	if (pcap_datalink(file) != DLT_EN10MB) {
		fprintf(stderr, "weirload: %s: no Ethernet capture\n", path);
		error = -EINVAL;
	} else {
		error = read_all(file, capture);
		if (error == -EIO)
			fprintf(stderr, "weirload: %s: %s\n", path, pcap_geterr(file));
		else if (error < 0)
			fprintf(stderr, "weirload: %s: %s\n", path, strerror(-error));
	}
	pcap_close(file);
	if (error == 0 && capture->count == 0) {
		fprintf(stderr, "weirload: %s: no UDP datagram in it\n", path);
		error = -ENODATA;
	}
	if (error < 0)
		load_capture_free(capture);
	return error;
}

void load_capture_free(struct load_capture *capture)
{
	free(capture->bytes);
	free(capture->datagrams);
	memset(capture, 0, sizeof(*capture));
}
