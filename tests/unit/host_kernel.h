/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <CUnit/Basic.h>

#include "base/address.h"

/*
 * Two network namespaces of this process, near and far, joined by a veth pair: "near0" with
 * 10.9.0.1/24 and fd00:9::1/64, "far0" with 10.9.0.2/24 and fd00:9::2/64. They vanish with the
 * process. Tests start, and must end, in the near one; a socket stays in the one it was made in.
 */
#define NEAR4 "10.9.0.1"
#define FAR4  "10.9.0.2"
#define NEAR6 "fd00:9::1"
#define FAR6  "fd00:9::2"

/* 0, or -errno (-EPERM: not root). Before anything else. */
int host_kernel_start(void);
void host_kernel_near(void);
void host_kernel_far(void);
/* Run a shell command; true when it succeeded. */
bool host_kernel_run(const char *format, ...) __attribute__((format(printf, 1, 2)));
uint64_t host_kernel_now_ms(void);
/* Wait for `events` (poll(2)) on a fd; true when there were any in time. */
bool host_kernel_poll(int fd, short events, int timeout_ms);
struct weir_address host_kernel_address(const char *text);
/* A UDP socket; bound when `local_port` is not 0, connected when `remote` is not NULL. */
int host_kernel_udp(
	const char *local, uint16_t local_port, const char *remote, uint16_t remote_port);

extern CU_TestInfo host_kernel_netlink_tests[];
extern CU_TestInfo host_kernel_neighbour_tests[];
extern CU_TestInfo host_kernel_udp_tests[];
extern CU_TestInfo host_kernel_tap_tests[];
