/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "wire_frame_samples.h"

/*
 * Writes a capture with one datagram of every kind of the stream protocol, for the test of the
 * dissector: frames_pcap FILE [PORT]. The last packet is a CREDIT cut short, the one before it
 * an unknown frame that may be skipped.
 */

#define LINKTYPE_RAW 101 /* IP without a link header */
#define HEADERS      28  /* IPv4 and UDP */

struct capture {
	FILE *file;
	uint16_t port;
};

static uint16_t ipv4_checksum(const uint8_t header[20])
{
	uint32_t sum = 0;

	for (unsigned int i = 0; i < 20; i += 2)
		sum += (uint32_t)header[i] << 8 | header[i + 1];
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void store16(uint8_t *place, uint16_t value)
{
	place[0] = (uint8_t)(value >> 8);
	place[1] = (uint8_t)value;
}

static int packet_write(
	const struct capture *capture, enum weir_frame_end end, const uint8_t *data, size_t length)
{
	static const uint8_t start[12] = {0x45, [6] = 0x40, [8] = 64, [9] = 17};
	static const uint8_t gateway[4] = {192, 0, 2, 1}, client[4] = {192, 0, 2, 2};
	bool is_to_gateway = end == WEIR_END_GATEWAY;
	uint32_t record[4] = {0, 0, (uint32_t)(HEADERS + length), (uint32_t)(HEADERS + length)};
	uint8_t headers[HEADERS] = {0};

	memcpy(headers, start, sizeof(start));
	store16(headers + 2, (uint16_t)(HEADERS + length));
	memcpy(headers + 12, is_to_gateway ? client : gateway, 4);
	memcpy(headers + 16, is_to_gateway ? gateway : client, 4);
	store16(headers + 10, ipv4_checksum(headers));
	store16(headers + 20, is_to_gateway ? 50000 : capture->port);
	store16(headers + 22, is_to_gateway ? capture->port : 50000);
	store16(headers + 24, (uint16_t)(8 + length));
	if (fwrite(record, sizeof(record), 1, capture->file) != 1 ||
		fwrite(headers, sizeof(headers), 1, capture->file) != 1 ||
		fwrite(data, length, 1, capture->file) != 1)
		return -EIO;
	return 0;
}

static int capture_write(const struct capture *capture)
{
	static const struct {
		uint32_t magic;
		uint16_t major, minor;
		uint32_t zone, accuracy, length, link;
	} header = {0xa1b2c3d4, 2, 4, 0, 0, 65535, LINKTYPE_RAW};
	uint8_t data[SAMPLE_SIZE];
	struct weir_writer writer;
	size_t length;
	int error = fwrite(&header, sizeof(header), 1, capture->file) == 1 ? 0 : -EIO;

	for (unsigned int i = 0; i < WIRE_FRAME_SAMPLES && error == 0; i++) {
		length = wire_frame_sample_build(&wire_frame_samples[i], data);
		error = packet_write(capture, wire_frame_samples[i].end, data, length);
	}
	weir_writer_begin(&writer, data, sizeof(data), SAMPLE_SESSION);
	(void)weir_writer_add(&writer, (enum weir_frame_type)99, WEIR_FRAME_IGNORABLE, 24);
	if (error == 0)
		error = packet_write(capture, WEIR_END_CLIENT, data, writer.length);
	length = wire_frame_sample_build(wire_frame_sample_named("credit"), data);
	if (error == 0)
		error = packet_write(capture, WEIR_END_GATEWAY, data, length - 8);
	return error;
}

int main(int argc, char **argv)
{
	struct capture capture = {.port = WEIR_FRAME_PORT};
	unsigned int port;
	int error;

	if (argc == 3 && sscanf(argv[2], "%u", &port) == 1 && port > 0 && port <= UINT16_MAX)
		capture.port = (uint16_t)port;
	else if (argc != 2) {
		fprintf(stderr, "usage: %s FILE [PORT]\n", argv[0]);
		return 2;
	}
	capture.file = fopen(argv[1], "wb");
	if (capture.file == NULL) {
		perror(argv[1]);
		return 1;
	}
	error = capture_write(&capture);
	if (fclose(capture.file) != 0 || error != 0) {
		fprintf(stderr, "%s: cannot be written\n", argv[1]);
		return 1;
	}
	return 0;
}
