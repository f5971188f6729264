/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "control/server_private.h"

#define READ_SIZE 65536
#define TURN_NS   (2 * WEIR_MS_NS)

static void drop(struct weir_server_client *client, const char *why)
{
	weir_log_notice("control", "client of uid %d pid %d dropped: %s", (int)client->peer.uid,
		(int)client->peer.pid, why);
	client->state = WEIR_CLIENT_DEAD;
}

static void flush_output(struct weir_server_client *client)
{
	while (client->state != WEIR_CLIENT_DEAD && client->output.length > 0) {
		ssize_t sent = send(client->fd, weir_buffer_front(&client->output),
			client->output.length, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (sent >= 0)
			weir_buffer_consume(&client->output, (size_t)sent);
		else if (errno == EAGAIN)
			return;
		else if (errno != EINTR)
			client->state = WEIR_CLIENT_DEAD; /* it went away: nothing to tell */
	}
}

/* Takes `text`. */
static void send_answer(struct weir_server_client *client, char *text, size_t length)
{
	int rc = 0;

	if (client->output.length + length > WEIR_SERVER_OUTPUT_MAX)
		drop(client, "it does not read its answers");
	else
		rc = weir_buffer_append(&client->output, text, length);
	free(text);
	if (rc < 0)
		drop(client, "no memory for its answer");
	flush_output(client);
}

static bool is_blank(const char *text, size_t length)
{
	while (length > 0 && (*text == ' ' || *text == '\t' || *text == '\r')) {
		text++;
		length--;
	}
	return length == 0;
}

static void serve_line(struct weir_server_client *client, const char *line, size_t length)
{
	char *answer;
	size_t answer_length;
	int rc;

	if (is_blank(line, length))
		return;
	client->server->serving = client;
	rc = weir_rpc_handle(
		client->server->rpc, line, length, &client->peer, &answer, &answer_length);
	client->server->serving = NULL;
	if (rc < 0)
		drop(client, "no memory for its answer");
	else if (answer != NULL)
		send_answer(client, answer, answer_length);
}

static void refuse_long_line(struct weir_server_client *client)
{
	struct weir_error error;
	char *answer;
	size_t length;

	weir_error_set(&error, -EMSGSIZE, "", "end each message with a newline",
		"a message of more than %u bytes", WEIR_SERVER_MESSAGE_MAX);
	client->state = WEIR_CLIENT_CLOSING;
	if (weir_rpc_refuse(WEIR_RPC_INVALID_REQUEST, &error, &answer, &length) < 0)
		drop(client, "no memory for its answer");
	else
		send_answer(client, answer, length);
}

/* Whether its next request is carried out now; else in a later round of the loop: one that asks
 * and asks does not keep the others waiting, and answers that it does not read do not pile up. */
static bool has_turn(const struct weir_server_client *client, uint64_t end_ns)
{
	return client->output.length == 0 && weir_loop_clock_ns() < end_ns;
}

static void serve_input(struct weir_server_client *client)
{
	uint64_t end_ns = weir_loop_clock_ns() + TURN_NS;

	client->is_waiting = false;
	while (client->state == WEIR_CLIENT_OPEN && client->input.length > client->scanned) {
		const char *line = weir_buffer_front(&client->input);
		const char *newline = memchr(
			line + client->scanned, '\n', client->input.length - client->scanned);
		size_t length = newline != NULL ? (size_t)(newline - line) : client->input.length;

		if (length > WEIR_SERVER_MESSAGE_MAX) {
			refuse_long_line(client);
			return;
		}
		if (newline == NULL) {
			client->scanned = length;
			return;
		}
		serve_line(client, line, length);
		weir_buffer_consume(&client->input, length + 1);
		client->scanned = 0;
		if (client->input.length > 0 && !has_turn(client, end_ns)) {
			client->is_waiting = true;
			return;
		}
	}
}

/* The peer sends no more, but may still read. */
static void serve_end(struct weir_server_client *client)
{
	if (client->input.length > 0)
		serve_line(client, weir_buffer_front(&client->input), client->input.length);
	if (client->state == WEIR_CLIENT_OPEN)
		client->state = WEIR_CLIENT_CLOSING;
}

static void receive(struct weir_server_client *client)
{
	ssize_t size;

	if (weir_buffer_reserve(&client->input, READ_SIZE) < 0) {
		drop(client, "no memory for its message");
		return;
	}
	size = recv(client->fd, weir_buffer_end(&client->input), READ_SIZE, MSG_DONTWAIT);
	if (size > 0) {
		client->input.length += (size_t)size;
		serve_input(client);
	} else if (size == 0) {
		serve_end(client);
	} else if (errno != EAGAIN && errno != EINTR) {
		client->state = WEIR_CLIENT_DEAD;
	}
}

/* One that can take an answer, and has a request waiting, is served in the next round. */
static uint32_t wanted_events(const struct weir_server_client *client)
{
	if (client->output.length > 0 || client->is_waiting)
		return EPOLLOUT;
	return client->state == WEIR_CLIENT_OPEN ? EPOLLIN : 0;
}

static void serve(struct weir_server_client *client, uint32_t events)
{
	if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		flush_output(client);
	if (client->state == WEIR_CLIENT_OPEN && client->is_waiting) {
		if (client->output.length == 0)
			serve_input(client);
	} else if (client->state == WEIR_CLIENT_OPEN &&
		   (events & (EPOLLIN | EPOLLHUP | EPOLLERR))) {
		receive(client);
	} else if (events & (EPOLLHUP | EPOLLERR)) {
		client->state = WEIR_CLIENT_DEAD; /* closing, and nobody is there to read */
	}
}

static void on_client(void *context, int fd, uint32_t events)
{
	struct weir_server_client *client = context;

	serve(client, events);
	if (client->state == WEIR_CLIENT_CLOSING && client->output.length == 0)
		client->state = WEIR_CLIENT_DEAD;
	if (client->state != WEIR_CLIENT_DEAD && wanted_events(client) != client->events) {
		client->events = wanted_events(client);
		if (weir_loop_modify_fd(client->server->loop, fd, client->events) < 0)
			drop(client, "it can no longer be watched");
	}
	if (client->state == WEIR_CLIENT_DEAD)
		weir_server_client_remove(client);
}

void weir_server_client_flush(struct weir_server_client *client)
{
	flush_output(client);
	if (client->state != WEIR_CLIENT_DEAD && wanted_events(client) != client->events) {
		client->events = wanted_events(client);
		if (weir_loop_modify_fd(client->server->loop, client->fd, client->events) < 0)
			drop(client, "it can no longer be watched");
	}
	if (client->state == WEIR_CLIENT_DEAD)
		weir_server_client_remove(client);
}

int weir_server_client_add(struct weir_server *server, int fd, const struct weir_rpc_peer *peer)
{
	struct weir_server_client *client = calloc(1, sizeof(*client));
	int rc = client == NULL ? -ENOMEM : 0;

	if (rc == 0)
		rc = weir_loop_add_fd(server->loop, fd, EPOLLIN, on_client, client);
	if (rc < 0) {
		free(client);
		close(fd);
		return rc;
	}
	client->server = server;
	client->fd = fd;
	client->peer = *peer;
	client->events = EPOLLIN;
	weir_list_init(&client->node);
	weir_list_add_tail(&server->clients, &client->node);
	server->client_count++;
	return 0;
}

void weir_server_client_remove(struct weir_server_client *client)
{
	weir_list_remove(&client->node);
	client->server->client_count--;
	weir_loop_remove_fd(client->server->loop, client->fd);
	close(client->fd);
	weir_buffer_free(&client->input);
	weir_buffer_free(&client->output);
	free(client);
}
