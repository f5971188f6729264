/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/reason.h"
#include "config/config.h"

/*
 * Packet capture, the workers' half: what a rule wants is copied into a ring of the worker's own,
 * from which a thread of the control side (control/capture.h) writes files. A full ring is a
 * counted loss of the capture and of nothing else. While no rule is on, all this costs a branch a
 * burst, and one a drop.
 *
 *   rx    a packet as it was received, before it is looked at
 *   drop  a packet or message that is dropped, with its reason, as it was received
 *   tx    a packet that the port has taken, or the worker that sends for this one
 */

#define WEIR_CAPTURE_RX   0x1
#define WEIR_CAPTURE_DROP 0x2
#define WEIR_CAPTURE_TX   0x4

#define WEIR_CAPTURE_RULES     4                  /* that are on at the same time */
#define WEIR_CAPTURE_RING_SIZE (4u * 1024 * 1024) /* bytes a worker */
#define WEIR_CAPTURE_SNAP_MAX  16384

struct rte_mbuf;
struct weir_dataplane;
struct weir_lane;
struct weir_message_slot;
struct weir_port;
struct weir_stream;
struct weir_tx;
struct weir_worker;

/*
 * What to capture. Written while it is off and no worker has looked at it since it was on; names
 * are compared, so that it follows an object that is made anew.
 */
struct weir_capture_rule {
	_Atomic bool is_on;
	uint8_t points;                /* WEIR_CAPTURE_ bits */
	uint64_t reasons;              /* drops: bit a reason; 0: all */
	char port[WEIR_NAME_SIZE];     /* "": any; likewise below */
	char stream[WEIR_NAME_SIZE];   /* what belongs to no stream is left out */
	char consumer[WEIR_NAME_SIZE]; /* likewise */
	uint32_t snap;                 /* bytes kept of a packet */
};

_Static_assert(WEIR_REASON_COUNT <= 64, "a bit for each");

/* In a worker's ring, followed by the packet's bytes; a multiple of 8 bytes in all. */
struct weir_capture_record {
	uint32_t size;  /* with the bytes and what fills them up */
	uint8_t rules;  /* bit a rule that wants it; 0: only fills the ring up to its end */
	uint8_t point;  /* a WEIR_CAPTURE_ bit */
	uint8_t reason; /* enum weir_reason */
	bool is_dropped_at_lane; /* one group's drop: others may have got it */
	uint32_t length;         /* of the packet on the wire */
	uint32_t captured;       /* bytes that follow */
	uint16_t port;           /* index; WEIR_CAPTURE_NO_PORT: not known, or none */
	uint16_t partition;      /* WEIR_CAPTURE_NO_PARTITION: not known */
	uint32_t reserved;
	uint64_t sequence;           /* in the partition, of a drop at a lane */
	uint64_t time_ns;            /* Unix */
	char stream[WEIR_NAME_SIZE]; /* "": none, or more than one; likewise below */
	char consumer[WEIR_NAME_SIZE];
};

_Static_assert(sizeof(struct weir_capture_record) % 8 == 0, "records stay aligned");

#define WEIR_CAPTURE_NO_PARTITION UINT16_MAX
#define WEIR_CAPTURE_NO_PORT      UINT16_MAX

/* Single producer, the worker; single consumer, the thread that writes. */
struct weir_capture_ring {
	uint8_t *bytes;
	_Atomic uint64_t head; /* the worker */
	_Atomic uint64_t tail; /* the consumer */
	uint64_t pending;      /* the worker's: written, and not shown to the consumer yet */
	uint64_t lost[WEIR_CAPTURE_RULES]; /* the worker's, others read: records without room */
};

/* Who sent a packet, beside it while it waits for the port: one word, so that it costs no more. */
struct weir_capture_tag {
	uint16_t stream;    /* slot + 1; 0: none, or several */
	uint16_t partition; /* with a stream */
	uint16_t consumer;  /* slot + 1; 0: none */
};

#define WEIR_CAPTURE_HANDED UINT16_MAX /* as a consumer: captured where it comes from */

/* Control side. */

/* A ring for each worker, once; 0 or -ENOMEM. */
int weir_capture_prepare(struct weir_dataplane *dataplane);
void weir_capture_free(struct weir_dataplane *dataplane);
/* Set or clear a rule's `is_on`, and what workers look for. One thread at a time. */
void weir_capture_switch(struct weir_dataplane *dataplane, uint32_t rule, bool on);
uint64_t weir_capture_lost(const struct weir_dataplane *dataplane, uint32_t rule);
/* The oldest record of a worker's ring, NULL: empty. It is good until _pass(). One thread. */
const struct weir_capture_record *weir_capture_peek(struct weir_capture_ring *ring);
void weir_capture_pass(struct weir_capture_ring *ring, const struct weir_capture_record *record);

/* Workers, while a rule wants it. Received packets are marked with their port for drops, too. */
void weir_capture_rx(struct weir_worker *worker, const struct weir_port *port,
	struct rte_mbuf *const *packets, uint32_t count);
/* Before packets are handed to the port, and when it has taken the first `sent` of them. */
void weir_capture_tx_begin(struct weir_worker *worker, const struct weir_tx *tx);
void weir_capture_tx_end(struct weir_worker *worker, uint32_t sent);
/* A packet that is in no ring; `stream` NULL: of none. */
void weir_capture_drop(struct weir_worker *worker, const struct rte_mbuf *packet, uint16_t port,
	const struct weir_stream *stream, uint16_t partition, enum weir_reason reason);
/* A message on its way to its ring. */
void weir_capture_message_drop(struct weir_worker *worker, const struct weir_message_slot *message,
	const struct weir_stream *stream, uint16_t partition, enum weir_reason reason);
/* A message that a lane passes without delivering it. */
void weir_capture_lane_drop(struct weir_worker *worker, const struct weir_lane *lane,
	uint64_t sequence, const struct weir_message_slot *slot, enum weir_reason reason);
