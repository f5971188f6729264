/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <rte_branch_prediction.h>
#include <rte_common.h>
#include <rte_mbuf.h>

#include "dataplane/stream.h"

/*
 * The templates of a partition and the records of options data: learned from messages as they are
 * appended, and known to be missing where a lane's consumer did not get them. The cache is the
 * partition's, and so its owner's. What is missing goes before the next message that may need it;
 * see replay.h. Private to lib/dataplane.
 */

struct weir_worker;

/* Memory of one partition's cache. */
static inline size_t weir_templates_size(uint32_t bytes)
{
	return RTE_ALIGN_CEIL(weir_template_cache_size(bytes), (size_t)RTE_CACHE_LINE_SIZE);
}

/* Those of a partition, found without a look at it, which is its owner's to write. */
static inline struct weir_template_cache *weir_templates_of(
	const struct weir_stream *stream, uint16_t partition)
{
	return (void *)(stream->templates + partition * stream->template_size);
}

/*
 * Whether a message, whose exporter and domain have this hash, is one to learn from. The stream
 * keeps templates.
 */
static inline bool weir_templates_are_in(const struct weir_stream *stream, uint16_t partition,
	uint64_t hash, const uint8_t *payload, uint32_t length)
{
	return weir_template_is_present(
		payload, length, weir_templates_of(stream, partition)->marks, hash);
}

/* Whose message this is; the version is 0 when it is neither IPFIX nor NetFlow v9. */
struct weir_template_exporter weir_templates_exporter(const struct weir_message_slot *slot);

/* The partition that has the exporter's templates. */
uint16_t weir_templates_partition(
	const struct weir_stream *stream, const struct weir_template_exporter *exporter);

/* The message, which has some or may have, is about to be appended at the head. */
void weir_templates_learn(struct weir_worker *worker, struct weir_stream_local *local,
	struct weir_partition *partition, const struct weir_message_slot *slot);

/* The lane is the partition's, or not any more. */
void weir_templates_join(struct weir_lane *lane);
void weir_templates_leave(struct weir_lane *lane);
/* Its consumer has had nothing of what holds where it stands. */
void weir_templates_forget(struct weir_lane *lane);
/* The same of all lanes that the outlet has: its consumer may have begun anew. */
void weir_templates_forget_all(struct weir_worker *worker, struct weir_outlet *outlet);

/* Nothing is appended any more: definitions stay as they are for the stream's successor. */
void weir_templates_finish(struct weir_partition *partition);
/* What came to the predecessor since its templates were carried over, once that is final. */
void weir_templates_catch_up(
	struct weir_partition *partition, const struct weir_stream *predecessor);

void weir_templates_lost(
	struct weir_lane *lane, uint64_t seq, const struct weir_message_slot *slot);
/* The lane's consumer does not get this message. */
static inline void weir_templates_drop(
	struct weir_lane *lane, uint64_t seq, const struct weir_message_slot *slot)
{
	if (unlikely(slot->flags & WEIR_SLOT_TEMPLATES))
		weir_templates_lost(lane, seq, slot);
}
