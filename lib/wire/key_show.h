/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stddef.h>

#include "wire/key.h"

/* A key as it can be kept and shown: what weir_key_hash() makes a hash of. Any thread. */

#define WEIR_KEY_TEXT 128 /* longest text with its NUL */

struct weir_key_value {
	uint8_t kind;       /* enum weir_key_kind; never FLOW: what the packet was */
	uint8_t ip_version; /* of the addresses; 0: it has none */
	uint8_t length;     /* of `bytes` */
	uint32_t id;        /* domain, engine, sub-agent, TEID, publisher, SSRC; 5TUPLE: ports */
	uint8_t bytes[WEIR_KEY_BYTES_MAX]; /* address, both of them, or those of the payload */
};

/* Of a datagram that weir_key_hash() has found a key in; same arguments. */
void weir_key_keep(const struct weir_key_spec *spec, const uint8_t *data,
	const struct weir_packet *packet, struct weir_key_value *value);
/* "10.0.0.1 domain 7"; returns `text`. */
const char *weir_key_show(const struct weir_key_value *value, char *text, size_t size);
/* What is shown so, of a stream with this key. 0 or -EINVAL: it is not written as it is shown. */
int weir_key_read(const struct weir_key_spec *spec, const char *text, struct weir_key_value *value);
