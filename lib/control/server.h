/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "base/error.h"
#include "control/loop.h"
#include "control/rpc.h"

/*
 * The control socket: JSON-RPC messages of one line each over a Unix stream socket, served by
 * the loop's thread. It never blocks on a client. What a client sends is hostile until
 * checked: whatever it is, it gets a JSON-RPC answer, and the others are served as before.
 *
 * A client that is idle may stay for ever. One that sends a line longer than the limit gets an
 * error and is closed. Of one that sends many, a few are carried out in a round of the loop, and
 * none while an answer waits to be read. A last line without newline counts when the client shuts
 * down its sending side.
 */

#define WEIR_SERVER_CLIENTS_MAX 32
#define WEIR_SERVER_MESSAGE_MAX (4 * 1048576U) /* bytes, without the newline */
#define WEIR_SERVER_EVENTS_MAX  262144         /* bytes that wait, beyond which events are lost */
#define WEIR_SERVER_OUTPUT_MAX                                                                     \
	(16 * 1048576U) /* bytes that wait for a client to read: beyond it is dropped */

struct weir_server;

/*
 * Listen on `path` (see control/socket.h for its permissions). `loop` and `rpc` must outlast the
 * server. 0 or negative errno with `error` filled.
 */
int weir_server_open(struct weir_server **server, struct weir_loop *loop, struct weir_rpc *rpc,
	const char *path, struct weir_error *error);
/* Drop the clients and remove the socket; NULL is fine. Not from a method's handler. */
void weir_server_close(struct weir_server *server);
/* Accept nobody any more and let go of the path; whoever is connected stays. From anywhere. */
void weir_server_retire(struct weir_server *server);
/*
 * The client whose request is being carried out gets notifications from now on. One that does not
 * read loses them beyond WEIR_SERVER_EVENTS_MAX, and is told how many when it reads again.
 */
void weir_server_subscribe(struct weir_server *server);
bool weir_server_has_subscribers(const struct weir_server *server);
/* Send one line, without its newline, to all subscribers; NULL, for want of memory: it is lost. */
void weir_server_notify(struct weir_server *server, const char *text);
uint64_t weir_server_events_lost(const struct weir_server *server);
size_t weir_server_client_count(const struct weir_server *server);
