/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "state/sink.h"
#include "state/state.h"

/*
 * Templates of exporters as a file keeps them over a restart, beside the state: one that is lost
 * or damaged costs no more than waiting for the exporters' own. Written and read like the state's,
 * see file.h and writer.h.
 */

struct weir_state_template {
	char stream[WEIR_STATE_NAME_SIZE];
	uint8_t address[16];
	uint32_t domain;
	uint16_t port;
	uint8_t family;    /* 4 or 6 */
	uint8_t version;   /* of the protocol */
	uint64_t heard_ns; /* Unix time */
	uint16_t length;
	const uint8_t *set;
};

/* A file in the making. Zeroed to begin with; after a failure later templates are left out. */
struct weir_state_templates {
	struct weir_state_sink sink;
	uint32_t count;
};

void weir_state_templates_add(
	struct weir_state_templates *templates, const struct weir_state_template *template);
/* *bytes is the caller's to free(). 0, -ENOMEM, -EFBIG. Either way it is empty afterwards. */
int weir_state_templates_end(
	struct weir_state_templates *templates, uint8_t **bytes, size_t *length);

typedef void (*weir_state_template_visit)(
	void *context, const struct weir_state_template *template);
/*
 * Each of a file's, whose bytes may be anything: 0; -EBADMSG when it is damaged, -ENOTSUP when it
 * is of a newer version, and nothing is visited.
 */
int weir_state_templates_read(
	const uint8_t *bytes, size_t length, weir_state_template_visit visit, void *context);
