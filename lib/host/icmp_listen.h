/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * ICMP errors on an interface that the kernel keeps: frames of destination unreachable, of ICMP or
 * ICMPv6, whoever they are for. A filter in the kernel passes nothing else. Returns a packet socket
 * that does not block, to be read and closed by the caller; or -errno.
 */
int weir_icmp_listen(int ifindex);
