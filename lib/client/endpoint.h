/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "client/io.h"
#include "wire/frame.h"

/*
 * A session's socket, clock and randomness: what consumers, producers and agents share of the
 * world. The socket is connected: datagrams from elsewhere never reach us. One thread.
 */
struct weir_endpoint;

/*
 * `gateway` is an IPv4 or IPv6 address. `receive_buffer`: SO_RCVBUF, bytes; 0: the system's. 0
 * and *endpoint is the caller's; -EINVAL for an address that is none, or what the system said.
 */
int weir_endpoint_open(
	const char *gateway, uint16_t port, int receive_buffer, struct weir_endpoint **endpoint);
/* NULL is allowed. */
void weir_endpoint_close(struct weir_endpoint *endpoint);
/* The descriptor; it stays the endpoint's. */
int weir_endpoint_fd(const struct weir_endpoint *endpoint);
/* Sends through the socket; valid as long as the endpoint. */
struct weir_session_io weir_endpoint_io(struct weir_endpoint *endpoint);
typedef void (*weir_endpoint_receive)(
	void *context, const void *data, size_t length, uint64_t now_ns);
/*
 * Hand one burst of what has arrived to `receive`. 1: there may be more; 0: the socket is empty;
 * or negative errno. That nobody listens at the gateway is no error.
 */
int weir_endpoint_read(
	struct weir_endpoint *endpoint, weir_endpoint_receive receive, void *context);

/* CLOCK_MONOTONIC. */
uint64_t weir_endpoint_now_ns(void);
/* Milliseconds to a deadline, rounded up, as poll() takes them; -1 for UINT64_MAX. */
int weir_endpoint_timeout_ms(uint64_t deadline_ns);
/* A name for a client that has none: host and process. */
void weir_endpoint_name(char name[WEIR_FRAME_NAME_SIZE]);
