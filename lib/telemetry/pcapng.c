/* SPDX-License-Identifier: BSD-3-Clause */
#include "telemetry/pcapng.h"

#include <string.h>

#define BLOCK_SECTION    0x0a0d0d0au
#define BLOCK_INTERFACE  1u
#define BLOCK_STATISTICS 5u
#define BLOCK_PACKET     6u

#define BYTE_ORDER_MAGIC 0x1a2b3c4du
#define LINK_ETHERNET    1
#define NANOSECONDS      9 /* of if_tsresol: 10 to the minus */

#define OPTION_END         0
#define OPTION_COMMENT     1
#define SECTION_USER_APPL  4
#define INTERFACE_NAME     2
#define INTERFACE_TSRESOL  9
#define PACKET_FLAGS       2
#define STATISTICS_IF_DROP 5

/* A block's numbers are in the byte order of who writes it; the magic tells which that is. */
struct block_head {
	uint32_t type;
	uint32_t length; /* repeated at the end */
};

static size_t padded(size_t length)
{
	return (length + 3) & ~(size_t)3;
}

static size_t option_size(size_t length)
{
	return 4 + padded(length);
}

static size_t text_size(const char *text)
{
	return text != NULL ? option_size(strlen(text)) : 0;
}

static void put(FILE *file, const void *bytes, size_t length)
{
	static const uint8_t zeros[4];

	fwrite(bytes, 1, length, file);
	fwrite(zeros, 1, padded(length) - length, file);
}

static void put_option(FILE *file, uint16_t code, const void *value, size_t length)
{
	uint16_t head[2] = {code, (uint16_t)length};

	fwrite(head, 1, sizeof(head), file);
	put(file, value, length);
}

static void put_text(FILE *file, uint16_t code, const char *text)
{
	if (text != NULL)
		put_option(file, code, text, strlen(text));
}

static void begin(FILE *file, uint32_t type, size_t length)
{
	struct block_head head = {type, (uint32_t)length};

	fwrite(&head, 1, sizeof(head), file);
}

static size_t end(FILE *file, size_t length)
{
	uint32_t again = (uint32_t)length;

	put_option(file, OPTION_END, "", 0);
	fwrite(&again, 1, sizeof(again), file);
	return length;
}

size_t weir_pcapng_section(FILE *file, const char *application, const char *comment)
{
	struct {
		uint32_t magic;
		uint16_t major;
		uint16_t minor;
		uint32_t size[2];
	} body = {BYTE_ORDER_MAGIC, 1, 0, {UINT32_MAX, UINT32_MAX}};
	size_t length = sizeof(struct block_head) + sizeof(body) + text_size(comment) +
			text_size(application) + 8;

	begin(file, BLOCK_SECTION, length);
	put(file, &body, sizeof(body));
	put_text(file, OPTION_COMMENT, comment);
	put_text(file, SECTION_USER_APPL, application);
	return end(file, length);
}

size_t weir_pcapng_interface(FILE *file, const char *name, uint32_t snap)
{
	struct {
		uint16_t link;
		uint16_t reserved;
		uint32_t snap;
	} body = {LINK_ETHERNET, 0, snap};
	uint8_t resolution = NANOSECONDS;
	size_t length =
		sizeof(struct block_head) + sizeof(body) + text_size(name) + option_size(1) + 8;

	begin(file, BLOCK_INTERFACE, length);
	put(file, &body, sizeof(body));
	put_text(file, INTERFACE_NAME, name);
	put_option(file, INTERFACE_TSRESOL, &resolution, 1);
	return end(file, length);
}

struct packet_body {
	uint32_t interface;
	uint32_t time[2]; /* high, low */
	uint32_t captured;
	uint32_t length;
};

size_t weir_pcapng_packet_size(const struct weir_pcapng_packet *packet)
{
	return sizeof(struct block_head) + sizeof(struct packet_body) + padded(packet->captured) +
	       text_size(packet->comment) + option_size(4) + 8;
}

size_t weir_pcapng_packet(FILE *file, const struct weir_pcapng_packet *packet)
{
	struct packet_body body = {packet->interface,
		{(uint32_t)(packet->time_ns >> 32), (uint32_t)packet->time_ns}, packet->captured,
		packet->length};
	uint32_t flags = packet->direction;
	size_t length = weir_pcapng_packet_size(packet);

	begin(file, BLOCK_PACKET, length);
	put(file, &body, sizeof(body));
	put(file, packet->bytes, packet->captured);
	put_text(file, OPTION_COMMENT, packet->comment);
	put_option(file, PACKET_FLAGS, &flags, sizeof(flags));
	return end(file, length);
}

size_t weir_pcapng_statistics(FILE *file, uint32_t interface, uint64_t time_ns, uint64_t lost)
{
	uint32_t body[3] = {interface, (uint32_t)(time_ns >> 32), (uint32_t)time_ns};
	size_t length = WEIR_PCAPNG_STATISTICS_SIZE;

	_Static_assert(sizeof(struct block_head) + sizeof(body) + 4 + sizeof(lost) + 8 ==
			       WEIR_PCAPNG_STATISTICS_SIZE,
		"head, body, an option, and the end");
	begin(file, BLOCK_STATISTICS, length);
	put(file, body, sizeof(body));
	put_option(file, STATISTICS_IF_DROP, &lost, sizeof(lost));
	return end(file, length);
}
