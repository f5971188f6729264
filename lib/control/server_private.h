/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "base/list.h"
#include "control/buffer.h"
#include "control/server.h"
#include "control/socket.h"

struct weir_server {
	struct weir_loop *loop;
	struct weir_rpc *rpc;
	struct weir_socket socket;
	struct weir_list clients;
	size_t client_count;
	struct weir_server_client *serving; /* whose request is carried out; NULL: none's */
	uint64_t events_lost;               /* of all clients */
	struct weir_loop_timer retry; /* armed while accepting pauses: no descriptor was free */
};

enum weir_server_client_state {
	WEIR_CLIENT_OPEN,
	WEIR_CLIENT_CLOSING, /* reads no more; closed when its answers are sent */
	WEIR_CLIENT_DEAD,    /* closed at the end of the event that is being served */
};

struct weir_server_client {
	struct weir_list node; /* in server->clients */
	struct weir_server *server;
	struct weir_rpc_peer peer;
	enum weir_server_client_state state;
	int fd;
	struct weir_buffer input;
	size_t scanned;  /* bytes of `input` known to hold no newline */
	bool is_waiting; /* `input` holds more that is for a later round */
	struct weir_buffer output;
	uint32_t events; /* what the loop watches now */
	bool is_subscribed;
	uint64_t events_lost; /* not told yet */
};

/* server_client.c */
/* Takes `fd`. On failure the fd is closed. */
int weir_server_client_add(struct weir_server *server, int fd, const struct weir_rpc_peer *peer);
void weir_server_client_remove(struct weir_server_client *client);
/* Send what waits; not for the client that is being served. It may end. */
void weir_server_client_flush(struct weir_server_client *client);
