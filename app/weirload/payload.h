/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "record.h"

/*
 * Messages of the protocols that Weir carries: each a valid datagram of its type, with the key
 * index in the field that Weir's key of that type reads, and the record at the end, where the
 * type allows anything (a data set without a known template, a private sample, user data).
 * Pure; the wall clock is passed in.
 */
enum load_type {
	LOAD_IPFIX,     /* RFC 7011: observation domain = key */
	LOAD_NETFLOW9,  /* RFC 3954: source id = key */
	LOAD_NETFLOW5,  /* engine type and id = key, so at most 65536 keys */
	LOAD_SFLOW5,    /* sub-agent id = key */
	LOAD_GTPU,      /* 3GPP TS 29.281: TEID = key, a UDP packet inside */
	LOAD_SYSLOG,    /* RFC 5424: the hostname names the key */
	LOAD_RTP,       /* RFC 3550: SSRC = key */
	LOAD_UDP_NOTIF, /* draft-ietf-netconf-udp-notif: publisher id = key */
	LOAD_RAW,       /* key in the first four bytes */
	LOAD_TYPES,
};

#define LOAD_MAX_PAYLOAD 65507

/* The type of that name, or -EINVAL. */
int load_type_parse(const char *name);
const char *load_type_name(enum load_type type);
/* Number of different keys that the type's field holds. */
uint64_t load_type_keys(enum load_type type);

/* The smallest length of this type that is at least `length`; 0 when it cannot be so long. */
size_t load_payload_fit(enum load_type type, size_t length);

/* Fill a buffer of a length that fits with what is the same in every message. */
void load_payload_prepare(enum load_type type, uint8_t *buffer, size_t length);
/* Write what differs: key, sequence, time, record. `unix_s`: export time. */
void load_payload_stamp(enum load_type type, uint8_t *buffer, size_t length,
	const struct load_record *record, uint32_t unix_s);
