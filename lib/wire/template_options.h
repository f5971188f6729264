/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "wire/template.h"

/*
 * Records of options data, as an options template lays them out (RFC 7011 3.4.2, RFC 3954 6).
 *
 * Which record takes another's place: the one with the same key. That is the scope (RFC 7011
 * 3.4.2.1), and where the scope is no more than the whole exporter, as in the tables that many
 * routers send of their interfaces and samplers, also what identifies a row: the numbers of
 * interfaces, samplers, VRFs and the like. Freestanding, see parse.h.
 */

#define WEIR_OPTIONS_FIELDS   64 /* of a template whose records are told apart */
#define WEIR_OPTIONS_VARIABLE 65535

struct weir_options_layout {
	uint16_t count;
	uint32_t least;                        /* bytes of a record */
	uint16_t lengths[WEIR_OPTIONS_FIELDS]; /* WEIR_OPTIONS_VARIABLE: says so itself; IPFIX */
	uint64_t keys;                         /* bit a field: part of the key */
};

struct weir_options_record {
	const uint8_t *bytes;
	uint32_t length;
	uint64_t key; /* the same of the same exporter and template: in the other's place */
};

/*
 * `bytes` are of an options template that weir_template_next has passed. False: it has too many
 * fields, or its records can be of no length.
 */
bool weir_options_read(struct weir_options_layout *layout, uint8_t version, const uint8_t *bytes);

/* The record at *at, which goes on behind it. False: what is left until `end` is none. */
bool weir_options_next(const struct weir_options_layout *layout, const uint8_t **at,
	const uint8_t *end, struct weir_options_record *record);

/* Whether a set can be filled up to words behind one record, RFC 7011 3.3.1. */
static inline bool weir_options_can_pad(const struct weir_options_layout *layout, uint32_t length)
{
	return (-length & 3) < layout->least;
}
