/* SPDX-License-Identifier: BSD-3-Clause */
#include <CUnit/Basic.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "control/methods_log.h"
#include "control/rpc.h"

static struct weir_rpc *rpc;
static int calls;

static int on_echo(void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	(void)error;
	CU_ASSERT_PTR_EQUAL(context, &calls);
	calls++;
	*result = json_deep_copy(params);
	return 0;
}

static int on_fail(void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	int number = (int)json_integer_value(json_object_get(params, "number"));

	(void)context;
	*result = json_string("left behind");
	if (number == EIO)
		return -EIO;
	return weir_error_set(error, -number, "$.streams[2].key", "the hint", "the reason");
}

static int on_cut(void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	char long_text[400];

	(void)context;
	(void)params;
	(void)result;
	for (size_t i = 0; i + 2 < sizeof(long_text); i += 2)
		memcpy(long_text + i, "\xc3\xa4", 3);
	return weir_error_set(error, -EINVAL, "", "", "x%s", long_text + 1);
}

static int on_huge(void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	char *text = calloc(1, WEIR_RPC_ANSWER_MAX + 1);

	(void)context;
	(void)params;
	(void)error;
	memset(text, 'a', WEIR_RPC_ANSWER_MAX);
	*result = json_string(text);
	free(text);
	return 0;
}

static int on_empty(void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	(void)context;
	(void)result;
	(void)error;
	CU_ASSERT(json_is_object(params));
	return 0;
}

static const char *const colours[] = {"red", "green", NULL};
static const struct weir_rpc_param echo_params[] = {
	{"name", WEIR_RPC_STRING, true, "a name"},
	{"count", WEIR_RPC_INTEGER, false, "how many", 1, 100},
	{"ratio", WEIR_RPC_NUMBER, false, "a ratio", -1, 1},
	{"at_least", WEIR_RPC_INTEGER, false, "no upper end", 5, INT64_MAX},
	{"flag", WEIR_RPC_BOOLEAN, false, "a flag"},
	{"config", WEIR_RPC_OBJECT, false, "an object"},
	{"list", WEIR_RPC_ARRAY, false, "a list"},
	{"anything", WEIR_RPC_ANY, false, "anything"},
	{"colour", WEIR_RPC_STRING, false, "a colour", 0, 0, colours},
	{NULL},
};
static const struct weir_rpc_param fail_params[] = {
	{"number", WEIR_RPC_INTEGER, true, "an errno"},
	{NULL},
};
static const struct weir_rpc_method methods[] = {
	{"thing_echo", "echo", WEIR_RPC_READ, echo_params, "the parameters", on_echo},
	{"thing_set", "write", WEIR_RPC_WRITE, NULL, "nothing", on_empty},
	{"thing_fail", "fail", WEIR_RPC_READ, fail_params, "never", on_fail},
	{"thing_cut", "fail at length", WEIR_RPC_READ, NULL, "never", on_cut},
	{"thing_huge", "a huge answer", WEIR_RPC_READ, NULL, "never", on_huge},
};

/* The answer's value, or NULL when there is none. */
static json_t *ask(const char *text, enum weir_rpc_role role)
{
	const struct weir_rpc_peer peer = {.role = role, .uid = 77};
	char *answer;
	size_t length;
	json_t *value;

	CU_ASSERT_EQUAL_FATAL(weir_rpc_handle(rpc, text, strlen(text), &peer, &answer, &length), 0);
	if (answer == NULL)
		return NULL;
	CU_ASSERT_EQUAL(length, strlen(answer));
	CU_ASSERT(strchr(answer, '\n') == answer + length - 1);
	value = json_loads(answer, JSON_REJECT_DUPLICATES, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(value);
	free(answer);
	return value;
}

static json_t *call(const char *method, const char *params)
{
	char *text = NULL;
	json_t *answer;

	CU_ASSERT_FATAL(
		asprintf(&text, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"%s\",\"params\":%s}",
			method, params) > 0);
	answer = ask(text, WEIR_RPC_WRITE);
	free(text);
	CU_ASSERT_EQUAL(json_integer_value(json_object_get(answer, "id")), 7);
	return answer;
}

static json_int_t code_of(const json_t *answer)
{
	return json_integer_value(json_object_get(json_object_get(answer, "error"), "code"));
}

static const char *data_of(const json_t *answer, const char *member)
{
	const json_t *data = json_object_get(json_object_get(answer, "error"), "data");
	const char *text = json_string_value(json_object_get(data, member));

	return text != NULL ? text : "(none)";
}

static void every_bad_parameter_is_named_with_path_reason_and_hint(void)
{
	static const struct {
		const char *params;
		const char *path;
		const char *reason;
		const char *hint;
	} cases[] = {
		{"{}", "$.params.name", "missing; type string is wanted", "a name"},
		{"{\"name\":1}", "$.params.name", "an integer where type string is wanted",
			"a name"},
		{"{\"name\":null}", "$.params.name", "null where type string is wanted", "a name"},
		{"{\"nmae\":\"x\"}", "$.params.nmae", "unknown parameter",
			"did you mean \"name\"?"},
		{"{\"name\":\"x\",\"\":1}", "$.params.", "unknown parameter",
			"it takes name, count, ratio, at_least, flag, config, list, anything, "
			"colour"},
		{"{\"name\":\"x\",\"count\":0}", "$.params.count", "0 is out of range", "1 to 100"},
		{"{\"name\":\"x\",\"count\":101}", "$.params.count", "101 is out of range",
			"1 to 100"},
		{"{\"name\":\"x\",\"count\":1.0}", "$.params.count",
			"a real number where type integer is wanted", "how many"},
		{"{\"name\":\"x\",\"count\":\"5\"}", "$.params.count",
			"a string where type integer is wanted", "how many"},
		{"{\"name\":\"x\",\"ratio\":1.5}", "$.params.ratio", "1.5 is out of range",
			"-1 to 1"},
		{"{\"name\":\"x\",\"ratio\":-2}", "$.params.ratio", "-2 is out of range",
			"-1 to 1"},
		{"{\"name\":\"x\",\"at_least\":4}", "$.params.at_least", "4 is out of range",
			"at least 5"},
		{"{\"name\":\"x\",\"flag\":1}", "$.params.flag",
			"an integer where type boolean is wanted", "a flag"},
		{"{\"name\":\"x\",\"config\":[]}", "$.params.config",
			"an array where type object is wanted", "an object"},
		{"{\"name\":\"x\",\"list\":{}}", "$.params.list",
			"an object where type array is wanted", "a list"},
		{"{\"name\":\"x\",\"colour\":\"rde\"}", "$.params.colour",
			"\"rde\" is not a choice", "one of red green"},
		{"[\"x\"]", "$.params", "params are not an object",
			"an object: parameters go by name"},
		{"null", "$.params", "params are not an object",
			"an object: parameters go by name"},
	};

	calls = 0;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *answer = call("thing_echo", cases[i].params);

		CU_ASSERT_EQUAL(code_of(answer), WEIR_RPC_INVALID_PARAMS);
		CU_ASSERT_STRING_EQUAL(data_of(answer, "path"), cases[i].path);
		CU_ASSERT_STRING_EQUAL(data_of(answer, "reason"), cases[i].reason);
		CU_ASSERT_STRING_EQUAL(data_of(answer, "hint"), cases[i].hint);
		CU_ASSERT_STRING_EQUAL(data_of(answer, "errno"), "EINVAL");
		json_decref(answer);
	}
	CU_ASSERT_EQUAL(calls, 0);
}

static void good_parameters_reach_the_handler_unchanged(void)
{
	static const char *const cases[] = {
		"{\"name\":\"\"}",
		"{\"name\":\"x\",\"count\":1}",
		"{\"name\":\"x\",\"count\":100,\"ratio\":1,\"flag\":false}",
		"{\"name\":\"x\",\"ratio\":-0.25,\"at_least\":9223372036854775807}",
		"{\"name\":\"x\",\"config\":{\"a\":[1,{}]},\"list\":[],\"anything\":null}",
		"{\"name\":\"\\u00e4\\ud83d\\ude00\",\"colour\":\"green\",\"anything\":[[]]}",
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *sent = json_loads(cases[i], 0, NULL);
		json_t *answer = call("thing_echo", cases[i]);

		CU_ASSERT(json_equal(json_object_get(answer, "result"), sent));
		json_decref(answer);
		json_decref(sent);
	}
}

static void an_errno_decides_the_code_and_the_details_pass_through(void)
{
	static const struct {
		int number;
		int code;
		const char *name;
	} cases[] = {
		{EINVAL, -32001, "EINVAL"},
		{ENOENT, -32002, "ENOENT"},
		{EEXIST, -32003, "EEXIST"},
		{EBUSY, -32004, "EBUSY"},
		{EPERM, -32005, "EPERM"},
		{EOPNOTSUPP, -32006, "EOPNOTSUPP"},
		{ETIMEDOUT, -32007, "ETIMEDOUT"},
		{ENOSPC, -32008, "ENOSPC"},
		{ENOMEM, -32603, "ENOMEM"},
		{EPIPE, -32000, "EPIPE"},
	};
	char params[64];
	json_t *answer;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(params, sizeof(params), "{\"number\":%d}", cases[i].number);
		answer = call("thing_fail", params);
		CU_ASSERT_EQUAL(code_of(answer), cases[i].code);
		CU_ASSERT_STRING_EQUAL(data_of(answer, "errno"), cases[i].name);
		CU_ASSERT_STRING_EQUAL(data_of(answer, "path"), "$.streams[2].key");
		CU_ASSERT_STRING_EQUAL(data_of(answer, "reason"), "the reason");
		CU_ASSERT_STRING_EQUAL(data_of(answer, "hint"), "the hint");
		CU_ASSERT_PTR_NULL(json_object_get(answer, "result"));
		json_decref(answer);
	}
	snprintf(params, sizeof(params), "{\"number\":%d}", EIO);
	answer = call("thing_fail", params);
	CU_ASSERT_STRING_EQUAL(data_of(answer, "reason"), "Input/output error");
	json_decref(answer);
	answer = call("thing_cut", "{}"); /* the reason was cut inside a character */
	CU_ASSERT_EQUAL(code_of(answer), -32001);
	CU_ASSERT_EQUAL(strlen(data_of(answer, "reason")), 255);
	json_decref(answer);
}

static void a_reader_may_not_call_what_writes(void)
{
	static const char request[] = "{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"thing_set\"}";
	json_t *answer = ask(request, WEIR_RPC_READ);

	CU_ASSERT_EQUAL(code_of(answer), WEIR_RPC_DENIED);
	CU_ASSERT_STRING_EQUAL(data_of(answer, "errno"), "EPERM");
	json_decref(answer);
	answer = ask(request, WEIR_RPC_WRITE);
	CU_ASSERT(json_is_object(json_object_get(answer, "result")));
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(answer, "id")), "a");
	json_decref(answer);
}

static void an_unknown_method_is_answered_with_the_nearest_name(void)
{
	json_t *answer = call("thing_ehco", "{}");

	CU_ASSERT_EQUAL(code_of(answer), WEIR_RPC_METHOD_NOT_FOUND);
	CU_ASSERT_STRING_EQUAL(data_of(answer, "hint"), "did you mean \"thing_echo\"?");
	json_decref(answer);
}

static void batches_are_answered_in_order_without_the_notifications(void)
{
	json_t *answer =
		ask("[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"version\"},"
		    "{\"jsonrpc\":\"2.0\",\"method\":\"thing_echo\",\"params\":{\"name\":\"n\"}},"
		    "5,{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"nothing_like_it\"}]",
			WEIR_RPC_READ);

	CU_ASSERT_EQUAL(json_array_size(answer), 3);
	CU_ASSERT_STRING_EQUAL(
		json_string_value(json_object_get(
			json_object_get(json_array_get(answer, 0), "result"), "version")),
		WEIR_VERSION);
	CU_ASSERT_EQUAL(code_of(json_array_get(answer, 1)), WEIR_RPC_INVALID_REQUEST);
	CU_ASSERT_EQUAL(code_of(json_array_get(answer, 2)), WEIR_RPC_METHOD_NOT_FOUND);
	json_decref(answer);
	CU_ASSERT_PTR_NULL(ask("[{\"jsonrpc\":\"2.0\",\"method\":\"version\"}]", WEIR_RPC_READ));
	CU_ASSERT_PTR_NULL(ask("{\"jsonrpc\":\"2.0\",\"method\":\"no_such\"}", WEIR_RPC_READ));
}

static void an_answer_beyond_the_limit_is_replaced_by_an_error(void)
{
	json_t *answer = call("thing_huge", "{}");

	CU_ASSERT_EQUAL(code_of(answer), WEIR_RPC_NO_SPACE);
	json_decref(answer);
}

static void rpc_methods_describes_every_method_from_its_table(void)
{
	json_t *answer = call("rpc_methods", "{}");
	const json_t *list = json_object_get(json_object_get(answer, "result"), "methods");
	const json_t *params = NULL;
	const char *last = "";
	size_t i;
	json_t *method;

	CU_ASSERT_EQUAL(json_array_size(list), 9);
	json_array_foreach (list, i, method) {
		const char *name = json_string_value(json_object_get(method, "name"));

		CU_ASSERT(strcmp(last, name) < 0);
		last = name;
		if (strcmp(name, "thing_echo") == 0)
			params = json_object_get(method, "params");
	}
	CU_ASSERT_EQUAL(json_array_size(params), 9);
	CU_ASSERT_EQUAL(
		json_integer_value(json_object_get(json_array_get(params, 1), "maximum")), 100);
	CU_ASSERT(json_is_true(json_object_get(json_array_get(params, 0), "required")));
	CU_ASSERT_EQUAL(json_array_size(json_object_get(json_array_get(params, 8), "choices")), 2);
	json_decref(answer);
}

static void registration_takes_all_or_nothing(void)
{
	const struct weir_rpc_method twice[] = {
		{"fresh_one", "x", WEIR_RPC_READ, NULL, "x", on_empty},
		{"thing_echo", "x", WEIR_RPC_READ, NULL, "x", on_empty},
	};
	const struct weir_rpc_method within[] = {
		{"fresh_one", "x", WEIR_RPC_READ, NULL, "x", on_empty},
		{"fresh_one", "x", WEIR_RPC_READ, NULL, "x", on_empty},
	};
	const struct weir_rpc_method bad_name = {
		"Bad-Name", "x", WEIR_RPC_READ, NULL, "x", on_empty};
	const struct weir_rpc_method no_handler = {"no_handler", "x", WEIR_RPC_READ, NULL, "x"};
	json_t *answer;

	CU_ASSERT_EQUAL(weir_rpc_register(rpc, twice, 2, NULL), -EEXIST);
	CU_ASSERT_EQUAL(weir_rpc_register(rpc, within, 2, NULL), -EEXIST);
	CU_ASSERT_EQUAL(weir_rpc_register(rpc, &bad_name, 1, NULL), -EINVAL);
	CU_ASSERT_EQUAL(weir_rpc_register(rpc, &no_handler, 1, NULL), -EINVAL);
	answer = call("fresh_one", "{}");
	CU_ASSERT_EQUAL(code_of(answer), WEIR_RPC_METHOD_NOT_FOUND);
	json_decref(answer);
}

static void the_log_level_is_read_and_set(void)
{
	json_t *answer = call("log_set_level", "{\"level\":\"debug\"}");

	CU_ASSERT_EQUAL(weir_log_get_level(), WEIR_LOG_DEBUG);
	json_decref(answer);
	weir_log_set_level(WEIR_LOG_ERROR);
	answer = call("log_get_level", "{}");
	CU_ASSERT_STRING_EQUAL(
		json_string_value(json_object_get(json_object_get(answer, "result"), "level")),
		"error");
	json_decref(answer);
	answer = call("log_set_level", "{\"level\":\"loud\"}");
	CU_ASSERT_EQUAL(code_of(answer), WEIR_RPC_INVALID_PARAMS);
	json_decref(answer);
}

static int set_up(void)
{
	weir_log_set_level(WEIR_LOG_ERROR);
	return weir_rpc_create(&rpc) != 0 ||
	       weir_rpc_register(rpc, methods, sizeof(methods) / sizeof(methods[0]), &calls) != 0 ||
	       weir_methods_log_register(rpc) != 0;
}

static int tear_down(void)
{
	weir_rpc_destroy(rpc);
	return 0;
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"every bad parameter is named with path, reason and hint",
			every_bad_parameter_is_named_with_path_reason_and_hint},
		{"good parameters reach the handler unchanged",
			good_parameters_reach_the_handler_unchanged},
		{"an errno decides the code and the details pass through",
			an_errno_decides_the_code_and_the_details_pass_through},
		{"a reader may not call what writes", a_reader_may_not_call_what_writes},
		{"an unknown method is answered with the nearest name",
			an_unknown_method_is_answered_with_the_nearest_name},
		{"batches are answered in order without the notifications",
			batches_are_answered_in_order_without_the_notifications},
		{"an answer beyond the limit is replaced by an error",
			an_answer_beyond_the_limit_is_replaced_by_an_error},
		{"rpc_methods describes every method from its table",
			rpc_methods_describes_every_method_from_its_table},
		{"registration takes all or nothing", registration_takes_all_or_nothing},
		{"the log level is read and set", the_log_level_is_read_and_set},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{"control rpc", set_up, tear_down, NULL, NULL, tests},
		CU_SUITE_INFO_NULL,
	};

	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 1;
	CU_basic_set_mode(CU_BRM_NORMAL);
	CU_basic_run_tests();
	return CU_get_number_of_failures() != 0 || CU_get_error() != CUE_SUCCESS;
}
