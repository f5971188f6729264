/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/key_show.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/address.h"

static void keep_address(struct weir_key_value *value, const uint8_t *address, uint8_t version)
{
	value->ip_version = version;
	value->length = version == 6 ? 16 : 4;
	memcpy(value->bytes, address, value->length);
}

static void keep_source(struct weir_key_value *value, const uint8_t *ip, uint8_t version)
{
	keep_address(value, ip + (version == 6 ? 8 : 12), version);
}

static void keep_pair(struct weir_key_value *value, const uint8_t *ip, uint8_t version)
{
	keep_source(value, ip, version);
	memcpy(value->bytes + value->length, ip + (version == 6 ? 24 : 16), value->length);
	value->length *= 2;
}

static uint8_t kind_of(const struct weir_key_spec *spec, const uint8_t *payload)
{
	if (spec->kind != WEIR_KEY_FLOW)
		return spec->kind;
	return weir_load16be(payload) == 5 ? WEIR_KEY_NETFLOW5 : WEIR_KEY_IPFIX;
}

void weir_key_keep(const struct weir_key_spec *spec, const uint8_t *data,
	const struct weir_packet *packet, struct weir_key_value *value)
{
	const uint8_t *payload = data + packet->l4_offset + WEIR_UDP_SIZE;
	const uint8_t *ip = data + packet->l3_offset;
	uint8_t version = packet->ip_version;

	memset(value, 0, sizeof(*value));
	value->kind = kind_of(spec, payload);
	switch (value->kind) {
	case WEIR_KEY_IPFIX:
		keep_source(value, ip, version);
		value->id = weir_load32be(payload + (weir_load16be(payload) == 10 ? 12 : 16));
		return;
	case WEIR_KEY_NETFLOW5:
		keep_source(value, ip, version);
		value->id = weir_load16be(payload + 20);
		return;
	case WEIR_KEY_SFLOW5:
		version = weir_load32be(payload + 4) == 1 ? 4 : 6;
		keep_address(value, payload + 8, version);
		value->id = weir_load32be(payload + 8 + value->length);
		return;
	case WEIR_KEY_GTPU:
		keep_address(value, ip + (version == 6 ? 24 : 16), version);
		value->id = weir_load32be(payload + 4);
		return;
	case WEIR_KEY_UDP_NOTIF:
		keep_source(value, ip, version);
		value->id = weir_load32be(payload + 4);
		return;
	case WEIR_KEY_RTP:
		value->id = weir_load32be(payload + 8);
		return;
	case WEIR_KEY_5TUPLE:
		keep_pair(value, ip, version);
		value->id = (uint32_t)packet->source_port << 16 | packet->destination_port;
		return;
	case WEIR_KEY_BYTES:
		value->length = spec->length;
		memcpy(value->bytes, payload + spec->offset, spec->length);
		return;
	default:
		keep_source(value, ip, version);
	}
}

static const char *id_name(uint8_t kind)
{
	switch (kind) {
	case WEIR_KEY_IPFIX:
		return "domain";
	case WEIR_KEY_SFLOW5:
		return "sub-agent";
	default:
		return "publisher";
	}
}

static void show_address(const struct weir_key_value *value, bool second, char *text, size_t size)
{
	uint32_t length = value->ip_version == 6 ? 16 : 4;
	struct weir_address address;

	weir_address_read(&address, value->ip_version, value->bytes + (second ? length : 0));
	weir_address_format(&address, text, size);
}

static void show_bytes(const struct weir_key_value *value, char *text, size_t size)
{
	size_t used = (size_t)snprintf(text, size, "0x");

	for (uint8_t i = 0; i < value->length && used + 3 <= size; i++)
		used += (size_t)snprintf(text + used, size - used, "%02x", value->bytes[i]);
}

const char *weir_key_show(const struct weir_key_value *value, char *text, size_t size)
{
	char first[WEIR_ADDRESS_TEXT] = "", second[WEIR_ADDRESS_TEXT] = "";

	if (value->ip_version != 0)
		show_address(value, false, first, sizeof(first));
	switch (value->kind) {
	case WEIR_KEY_IPFIX:
	case WEIR_KEY_SFLOW5:
	case WEIR_KEY_UDP_NOTIF:
		snprintf(text, size, "%s %s %u", first, id_name(value->kind), value->id);
		break;
	case WEIR_KEY_NETFLOW5:
		snprintf(text, size, "%s engine %u/%u", first, value->id >> 8, value->id & 0xff);
		break;
	case WEIR_KEY_GTPU:
		snprintf(text, size, "%s TEID 0x%08x", first, value->id);
		break;
	case WEIR_KEY_RTP:
		snprintf(text, size, "SSRC 0x%08x", value->id);
		break;
	case WEIR_KEY_5TUPLE:
		show_address(value, true, second, sizeof(second));
		snprintf(text, size, "%s port %u to %s port %u", first, value->id >> 16, second,
			value->id & 0xffff);
		break;
	case WEIR_KEY_BYTES:
		show_bytes(value, text, size);
		break;
	default:
		snprintf(text, size, "%s", first);
	}
	return text;
}

/* Up to a space; behind what the value has already. */
static void read_address(const char *text, struct weir_key_value *value)
{
	char word[WEIR_ADDRESS_TEXT];
	struct weir_address address;

	snprintf(word, sizeof(word), "%.*s", (int)strcspn(text, " "), text);
	if (weir_address_parse(word, &address) == 0 && value->length <= 16) {
		uint8_t length = address.family == 6 ? 16 : 4;

		memcpy(value->bytes + value->length, address.bytes, length);
		value->length += length;
		value->ip_version = address.family;
	}
}

static void read_bytes(const char *text, struct weir_key_value *value)
{
	unsigned int byte;

	for (text += 2; value->length < WEIR_KEY_BYTES_MAX && sscanf(text, "%2x", &byte) == 1;
		text += text[1] != '\0' ? 2 : 1)
		value->bytes[value->length++] = (uint8_t)byte;
}

static void read_pair(const char *text, struct weir_key_value *value)
{
	const char *second = strstr(text, " to ");
	unsigned int source = 0, destination = 0;

	read_address(text, value);
	if (second == NULL)
		return;
	read_address(second + 4, value);
	(void)sscanf(text, "%*s port %u", &source);
	(void)sscanf(second, " to %*s port %u", &destination);
	value->id = source << 16 | (destination & 0xffff);
}

/* What it stands for, if it is written right: showing that again tells. */
static void read_value(const char *text, struct weir_key_value *value)
{
	unsigned int type = 0, id = 0;

	switch (value->kind) {
	case WEIR_KEY_RTP:
		(void)sscanf(text, "SSRC 0x%x", &value->id);
		return;
	case WEIR_KEY_BYTES:
		if (strncmp(text, "0x", 2) == 0)
			read_bytes(text, value);
		return;
	case WEIR_KEY_5TUPLE:
		read_pair(text, value);
		return;
	case WEIR_KEY_GTPU:
		(void)sscanf(text, "%*s TEID 0x%x", &value->id);
		break;
	case WEIR_KEY_NETFLOW5:
		(void)sscanf(text, "%*s engine %u/%u", &type, &id);
		value->id = type << 8 | (id & 0xff);
		break;
	default:
		(void)sscanf(text, "%*s %*s %u", &value->id);
	}
	read_address(text, value);
}

int weir_key_read(const struct weir_key_spec *spec, const char *text, struct weir_key_value *value)
{
	char shown[WEIR_KEY_TEXT];

	memset(value, 0, sizeof(*value));
	value->kind = spec->kind;
	if (spec->kind == WEIR_KEY_FLOW)
		value->kind = strstr(text, " engine ") != NULL ? WEIR_KEY_NETFLOW5 : WEIR_KEY_IPFIX;
	read_value(text, value);
	if (spec->kind == WEIR_KEY_BYTES && value->length != spec->length)
		return -EINVAL;
	return strcmp(weir_key_show(value, shown, sizeof(shown)), text) == 0 ? 0 : -EINVAL;
}
