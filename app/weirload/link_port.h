/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "link_packet.h"

/*
 * A kernel interface as one end of the wire: a packet socket (packet(7)) that sees all frames
 * that come in by it, none that leave by it, and by which frames leave. VLAN tags and offloads
 * are as the sender left them. Batches, nothing blocks. One thread.
 */
#define LOAD_LINK_BATCH 64

struct load_port {
	int fd; /* -1: closed */
	const char *name;
	unsigned int index;
	uint64_t overruns;     /* frames for which the socket had no room */
	uint32_t drops_before; /* of the device, when it was opened */
};

/* What became of a batch that was to be sent. */
struct load_port_sent {
	unsigned int sent;
	unsigned int failed; /* passed over for an error that waiting does not cure */
	uint64_t bytes;      /* of the frames sent */
	int error;           /* the latest such errno, 0: none */
};

/* `name` is kept. 0 or negative errno, explained on stderr. */
int load_port_open(struct load_port *port, const char *name);
void load_port_close(struct load_port *port);
/*
 * Fill the packets with as many frames as are there. Their number, or negative errno; an
 * interface that is down has none. `spoilt`: frames that were longer than a packet, thrown away
 * and counted here; their packets have length 0.
 */
int load_port_take(
	struct load_port *port, struct load_packet **packets, unsigned int count, uint64_t *spoilt);
/* Send the packets in their order; those after sent + failed have to wait for the socket. */
struct load_port_sent load_port_send(
	struct load_port *port, struct load_packet *const *packets, unsigned int count);
/* Frames that the socket had no room for, since it was opened. */
uint64_t load_port_overruns(struct load_port *port);
/* Frames that the device did not pass on though it took them, since it was opened: on a veth
 * the other end had no room. */
uint64_t load_port_drops(const struct load_port *port);
/* Whether the interface is still there, and in this namespace. */
bool load_port_exists(const struct load_port *port);
/* A descriptor that becomes readable when that may have changed for any port; empty it with
 * load_port_news_read(). Negative errno. */
int load_port_news_open(void);
void load_port_news_read(int news);
