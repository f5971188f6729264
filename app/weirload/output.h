/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "options.h"

/*
 * A connected UDP socket that batches leave by. A full queue is waited for; a receiver that is
 * not there (ICMP port unreachable) is counted, and the message sent again.
 */
#define LOAD_BATCH 64

/* Written by one sending thread, read by the reporting one. */
struct load_output_stats {
	_Atomic uint64_t sent;
	_Atomic uint64_t bytes;   /* UDP payload */
	_Atomic uint64_t retries; /* a full socket buffer or queue met */
	_Atomic uint64_t refused; /* port unreachable, as the kernel reported it */
	_Atomic uint64_t failed;  /* messages not sent for another error */
	_Atomic int error;        /* the latest such errno */
};

/* `from` may have length 0. A descriptor or negative errno. */
int load_output_open(const struct load_endpoint *from, const struct load_endpoint *to);
/* Send all of them, or give those up that cannot be sent. */
void load_output_send(
	int fd, struct mmsghdr *messages, unsigned int count, struct load_output_stats *stats);
