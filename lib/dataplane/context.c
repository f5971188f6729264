/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/context.h"

#include "dataplane/worker.h"
#include "wire/bytes.h"
#include "wire/hash.h"

/* Our span: the stages' are the numbers after it, so it must not wrap. */
static uint64_t make_span(const struct weir_worker *worker, const struct weir_message_slot *message)
{
	uint64_t hash = weir_hash_word(worker->dataplane->trace_contexts.seed, message->ingest);

	return weir_hash_finish(weir_hash_word(hash, (uintptr_t)message->mbuf)) >> 1 | 1;
}

void weir_context_keep(struct weir_worker *worker, struct weir_message_slot *message,
	const struct weir_frame_context *context)
{
	struct weir_message_context kept = {.wire = *context};

	if (sizeof(kept) > rte_pktmbuf_tailroom(message->mbuf))
		return;
	memset(kept.wire.reserved, 0, sizeof(kept.wire.reserved));
	if ((context->flags & WEIR_CONTEXT_SAMPLED) && !weir_is_traced(message) &&
		weir_trace_may_follow(worker))
		message->flags |= WEIR_SLOT_TRACED;
	if (weir_is_traced(message)) {
		uint64_t span = weir_be64(make_span(worker, message));

		memcpy(kept.parent, context->span_id, sizeof(kept.parent));
		memcpy(kept.wire.span_id, &span, sizeof(kept.wire.span_id));
	}
	message->flags |= WEIR_SLOT_CONTEXT;
	memcpy(weir_context_of(message), &kept, sizeof(kept));
}
