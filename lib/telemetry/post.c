/* SPDX-License-Identifier: BSD-3-Clause */
#include "telemetry/post.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"

#define STATUS_LENGTH 12    /* "HTTP/1.1 200" */
#define REST_MAX      65536 /* bytes behind it that are read */

struct weir_post {
	struct weir_config_collector collector;
	char host[WEIR_ADDRESS_TEXT + 10]; /* and port, as HTTP names it */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t change;
	int stop_fd; /* readable when it is to end */
	bool has_thread;
	bool is_stopping; /* under the lock; likewise all below but `is_failing` */
	uint32_t first, count;
	uint64_t bytes;
	char *queue[WEIR_POST_QUEUE];
	struct weir_post_counters counters;
	bool is_failing; /* the thread's: it was said */
};

/* Until the socket is ready, time is up, or the thread is to end. */
static int await(const struct weir_post *post, int fd, short events)
{
	struct pollfd fds[] = {
		{.fd = fd, .events = events}, {.fd = post->stop_fd, .events = POLLIN}};
	int ready;

	do
		ready = poll(fds, 2, WEIR_POST_TIMEOUT_MS);
	while (ready < 0 && errno == EINTR);
	if (ready < 0)
		return -errno;
	if (fds[1].revents != 0)
		return -ECANCELED;
	return ready == 0 ? -ETIMEDOUT : 0;
}

static int connect_to(const struct weir_post *post)
{
	const struct weir_config_collector *collector = &post->collector;
	bool is_ipv6 = collector->address.family == 6;
	struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(collector->port)};
	struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(collector->port)};
	int fd =
		socket(is_ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	socklen_t size = sizeof(int);
	int error = 0, result;

	if (fd < 0)
		return -errno;
	memcpy(&four.sin_addr, collector->address.bytes, 4);
	memcpy(&six.sin6_addr, collector->address.bytes, 16);
	result = is_ipv6 ? connect(fd, (const struct sockaddr *)&six, sizeof(six))
			 : connect(fd, (const struct sockaddr *)&four, sizeof(four));
	if (result < 0)
		result = errno == EINPROGRESS ? await(post, fd, POLLOUT) : -errno;
	if (result == 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0)
		result = -error;
	if (result == 0)
		return fd;
	close(fd);
	return result;
}

static int send_all(const struct weir_post *post, int fd, const char *bytes, size_t length)
{
	while (length != 0) {
		ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);
		int result = 0;

		if (sent < 0 && (errno == EAGAIN || errno == EINTR))
			result = await(post, fd, POLLOUT);
		else if (sent < 0)
			result = -errno;
		if (result < 0)
			return result;
		bytes += sent > 0 ? sent : 0;
		length -= sent > 0 ? (size_t)sent : 0;
	}
	return 0;
}

/* The status line; the rest is nobody's business. */
static int read_status(const struct weir_post *post, int fd)
{
	char line[STATUS_LENGTH + 1] = "";
	size_t length = 0;
	int status;

	while (length < STATUS_LENGTH) {
		ssize_t got = recv(fd, line + length, STATUS_LENGTH - length, 0);
		int result = 0;

		if (got == 0)
			return -ECONNRESET;
		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			result = await(post, fd, POLLIN);
		else if (got < 0)
			result = -errno;
		if (result < 0)
			return result;
		length += got > 0 ? (size_t)got : 0;
	}
	if (sscanf(line, "HTTP/1.%*1[01] %3d", &status) != 1)
		return -EPROTO;
	return status;
}

/*
 * What else it answers, so that its end of the connection is not reset. It is told that nothing
 * more comes: one that keeps connections would wait for more, and we for its end.
 */
static void read_rest(const struct weir_post *post, int fd)
{
	char rest[4096];
	size_t length = 0;

	shutdown(fd, SHUT_WR);
	while (length < REST_MAX) {
		ssize_t got = recv(fd, rest, sizeof(rest), 0);

		if (got > 0)
			length += (size_t)got;
		else if (got == 0 || (errno != EAGAIN && errno != EINTR) ||
			 await(post, fd, POLLIN) < 0)
			return;
	}
}

/* 0, a status that is none of success, or -errno. */
static int send_document(const struct weir_post *post, const char *document)
{
	size_t length = strlen(document);
	char head[1024];
	int fd = connect_to(post);
	int result;

	if (fd < 0)
		return fd;
	snprintf(head, sizeof(head),
		"POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n"
		"User-Agent: weir/" WEIR_VERSION "\r\nContent-Length: %zu\r\n"
		"Connection: close\r\n\r\n",
		post->collector.path, post->host, length);
	result = send_all(post, fd, head, strlen(head));
	if (result == 0)
		result = send_all(post, fd, document, length);
	if (result == 0)
		result = read_status(post, fd);
	if (result > 0)
		read_rest(post, fd);
	close(fd);
	return result >= 200 && result < 300 ? 0 : result;
}

/* Once, until it is over. */
static void tell(struct weir_post *post, int result)
{
	if (post->is_failing == (result != 0) || result == -ECANCELED)
		return;
	post->is_failing = result != 0;
	if (result == 0)
		weir_log_notice("trace", "the collector %s takes traces", post->host);
	else if (result < 0)
		weir_log_warning("trace", "the collector %s takes no traces: %s", post->host,
			strerror(-result));
	else
		weir_log_warning("trace", "the collector %s takes no traces: it answers %d",
			post->host, result);
}

/* The next document; with the lock. */
static char *take(struct weir_post *post)
{
	char *document = post->queue[post->first];

	post->first = (post->first + 1) % WEIR_POST_QUEUE;
	post->count--;
	post->bytes -= strlen(document);
	return document;
}

static void *run(void *context)
{
	struct weir_post *post = context;

	pthread_mutex_lock(&post->lock);
	while (!post->is_stopping) {
		char *document;
		int result;

		if (post->count == 0) {
			pthread_cond_wait(&post->change, &post->lock);
			continue;
		}
		document = take(post);
		pthread_mutex_unlock(&post->lock);
		result = send_document(post, document);
		free(document);
		tell(post, result);
		pthread_mutex_lock(&post->lock);
		post->counters.sent += result == 0;
		post->counters.failed += result != 0;
	}
	pthread_mutex_unlock(&post->lock);
	return NULL;
}

struct weir_post *weir_post_open(const struct weir_config_collector *collector)
{
	struct weir_post *post = calloc(1, sizeof(*post));
	char address[WEIR_ADDRESS_TEXT];
	bool is_ipv6 = collector->address.family == 6;

	if (post == NULL)
		return NULL;
	post->stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (post->stop_fd < 0) {
		free(post);
		return NULL;
	}
	post->collector = *collector;
	weir_address_format(&collector->address, address, sizeof(address));
	snprintf(post->host, sizeof(post->host), "%s%s%s:%u", is_ipv6 ? "[" : "", address,
		is_ipv6 ? "]" : "", collector->port);
	pthread_mutex_init(&post->lock, NULL);
	pthread_cond_init(&post->change, NULL);
	return post;
}

void weir_post_close(struct weir_post *post)
{
	const uint64_t one = 1;

	if (post == NULL)
		return;
	pthread_mutex_lock(&post->lock);
	post->is_stopping = true;
	pthread_cond_signal(&post->change);
	pthread_mutex_unlock(&post->lock);
	if (write(post->stop_fd, &one, sizeof(one)) < 0)
		weir_log_debug("trace", "the collector's thread ends by its timeout");
	if (post->has_thread)
		pthread_join(post->thread, NULL);
	while (post->count != 0)
		free(take(post));
	close(post->stop_fd);
	pthread_cond_destroy(&post->change);
	pthread_mutex_destroy(&post->lock);
	free(post);
}

/* With all signals blocked: they belong to the thread that has the loop. */
static void start_thread(struct weir_post *post)
{
	sigset_t before, all;

	if (post->has_thread)
		return;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	post->has_thread = pthread_create(&post->thread, NULL, run, post) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void weir_post_send(struct weir_post *post, char *document)
{
	size_t length = strlen(document);

	start_thread(post);
	pthread_mutex_lock(&post->lock);
	if (post->count == WEIR_POST_QUEUE || post->bytes + length > WEIR_POST_BYTES) {
		post->counters.full++;
		free(document);
	} else {
		post->queue[(post->first + post->count) % WEIR_POST_QUEUE] = document;
		post->count++;
		post->bytes += length;
		pthread_cond_signal(&post->change);
	}
	pthread_mutex_unlock(&post->lock);
}

struct weir_post_counters weir_post_counters(struct weir_post *post)
{
	struct weir_post_counters counters;

	pthread_mutex_lock(&post->lock);
	counters = post->counters;
	pthread_mutex_unlock(&post->lock);
	return counters;
}
