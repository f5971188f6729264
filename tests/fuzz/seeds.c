/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>

#include "wire/bytes.h"
#include "wire_frame_samples.h"
#include "wire_malformed.h"

/*
 * fuzz_seeds DIRECTORY: inputs to begin with, for the fuzzers whose folders are in it: a datagram
 * of each kind of frame for `client` and `gateway`, frames of all kinds for `packet`.
 */

#define CONSUMER 1 /* as in gateway_fuzz.c */
#define PRODUCER 2

/* The packet behind its length, and behind `what` unless that is negative. */
static int write_seed(const char *directory, const char *fuzzer, size_t number, int what,
	const uint8_t *data, size_t length)
{
	const uint8_t size[2] = {(uint8_t)(length >> 8), (uint8_t)length};
	char path[4096];
	FILE *file;
	int status = 0;

	snprintf(path, sizeof(path), "%s/%s/seed-%zu-%d", directory, fuzzer, number, what + 1);
	file = fopen(path, "wb");
	if (file == NULL) {
		perror(path);
		return -1;
	}
	if (what >= 0)
		fputc(what, file);
	fwrite(size, 1, sizeof(size), file);
	fwrite(data, 1, length, file);
	status = ferror(file) != 0 ? -1 : 0;
	return fclose(file) != 0 ? -1 : status;
}

int main(int argc, char **argv)
{
	int status = 0;

	if (argc != 2) {
		fprintf(stderr, "usage: fuzz_seeds DIRECTORY\n");
		return 2;
	}
	for (size_t i = 0; i < WIRE_FRAME_SAMPLES; i++) {
		uint8_t data[SAMPLE_SIZE];
		size_t length = wire_frame_sample_build(&wire_frame_samples[i], data);

		status |= write_seed(argv[1], "client", i, 1, data, length);
		status |= write_seed(argv[1], "gateway", i, CONSUMER, data, length);
		status |= write_seed(argv[1], "gateway", i, PRODUCER, data, length);
	}
	for (size_t i = 0; i < malformed_count; i++) {
		struct frame frame;

		frame_make(&malformed_cases[i].spec, &frame);
		status |= write_seed(argv[1], "packet", i, -1, frame.bytes, frame.length);
	}
	return status != 0;
}
