/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "impair.h"
#include "impair_queue.h"
#include "link_packet.h"
#include "link_port.h"

/*
 * One direction of the wire: frames are taken from a port, decided on, wait, and leave by the
 * other port. No frame vanishes uncounted:
 *
 *	packets + duplicated = sent + lost + cut + queue_full + failed + held
 *
 * and what the kernel dropped in front of it (overrun) or behind it (device_drops) is counted
 * apart: those are faults of the instrument, not of the wire that it plays. When all buffers are
 * in use frames are left in the socket. One thread.
 */
struct load_way {
	struct load_port *from; /* not owned, nor is `to` */
	struct load_port *to;
	struct load_impair impair;
	struct load_packet_pool pool;
	struct load_queue queue;
	uint16_t only_udp; /* 0: all frames are impaired, else the others pass at once */
	struct load_packet *leaving[LOAD_LINK_BATCH]; /* due, and the port was not ready for all */
	unsigned int leaving_count;
	uint64_t packets; /* taken */
	uint64_t bytes;   /* of their frames, without FCS */
	uint64_t sent;
	uint64_t sent_bytes;
	uint64_t failed; /* refused by the other port: too long, or the interface was down */
	int error;       /* the latest reason of that, an errno; 0: none */
};

/* `limit`: frames on their way at most. The impairment is set up by the caller. 0 or -ENOMEM;
 * free in both cases. */
int load_way_init(struct load_way *way, struct load_port *from, struct load_port *to, size_t limit);
void load_way_free(struct load_way *way);
/* Take a batch of frames and decide on them. How many were there; more may wait after a full
 * LOAD_LINK_BATCH. Negative errno. */
int load_way_take(struct load_way *way);
/* Send what is due. */
void load_way_release(struct load_way *way);
/* When it has to be called again, were nothing to come; UINT64_MAX: not at all. */
uint64_t load_way_next(const struct load_way *way);
/* Whether more frames can be taken, and whether some wait for the other port. */
bool load_way_has_room(const struct load_way *way);
bool load_way_is_stuck(const struct load_way *way);
/* Its counters; NULL without memory. */
json_t *load_way_report(const struct load_way *way);
