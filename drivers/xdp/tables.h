/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "dataplane/dataplane.h"
#include "xdp/shared.h"

/*
 * Keeps what the XDP programs know in step with the data plane: streams, partitions and their
 * consumers, routes, what is closed, the clock of the tokens. Programs that share their maps share
 * one of these. Control thread only.
 */
struct weir_xdp_tables;
struct weir_xdp_since;
struct bpf_object;

/* For a loaded program. 0 or -errno. */
int weir_xdp_tables_open(const struct bpf_object *object, struct weir_xdp_tables **tables);
/* The maps stay as they are. NULL is fine. */
void weir_xdp_tables_close(struct weir_xdp_tables *tables);

/* Bring all that has changed since last time into the maps. 0 or -errno; what could not be brought
 * is tried again with the next call. */
int weir_xdp_tables_follow(struct weir_xdp_tables *tables, struct weir_dataplane *dataplane);
/* Where the token buckets are that the program draws from too. */
const struct weir_token_store *weir_xdp_tables_tokens(const struct weir_xdp_tables *tables);
const struct weir_will_store *weir_xdp_tables_wills(const struct weir_xdp_tables *tables);
const struct weir_xdp_shared *weir_xdp_tables_shared(const struct weir_xdp_tables *tables);
struct weir_xdp_since *weir_xdp_tables_since(const struct weir_xdp_tables *tables);
