/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/takeover.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "control/buffer.h"
#include "control/sessions.h"

#define ANSWER_S   15
#define ANSWER_MAX (4 * 1048576U)
#define READ_SIZE  65536

static int open_socket(const char *path, struct weir_error *error)
{
	const struct timeval patience = {.tv_sec = ANSWER_S};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || strlen(path) >= sizeof(address.sun_path)) {
		if (fd >= 0)
			close(fd);
		return weir_error_set(error, -EMFILE, path, "", "no socket to the running gateway");
	}
	memcpy(address.sun_path, path, strlen(path) + 1);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
		int code = -errno;

		close(fd);
		return weir_error_set(error, code, path, "start without --takeover",
			"no gateway answers there: %s", strerror(-code));
	}
	return fd;
}

static int receive_line(int fd, struct weir_buffer *line)
{
	while (line->length < ANSWER_MAX && weir_buffer_reserve(line, READ_SIZE) == 0) {
		ssize_t size = recv(fd, weir_buffer_end(line), READ_SIZE, 0);

		if (size < 0 && errno == EINTR)
			continue;
		if (size <= 0)
			return size == 0 ? -ECONNRESET : -errno;
		line->length += (size_t)size;
		if (weir_buffer_end(line)[-1] == '\n')
			return 0;
	}
	return -EMSGSIZE;
}

static int refused(const json_t *answer, struct weir_error *error)
{
	const json_t *data = json_object_get(json_object_get(answer, "error"), "data");
	const char *reason = json_string_value(json_object_get(data, "reason"));
	const char *hint = json_string_value(json_object_get(data, "hint"));

	return weir_error_set(error, -EBUSY, "", hint != NULL ? hint : "",
		"the running gateway refuses: %s", reason != NULL ? reason : "it does not say why");
}

/* One request without parameters. The result is the caller's. */
static int call(struct weir_takeover_peer *peer, const char *method, json_t **result,
	struct weir_error *error)
{
	struct weir_buffer line = {0};
	char request[128];
	int length = snprintf(request, sizeof(request),
		"{\"jsonrpc\": \"2.0\", \"id\": 1, \"method\": \"%s\"}\n", method);
	json_t *answer = NULL;
	int code = -EPIPE;

	if (send(peer->fd, request, (size_t)length, MSG_NOSIGNAL) == length)
		code = receive_line(peer->fd, &line);
	if (code == 0)
		answer = json_loadb(weir_buffer_front(&line), line.length, 0, NULL);
	weir_buffer_free(&line);
	if (answer == NULL)
		return weir_error_set(error, code != 0 ? code : -EBADMSG, "", "",
			"%s: the running gateway does not answer: %s", method, strerror(-code));
	*result = json_incref(json_object_get(answer, "result"));
	if (*result == NULL)
		code = refused(answer, error);
	json_decref(answer);
	return code;
}

static void read_slots(struct weir_takeover_peer *peer, const json_t *answer)
{
	struct weir_slot_plan *plan = &peer->slots;
	const json_t *entry;
	size_t i;

	json_array_foreach (json_object_get(answer, "streams"), i, entry) {
		const char *name = json_string_value(json_object_get(entry, "name"));
		json_int_t slot = json_integer_value(json_object_get(entry, "slot"));

		if (name == NULL || strlen(name) >= WEIR_NAME_SIZE || slot < 0 ||
			slot >= WEIR_MAX_STREAMS || plan->stream_count == WEIR_MAX_STREAMS)
			continue;
		memcpy(plan->streams[plan->stream_count].name, name, strlen(name) + 1);
		plan->streams[plan->stream_count++].slot = (uint16_t)slot;
	}
	json_array_foreach (json_object_get(answer, "sessions"), i, entry) {
		json_int_t slot = json_integer_value(entry);

		if (slot >= 0 && slot < WEIR_MAX_CONSUMERS)
			plan->consumers[slot] = true;
	}
}

static int begin(struct weir_takeover_peer *peer, struct weir_error *error)
{
	json_t *answer;
	json_int_t format, mtu;
	int result = call(peer, "takeover_begin", &answer, error);

	if (result < 0)
		return result;
	format = json_integer_value(json_object_get(answer, "format"));
	mtu = json_integer_value(json_object_get(answer, "mtu"));
	peer->pid = (int)json_integer_value(json_object_get(answer, "pid"));
	peer->mtu = (uint16_t)(mtu >= 576 && mtu <= UINT16_MAX ? mtu : 1500);
	read_slots(peer, answer);
	json_decref(answer);
	if (format != WEIR_ESTATE_VERSION)
		return weir_error_set(error, -ENOTSUP, "",
			"stop the running gateway and start this one",
			"the running gateway leaves its estate in version %lld, this one reads %d",
			(long long)format, WEIR_ESTATE_VERSION);
	return 0;
}

int weir_takeover_connect(
	const char *socket, struct weir_takeover_peer **out, struct weir_error *error)
{
	struct weir_takeover_peer *peer = calloc(1, sizeof(*peer));
	int result;

	if (peer == NULL)
		return weir_error_set(error, -ENOMEM, "", "", "not enough memory");
	peer->fd = open_socket(socket, error);
	result = peer->fd < 0 ? peer->fd : begin(peer, error);
	if (result < 0) {
		weir_takeover_close(peer);
		return result;
	}
	*out = peer;
	return 0;
}

int weir_takeover_release(struct weir_takeover_peer *peer, struct weir_error *error)
{
	const char *path;
	json_t *answer;
	int fd, result = call(peer, "takeover_release", &answer, error);

	if (result < 0)
		return result;
	path = json_string_value(json_object_get(answer, "estate"));
	fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (fd < 0)
		result = weir_error_set(error, -errno, path != NULL ? path : "",
			"run as the user of the running gateway",
			"the running gateway's estate cannot be opened: %s", strerror(errno));
	json_decref(answer);
	if (fd < 0)
		return result;
	result = weir_estate_open(fd, &peer->estate, error);
	close(fd);
	return result;
}

void weir_takeover_inherit(struct weir_takeover_peer *peer, struct weir_gateway *gateway)
{
	const char(*names)[WEIR_NAME_SIZE];
	const struct weir_estate_session *session;
	size_t at = 0;

	while ((session = weir_estate_next_session(&peer->estate, &at, &names)) != NULL)
		if (weir_sessions_adopt(gateway->sessions, session, names) == 0)
			peer->sessions++;
	weir_estate_inherit(&peer->estate, gateway->dataplane, &peer->inheritance);
	gateway->dataplane->slots = NULL;
}

void weir_takeover_finish(struct weir_takeover_peer *peer)
{
	struct weir_error error;
	json_t *answer;

	if (call(peer, "takeover_done", &answer, &error) == 0)
		json_decref(answer);
	else
		weir_log_warning("takeover", "%s", error.reason);
}

void weir_takeover_report(const struct weir_takeover_peer *peer)
{
	uint64_t gap_us;

	if (peer == NULL)
		return;
	gap_us = (weir_loop_clock_ns() - peer->estate.header->stopped_ns) / 1000;
	weir_log_notice("takeover",
		"took over from pid %d: %llu messages, %u of %u sessions; nothing was received for "
		"%llu.%03llu ms",
		peer->pid, (unsigned long long)peer->inheritance.messages, peer->sessions,
		peer->estate.header->session_count, (unsigned long long)(gap_us / 1000),
		(unsigned long long)(gap_us % 1000));
	if (peer->inheritance.left != 0)
		weir_log_warning("takeover",
			"%llu messages do not fit this configuration and were left behind",
			(unsigned long long)peer->inheritance.left);
}

void weir_takeover_close(struct weir_takeover_peer *peer)
{
	if (peer == NULL)
		return;
	weir_estate_close(&peer->estate);
	if (peer->fd >= 0)
		close(peer->fd);
	free(peer);
}
