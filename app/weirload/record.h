/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The record that every message of weirload carries in its last bytes, behind whatever header
 * its type has, so that a receiver needs to know nothing about the type. In a text type
 * (syslog) the same bytes are written as lower-case hexadecimal. Pure.
 */
#define LOAD_RECORD_SIZE 28
#define LOAD_RECORD_TEXT (2 * LOAD_RECORD_SIZE)

struct load_record {
	uint32_t run;      /* one sending process; sequences of different runs are unrelated */
	uint32_t key;      /* 0..keys-1 */
	uint64_t sequence; /* of this key, from 0 without a gap */
	uint64_t sent_ns;  /* CLOCK_MONOTONIC of the sender: latency needs one machine */
};

/* Write LOAD_RECORD_SIZE (LOAD_RECORD_TEXT) bytes. */
void load_record_put(uint8_t *to, const struct load_record *record);
void load_record_put_text(uint8_t *to, const struct load_record *record);

/* Read the record at the end of a payload; false when there is none. */
bool load_record_get(const uint8_t *payload, size_t length, struct load_record *record);
