/* SPDX-License-Identifier: BSD-3-Clause */
#include "payload.h"

#include <errno.h>
#include <string.h>

#define FLOW_SET_ID      999 /* a data set (256 and up) whose template is never sent */
#define NETFLOW5_RECORD  48
#define NETFLOW5_HEADER  24
#define NETFLOW5_RECORDS 30 /* at most, by the format */
#define INNER_HEADERS    28 /* IPv4 and UDP inside a G-PDU */
#define SYSLOG_KEY       13 /* offset of the eight hexadecimal digits in the hostname */

static const char syslog_head[] = "<134>1 - key-00000000 weirload - - - ";

/* `header`: bytes before the first that may hold anything. `step`: lengths are a multiple of
 * this beyond the header. */
static const struct {
	const char *name;
	uint16_t header;
	uint16_t step;
	uint64_t keys;
} types[LOAD_TYPES] = {
	[LOAD_IPFIX] = {"ipfix", 16 + 4, 1, 1ull << 32},
	[LOAD_NETFLOW9] = {"netflow9", 20 + 4, 1, 1ull << 32},
	[LOAD_NETFLOW5] = {"netflow5", NETFLOW5_HEADER, NETFLOW5_RECORD, 1u << 16},
	[LOAD_SFLOW5] = {"sflow5", 28 + 8, 4, 1ull << 32},
	[LOAD_GTPU] = {"gtpu", 8 + INNER_HEADERS, 1, 1ull << 32},
	[LOAD_SYSLOG] = {"syslog", sizeof(syslog_head) - 1, 1, 1ull << 32},
	[LOAD_RTP] = {"rtp", 12, 1, 1ull << 32},
	[LOAD_UDP_NOTIF] = {"udp_notif", 12, 1, 1ull << 32},
	[LOAD_RAW] = {"raw", 4, 1, 1ull << 32},
};

static void put16(uint8_t *to, uint32_t value)
{
	to[0] = (uint8_t)(value >> 8);
	to[1] = (uint8_t)value;
}

static void put32(uint8_t *to, uint32_t value)
{
	put16(to, value >> 16);
	put16(to + 2, value);
}

static void put_hex32(uint8_t *to, uint32_t value)
{
	for (int i = 0; i < 8; i++)
		to[i] = (uint8_t) "0123456789abcdef"[value >> (28 - 4 * i) & 15];
}

static uint16_t ipv4_checksum(const uint8_t *header)
{
	uint32_t sum = 0;

	for (int i = 0; i < 20; i += 2)
		sum += (uint32_t)(header[i] << 8 | header[i + 1]);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* From 10.64.0.1 to 10.64.0.2, port 9 (discard), no UDP checksum. */
static void prepare_inner_packet(uint8_t *to, size_t length)
{
	static const uint8_t addresses[8] = {10, 64, 0, 1, 10, 64, 0, 2};

	to[0] = 0x45;
	put16(to + 2, (uint32_t)length);
	to[8] = 64;
	to[9] = 17;
	memcpy(to + 12, addresses, sizeof(addresses));
	put16(to + 10, ipv4_checksum(to));
	put16(to + 20, 9);
	put16(to + 22, 9);
	put16(to + 24, (uint32_t)length - 20);
}

static void prepare_flow_export(enum load_type type, uint8_t *buffer, size_t length)
{
	switch (type) {
	case LOAD_IPFIX:
		put16(buffer, 10);
		put16(buffer + 2, (uint32_t)length);
		put16(buffer + 16, FLOW_SET_ID);
		put16(buffer + 18, (uint32_t)length - 16);
		break;
	case LOAD_NETFLOW9:
		put16(buffer, 9);
		put16(buffer + 2, 1);
		put16(buffer + 20, FLOW_SET_ID);
		put16(buffer + 22, (uint32_t)length - 20);
		break;
	case LOAD_NETFLOW5:
		put16(buffer, 5);
		put16(buffer + 2, (uint32_t)((length - NETFLOW5_HEADER) / NETFLOW5_RECORD));
		break;
	default: /* sFlow: agent 127.0.0.1, one sample of an experimental enterprise's format */
		put32(buffer, 5);
		put32(buffer + 4, 1);
		put32(buffer + 8, 0x7f000001);
		put32(buffer + 24, 1);
		put32(buffer + 28, 0xfffffu << 12 | 1);
		put32(buffer + 32, (uint32_t)length - 36);
		break;
	}
}

int load_type_parse(const char *name)
{
	for (int type = 0; type < LOAD_TYPES; type++)
		if (strcmp(types[type].name, name) == 0)
			return type;
	return -EINVAL;
}

const char *load_type_name(enum load_type type)
{
	return types[type].name;
}

uint64_t load_type_keys(enum load_type type)
{
	return types[type].keys;
}

size_t load_payload_fit(enum load_type type, size_t length)
{
	size_t header = types[type].header;
	size_t step = types[type].step;
	size_t room = type == LOAD_SYSLOG ? LOAD_RECORD_TEXT : LOAD_RECORD_SIZE;
	size_t most = LOAD_MAX_PAYLOAD;

	if (type == LOAD_NETFLOW5)
		most = NETFLOW5_HEADER + NETFLOW5_RECORDS * NETFLOW5_RECORD;
	if (length > header + room)
		room = length - header;
	room = (room + step - 1) / step * step;
	return header + room <= most ? header + room : 0;
}

void load_payload_prepare(enum load_type type, uint8_t *buffer, size_t length)
{
	memset(buffer, 0, length);
	switch (type) {
	case LOAD_GTPU:
		buffer[0] = 0x30; /* version 1, GTP, no optional fields */
		buffer[1] = 255;  /* G-PDU */
		put16(buffer + 2, (uint32_t)length - 8);
		prepare_inner_packet(buffer + 8, length - 8);
		break;
	case LOAD_SYSLOG:
		memset(buffer, 'x', length);
		memcpy(buffer, syslog_head, sizeof(syslog_head) - 1);
		break;
	case LOAD_RTP:
		buffer[0] = 0x80; /* version 2 */
		buffer[1] = 96;   /* first dynamic payload type */
		break;
	case LOAD_UDP_NOTIF:
		buffer[0] = 0x31; /* version 1, S: the encoding is a private one */
		buffer[1] = 12;
		put16(buffer + 2, (uint32_t)length);
		break;
	case LOAD_RAW:
		break;
	default:
		prepare_flow_export(type, buffer, length);
		break;
	}
}

void load_payload_stamp(enum load_type type, uint8_t *buffer, size_t length,
	const struct load_record *record, uint32_t unix_s)
{
	/* Sequence fields of 32 and 16 bits wrap, as their standards have it. */
	uint32_t sequence = (uint32_t)record->sequence;

	switch (type) {
	case LOAD_IPFIX:
		put32(buffer + 4, unix_s);
		put32(buffer + 8, sequence);
		put32(buffer + 12, record->key);
		break;
	case LOAD_NETFLOW9:
		put32(buffer + 4, (uint32_t)(record->sent_ns / 1000000));
		put32(buffer + 8, unix_s);
		put32(buffer + 12, sequence);
		put32(buffer + 16, record->key);
		break;
	case LOAD_NETFLOW5:
		put32(buffer + 4, (uint32_t)(record->sent_ns / 1000000));
		put32(buffer + 8, unix_s);
		put32(buffer + 16, sequence * (uint32_t)(length / NETFLOW5_RECORD));
		put16(buffer + 20, record->key);
		break;
	case LOAD_SFLOW5:
		put32(buffer + 12, record->key);
		put32(buffer + 16, sequence);
		put32(buffer + 20, (uint32_t)(record->sent_ns / 1000000));
		break;
	case LOAD_GTPU:
		put32(buffer + 4, record->key);
		break;
	case LOAD_SYSLOG:
		put_hex32(buffer + SYSLOG_KEY, record->key);
		load_record_put_text(buffer + length - LOAD_RECORD_TEXT, record);
		return;
	case LOAD_RTP:
		put16(buffer + 2, sequence);
		put32(buffer + 4, sequence * 160); /* 20 ms of 8 kHz a packet */
		put32(buffer + 8, record->key);
		break;
	case LOAD_UDP_NOTIF:
		put32(buffer + 4, record->key);
		put32(buffer + 8, sequence);
		break;
	default:
		put32(buffer, record->key);
		break;
	}
	load_record_put(buffer + length - LOAD_RECORD_SIZE, record);
}
