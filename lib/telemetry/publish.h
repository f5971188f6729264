/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "telemetry/metrics.h"

/*
 * Hands sets of samples from the control thread to those that print them. A published set is
 * immutable and counted; whoever borrows one holds it for as long as it likes, and neither side
 * waits for the other but for a pointer's exchange.
 */
struct weir_publisher;

int weir_publisher_create(struct weir_publisher **publisher);
/* Nobody borrows any more; NULL is fine. */
void weir_publisher_destroy(struct weir_publisher *publisher);

/* Control thread: a set to fill, reset; NULL without memory. */
struct weir_samples *weir_publisher_begin(struct weir_publisher *publisher);
/* It takes the place of the one before. One that has failed is dropped, and -ENOMEM returned. */
int weir_publisher_commit(struct weir_publisher *publisher, struct weir_samples *samples);

/* Any thread: the newest, NULL before the first. Give it back. */
const struct weir_samples *weir_publisher_borrow(struct weir_publisher *publisher);
void weir_publisher_return(struct weir_publisher *publisher, const struct weir_samples *samples);
