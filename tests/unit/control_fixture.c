/* SPDX-License-Identifier: BSD-3-Clause */
#include "control_fixture.h"

#include <CUnit/Basic.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "control/methods_log.h"
#include "control/server.h"

char fixture_folder[] = "/tmp/weir_control_XXXXXX";
char fixture_path[64];
static struct weir_loop *loop;
static struct weir_rpc *rpc;
static struct weir_server *server;
static pthread_t thread;
static atomic_int big_calls;

static int on_big(void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	static char text[1048577];

	(void)context;
	(void)params;
	(void)error;
	big_calls++;
	memset(text, 'b', sizeof(text) - 1);
	*result = json_string(text);
	return 0;
}

static int on_count_clients(
	void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	(void)context;
	(void)params;
	(void)error;
	*result = json_integer((json_int_t)weir_server_client_count(server));
	return 0;
}

static int on_subscribe(
	void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	(void)context;
	(void)params;
	(void)error;
	weir_server_subscribe(server);
	*result = json_true();
	return 0;
}

/* A thousand notifications of a kibibyte and their number. */
static int on_notify(void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	static int number;

	(void)context;
	(void)params;
	(void)error;
	for (int i = 0; i < 1000; i++) {
		char text[1100];

		snprintf(text, sizeof(text),
			"{\"method\":\"event\",\"number\":%d,\"pad\":\"%01000d\"}", number++, 0);
		weir_server_notify(server, text);
	}
	*result = json_integer((json_int_t)weir_server_events_lost(server));
	return 0;
}

static const struct weir_rpc_method methods[] = {
	{"test_subscribe", "be told", WEIR_RPC_READ, NULL, "true", on_subscribe},
	{"test_notify", "tell", WEIR_RPC_READ, NULL, "how many were lost ever", on_notify},
	{"test_big", "a mebibyte", WEIR_RPC_READ, NULL, "a string", on_big},
	{"test_clients", "how many are connected", WEIR_RPC_READ, NULL, "a count",
		on_count_clients},
};

static void *run(void *context)
{
	weir_loop_run(context);
	return NULL;
}

int fixture_start(void)
{
	struct weir_error error = {0};

	weir_log_set_level(WEIR_LOG_ERROR);
	if (mkdtemp(fixture_folder) == NULL)
		return -1;
	snprintf(fixture_path, sizeof(fixture_path), "%s/run/weir.sock", fixture_folder);
	if (weir_loop_create(&loop) < 0 || weir_rpc_create(&rpc) < 0 ||
		weir_methods_log_register(rpc) < 0 || weir_rpc_register(rpc, methods, 4, NULL) < 0)
		return -1;
	if (weir_server_open(&server, loop, rpc, fixture_path, &error) < 0) {
		fprintf(stderr, "%s: %s\n", error.path, error.reason);
		return -1;
	}
	return pthread_create(&thread, NULL, run, loop);
}

int fixture_stop(void)
{
	char command[128];
	struct stat status;

	weir_loop_stop(loop);
	pthread_join(thread, NULL);
	weir_server_close(server);
	weir_rpc_destroy(rpc);
	weir_loop_destroy(loop);
	if (stat(fixture_path, &status) == 0)
		return -1; /* the socket is removed with its server */
	snprintf(command, sizeof(command), "rm -r %s", fixture_folder);
	return system(command);
}

int connect_to(const char *where)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const struct timeval patience = {.tv_sec = 10};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", where);
	CU_ASSERT_EQUAL_FATAL(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	return fd;
}

bool send_bytes(int fd, const char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);

		if (sent <= 0)
			return false;
		bytes += sent;
		length -= (size_t)sent;
	}
	return true;
}

json_t *read_answer(int fd)
{
	static char line[2 * 1048576];
	size_t length = 0;

	while (length < sizeof(line)) {
		ssize_t size = recv(fd, line + length, sizeof(line) - length, MSG_PEEK);
		const char *end;

		if (size <= 0)
			return NULL;
		end = memchr(line + length, '\n', (size_t)size);
		if (end != NULL)
			size = end + 1 - (line + length);
		CU_ASSERT_EQUAL(recv(fd, line + length, (size_t)size, 0), size);
		length += (size_t)size;
		if (end != NULL)
			return json_loadb(line, length, JSON_REJECT_DUPLICATES, NULL);
	}
	return NULL;
}

bool is_at_end(int fd)
{
	char byte;
	ssize_t size = recv(fd, &byte, 1, 0);

	return size == 0 || (size < 0 && errno == ECONNRESET);
}

json_int_t code_of(const json_t *answer)
{
	return json_integer_value(json_object_get(json_object_get(answer, "error"), "code"));
}

void expect_served(int fd)
{
	static const char request[] = "{\"jsonrpc\":\"2.0\",\"id\":4711,\"method\":\"version\"}\n";
	json_t *answer;

	CU_ASSERT(send_bytes(fd, request, strlen(request)));
	answer = read_answer(fd);
	CU_ASSERT_EQUAL(json_integer_value(json_object_get(answer, "id")), 4711);
	CU_ASSERT_STRING_EQUAL(
		json_string_value(json_object_get(json_object_get(answer, "result"), "name")),
		"weir");
	json_decref(answer);
}

json_int_t count_clients(int fd)
{
	static const char request[] =
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"test_clients\"}\n";
	json_int_t count = -1;

	for (int i = 0; i < 2; i++) { /* the first may be in one batch with what came before it */
		json_t *answer;

		CU_ASSERT(send_bytes(fd, request, sizeof(request) - 1));
		answer = read_answer(fd);
		count = json_integer_value(json_object_get(answer, "result"));
		json_decref(answer);
	}
	return count;
}

int fixture_run(const char *name, void *tests)
{
	CU_SuiteInfo suites[] = {
		{name, fixture_start, fixture_stop, NULL, NULL, tests},
		CU_SUITE_INFO_NULL,
	};

	alarm(120); /* a server that hangs is a failure */
	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 1;
	CU_basic_set_mode(CU_BRM_NORMAL);
	CU_basic_run_tests();
	return CU_get_number_of_failures() != 0 || CU_get_error() != CUE_SUCCESS;
}

int calls_of_big(void)
{
	return big_calls;
}
