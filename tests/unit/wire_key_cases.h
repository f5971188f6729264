/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "wire/key.h"

/* Payloads of every kind of key, sound and not. For the gateway's code and for the XDP program. */

#define KEY_CASE_PAYLOAD 128

/* A payload for a key: what the finder must say, and the bytes that are (not) the key. */
struct key_case {
	const char *name;
	enum weir_key_kind kind;
	enum weir_reason reason;
	uint8_t in_key;  /* changing this byte of the payload changes the hash; 0: none */
	uint8_t not_key; /* changing this one does not; 0: none */
	uint8_t length;
	uint8_t payload[KEY_CASE_PAYLOAD];
};

extern const struct key_case key_cases[];
extern const size_t key_case_count;
