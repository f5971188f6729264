/* SPDX-License-Identifier: BSD-3-Clause */
#include "telemetry/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "telemetry/exposition.h"
#include "telemetry/health_text.h"
#include "telemetry/status_page.h"
#include "telemetry/token.h"

/* A connection, from accept to close. */
struct connection {
	int fd; /* -1: the place is free */
	int64_t since_s;
};

struct weir_http {
	struct MHD_Daemon *daemon;
	struct weir_publisher *publisher;
	bool has_token;
	bool is_loopback;
	char token[WEIR_TOKEN_SIZE];
	_Atomic uint64_t counters[WEIR_HTTP_STATUS_COUNT]; /* HTTP thread */
	/* The newest print: of the HTTP thread alone. */
	struct MHD_Response *printed;
	int64_t printed_ms;
	pthread_mutex_t lock; /* of `connections`; held for a few instructions */
	struct connection connections[WEIR_HTTP_CONNECTIONS];
};

static int64_t clock_s(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec;
}

static enum MHD_Result answer(struct weir_http *http, struct MHD_Connection *connection,
	enum weir_http_status status, struct MHD_Response *response)
{
	static const unsigned int codes[] = {
#define X(code) [WEIR_HTTP_##code] = code,
		WEIR_HTTP_STATUSES(X)
#undef X
	};

	if (response == NULL)
		return MHD_NO;
	atomic_fetch_add(&http->counters[status], 1);
	return MHD_queue_response(connection, codes[status], response);
}

static struct MHD_Response *make_response(
	char *text, size_t length, enum MHD_ResponseMemoryMode mode, const char *type)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(length, text, mode);

	if (response == NULL) {
		if (mode == MHD_RESPMEM_MUST_FREE)
			free(text);
		return NULL;
	}
	MHD_add_response_header(response, "Content-Type", type);
	MHD_add_response_header(response, "Cache-Control", "no-store");
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	MHD_add_response_header(response, "Connection", "close");
	return response;
}

static enum MHD_Result answer_text(struct weir_http *http, struct MHD_Connection *connection,
	enum weir_http_status status, const char *text)
{
	struct MHD_Response *response = make_response((char *)(uintptr_t)text, strlen(text),
		MHD_RESPMEM_MUST_COPY, "text/plain; charset=utf-8");
	enum MHD_Result result;

	if (response != NULL && status == WEIR_HTTP_401)
		MHD_add_response_header(response, "WWW-Authenticate", "Bearer realm=\"weir\"");
	if (response != NULL && status == WEIR_HTTP_405)
		MHD_add_response_header(response, "Allow", "GET, HEAD");
	result = answer(http, connection, status, response);
	if (response != NULL)
		MHD_destroy_response(response);
	return result;
}

/* A set is printed once, however many ask for it. */
static struct MHD_Response *print_metrics(struct weir_http *http)
{
	const struct weir_samples *samples = weir_publisher_borrow(http->publisher);
	char *text = NULL;
	size_t length;

	if (samples == NULL)
		return NULL;
	if (http->printed == NULL || http->printed_ms != samples->wall_ms) {
		if (http->printed != NULL)
			MHD_destroy_response(http->printed);
		http->printed = NULL;
		if (weir_exposition_print(samples, &text, &length) == 0)
			http->printed = make_response(
				text, length, MHD_RESPMEM_MUST_FREE, WEIR_EXPOSITION_TYPE);
		http->printed_ms = samples->wall_ms;
	}
	weir_publisher_return(http->publisher, samples);
	return http->printed;
}

static enum MHD_Result on_metrics(struct weir_http *http, struct MHD_Connection *connection)
{
	struct MHD_Response *response = print_metrics(http);

	if (response == NULL)
		return answer_text(http, connection, WEIR_HTTP_503, "no figures yet\n");
	return answer(http, connection, WEIR_HTTP_200, response);
}

static enum MHD_Result on_health(struct weir_http *http, struct MHD_Connection *connection)
{
	const struct weir_samples *samples = weir_publisher_borrow(http->publisher);
	char text[2048] = "the control thread gives no figures\n";
	bool is_well = false;

	if (samples != NULL) {
		int64_t age_ms = clock_s(CLOCK_REALTIME) * 1000 - samples->wall_ms;

		if (age_ms < WEIR_HTTP_FRESH_MS)
			is_well = weir_health_text(samples, text, sizeof(text));
		weir_publisher_return(http->publisher, samples);
	}
	return answer_text(http, connection, is_well ? WEIR_HTTP_200 : WEIR_HTTP_503, text);
}

static enum MHD_Result on_page(struct weir_http *http, struct MHD_Connection *connection)
{
	struct MHD_Response *response = make_response((char *)(uintptr_t)weir_status_page,
		weir_status_page_length, MHD_RESPMEM_PERSISTENT, "text/html; charset=utf-8");
	enum MHD_Result result;

	if (response != NULL)
		MHD_add_response_header(response, "Content-Security-Policy",
			"default-src 'none'; script-src 'unsafe-inline'; style-src "
			"'unsafe-inline'; connect-src 'self'; frame-ancestors 'none'");
	result = answer(http, connection, WEIR_HTTP_200, response);
	if (response != NULL)
		MHD_destroy_response(response);
	return result;
}

/* An address, or localhost: no name that somebody else has pointed here. */
static bool is_own_name(const char *host)
{
	if (host == NULL || host[0] == '[')
		return true;
	if (strncmp(host, "localhost", 9) == 0 && (host[9] == '\0' || host[9] == ':'))
		return true;
	return strspn(host, "0123456789.:") == strlen(host);
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
	const char *method, const char *version, const char *upload, size_t *upload_size,
	void **state)
{
	struct weir_http *http = context;
	const char *host = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Host");
	const char *given =
		MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Authorization");

	(void)version;
	(void)upload;
	(void)upload_size;
	(void)state;
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
		return answer_text(http, connection, WEIR_HTTP_405, "GET or HEAD\n");
	if (http->is_loopback && !http->has_token && !is_own_name(host))
		return answer_text(http, connection, WEIR_HTTP_400, "ask for localhost\n");
	if (strcmp(url, "/") == 0)
		return on_page(http, connection);
	if (strcmp(url, "/metrics") != 0 && strcmp(url, "/healthz") != 0)
		return answer_text(http, connection, WEIR_HTTP_404, "/, /metrics or /healthz\n");
	if (http->has_token && !weir_token_matches(http->token, given))
		return answer_text(http, connection, WEIR_HTTP_401, "a bearer token is needed\n");
	return strcmp(url, "/metrics") == 0 ? on_metrics(http, connection)
					    : on_health(http, connection);
}

/* Before its socket is closed, libmicrohttpd says so: nobody shuts down a number of another's. */
static void on_connection(void *context, struct MHD_Connection *connection, void **state,
	enum MHD_ConnectionNotificationCode code)
{
	struct weir_http *http = context;
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	int wanted = code == MHD_CONNECTION_NOTIFY_STARTED ? -1 : info->connect_fd;

	(void)state;
	pthread_mutex_lock(&http->lock);
	for (uint32_t i = 0; i < WEIR_HTTP_CONNECTIONS; i++) {
		struct connection *place = &http->connections[i];

		if (place->fd != wanted)
			continue;
		place->fd = code == MHD_CONNECTION_NOTIFY_STARTED ? info->connect_fd : -1;
		place->since_s = clock_s(CLOCK_MONOTONIC);
		break;
	}
	pthread_mutex_unlock(&http->lock);
}

void weir_http_reap(struct weir_http *http)
{
	int64_t now_s = clock_s(CLOCK_MONOTONIC);

	pthread_mutex_lock(&http->lock);
	for (uint32_t i = 0; i < WEIR_HTTP_CONNECTIONS; i++) {
		const struct connection *place = &http->connections[i];

		if (place->fd >= 0 && now_s - place->since_s >= WEIR_HTTP_LIFE_S)
			shutdown(place->fd, SHUT_RDWR);
	}
	pthread_mutex_unlock(&http->lock);
}

/* The socket address, and whether it is a loopback one. */
static socklen_t fill_address(const struct weir_config_telemetry *config,
	struct sockaddr_storage *storage, bool *is_loopback)
{
	struct sockaddr_in *ipv4 = (struct sockaddr_in *)storage;
	struct sockaddr_in6 *ipv6 = (struct sockaddr_in6 *)storage;

	memset(storage, 0, sizeof(*storage));
	if (config->address.family == 4) {
		ipv4->sin_family = AF_INET;
		ipv4->sin_port = htons(config->port);
		memcpy(&ipv4->sin_addr, config->address.bytes, 4);
		*is_loopback = config->address.bytes[0] == 127;
		return sizeof(*ipv4);
	}
	ipv6->sin6_family = AF_INET6;
	ipv6->sin6_port = htons(config->port);
	memcpy(&ipv6->sin6_addr, config->address.bytes, 16);
	*is_loopback = IN6_IS_ADDR_LOOPBACK(&ipv6->sin6_addr);
	return sizeof(*ipv6);
}

/* What libmicrohttpd has to say comes of clients, and is counted as their requests are. */
static void on_log(void *context, const char *format, va_list arguments)
{
	(void)context;
	(void)format;
	(void)arguments;
}

static int start(struct weir_http *http, const struct weir_config_telemetry *config,
	struct weir_error *error)
{
	struct sockaddr_storage address;
	unsigned int flags = MHD_USE_AUTO_INTERNAL_THREAD | MHD_USE_ERROR_LOG;

	fill_address(config, &address, &http->is_loopback);
	if (config->address.family == 6)
		flags |= MHD_USE_IPv6;
	errno = 0;
	http->daemon = MHD_start_daemon(flags, config->port, NULL, NULL, on_request, http,
		MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL, MHD_OPTION_SOCK_ADDR, &address,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned int)WEIR_HTTP_CONNECTIONS,
		MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned int)WEIR_HTTP_PER_ADDRESS,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)WEIR_HTTP_IDLE_S,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)WEIR_HTTP_REQUEST_BYTES,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, http, MHD_OPTION_END);
	if (http->daemon != NULL)
		return 0;
	return weir_error_set(error, errno != 0 ? -errno : -EIO, "$.telemetry",
		"name an address of this host and a free port", "cannot listen on port %u: %s",
		config->port, errno != 0 ? strerror(errno) : "the server does not start");
}

int weir_http_open(const struct weir_config_telemetry *config, struct weir_publisher *publisher,
	struct weir_http **result, struct weir_error *error)
{
	struct weir_http *http = calloc(1, sizeof(*http));
	int rc = 0;

	*result = NULL;
	if (http == NULL)
		return weir_error_set(error, -ENOMEM, "$.telemetry", "", "no memory");
	http->publisher = publisher;
	pthread_mutex_init(&http->lock, NULL);
	for (uint32_t i = 0; i < WEIR_HTTP_CONNECTIONS; i++)
		http->connections[i].fd = -1;
	http->has_token = config->token_file[0] != '\0';
	if (http->has_token)
		rc = weir_token_read(config->token_file, http->token, error);
	if (rc == 0)
		rc = start(http, config, error);
	if (rc < 0) {
		weir_http_close(http);
		return rc;
	}
	*result = http;
	return 0;
}

void weir_http_close(struct weir_http *http)
{
	if (http == NULL)
		return;
	if (http->daemon != NULL)
		MHD_stop_daemon(http->daemon);
	if (http->printed != NULL)
		MHD_destroy_response(http->printed);
	explicit_bzero(http->token, sizeof(http->token));
	pthread_mutex_destroy(&http->lock);
	free(http);
}

void weir_http_counters(const struct weir_http *http, uint64_t *counters)
{
	for (int i = 0; i < WEIR_HTTP_STATUS_COUNT; i++)
		counters[i] = atomic_load(&http->counters[i]);
}
