/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/*
 * The command line of a subcommand: one table of its options makes the parser and the help.
 * Faults are explained on stderr.
 */
#define LOAD_ENDPOINT_TEXT 64
#define LOAD_MAX_ENDPOINTS 64

/* A UDP endpoint; `length` 0: not given. */
struct load_endpoint {
	struct sockaddr_storage address;
	socklen_t length;
	char text[LOAD_ENDPOINT_TEXT]; /* as given */
};

struct load_endpoints {
	struct load_endpoint list[LOAD_MAX_ENDPOINTS];
	size_t count;
};

enum load_option_kind {
	LOAD_OPTION_FLAG,      /* bool */
	LOAD_OPTION_NUMBER,    /* uint64_t; suffixes k, M, G are powers of 1000 */
	LOAD_OPTION_SECONDS,   /* double; fractions allowed */
	LOAD_OPTION_SHARE,     /* double, 0 to 1; "1%" is 0.01 */
	LOAD_OPTION_DURATION,  /* uint64_t, ns; "5ms", also us, ns, s, or seconds without a unit */
	LOAD_OPTION_SPAN,      /* struct load_span; two durations, "2s,500ms" */
	LOAD_OPTION_TEXT,      /* const char *, into argv */
	LOAD_OPTION_ENDPOINT,  /* struct load_endpoint; the port may be left out for 0 */
	LOAD_OPTION_ENDPOINTS, /* struct load_endpoints; each use of the option adds one */
};

struct load_option {
	const char *name;
	enum load_option_kind kind;
	void *value;          /* of the type above, holds the default before */
	const char *argument; /* what the help calls it; NULL for a flag */
	const char *help;     /* NULL: not shown */
	uint64_t least;       /* bounds of a number or duration; most 0: no upper bound */
	uint64_t most;
};

/*
 * Parse argv[1..]. 0; 1 when --help was asked for and printed on stdout; -EINVAL after a message.
 * `usage` is what the help begins with.
 */
int load_options_parse(
	const char *usage, const struct load_option *options, size_t count, int argc, char **argv);

/* Parse "192.0.2.1:4739", "[2001:db8::1]:4739", or an address alone, with port 0. */
int load_endpoint_parse(const char *text, struct load_endpoint *endpoint);
uint16_t load_endpoint_port(const struct load_endpoint *endpoint);
void load_endpoint_set_port(struct load_endpoint *endpoint, uint16_t port);
/* Bytes of IP and UDP headers on the way to it. */
size_t load_endpoint_overhead(const struct load_endpoint *endpoint);
