/* SPDX-License-Identifier: BSD-3-Clause */
#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/server.h"
#include "control_fixture.h"

#define BYTES(text) text, sizeof(text) - 1

static const struct {
	const char *bytes;
	size_t length;
	int code;
} hostile[] = {
	{BYTES("x"), -32700},
	{BYTES("{"), -32700},
	{BYTES("}"), -32700},
	{BYTES("{\"jsonrpc\":\"2.0\",\"method\":\"version\",\"id\":1"), -32700},
	{BYTES("{\"jsonrpc\":\"2.0\",\"method\":\"version\",\"id\":1}x"), -32700},
	{BYTES("{\"jsonrpc\":\"2.0\",\"method\":\"version\",\"id\":1}{}"), -32700},
	{BYTES("{\"jsonrpc\":\"2.0\",\"method\":\"version\",\"id\":1,}"), -32700},
	{BYTES("{\"jsonrpc\":\"2.0\",\"method\":\"version\",\"id\":1,\"id\":2}"), -32700},
	{BYTES("{\"jsonrpc\":\"2.0\",\"method\":\"ver\0sion\",\"id\":1}"), -32700},
	{BYTES("\0"), -32700},
	{BYTES("{\0}"), -32700},
	{BYTES("{\"jsonrpc\":\"2.0\",\"method\":\"ver\\u0000sion\",\"id\":1}"), -32700},
	{BYTES("{\"jsonrpc\":\"2.0\",\"method\":\"a\\u0000\",\"a\\u0000b\":1}"), -32700},
	{BYTES("{\"method\":\"\xff\"}"), -32700},
	{BYTES("{\"method\":\"\xc0\xaf\"}"), -32700},
	{BYTES("{\"method\":\"\xed\xa0\x80\"}"), -32700},
	{BYTES("{\"method\":\"\xf4\x90\x80\x80\"}"), -32700},
	{BYTES("{\"method\":\"\\ud800\"}"), -32700},
	{BYTES("\xef\xbb\xbf{}"), -32700},
	{BYTES("{\"id\":99999999999999999999999999}"), -32700},
	{BYTES("{\"id\":1e999}"), -32700},
	{BYTES("{\"id\":01}"), -32700},
	{BYTES("{\"id\":NaN}"), -32700},
	{BYTES("{'id':1}"), -32700},
	{BYTES("{\"a\":\"tab\tinside\"}"), -32700},
	{BYTES("GET / HTTP/1.1\r"), -32700},
	{BYTES("\x16\x03\x01\x02\x00\x01"), -32700},
	{BYTES("]]]]"), -32700},
	{BYTES("\""), -32700},
	{BYTES("\"\\"), -32700},
	{BYTES("null"), -32600},
	{BYTES("42"), -32600},
	{BYTES("-1.5e3"), -32600},
	{BYTES("\"version\""), -32600},
	{BYTES("true"), -32600},
	{BYTES("[]"), -32600},
	{BYTES("{}"), -32600},
	{BYTES("{\"method\":\"version\",\"id\":1}"), -32600},
	{BYTES("{\"jsonrpc\":\"1.0\",\"method\":\"version\",\"id\":1}"), -32600},
	{BYTES("{\"jsonrpc\":2.0,\"method\":\"version\",\"id\":1}"), -32600},
	{BYTES("{\"jsonrpc\":\"2.0\",\"id\":1}"), -32600},
	{BYTES("{\"jsonrpc\":\"2.0\",\"method\":null,\"id\":1}"), -32600},
	{BYTES("{\"jsonrpc\":\"2.0\",\"method\":[\"version\"],\"id\":1}"), -32600},
	{BYTES("{\"jsonrpc\":\"2.0\",\"method\":\"version\",\"id\":{}}"), -32600},
	{BYTES("{\"jsonrpc\":\"2.0\",\"method\":\"version\",\"id\":[1]}"), -32600},
	{BYTES("{\"jsonrpc\":\"2.0\",\"method\":\"version\",\"id\":true}"), -32600},
	{BYTES("{\"jsonrpc\":\"2.0\",\"method\":\"version\",\"id\":1,\"parms\":{}}"), -32600},
	{BYTES("{\"jsonrpc\":\"2.0\",\"method\":\"\",\"id\":1}"), -32601},
	{BYTES("{\"jsonrpc\":\"2.0\",\"method\":\"__proto__\",\"id\":1.5}"), -32601},
	{BYTES("{\"jsonrpc\":\"2.0\",\"method\":\"%s%n%x\",\"id\":\"%n\"}"), -32601},
	{BYTES("{\"jsonrpc\":\"2.0\",\"method\":\"version\",\"id\":1,\"params\":7}"), -32602},
	{BYTES("{\"jsonrpc\":\"2.0\",\"method\":\"version\",\"id\":1,\"params\":[1]}"), -32602},
	{BYTES("{\"jsonrpc\":\"2.0\",\"method\":\"version\",\"id\":1,\"params\":{\"%n\":1}}"),
		-32602},
};

static void every_malformed_message_is_answered_and_the_next_one_served(void)
{
	int fd = connect_to(fixture_path);

	for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
		json_t *answer;

		CU_ASSERT_FATAL(send_bytes(fd, hostile[i].bytes, hostile[i].length));
		CU_ASSERT_FATAL(send_bytes(fd, "\n", 1));
		answer = read_answer(fd);
		CU_ASSERT_PTR_NOT_NULL_FATAL(answer);
		if (code_of(answer) != hostile[i].code)
			fprintf(stderr, "\n%s: %lld\n", hostile[i].bytes, code_of(answer));
		CU_ASSERT_EQUAL(code_of(answer), hostile[i].code);
		CU_ASSERT_STRING_EQUAL(
			json_string_value(json_object_get(answer, "jsonrpc")), "2.0");
		CU_ASSERT_PTR_NOT_NULL(json_object_get(answer, "id"));
		CU_ASSERT(
			json_is_object(json_object_get(json_object_get(answer, "error"), "data")));
		json_decref(answer);
		expect_served(fd);
	}
	close(fd);
}

/* `count` times `unit`, in a malloc'ed line. */
static char *repeat(const char *before, const char *unit, size_t count, const char *after)
{
	size_t size = strlen(unit);
	size_t start = strlen(before);
	char *text = malloc(start + count * size + strlen(after) + 1);

	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	memcpy(text, before, start);
	for (size_t i = 0; i < count; i++)
		memcpy(text + start + i * size, unit, size);
	memcpy(text + start + count * size, after, strlen(after) + 1);
	return text;
}

static void messages_at_the_limits_are_told_from_those_beyond(void)
{
	static const char params[] =
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"version\",\"params\":";
	static const struct {
		const char *before;
		const char *unit;
		size_t count;
		const char *after;
		int code;
	} cases[] = {
		{"", "[", 64, "\n", -32700}, /* allowed depth, and then not JSON */
		{"", "[", 65, "\n", -32600},
		{"", "[", 1000000, "\n", -32600},
		{"", "{\"a\":", 100000, "\n", -32600},
		{params, "[", 100, "1\n", -32600},
		{"[0", ",0", 600000, "]\n", -32600},
		{"[0", ",0", 64, "]\n", -32600},
		{"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"", "\\\"[{", 1000, "\"}\n",
			-32601}, /* brackets in a string are no depth */
		{params, " ", 4000000, "{\"a\":1}}\n", -32602},
		{"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"", "m", 3000000, "\"}\n", -32601},
	};
	int fd = connect_to(fixture_path);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *text = repeat(cases[i].before, cases[i].unit, cases[i].count, cases[i].after);
		json_t *answer;

		CU_ASSERT(send_bytes(fd, text, strlen(text)));
		answer = read_answer(fd);
		CU_ASSERT_EQUAL(code_of(answer), cases[i].code);
		json_decref(answer);
		free(text);
		expect_served(fd);
	}
	close(fd);
}

static void a_message_too_long_is_answered_and_its_sender_closed(void)
{
	char *text = repeat("", "x", WEIR_SERVER_MESSAGE_MAX + 1, "");
	int other = connect_to(fixture_path);
	int fd = connect_to(fixture_path);
	json_t *answer;

	send_bytes(fd, text, strlen(text));
	answer = read_answer(fd);
	CU_ASSERT_EQUAL(code_of(answer), -32600);
	json_decref(answer);
	CU_ASSERT(is_at_end(fd));
	expect_served(other);
	close(fd);
	fd = connect_to(fixture_path); /* one byte less, with its newline, is a message */
	text[WEIR_SERVER_MESSAGE_MAX] = '\n';
	CU_ASSERT(send_bytes(fd, text, WEIR_SERVER_MESSAGE_MAX + 1));
	answer = read_answer(fd);
	CU_ASSERT_EQUAL(code_of(answer), -32700);
	json_decref(answer);
	expect_served(fd);
	free(text);
	close(other);
	close(fd);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"every malformed message is answered and the next one served",
			every_malformed_message_is_answered_and_the_next_one_served},
		{"messages at the limits are told from those beyond",
			messages_at_the_limits_are_told_from_those_beyond},
		{"a message too long is answered and its sender closed",
			a_message_too_long_is_answered_and_its_sender_closed},
		CU_TEST_INFO_NULL,
	};

	return fixture_run("control socket, hostile input", tests);
}
