/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "base/error.h"
#include "control/gateway.h"

/*
 * Templates of exporters over a restart: in a file beside the checkpoint's, with ".templates" at
 * its end. Written when one came or went, and once a minute when they were only heard again.
 * Control thread.
 */
struct weir_template_store;

/* What an earlier gateway left at `state`.templates, if that can be read. NULL without memory. */
struct weir_template_store *weir_template_store_open(const char *state);
/* Give a new stream what is known of its exporters. */
void weir_template_store_restore(
	const struct weir_template_store *store, struct weir_stream *stream);
/* Workers run. 0 or -errno. */
int weir_template_store_start(
	struct weir_template_store *store, struct weir_gateway *gateway, uint32_t interval_ms);
/* Without memory it goes on as it was. */
void weir_template_store_set_interval(struct weir_template_store *store, uint32_t interval_ms);
/* Writes a last time. Workers have ended. NULL: nothing. */
void weir_template_store_close(struct weir_template_store *store);
