/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>

#include <libmnl/libmnl.h>

/*
 * Inside lib/host: questions and orders to the kernel over an rtnetlink socket of their own, so
 * that their answers don't mix with notifications. rtnetlink answers while it is being asked: the
 * answer lies in the socket when send returns, so the socket is non-blocking and nothing here
 * waits.
 */
struct weir_request {
	struct mnl_socket *socket;
	uint32_t sequence;
	char *buffer;                                   /* for answers */
	char message[1024] __attribute__((aligned(8))); /* the one that is being made */
};

/* What dumps hold at most in one datagram (the kernel's own limit). */
#define WEIR_REQUEST_BUFFER 32768

/* 0 or -errno; then `request` is to be closed. */
int weir_request_open(struct weir_request *request);
/* One that failed to open, or is all zero, is fine. */
void weir_request_close(struct weir_request *request);
/*
 * Begin a message with a zeroed header of `header_size` bytes after nlmsghdr (mnl's payload). It
 * lies in the request until the next one; attributes may be put to it, 900 bytes in all.
 */
struct nlmsghdr *weir_request_begin(
	struct weir_request *request, uint16_t type, uint16_t flags, size_t header_size);
/*
 * Send it and read up to the kernel's acknowledgement. `answer` (may be NULL) sees each message
 * before that. 0 or the kernel's -errno.
 */
int weir_request_run(
	struct weir_request *request, struct nlmsghdr *message, mnl_cb_t answer, void *context);
/*
 * Ask for all objects of a kind (RTM_GETLINK...). -EINTR when they changed too often meanwhile to
 * be a consistent picture; -ENOMEM when `answer` failed with that.
 */
int weir_request_dump(struct weir_request *request, uint16_t type, size_t header_size,
	mnl_cb_t answer, void *context);
