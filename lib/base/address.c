/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned int family_bits(const struct weir_address *address)
{
	return address->family == 4 ? 32 : 128;
}

static bool host_bits_clear(const struct weir_prefix *prefix)
{
	for (unsigned int bit = prefix->length; bit < family_bits(&prefix->address); bit++)
		if (prefix->address.bytes[bit / 8] & (0x80 >> (bit % 8)))
			return false;
	return true;
}

int weir_address_parse(const char *text, struct weir_address *address)
{
	memset(address, 0, sizeof(*address));
	if (inet_pton(AF_INET, text, address->bytes) == 1) {
		address->family = 4;
		return 0;
	}
	if (inet_pton(AF_INET6, text, address->bytes) == 1) {
		address->family = 6;
		return 0;
	}
	return -EINVAL;
}

int weir_prefix_parse(const char *text, struct weir_prefix *prefix)
{
	char host[WEIR_ADDRESS_TEXT];
	const char *slash = strchr(text, '/');
	size_t length = slash != NULL ? (size_t)(slash - text) : strlen(text);
	unsigned long bits;
	char *end;

	if (length >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, length);
	host[length] = '\0';
	if (weir_address_parse(host, &prefix->address) < 0)
		return -EINVAL;
	if (slash == NULL) {
		prefix->length = (uint8_t)family_bits(&prefix->address);
		return 0;
	}
	if (slash[1] < '0' || slash[1] > '9')
		return -EINVAL;
	bits = strtoul(slash + 1, &end, 10);
	if (*end != '\0' || bits > family_bits(&prefix->address))
		return -EINVAL;
	prefix->length = (uint8_t)bits;
	return host_bits_clear(prefix) ? 0 : -EINVAL;
}

const char *weir_address_format(const struct weir_address *address, char *text, size_t size)
{
	int family = address->family == 6 ? AF_INET6 : AF_INET;

	if (address->family == 0 ||
		inet_ntop(family, address->bytes, text, (socklen_t)size) == NULL)
		snprintf(text, size, "%s", "");
	return text;
}

const char *weir_prefix_format(const struct weir_prefix *prefix, char *text, size_t size)
{
	char host[WEIR_ADDRESS_TEXT];

	weir_address_format(&prefix->address, host, sizeof(host));
	snprintf(text, size, "%s/%u", host, prefix->length);
	return text;
}

bool weir_address_equal(const struct weir_address *a, const struct weir_address *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, a->family == 4 ? 4 : 16) == 0;
}

bool weir_prefix_contains(const struct weir_prefix *prefix, const struct weir_address *address)
{
	unsigned int whole = prefix->length / 8;
	uint8_t mask = (uint8_t)(0xff00 >> (prefix->length % 8));

	if (prefix->address.family != address->family)
		return false;
	if (memcmp(prefix->address.bytes, address->bytes, whole) != 0)
		return false;
	return prefix->length % 8 == 0 ||
	       ((prefix->address.bytes[whole] ^ address->bytes[whole]) & mask) == 0;
}

int weir_mac_parse(const char *text, uint8_t mac[6])
{
	unsigned int value[6];
	int used = 0;

	if (strlen(text) != 17)
		return -EINVAL;
	if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", &value[0], &value[1], &value[2], &value[3],
		    &value[4], &value[5], &used) != 6 ||
		used != 17)
		return -EINVAL;
	for (int i = 0; i < 6; i++)
		mac[i] = (uint8_t)value[i];
	return 0;
}

const char *weir_mac_format(const uint8_t mac[6], char *text, size_t size)
{
	snprintf(text, size, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
		mac[4], mac[5]);
	return text;
}
