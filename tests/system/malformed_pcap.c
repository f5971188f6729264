/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>

#include "base/reason_text.h"
#include "wire_malformed.h"

/*
 * malformed_pcap FILE: write all malformed and unusual frames of the unit test to a capture
 * file, and print what a gateway must count when it gets them, as one JSON object: drops by
 * reason, "kernel" for those that are the kernel's, "udp" for the sound datagrams (IPFIX,
 * observation domain 7, nearly all to port 9991).
 */

struct pcap_header {
	uint32_t magic;
	uint16_t major, minor;
	uint32_t zone, accuracy, snap_length, link_type;
};

struct pcap_packet {
	uint32_t seconds, microseconds, captured, length;
};

static int write_frames(FILE *file, unsigned int counts[WEIR_REASON_COUNT],
	unsigned int results[WEIR_PARSE_DROP + 1])
{
	struct pcap_header header = {0xa1b2c3d4, 2, 4, 0, 0, 65535, 1};

	if (fwrite(&header, sizeof(header), 1, file) != 1)
		return -1;
	for (size_t i = 0; i < malformed_count; i++) {
		const struct malformed *item = &malformed_cases[i];
		struct pcap_packet packet = {.seconds = 1, .microseconds = (uint32_t)i};
		struct frame frame;

		frame_make(&item->spec, &frame);
		packet.captured = packet.length = (uint32_t)frame.length;
		if (fwrite(&packet, sizeof(packet), 1, file) != 1 ||
			fwrite(frame.bytes, frame.length, 1, file) != 1)
			return -1;
		results[item->result]++;
		counts[item->reason]++;
	}
	return 0;
}

int main(int argc, char **argv)
{
	unsigned int counts[WEIR_REASON_COUNT] = {0}, results[WEIR_PARSE_DROP + 1] = {0};
	FILE *file;
	int status;

	if (argc != 2) {
		fprintf(stderr, "usage: malformed_pcap FILE\n");
		return 2;
	}
	file = fopen(argv[1], "wb");
	if (file == NULL) {
		perror(argv[1]);
		return 1;
	}
	status = write_frames(file, counts, results);
	if (fclose(file) != 0 || status < 0) {
		perror(argv[1]);
		return 1;
	}
	printf("{");
	for (int reason = WEIR_REASON_NONE + 1; reason < WEIR_REASON_COUNT; reason++)
		if (counts[reason] > 0)
			printf("\"%s\": %u, ", weir_reason_name(reason), counts[reason]);
	printf("\"kernel\": %u, \"udp\": %u}\n", results[WEIR_PARSE_KERNEL],
		results[WEIR_PARSE_UDP]);
	return 0;
}
