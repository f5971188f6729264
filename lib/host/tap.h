/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/address.h"
#include "base/error.h"

/*
 * The TAP twin of a port whose NIC was taken from the kernel: an interface of the kernel's with the
 * port's MAC, MTU and addresses. What is not for a stream is written to it, what the kernel sends
 * (ARP, ping, BGP, ssh) is read from it and leaves by the port. The interface lives as long as its
 * file descriptor: a process that dies leaves nothing behind.
 *
 * Frames are plain Ethernet without FCS, with checksums complete; no offloads are offered to the
 * kernel. The fd is non-blocking, for the caller's epoll. Reading and writing are safe in different
 * threads, everything else is the opener's.
 */
struct weir_tap;

struct weir_tap_options {
	const char *name; /* at most 15 bytes; must not exist */
	bool has_mac;     /* else the kernel makes one up */
	uint8_t mac[6];
	uint16_t mtu;                        /* 0: the kernel's 1500 */
	const struct weir_prefix *addresses; /* host bits kept: address, length of its subnet */
	unsigned int address_count;
};

/*
 * Make the interface, address it and set it up. IPv6 addresses are used at once, without
 * duplicate detection, as the port may not forward yet. On failure a negative errno with `error`
 * filled (may be NULL), *tap NULL and no interface left. `options` is not kept.
 */
int weir_tap_open(
	const struct weir_tap_options *options, struct weir_tap **tap, struct weir_error *error);
/* The interface disappears. NULL is fine. */
void weir_tap_close(struct weir_tap *tap);
int weir_tap_fd(const struct weir_tap *tap);
int weir_tap_ifindex(const struct weir_tap *tap);
/*
 * One frame from the kernel. Returns its length, -EAGAIN when there is none, -EMSGSIZE when it was
 * longer than `size` (it is lost then), or -errno. MTU + 14 bytes hold any frame, + 4 each VLAN
 * tag.
 */
ssize_t weir_tap_read(struct weir_tap *tap, void *frame, size_t size);
/* One frame to the kernel. 0; -EAGAIN when it takes none now; -EINVAL below 14 bytes; -errno. */
int weir_tap_write(struct weir_tap *tap, const void *frame, size_t length);
