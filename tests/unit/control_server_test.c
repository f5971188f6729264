/* SPDX-License-Identifier: BSD-3-Clause */
#include <CUnit/Basic.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/server.h"
#include "control/socket.h"
#include "control_fixture.h"

static void bytes_may_come_one_by_one_or_many_messages_at_once(void)
{
	static const char one[] =
		"\r\n \n{\"jsonrpc\":\"2.0\",\"id\":\"b\",\"method\":\"version\"}\r\n";
	static const char two[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"version\"}\n"
				  "{\"jsonrpc\":\"2.0\",\"method\":\"version\"}\n"
				  "[{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"version\"}]\n"
				  "{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"ver";
	int other = connect_to(fixture_path);
	int fd = connect_to(fixture_path);
	json_t *answer;

	expect_served(fd);
	for (size_t i = 0; i < sizeof(one) - 1; i++) {
		CU_ASSERT(send_bytes(fd, one + i, 1));
		CU_ASSERT_EQUAL(count_clients(other), 2); /* the server has read the byte */
	}
	answer = read_answer(fd);
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(answer, "id")), "b");
	json_decref(answer);
	CU_ASSERT(send_bytes(fd, two, sizeof(two) - 1));
	answer = read_answer(fd);
	CU_ASSERT_EQUAL(json_integer_value(json_object_get(answer, "id")), 1);
	json_decref(answer);
	answer = read_answer(fd);
	CU_ASSERT_EQUAL(json_integer_value(json_object_get(json_array_get(answer, 0), "id")), 2);
	json_decref(answer);
	CU_ASSERT(send_bytes(fd, "sion\"}", 6));
	shutdown(fd, SHUT_WR); /* ends the last message as a newline would */
	answer = read_answer(fd);
	CU_ASSERT(json_is_null(json_object_get(answer, "id")));
	CU_ASSERT(json_is_object(json_object_get(answer, "result")));
	json_decref(answer);
	CU_ASSERT(is_at_end(fd));
	close(fd);
	close(other);
}

static json_t *call(int fd, const char *method)
{
	char text[128];
	int length = snprintf(
		text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\"}\n", method);

	CU_ASSERT(send_bytes(fd, text, (size_t)length));
	return read_answer(fd);
}

/* Numbers rise by one, but for as many as it is told that it lost. */
static void a_slow_subscriber_loses_and_is_told_how_many(void)
{
	int slow = connect_to(fixture_path), other = connect_to(fixture_path);
	json_int_t expected = 0, told = 0, lost;
	json_t *answer;

	json_decref(call(slow, "test_subscribe"));
	answer = call(other, "test_notify");
	lost = json_integer_value(json_object_get(answer, "result"));
	json_decref(answer);
	CU_ASSERT_TRUE(lost > 0 && lost < 1000);
	/* What was lost is told before what comes next. */
	while (expected < 1000) {
		const json_t *params;

		if (expected + lost == 1000)
			json_decref(call(other, "test_notify"));
		answer = read_answer(slow);
		CU_ASSERT_PTR_NOT_NULL_FATAL(answer);
		params = json_object_get(answer, "params");
		if (params != NULL) {
			told += json_integer_value(json_object_get(params, "count"));
			expected += told;
		} else {
			CU_ASSERT_EQUAL(
				json_integer_value(json_object_get(answer, "number")), expected);
			expected++;
		}
		json_decref(answer);
	}
	CU_ASSERT_TRUE(told >= lost);
	expect_served(other);
	close(slow);
	expect_served(other);
	close(other);
}

static void large_answers_arrive_whole_when_read_slowly(void)
{
	static const char request[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"test_big\"}\n";
	int fd = connect_to(fixture_path);

	for (int i = 0; i < 10; i++)
		CU_ASSERT(send_bytes(fd, request, sizeof(request) - 1));
	for (int i = 0; i < 10; i++) {
		json_t *answer = read_answer(fd);

		CU_ASSERT_EQUAL(json_string_length(json_object_get(answer, "result")), 1048576);
		json_decref(answer);
	}
	expect_served(fd);
	close(fd);
}

static void a_client_that_does_not_read_is_not_served_further_and_all_others_are(void)
{
	static const char request[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"test_big\"}\n";
	int other = connect_to(fixture_path);
	int fd = connect_to(fixture_path);
	int before = calls_of_big();

	expect_served(fd);
	for (int i = 0; i < 12; i++)
		CU_ASSERT(send_bytes(fd, request, sizeof(request) - 1));
	CU_ASSERT_EQUAL(count_clients(other), 2);    /* by now the server has seen the first */
	CU_ASSERT_EQUAL(calls_of_big() - before, 1); /* more than the socket takes */
	for (int i = 0; i < 12; i++) {
		json_t *answer = read_answer(fd);

		CU_ASSERT_EQUAL(json_string_length(json_object_get(answer, "result")), 1048576);
		json_decref(answer);
	}
	CU_ASSERT_EQUAL(calls_of_big() - before, 12);
	expect_served(fd);
	close(fd);
	close(other);
}

static void one_that_asks_and_asks_does_not_keep_the_others_waiting(void)
{
	static const char request[] = "{\"jsonrpc\":\"2.0\",\"method\":\"test_big\"}\n";
	static char requests[500 * (sizeof(request) - 1)];
	int other = connect_to(fixture_path);
	int fd = connect_to(fixture_path);
	int before = calls_of_big();

	expect_served(fd);
	for (size_t i = 0; i < sizeof(requests); i++)
		requests[i] = request[i % (sizeof(request) - 1)];
	CU_ASSERT(send_bytes(fd, requests, sizeof(requests)));
	expect_served(other); /* while most of them wait */
	CU_ASSERT(calls_of_big() - before < 500);
	expect_served(fd); /* behind them all */
	CU_ASSERT_EQUAL(calls_of_big() - before, 500);
	close(fd);
	close(other);
}

static void the_client_after_the_last_is_told_so(void)
{
	int fds[WEIR_SERVER_CLIENTS_MAX];
	json_t *answer;
	int fd;

	for (int i = 0; i < WEIR_SERVER_CLIENTS_MAX; i++) {
		fds[i] = connect_to(fixture_path);
		expect_served(fds[i]);
	}
	fd = connect_to(fixture_path);
	answer = read_answer(fd);
	CU_ASSERT_EQUAL(code_of(answer), WEIR_RPC_BUSY);
	json_decref(answer);
	CU_ASSERT(is_at_end(fd));
	close(fd);
	for (int i = 0; i < WEIR_SERVER_CLIENTS_MAX; i++) {
		expect_served(fds[i]);
		shutdown(fds[i], SHUT_WR);
		CU_ASSERT(is_at_end(fds[i])); /* its place is free from now on */
		close(fds[i]);
	}
	fd = connect_to(fixture_path);
	expect_served(fd);
	close(fd);
}

static void the_socket_is_closed_to_others_and_its_folder_readable(void)
{
	char parent[64];
	struct stat status;

	CU_ASSERT_EQUAL(stat(fixture_path, &status), 0);
	CU_ASSERT(S_ISSOCK(status.st_mode));
	CU_ASSERT_EQUAL(status.st_mode & 07777, 0660);
	snprintf(parent, sizeof(parent), "%s/run", fixture_folder);
	CU_ASSERT_EQUAL(stat(parent, &status), 0);
	CU_ASSERT_EQUAL(status.st_mode & 07777, 0755);
}

static void a_second_gateway_is_refused_and_a_stale_socket_replaced(void)
{
	struct weir_socket sock;
	struct weir_error error = {0};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct stat status;
	int fd;

	CU_ASSERT_EQUAL(weir_socket_open(&sock, fixture_path, &error), -EADDRINUSE);
	CU_ASSERT_PTR_NOT_NULL(strstr(error.reason, "another gateway owns the socket (pid "));

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/stale.sock", fixture_folder);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	CU_ASSERT_EQUAL(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	listen(fd, 1); /* alive, but holds no lock */
	CU_ASSERT_EQUAL(weir_socket_open(&sock, address.sun_path, &error), -EADDRINUSE);
	CU_ASSERT_EQUAL(stat(address.sun_path, &status), 0);
	close(fd); /* dead: the file is left */
	CU_ASSERT_EQUAL(weir_socket_open(&sock, address.sun_path, &error), 0);
	weir_socket_close(&sock);
	CU_ASSERT_EQUAL(stat(address.sun_path, &status), -1);

	fd = open(address.sun_path, O_CREAT | O_WRONLY, 0600); /* someone's file */
	close(fd);
	CU_ASSERT_EQUAL(weir_socket_open(&sock, address.sun_path, &error), -EEXIST);
	CU_ASSERT_EQUAL(stat(address.sun_path, &status), 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/no/such/place", fixture_folder);
	CU_ASSERT_EQUAL(weir_socket_open(&sock, address.sun_path, &error), -ENOENT);
	CU_ASSERT_EQUAL(weir_socket_open(&sock, "", &error), -ENAMETOOLONG);
}

/* In the child: 0 when the answer has this code. */
static int ask_as_nobody(const char *method, const char *params, int code)
{
	char text[256];
	int fd = connect_to(fixture_path);
	json_t *answer;

	snprintf(text, sizeof(text),
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":%s}\n", method, params);
	if (!send_bytes(fd, text, strlen(text)))
		return 1;
	answer = read_answer(fd);
	return answer != NULL && code_of(answer) == code ? 0 : 1;
}

static void a_peer_of_another_user_may_read_but_not_write(void)
{
	int status = -1;
	pid_t pid;

	if (geteuid() != 0)
		return;                                /* cannot become another user */
	CU_ASSERT_EQUAL(chmod(fixture_path, 0666), 0); /* let it in at all */
	CU_ASSERT_EQUAL(chmod(fixture_folder, 0755), 0);
	pid = fork();
	if (pid == 0) {
		if (setgid(65534) < 0 || setuid(65534) < 0)
			_exit(2);
		_exit(ask_as_nobody("log_get_level", "{}", 0) +
			ask_as_nobody("log_set_level", "{\"level\":\"error\"}", WEIR_RPC_DENIED));
	}
	waitpid(pid, &status, 0);
	CU_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	chmod(fixture_path, 0660);
}

static void running_out_of_descriptors_pauses_accepting_but_not_serving(void)
{
	int served = connect_to(fixture_path);
	struct rlimit before;
	struct rlimit tight;
	int fd;

	CU_ASSERT_EQUAL(count_clients(served), 1);
	getrlimit(RLIMIT_NOFILE, &before);
	tight = before;
	fd = dup(served); /* the lowest number that is free */
	close(fd);
	tight.rlim_cur = (rlim_t)fd + 1; /* for this end of the connection, not for the other */
	CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &tight), 0);
	fd = connect_to(fixture_path);
	CU_ASSERT_EQUAL(count_clients(served), 1);
	expect_served(served);
	CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &before), 0);
	expect_served(fd); /* accepted by the retry */
	CU_ASSERT_EQUAL(count_clients(served), 2);
	close(fd);
	close(served);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"the socket is closed to others and its folder readable",
			the_socket_is_closed_to_others_and_its_folder_readable},
		{"bytes may come one by one, or many messages at once",
			bytes_may_come_one_by_one_or_many_messages_at_once},
		{"a slow subscriber loses, and is told how many",
			a_slow_subscriber_loses_and_is_told_how_many},
		{"large answers arrive whole when read slowly",
			large_answers_arrive_whole_when_read_slowly},
		{"a client that does not read is not served further, and all others are",
			a_client_that_does_not_read_is_not_served_further_and_all_others_are},
		{"one that asks and asks does not keep the others waiting",
			one_that_asks_and_asks_does_not_keep_the_others_waiting},
		{"the client after the last is told so", the_client_after_the_last_is_told_so},
		{"a second gateway is refused and a stale socket replaced",
			a_second_gateway_is_refused_and_a_stale_socket_replaced},
		{"a peer of another user may read but not write",
			a_peer_of_another_user_may_read_but_not_write},
		{"running out of descriptors pauses accepting, but not serving",
			running_out_of_descriptors_pauses_accepting_but_not_serving},
		CU_TEST_INFO_NULL,
	};

	return fixture_run("control socket", tests);
}
