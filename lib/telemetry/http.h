/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "config/config.h"
#include "telemetry/publish.h"

/*
 * Metrics and the status page over HTTP, by libmicrohttpd on a thread of its own. It prints sets
 * that were published, so it never waits for the control thread, and the control thread never for
 * it.
 *
 *   /metrics   OpenMetrics; with a token file only for who sends it as bearer token
 *   /healthz   200 "ok", or 503 and what is wrong, a line each; guarded likewise
 *   /          the status page, which asks for /metrics itself
 *
 * Whoever connects is hostile until proved otherwise: connections, their number from one address,
 * the bytes of a request and the time that a connection may last are bounded. On a loopback address
 * without a token only requests for an address or "localhost" are answered, so that no web page
 * gets at them by a name of its own (DNS rebinding).
 */
#define WEIR_HTTP_CONNECTIONS   32
#define WEIR_HTTP_PER_ADDRESS   24
#define WEIR_HTTP_REQUEST_BYTES 16384
#define WEIR_HTTP_IDLE_S        5
#define WEIR_HTTP_LIFE_S        15 /* of a connection, whatever it does */
#define WEIR_HTTP_FRESH_MS      10000

#define WEIR_HTTP_STATUSES(X) X(200) X(400) X(401) X(404) X(405) X(503)

enum weir_http_status {
#define X(status) WEIR_HTTP_##status,
	WEIR_HTTP_STATUSES(X)
#undef X
		WEIR_HTTP_STATUS_COUNT
};

struct weir_http;

/*
 * Listen as the configuration says. `publisher` outlasts it. 0, or a negative errno with the JSON
 * path: the address is taken or not ours, the token file is missing or not private.
 */
int weir_http_open(const struct weir_config_telemetry *config, struct weir_publisher *publisher,
	struct weir_http **http, struct weir_error *error);
/* Ends its thread; NULL is fine. */
void weir_http_close(struct weir_http *http);
/* End connections that have lasted too long. Call each second. */
void weir_http_reap(struct weir_http *http);
/* Requests answered, by status; WEIR_HTTP_STATUS_COUNT numbers. Any thread. */
void weir_http_counters(const struct weir_http *http, uint64_t *counters);
