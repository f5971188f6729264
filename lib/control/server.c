/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "control/server_private.h"

#define RETRY_NS (100 * WEIR_MS_NS)

static void refuse_client(int fd)
{
	struct weir_error error;
	char *answer;
	size_t length;

	weir_error_set(&error, -EBUSY, "", "close a connection that is not needed",
		"%d clients are connected already", WEIR_SERVER_CLIENTS_MAX);
	if (weir_rpc_refuse(WEIR_RPC_BUSY, &error, &answer, &length) == 0) {
		/* A fresh socket's buffer takes it; if not, the close alone must do. */
		if (send(fd, answer, length, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			weir_log_debug("control", "refusing a client: %s", strerror(errno));
		free(answer);
	}
	close(fd);
}

/* No descriptor or memory is free: the socket stays readable, so look away for a while rather
 * than spin. */
static void pause_accepting(struct weir_server *server, int error_number)
{
	weir_log_warning("control", "cannot accept a client: %s", strerror(error_number));
	if (weir_loop_timer_arm(server->loop, &server->retry, RETRY_NS, 0) == 0)
		weir_loop_modify_fd(server->loop, server->socket.fd, 0);
}

static void on_retry(void *context, uint64_t now_ns)
{
	struct weir_server *server = context;

	(void)now_ns;
	weir_loop_modify_fd(server->loop, server->socket.fd, EPOLLIN);
}

static void on_connect(void *context, int listen_fd, uint32_t events)
{
	struct weir_server *server = context;
	struct weir_rpc_peer peer;
	int fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)events;
	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			pause_accepting(server, errno);
		return;
	}
	if (server->client_count >= WEIR_SERVER_CLIENTS_MAX) {
		refuse_client(fd);
		return;
	}
	if (weir_socket_peer(fd, &peer) < 0) {
		close(fd);
		return;
	}
	if (weir_server_client_add(server, fd, &peer) < 0)
		weir_log_warning("control", "no memory for a client");
	else
		weir_log_debug("control", "client of uid %d pid %d, %s", (int)peer.uid,
			(int)peer.pid, peer.role == WEIR_RPC_WRITE ? "may write" : "may read");
}

int weir_server_open(struct weir_server **result, struct weir_loop *loop, struct weir_rpc *rpc,
	const char *path, struct weir_error *error)
{
	struct weir_server *server = calloc(1, sizeof(*server));
	int rc;

	if (server == NULL)
		return weir_error_set(error, -ENOMEM, path, "", "no memory for the control socket");
	server->loop = loop;
	server->rpc = rpc;
	weir_list_init(&server->clients);
	weir_loop_timer_init(&server->retry, on_retry, server);
	rc = weir_socket_open(&server->socket, path, error);
	if (rc < 0) {
		free(server);
		return rc;
	}
	rc = weir_loop_add_fd(loop, server->socket.fd, EPOLLIN, on_connect, server);
	if (rc < 0) {
		weir_socket_close(&server->socket);
		free(server);
		return weir_error_set(
			error, rc, path, "", "cannot watch the socket: %s", strerror(-rc));
	}
	*result = server;
	return 0;
}

void weir_server_close(struct weir_server *server)
{
	if (server == NULL)
		return;
	while (!weir_list_is_empty(&server->clients))
		weir_server_client_remove(
			weir_list_entry(server->clients.next, struct weir_server_client, node));
	weir_server_retire(server);
	free(server);
}

void weir_server_retire(struct weir_server *server)
{
	weir_loop_timer_cancel(server->loop, &server->retry);
	if (server->socket.fd >= 0)
		weir_loop_remove_fd(server->loop, server->socket.fd);
	weir_socket_close(&server->socket);
}

size_t weir_server_client_count(const struct weir_server *server)
{
	return server->client_count;
}
