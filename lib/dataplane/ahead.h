/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "dataplane/worker.h"

/*
 * A look ahead: which stream and partition a packet is going to be for, without counting anything.
 * For what observes packets before they are classified. Private to lib/dataplane.
 */

struct weir_ahead {
	const struct weir_stream_view *view;
	uint16_t partition; /* WEIR_CAPTURE_NO_PARTITION: it has no key */
	struct weir_packet headers;
};

/* False: it is for no stream. */
bool weir_look_ahead(
	const struct weir_worker *worker, const struct rte_mbuf *packet, struct weir_ahead *ahead);
