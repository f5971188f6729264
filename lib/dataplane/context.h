/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "dataplane/message.h"
#include "wire/frame_context.h"

/*
 * The trace context that a producer gave with a message (WEIR_SLOT_CONTEXT). It lies in the
 * message's own buffer, behind the payload: a message without one has nothing to carry, and it
 * lives exactly as long as the message.
 */
struct weir_message_context {
	struct weir_frame_context wire; /* as consumers are told it; its span is ours if the message
					   is followed, else the producer's */
	uint8_t parent[8];              /* followed: the producer's span; else zeros */
} __attribute__((packed));

_Static_assert(sizeof(struct weir_message_context) == 36, "as the estate has it");

struct weir_worker;

static inline struct weir_message_context *weir_context_of(const struct weir_message_slot *message)
{
	return rte_pktmbuf_mtod_offset(message->mbuf, struct weir_message_context *,
		message->l4_offset + 8 + message->payload_length);
}

/*
 * Keep it with a message that was just built, and follow the message if its producer does and there
 * is budget for it. Without room in the buffer the message goes without. Worker.
 */
void weir_context_keep(struct weir_worker *worker, struct weir_message_slot *message,
	const struct weir_frame_context *context);
