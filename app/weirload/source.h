/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <jansson.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "options.h"
#include "sink.h"

/*
 * Where a receiver's messages come from: plain sockets (a blind consumer) or a session with a
 * gateway (a native one). One thread.
 */
struct load_source;

struct load_source_kind {
	/* Fill in what to poll: at most LOAD_MAX_ENDPOINTS. `is_open`: messages may be taken. */
	nfds_t (*polls)(const struct load_source *source, bool is_open, struct pollfd *polls);
	/* Milliseconds until `take` must be called in any case; -1: never. */
	int (*timeout_ms)(const struct load_source *source);
	/* Hand up to `room` messages to the sink, which may be none; their number or negative
	 * errno. */
	int64_t (*take)(struct load_source *source, struct load_sink *sink, uint64_t room);
	/* Add what only this kind knows to the report. */
	void (*report)(const struct load_source *source, json_t *report);
	void (*close)(struct load_source *source);
};

/* The first member of each kind's own structure. */
struct load_source {
	const struct load_source_kind *kind;
};

/* A socket for each endpoint; `buffer`: receive buffer in bytes, 0: 4 MiB. NULL after a message. */
struct load_source *load_source_udp(const struct load_endpoints *listen, uint64_t buffer);

struct load_native_options {
	struct load_endpoint gateway;
	const char *group;
	const char *name;         /* NULL: the library's choice */
	uint64_t window_messages; /* 0: the library's default */
	uint64_t window_bytes;
	uint64_t pull;         /* messages asked for at a time; 0: push */
	uint64_t max_datagram; /* 0: the library's default */
	const char *key_file;  /* NULL: none */
	const char *start;     /* as --start; NULL: where the group stands */
	const char *seek;      /* the same, to go to seek_after; NULL: nowhere */
	double seek_after;     /* seconds, from the first message */
	bool with_places;      /* numbers are held against contents, see places.h */
	bool is_unreliable;    /* nothing is sent again */
};

/* A session through libweir. NULL after a message. */
struct load_source *load_source_native(const struct load_native_options *options);
