/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "control/gateway.h"
#include "control/history.h"

/*
 * Every change of the running configuration goes through here: it gets a version, and may be on
 * trial. What is on trial and not confirmed in time goes back by itself to what ran before; when
 * that fails it is said, and tried again each second. The versions are in FILE.versions beside the
 * state file, written by a thread of its own; without `state.file` they are kept in memory.
 *
 * A gateway starts with the file it is given. Only if that very configuration was on trial when
 * the gateway ended does it start with the one before. Control thread only.
 */
struct weir_versions;

struct weir_versions_report {
	const struct weir_history *history;
	bool is_on_trial;
	uint64_t left_ms;          /* of the trial */
	bool is_kept;              /* in a file */
	bool is_saved;             /* the newest is on disk */
	struct weir_error failure; /* of going back by itself; code 0: none */
};

/*
 * Read what an earlier gateway left beside the state file. *config (owned by the caller) is
 * exchanged for the one before if it was on trial. 0 or -ENOMEM: a file that is damaged or cannot
 * be read is logged; one that must not be overwritten is left alone.
 */
int weir_versions_open(
	struct weir_config **config, struct weir_versions **versions, struct weir_error *error);
/* The configuration that the gateway started with is running. 0 or -errno. */
int weir_versions_start(struct weir_versions *versions, struct weir_gateway *gateway);
/* Write the newest, and free. NULL is allowed. */
void weir_versions_close(struct weir_versions *versions);

/*
 * Take `config` over (it is the gateway's on success). `confirm_s`: on trial for so long; 0: for
 * good. -EBUSY while a trial is running; -EOPNOTSUPP when it needs a restart.
 */
int weir_versions_apply(struct weir_versions *versions, struct weir_config *config,
	const char *comment, uint32_t confirm_s, struct weir_error *error);
/* Keep what is on trial. -ENOENT when nothing is. */
int weir_versions_confirm(struct weir_versions *versions, struct weir_error *error);
/*
 * Go back to version `number`; 0: what ran before the running one, or before the trial. -ENOENT
 * when there is no such version; -ENOTRECOVERABLE when there is and it cannot be taken over: what
 * ran goes on.
 */
int weir_versions_rollback(struct weir_versions *versions, uint64_t number, uint32_t confirm_s,
	struct weir_error *error);
/* The number of the version that runs. */
uint64_t weir_versions_running(const struct weir_versions *versions);
void weir_versions_report(
	const struct weir_versions *versions, struct weir_versions_report *report);
