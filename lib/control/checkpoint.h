/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "control/gateway.h"
#include "state/writer.h"

/*
 * The checkpoint: where numbering and groups stand, written now and then (state.file in the
 * configuration), so that a gateway that was ended or killed goes on, and never gives a sequence
 * number to two messages. The disk is waited for by a thread of its own. Control thread only.
 */
struct weir_checkpoint;

/*
 * Read what an earlier gateway has left. 0, and *checkpoint is NULL when the configuration keeps no
 * state. Fails when there is a file that must not be overwritten: it cannot be read, or is newer.
 * One that is damaged is reported, and numbering begins from the clock.
 */
int weir_checkpoint_open(const struct weir_config *config, struct weir_checkpoint **checkpoint,
	struct weir_error *error);
/* For the data plane, before the first configuration is applied. Lives as long as the checkpoint.
 */
const struct weir_positions *weir_checkpoint_positions(const struct weir_checkpoint *checkpoint);
/* Begin to write, at every interval of the configuration. */
int weir_checkpoint_start(struct weir_checkpoint *checkpoint, struct weir_gateway *gateway);
/* The configuration may have another interval now. NULL is allowed. */
void weir_checkpoint_sync(struct weir_checkpoint *checkpoint);
/* Write at once, as at an interval's end; NULL is fine. */
void weir_checkpoint_now(struct weir_checkpoint *checkpoint);
/* False without a checkpoint. */
bool weir_checkpoint_report(
	const struct weir_checkpoint *checkpoint, struct weir_state_report *report);
/* Which start of the gateway this is; 0 without a checkpoint. */
uint64_t weir_checkpoint_incarnation(const struct weir_checkpoint *checkpoint);
/* Write no more: the file is another gateway's from now on, or until _close() if it never came. */
void weir_checkpoint_suspend(struct weir_checkpoint *checkpoint);
/* Free, and write nothing. NULL is allowed. */
void weir_checkpoint_abandon(struct weir_checkpoint *checkpoint);
/* Write the end's positions, when workers have ended, and free. NULL is allowed. */
void weir_checkpoint_close(struct weir_checkpoint *checkpoint);
