/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>

#include "config/config.h"

/*
 * Messages that could not be delivered leave the data plane for the control thread, and come back
 * from it when an operator says so.
 */

struct weir_dataplane;

/*
 * A message on its way to the control thread: this, then `length` bytes of payload, are the data
 * of an mbuf marked WEIR_TO_QUARANTINE.
 */
struct weir_quarantined {
	uint64_t seq;
	uint64_t ingest_ns; /* Unix time */
	uint64_t session;   /* whose consumer did not acknowledge it */
	uint32_t epoch;
	uint16_t stream; /* slot numbers */
	uint16_t group;
	uint16_t consumer;
	uint16_t partition;
	uint16_t length;
	uint16_t source_port; /* host order */
	uint8_t source[16];
	uint8_t source_family; /* 4 or 6 */
	uint8_t tos;
	uint8_t attempts;
};

/* What slot numbers stood for when the message came; "?": it was gone already. */
struct weir_quarantined_names {
	char stream[WEIR_NAME_SIZE];
	char group[WEIR_NAME_SIZE];
	char consumer[WEIR_NAME_SIZE];
};
/* Control thread. */
void weir_quarantined_names(const struct weir_dataplane *dataplane,
	const struct weir_quarantined *note, struct weir_quarantined_names *names);

/*
 * Send the message back: it becomes a new one of its partition, after all that are there, which
 * only its group gets. Everything is copied. Control thread.
 *
 * -ENOENT: the stream is no more, or was made anew; -ESRCH: the group does not take it any more;
 * -ENOBUFS: no receive buffer is free; -EMSGSIZE: none is large enough; -EAGAIN: the partition's
 * worker has as many to take as it can remember.
 */
int weir_requeue(struct weir_dataplane *dataplane, const struct weir_quarantined *note,
	const struct weir_quarantined_names *names, const uint8_t *payload);
