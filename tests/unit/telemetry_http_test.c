/* SPDX-License-Identifier: BSD-3-Clause */
#include "telemetry/http.h"

#include <CUnit/Basic.h>
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "telemetry/token.h"

#define TOKEN   "0123456789abcdef"
#define FLOOD   200
#define WAIT_MS 20000

static struct weir_config_telemetry config = {.address = {4, {127, 0, 0, 1}}};
static struct weir_publisher *publisher;
static struct weir_http *http;
static char token_path[64];
static char answer[65536];

/* A port that was free a moment ago. */
static uint16_t free_port(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	CU_ASSERT_EQUAL_FATAL(bind(fd, (struct sockaddr *)&address, length), 0);
	CU_ASSERT_EQUAL_FATAL(getsockname(fd, (struct sockaddr *)&address, &length), 0);
	close(fd);
	return ntohs(address.sin_port);
}

static void server_open(const char *token_file)
{
	struct weir_error error = {0};

	snprintf(config.token_file, sizeof(config.token_file), "%s", token_file);
	for (int try = 0; try < 20 && http == NULL; try++) {
		config.port = free_port();
		weir_http_open(&config, publisher, &http, &error);
	}
	CU_ASSERT_PTR_NOT_NULL_FATAL(http);
}

static void server_close(void)
{
	weir_http_close(http);
	http = NULL;
}

static int connect_to_server(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(config.port)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* Read until the server closes; false when it does not. */
static bool read_all(int fd)
{
	struct pollfd entry = {.fd = fd, .events = POLLIN};
	size_t used = 0;

	answer[0] = '\0';
	for (;;) {
		ssize_t size;

		if (poll(&entry, 1, WAIT_MS) <= 0)
			return false;
		size = recv(fd, answer + used, sizeof(answer) - 1 - used, 0);
		if (size <= 0)
			return true;
		used += (size_t)size;
		answer[used] = '\0';
	}
}

/* The status of the answer to these bytes; 0: closed without one. */
static int ask(const char *bytes)
{
	int fd = connect_to_server(), status = 0;

	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_TRUE(send(fd, bytes, strlen(bytes), MSG_NOSIGNAL) >= 0);
	CU_ASSERT_TRUE(read_all(fd));
	close(fd);
	return sscanf(answer, "HTTP/1.1 %d", &status) == 1 ? status : 0;
}

static void publish(double value)
{
	struct weir_samples *samples = weir_publisher_begin(publisher);

	samples->wall_ms = (int64_t)time(NULL) * 1000 + (int64_t)value % 1000;
	weir_samples_add(samples, WEIR_METRIC_ID_UPTIME, value);
	CU_ASSERT_EQUAL(weir_publisher_commit(publisher, samples), 0);
}

static void test_figures_are_served(void)
{
	server_open("");
	CU_ASSERT_EQUAL(ask("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"), 503);
	publish(41);
	CU_ASSERT_EQUAL(ask("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"), 200);
	CU_ASSERT_PTR_NOT_NULL(strstr(answer, "application/openmetrics-text; version=1.0.0"));
	CU_ASSERT_PTR_NOT_NULL(strstr(answer, "\nweir_uptime_seconds 41\n"));
	publish(42);
	CU_ASSERT_EQUAL(ask("GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n"), 200);
	CU_ASSERT_PTR_NOT_NULL(strstr(answer, "\nweir_uptime_seconds 42\n"));
	CU_ASSERT_EQUAL(ask("GET /healthz HTTP/1.0\r\n\r\n"), 200);
	CU_ASSERT_EQUAL(ask("GET / HTTP/1.1\r\nHost: [::1]\r\n\r\n"), 200);
	CU_ASSERT_PTR_NOT_NULL(strstr(answer, "Content-Security-Policy: default-src 'none'"));
	server_close();
}

static void test_anything_else_is_refused(void)
{
	static char long_line[WEIR_HTTP_REQUEST_BYTES * 2];
	uint64_t counters[WEIR_HTTP_STATUS_COUNT];

	server_open("");
	publish(1);
	CU_ASSERT_EQUAL(ask("GET /secret HTTP/1.1\r\nHost: localhost\r\n\r\n"), 404);
	CU_ASSERT_EQUAL(ask("POST /metrics HTTP/1.1\r\nHost: localhost\r\n"
			    "Content-Length: 1000000000\r\n\r\n"),
		405);
	CU_ASSERT_EQUAL(ask("DELETE / HTTP/1.1\r\nHost: localhost\r\n\r\n"), 405);
	/* A name that somebody else has pointed here. */
	CU_ASSERT_EQUAL(ask("GET /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n"), 400);
	CU_ASSERT_EQUAL(ask("GET /metrics HTTP/1.1\r\nHost: localhost.evil.example\r\n\r\n"), 400);
	memset(long_line, 'a', sizeof(long_line) - 1);
	memcpy(long_line, "GET /", 5);
	CU_ASSERT_NOT_EQUAL(ask(long_line), 200);
	CU_ASSERT_NOT_EQUAL(ask("\x16\x03\x01\x02\r\n\r\n"), 200);
	CU_ASSERT_EQUAL(ask("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"), 200);
	weir_http_counters(http, counters);
	CU_ASSERT_EQUAL(counters[WEIR_HTTP_405], 2);
	CU_ASSERT_EQUAL(counters[WEIR_HTTP_404], 1);
	CU_ASSERT_EQUAL(counters[WEIR_HTTP_200], 1);
	server_close();
}

static void test_only_the_token_opens(void)
{
	server_open(token_path);
	publish(1);
	CU_ASSERT_EQUAL(ask("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"), 401);
	CU_ASSERT_PTR_NOT_NULL(strstr(answer, "WWW-Authenticate: Bearer"));
	CU_ASSERT_EQUAL(ask("GET /metrics HTTP/1.1\r\nHost: x\r\n"
			    "Authorization: Bearer " TOKEN "0\r\n\r\n"),
		401);
	CU_ASSERT_EQUAL(ask("GET /healthz HTTP/1.1\r\nHost: x\r\n"
			    "Authorization: Basic " TOKEN "\r\n\r\n"),
		401);
	CU_ASSERT_EQUAL(ask("GET /metrics HTTP/1.1\r\nHost: x\r\n"
			    "Authorization: Bearer " TOKEN "\r\n\r\n"),
		200);
	/* The page itself has no figures. */
	CU_ASSERT_EQUAL(ask("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), 200);
	server_close();
}

static void test_a_token_file_must_be_private(void)
{
	struct weir_error error = {0};
	char token[WEIR_TOKEN_SIZE];
	FILE *file;

	CU_ASSERT_EQUAL(weir_token_read(token_path, token, &error), 0);
	CU_ASSERT_STRING_EQUAL(token, TOKEN);
	chmod(token_path, 0640);
	CU_ASSERT_EQUAL(weir_token_read(token_path, token, &error), -EPERM);
	chmod(token_path, 0600);
	CU_ASSERT_EQUAL(weir_token_read("/nowhere/token", token, &error), -ENOENT);
	CU_ASSERT_EQUAL(weir_token_read("/tmp", token, &error), -EINVAL);
	file = fopen(token_path, "w");
	fputs("short\n", file);
	fclose(file);
	CU_ASSERT_EQUAL(weir_token_read(token_path, token, &error), -EINVAL);
	CU_ASSERT_TRUE(error.hint[0] != '\0');
	file = fopen(token_path, "w");
	fputs(TOKEN "\n", file);
	fclose(file);
}

/* Who connects and says nothing, or stops in the middle, keeps nobody else out for long. */
static void test_silent_clients_make_way(void)
{
	int fds[FLOOD];
	int status = 0;

	server_open("");
	publish(1);
	for (int i = 0; i < FLOOD; i++) {
		fds[i] = connect_to_server();
		if (fds[i] >= 0 && i % 2 == 0)
			CU_ASSERT_TRUE(send(fds[i], "GET /met", 8, MSG_NOSIGNAL) >= 0 ||
				       errno == EPIPE || errno == ECONNRESET);
	}
	/* Each wait ends by the server's own timeout. */
	for (int try = 0; try < 5 && status != 200; try++) {
		read_all(fds[0]);
		status = ask("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
	}
	CU_ASSERT_EQUAL(status, 200);
	for (int i = 0; i < FLOOD; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	server_close();
}

static void test_a_taken_port_is_an_error(void)
{
	struct weir_http *second = NULL;
	struct weir_error error = {0};

	server_open("");
	CU_ASSERT_TRUE(weir_http_open(&config, publisher, &second, &error) < 0);
	CU_ASSERT_PTR_NULL(second);
	CU_ASSERT_TRUE(error.reason[0] != '\0');
	server_close();
}

static int make_token(void)
{
	FILE *file;
	int fd;

	snprintf(token_path, sizeof(token_path), "/tmp/weir-token-XXXXXX");
	fd = mkstemp(token_path);
	file = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (file == NULL || fputs(TOKEN "\n", file) < 0 || fclose(file) != 0)
		return -1;
	return weir_publisher_create(&publisher);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"the newest figures are served", test_figures_are_served},
		{"anything else is refused", test_anything_else_is_refused},
		{"only the token opens", test_only_the_token_opens},
		{"a token file must be private", test_a_token_file_must_be_private},
		{"silent clients make way", test_silent_clients_make_way},
		{"a taken port is an error", test_a_taken_port_is_an_error},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {{"HTTP", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
	unsigned int failures;

	if (make_token() < 0 || CU_initialize_registry() != CUE_SUCCESS ||
		CU_register_suites(suites) != CUE_SUCCESS)
		return 1;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	weir_publisher_destroy(publisher);
	unlink(token_path);
	return failures != 0;
}
