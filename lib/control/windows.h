/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "dataplane/consumer.h"

/*
 * The last good windows of consumers that have left, by name: one that comes back soon need not
 * find its pace anew. A fixed number is remembered; the oldest goes first. Control thread only.
 */
#define WEIR_WINDOWS_KEPT 256

struct weir_windows {
	struct weir_window_memory {
		char name[WEIR_NAME_SIZE]; /* "": free */
		uint32_t good;
		uint64_t left_ns; /* weir_loop_clock_ns */
	} kept[WEIR_WINDOWS_KEPT];
	uint32_t next; /* the one to forget */
};

/* The consumer leaves. */
void weir_windows_keep(
	struct weir_windows *windows, const struct weir_consumer *consumer, uint32_t workers);
/* A new consumer of the name, which no worker knows yet, starts from what was good, halved by age.
 */
void weir_windows_restore(
	struct weir_windows *windows, struct weir_consumer *consumer, uint32_t workers);
