/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "control/buffer.h"
#include "control/loop.h"
#include "weirctl.h"

#define READ_SIZE  65536
#define ANSWER_MAX (64 * 1048576U) /* bytes: more is not a gateway's answer */

static int fail(const struct weirctl_client *client, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static int fail(const struct weirctl_client *client, const char *format, ...)
{
	va_list args;

	if (client->is_quiet)
		return WEIRCTL_UNREACHABLE;
	fputs("weirctl: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return WEIRCTL_UNREACHABLE;
}

static uint64_t deadline_of(const struct weirctl_client *client)
{
	return weir_loop_clock_ns() + (uint64_t)(client->options->timeout_s * 1e9);
}

/* Wait until the socket is ready; false when the deadline passed. */
static bool wait_ready(int fd, short events, uint64_t deadline_ns)
{
	struct pollfd entry = {.fd = fd, .events = events};

	for (;;) {
		uint64_t now_ns = weir_loop_clock_ns();
		uint64_t left_ms;

		if (now_ns >= deadline_ns)
			return false;
		left_ms = (deadline_ns - now_ns) / WEIR_MS_NS + 1;
		if (poll(&entry, 1, left_ms > INT32_MAX ? INT32_MAX : (int)left_ms) > 0)
			return true;
	}
}

static int open_socket(struct weirctl_client *client, uint64_t deadline_ns)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const char *path = client->options->socket_path;
	const struct timespec pause = {.tv_nsec = 20 * 1000000};
	int rc;

	if (client->fd >= 0)
		return 0;
	if (strlen(path) >= sizeof(address.sun_path))
		return fail(client, "%s: the socket path is too long", path);
	memcpy(address.sun_path, path, strlen(path) + 1);
	client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (client->fd < 0)
		return fail(client, "socket: %s", strerror(errno));
	/* EAGAIN: the queue of a Unix listener is full, and there is no event for its end. */
	while ((rc = connect(client->fd, (struct sockaddr *)&address, sizeof(address))) < 0 &&
		errno == EAGAIN && weir_loop_clock_ns() < deadline_ns)
		nanosleep(&pause, NULL);
	if (rc == 0)
		return 0;
	rc = errno;
	weirctl_disconnect(client);
	return fail(client, "cannot connect to %s: %s%s", path, strerror(rc),
		rc == ENOENT || rc == ECONNREFUSED ? " (is the gateway running?)" : "");
}

static int send_all(
	struct weirctl_client *client, const char *bytes, size_t length, uint64_t deadline_ns)
{
	while (length > 0) {
		ssize_t sent = send(client->fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (sent >= 0) {
			bytes += sent;
			length -= (size_t)sent;
		} else if (errno == EPIPE || errno == ECONNRESET) {
			return 0; /* it may have answered why before it closed */
		} else if (errno != EAGAIN && errno != EINTR) {
			return fail(client, "cannot send: %s", strerror(errno));
		} else if (!wait_ready(client->fd, POLLOUT, deadline_ns)) {
			return fail(client, "the gateway took no request in %g s",
				client->options->timeout_s);
		}
	}
	return 0;
}

static int receive_line(
	struct weirctl_client *client, struct weir_buffer *line, uint64_t deadline_ns)
{
	for (;;) {
		ssize_t size;

		if (!wait_ready(client->fd, POLLIN, deadline_ns))
			return fail(client, "no answer in %g s", client->options->timeout_s);
		if (line->length > ANSWER_MAX || weir_buffer_reserve(line, READ_SIZE) < 0)
			return fail(client, "the answer is too long");
		size = recv(client->fd, weir_buffer_end(line), READ_SIZE, MSG_DONTWAIT);
		if (size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR))
			return fail(client, "the gateway closed the connection");
		if (size < 0)
			continue;
		line->length += (size_t)size;
		if (weir_buffer_end(line)[-1] == '\n')
			return 0;
	}
}

static void print_detail(const char *name, const json_t *value)
{
	struct weirctl_text text = {0};

	if (!json_is_string(value) || json_string_length(value) == 0)
		return;
	weirctl_text_add_safe(&text, json_string_value(value));
	fprintf(stderr, "  %s: %s\n", name, text.bytes != NULL ? text.bytes : "");
	free(text.bytes);
}

static int tell_refusal(const struct weirctl_client *client, const json_t *error)
{
	const json_t *data = json_object_get(error, "data");
	const char *message = json_string_value(json_object_get(error, "message"));
	struct weirctl_text text = {0};

	if (client->is_quiet)
		return WEIRCTL_REFUSED;
	weirctl_text_add_safe(&text, message != NULL ? message : "refused without a message");
	fprintf(stderr, "weirctl: %s\n", text.bytes != NULL ? text.bytes : "refused");
	free(text.bytes);
	print_detail("path", json_object_get(data, "path"));
	print_detail("reason", json_object_get(data, "reason"));
	print_detail("hint", json_object_get(data, "hint"));
	return WEIRCTL_REFUSED;
}

static int take_result(
	struct weirctl_client *client, const struct weir_buffer *line, json_t **result)
{
	json_error_t where;
	json_t *answer =
		json_loadb(weir_buffer_front(line), line->length, JSON_REJECT_DUPLICATES, &where);
	json_t *value = json_object_get(answer, "result");
	const json_t *error = json_object_get(answer, "error");
	const json_t *id = json_object_get(answer, "id");
	int rc = 0;

	if (json_is_object(error))
		rc = tell_refusal(client, error);
	else if (value != NULL && json_integer_value(id) == client->next_id)
		*result = json_incref(value);
	else
		rc = fail(client, "what answers is not a JSON-RPC server");
	json_decref(answer);
	return rc;
}

static char *make_request(struct weirctl_client *client, const char *method, json_t *params)
{
	json_t *request = json_pack(
		"{s:s, s:s, s:i}", "jsonrpc", "2.0", "method", method, "id", ++client->next_id);
	char *text = NULL;

	if (params != NULL && json_object_set_new(request, "params", params) < 0) {
		json_decref(request);
		return NULL;
	}
	if (request != NULL)
		text = json_dumps(request, JSON_COMPACT);
	json_decref(request);
	return text;
}

int weirctl_call(struct weirctl_client *client, const char *method, json_t *params, json_t **result)
{
	uint64_t deadline_ns = deadline_of(client);
	char *request = make_request(client, method, params);
	struct weir_buffer line = {0};
	int rc = request == NULL ? fail(client, "cannot make the request") : 0;

	if (rc == 0)
		rc = open_socket(client, deadline_ns);
	if (rc == 0)
		rc = send_all(client, request, strlen(request), deadline_ns);
	if (rc == 0)
		rc = send_all(client, "\n", 1, deadline_ns);
	if (rc == 0)
		rc = receive_line(client, &line, deadline_ns);
	if (rc == 0)
		rc = take_result(client, &line, result);
	if (rc == WEIRCTL_UNREACHABLE)
		weirctl_disconnect(client);
	weir_buffer_free(&line);
	free(request);
	return rc;
}

/* One line: the answer, or a notification. */
static int take_line(struct weirctl_client *client, const char *line, size_t length,
	weirctl_take take, void *context, bool *goes_on)
{
	json_t *message = json_loadb(line, length, JSON_REJECT_DUPLICATES, NULL);
	const json_t *error = json_object_get(message, "error");
	int rc = 0;

	if (json_is_object(error))
		rc = tell_refusal(client, error);
	else if (json_object_get(message, "method") != NULL)
		*goes_on = take(context, message);
	else if (json_object_get(message, "result") == NULL)
		rc = fail(client, "what answers is not a JSON-RPC server");
	json_decref(message);
	return rc;
}

static int follow_lines(struct weirctl_client *client, weirctl_take take, void *context)
{
	struct weir_buffer lines = {0};
	bool goes_on = true;
	int rc = 0;

	while (rc == 0 && goes_on) {
		const char *line = weir_buffer_front(&lines);
		const char *end = lines.length > 0 ? memchr(line, '\n', lines.length) : NULL;
		struct pollfd entry = {.fd = client->fd, .events = POLLIN};
		ssize_t size;

		if (end != NULL) {
			rc = take_line(client, line, (size_t)(end - line), take, context, &goes_on);
			weir_buffer_consume(&lines, (size_t)(end - line) + 1);
			continue;
		}
		if (lines.length > ANSWER_MAX || weir_buffer_reserve(&lines, READ_SIZE) < 0) {
			rc = fail(client, "the answer is too long");
			break;
		}
		poll(&entry, 1, -1);
		size = recv(client->fd, weir_buffer_end(&lines), READ_SIZE, MSG_DONTWAIT);
		if (size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR))
			rc = fail(client, "the gateway closed the connection");
		else if (size > 0)
			lines.length += (size_t)size;
	}
	weir_buffer_free(&lines);
	return rc;
}

int weirctl_follow(
	struct weirctl_client *client, const char *method, weirctl_take take, void *context)
{
	uint64_t deadline_ns = deadline_of(client);
	char *request = make_request(client, method, NULL);
	int rc = request == NULL ? fail(client, "cannot make the request") : 0;

	if (rc == 0)
		rc = open_socket(client, deadline_ns);
	if (rc == 0)
		rc = send_all(client, request, strlen(request), deadline_ns);
	if (rc == 0)
		rc = send_all(client, "\n", 1, deadline_ns);
	free(request);
	return rc != 0 ? rc : follow_lines(client, take, context);
}

void weirctl_disconnect(struct weirctl_client *client)
{
	if (client->fd >= 0)
		close(client->fd);
	client->fd = -1;
}
