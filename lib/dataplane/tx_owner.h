/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "dataplane/capture.h"
#include "dataplane/stats.h"

/* Whom to charge when a packet that was delivered is thrown away after all. */
struct weir_tx_owner {
	struct weir_group_stats *stats; /* NULL: nobody's */
	uint16_t bytes;
	struct weir_capture_tag tag;
};
