/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "dataplane/dataplane.h"
#include "dataplane/stream.h"

/*
 * The templates of all partitions as the control thread sees and sets them. Workers go on: each
 * partition is copied whole, at some moment of the call. Control thread.
 */

struct weir_template_seen {
	const char *stream;
	uint16_t partition;
	const struct weir_template_exporter *exporter;
	uint16_t id;
	uint16_t fields;
	uint8_t kind;       /* enum weir_template_kind */
	uint64_t heard;     /* TSC when the exporter sent it last */
	uint64_t age_ms;    /* since then */
	const uint8_t *set; /* it alone as a set; records come behind their templates */
	uint16_t length;    /* of the set */
};
typedef void (*weir_template_seen_visit)(void *context, const struct weir_template_seen *seen);

/*
 * What is in force, of one stream or (NULL) of all that are configured. 0, -ENOENT: no such
 * stream, -ENOMEM; -EAGAIN: there is a partition that went on changing and was left out.
 */
int weir_templates_visit(const struct weir_dataplane *dataplane, const char *stream,
	weir_template_seen_visit visit, void *context);
/* Numbers that grow when definitions come and go, and when they are only heard again. */
void weir_templates_changes(
	const struct weir_dataplane *dataplane, uint64_t *changes, uint64_t *refreshes);

/*
 * Before the stream is published: a template that was known of an exporter, heard so long ago.
 * False: it is no template, or there is no room.
 */
bool weir_templates_restore(struct weir_stream *stream,
	const struct weir_template_exporter *exporter, const uint8_t *set, uint16_t length,
	uint64_t age_ms);
/*
 * What the stream knew that `to` takes the place of. What comes until workers go over to it, or for
 * which there was no memory, follows then: see succession.h.
 */
void weir_templates_carry(const struct weir_stream *from, struct weir_stream *to);
