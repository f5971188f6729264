/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* IP addresses and prefixes of both versions, as values. Any thread. */

#define WEIR_ADDRESS_TEXT 46 /* longest text form with its NUL */

struct weir_address {
	uint8_t family;    /* 4 or 6; 0: unset */
	uint8_t bytes[16]; /* network order; IPv4 in the first four, the rest zero */
};

struct weir_prefix {
	struct weir_address address; /* host bits are zero */
	uint8_t length;              /* bits: 0..32 or 0..128 */
};

/* From network order: 4 bytes for family 4, else 16. */
static inline void weir_address_read(
	struct weir_address *address, uint8_t family, const uint8_t *bytes)
{
	memset(address, 0, sizeof(*address));
	address->family = family;
	memcpy(address->bytes, bytes, family == 4 ? 4 : 16);
}

/* As 16 bytes, in which IPv4 is ::ffff:a.b.c.d (RFC 4291 2.5.5.2). */
static inline void weir_address_map(const struct weir_address *address, uint8_t bytes[16])
{
	static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};

	memcpy(bytes, prefix, sizeof(prefix));
	memcpy(address->family == 4 ? bytes + 12 : bytes, address->bytes,
		address->family == 4 ? 4 : 16);
}

static inline void weir_address_unmap(struct weir_address *address, const uint8_t bytes[16])
{
	static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};
	bool is_mapped = memcmp(bytes, prefix, sizeof(prefix)) == 0;

	weir_address_read(address, is_mapped ? 4 : 6, is_mapped ? bytes + 12 : bytes);
}

/* Parse "192.0.2.1" or "2001:db8::1". 0 or -EINVAL. */
int weir_address_parse(const char *text, struct weir_address *address);
/* Parse "192.0.2.0/24"; a bare address is a host prefix. -EINVAL also when host bits are set. */
int weir_prefix_parse(const char *text, struct weir_prefix *prefix);
/* Write the text form; returns `text`. */
const char *weir_address_format(const struct weir_address *address, char *text, size_t size);
const char *weir_prefix_format(const struct weir_prefix *prefix, char *text, size_t size);
bool weir_address_equal(const struct weir_address *a, const struct weir_address *b);
bool weir_prefix_contains(const struct weir_prefix *prefix, const struct weir_address *address);
/* Parse "02:00:00:00:00:01". 0 or -EINVAL. */
int weir_mac_parse(const char *text, uint8_t mac[6]);
const char *weir_mac_format(const uint8_t mac[6], char *text, size_t size);
