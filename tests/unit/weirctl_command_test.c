/* SPDX-License-Identifier: BSD-3-Clause */
#include <CUnit/Basic.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "control/methods_log.h"
#include "control/server.h"

/* Runs the real weirctl, argv[1], against a server with a few methods in this process. */

static const char *program;
static char folder[] = "/tmp/weirctl_test_XXXXXX";
static char path[64];
static char out[65536];
static char err[65536];
static _Atomic bool law_holds = true; /* written by the tests, read by the server's thread */

static struct weir_loop *loop;
static struct weir_rpc *rpc;
static struct weir_server *server;
static pthread_t thread;

static int on_echo(void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	(void)context;
	(void)error;
	*result = json_deep_copy(params);
	return 0;
}

static int on_list(void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	(void)context;
	(void)params;
	(void)error;
	*result = json_pack("{s:[{s:s,s:i},{s:s,s:i}]}", "streams", "name", "flows", "held", 5,
		"name", "logs", "held", 1000);
	return 0;
}

static int on_refuse(void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	(void)context;
	(void)params;
	(void)result;
	return weir_error_set(error, -ENOENT, "$.params.name", "consumer_list shows them",
		"no consumer \"x\x1b[2J\"");
}

static int on_stats(void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	(void)context;
	(void)params;
	(void)error;
	if (law_holds)
		*result = json_pack("{s:{s:b,s:[]}}", "law", "holds", 1, "violations");
	else
		*result = json_pack("{s:{s:b,s:[{s:s,s:i}]}}", "law", "holds", 0, "violations",
			"stream", "flows", "missing", 3);
	return 0;
}

static const struct weir_rpc_param set_rate_params[] = {
	{"name", WEIR_RPC_STRING, true, "the consumer"},
	{"packets_per_s", WEIR_RPC_INTEGER, false, "rate", 0, INT64_MAX},
	{"bits_per_s", WEIR_RPC_INTEGER, false, "rate", 0, INT64_MAX},
	{"is_strict", WEIR_RPC_BOOLEAN, false, "a switch"},
	{"extra", WEIR_RPC_ANY, false, "anything"},
	{NULL},
};
static const struct weir_rpc_param config_params[] = {
	{"config", WEIR_RPC_OBJECT, true, "the configuration"},
	{NULL},
};
static const struct weir_rpc_method methods[] = {
	{"stream_list", "list the streams", WEIR_RPC_READ, NULL, "streams", on_list},
	{"consumer_set_rate", "limit a consumer", WEIR_RPC_WRITE, set_rate_params, "echo", on_echo},
	{"config_check", "check", WEIR_RPC_READ, config_params, "echo", on_echo},
	{"consumer_show", "refuses", WEIR_RPC_READ, NULL, "never", on_refuse},
	{"stats_get", "the law", WEIR_RPC_READ, NULL, "law", on_stats},
};

static void *run_loop(void *context)
{
	weir_loop_run(context);
	return NULL;
}

static void read_back(const char *name, char *text, size_t size)
{
	char file_path[96];
	size_t length = 0;
	FILE *file;

	snprintf(file_path, sizeof(file_path), "%s/%s", folder, name);
	file = fopen(file_path, "r");
	if (file != NULL) {
		length = fread(text, 1, size - 1, file);
		fclose(file);
	}
	text[length] = '\0';
}

/* The exit code; what it wrote is in `out` and `err`. */
static int run_at(const char *socket_path, const char *arguments)
{
	char command[4096];
	int status;

	snprintf(command, sizeof(command), "cd %s && WEIR_SOCKET=%s %s %s >out 2>err </dev/null",
		folder, socket_path, program, arguments);
	status = system(command);
	read_back("out", out, sizeof(out));
	read_back("err", err, sizeof(err));
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int run(const char *arguments)
{
	return run_at(path, arguments);
}

static void write_file(const char *name, const char *text)
{
	char file_path[96];
	FILE *file;

	snprintf(file_path, sizeof(file_path), "%s/%s", folder, name);
	file = fopen(file_path, "w");
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	fputs(text, file);
	fclose(file);
}

static void object_and_verb_name_a_method(void)
{
	static const char table[] = "name   held\nflows     5\nlogs   1000\n";

	CU_ASSERT_EQUAL(run("stream list"), 0);
	CU_ASSERT_STRING_EQUAL(out, table);
	CU_ASSERT_EQUAL(run("stream_list"), 0);
	CU_ASSERT_STRING_EQUAL(out, table);
	CU_ASSERT_EQUAL(run("stream list -j"), 0);
	CU_ASSERT_PTR_NOT_NULL(
		strstr(out, "{\n  \"streams\": [\n    {\n      \"name\": \"flows\""));
	CU_ASSERT_EQUAL(run("rpc stream_list"), 0);
	CU_ASSERT_STRING_EQUAL(out, table);
}

static void arguments_become_parameters_of_the_right_type(void)
{
	CU_ASSERT_EQUAL(run("consumer set-rate 10 packets_per_s=1000 bits_per_s=10M is_strict=on "
			    "extra='[1,\"a=b\"]'"),
		0);
	CU_ASSERT_STRING_EQUAL(out, "name:          10\npackets_per_s: 1000\n"
				    "bits_per_s:    10000000\nis_strict:     true\n"
				    "extra:         1,a=b\n");
	CU_ASSERT_EQUAL(run("consumer set rate name=a=b extra=plain"), 0);
	CU_ASSERT_STRING_EQUAL(out, "name:  a=b\nextra: plain\n");
	CU_ASSERT_EQUAL(run("rpc consumer_set_rate '{\"name\":\"r\"}'"), 0);
	CU_ASSERT_STRING_EQUAL(out, "name: r\n");
}

static void wrong_arguments_are_told_and_exit_2(void)
{
	static const struct {
		const char *arguments;
		const char *said;
	} cases[] = {
		{"", "no command"},
		{"stream lsit", "did you mean \"stream_list\"?"},
		{"consumer set-rate", "argument missing: name"},
		{"consumer set-rate a b", "one argument too many"},
		{"consumer set-rate a rate=5", "it has no such parameter: rate=5"},
		{"consumer set-rate a name=b", "given twice: name"},
		{"consumer set-rate a packets_per_s=fast", "\"fast\" is not of type integer"},
		{"consumer set-rate a is_strict=2", "\"2\" is not of type boolean"},
		{"-t 0 stream list", "\"0\" is not a number of seconds"},
		{"-c x watch stream list", "\"x\" is not a count"},
		{"--bogus", "unrecognized option"},
		{"rpc", "rpc takes METHOD [JSON]"},
		{"rpc stream_list '{'", "parameters: line 1, column 1"},
		{"watch", "watch takes a command"},
		{"help nothing_like", "no command"},
		{"config check none.json", "none.json: No such file"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		CU_ASSERT_EQUAL(run(cases[i].arguments), 2);
		if (strstr(err, cases[i].said) == NULL)
			fprintf(stderr, "\n%s: %s\n", cases[i].arguments, err);
		CU_ASSERT_PTR_NOT_NULL(strstr(err, cases[i].said));
	}
}

static void a_file_is_sent_as_an_object_and_its_faults_have_a_place(void)
{
	write_file("good.json", "{\"version\": 1}\n");
	write_file("bad.json", "{\n  \"version\": 1\n  \"x\": 2\n}\n");
	write_file("twice.json", "{\"a\": 1,\n \"a\": 2}\n");
	CU_ASSERT_EQUAL(run("config check good.json"), 0);
	CU_ASSERT_STRING_EQUAL(out, "config.version: 1\n");
	CU_ASSERT_EQUAL(run("config check '{\"version\": 2}'"), 0);
	CU_ASSERT_STRING_EQUAL(out, "config.version: 2\n");
	CU_ASSERT_EQUAL(run("config check bad.json"), 2);
	CU_ASSERT_PTR_NOT_NULL(strstr(err, "bad.json:3:5:"));
	CU_ASSERT_EQUAL(run("config check twice.json"), 2);
	CU_ASSERT_PTR_NOT_NULL(strstr(err, "twice.json:2:"));
}

static void a_refusal_exits_1_with_path_reason_and_hint(void)
{
	CU_ASSERT_EQUAL(run("consumer show"), 1);
	CU_ASSERT_STRING_EQUAL(out, "");
	CU_ASSERT_STRING_EQUAL(err, "weirctl: Not found\n  path: $.params.name\n"
				    "  reason: no consumer \"x\\x1b[2J\"\n"
				    "  hint: consumer_list shows them\n");
	CU_ASSERT_EQUAL(run("rpc no_such_method"), 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(err, "weirctl: Method not found\n"));
	CU_ASSERT_EQUAL(run("consumer set-rate a packets_per_s=-1"), 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(err, "-1 is out of range"));
}

static void check_exits_by_whether_the_law_holds(void)
{
	law_holds = true;
	CU_ASSERT_EQUAL(run("check"), 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(out, "holds:      true\n"));
	law_holds = false;
	CU_ASSERT_EQUAL(run("check"), 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(out, "holds: false\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(out, "flows         3\n"));
	law_holds = true;
}

static void help_comes_from_the_gateway_and_from_itself_without(void)
{
	CU_ASSERT_EQUAL(run("--help"), 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(out, "usage: weirctl"));
	CU_ASSERT_PTR_NOT_NULL(strstr(out, "limit a consumer"));
	CU_ASSERT_EQUAL(run_at("/nonexistent/socket", "--help"), 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(out, "usage: weirctl"));
	CU_ASSERT_STRING_EQUAL(err, "");
	CU_ASSERT_EQUAL(run("help consumer set-rate"), 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(out, "packets_per_s=integer  rate (at least 0)"));
	CU_ASSERT_EQUAL(run("help log_set_level"), 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(out, "(error, warning, notice, info, debug)"));
	CU_ASSERT_EQUAL(run("help --names"), 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(out, "config_check\nconsumer_set_rate\nconsumer_show\n"));
	CU_ASSERT_EQUAL(run_at("/nonexistent/socket", "--version"), 0);
	CU_ASSERT_STRING_EQUAL(out, "weirctl " WEIR_VERSION "\n");
}

static void watch_repeats(void)
{
	const char *second;

	CU_ASSERT_EQUAL(run("watch -n 0.01 -c 2 stream list"), 0);
	second = strstr(out, "stream_list, every 0.01 s\n\nname   held\n");
	CU_ASSERT_PTR_NOT_NULL_FATAL(second);
	CU_ASSERT_PTR_NOT_NULL(strstr(second + 1, "stream_list, every 0.01 s\n\nname   held\n"));
}

static void no_gateway_and_no_answer_exit_3(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CU_ASSERT_EQUAL(run_at("/nonexistent/socket", "stream list"), 3);
	CU_ASSERT_PTR_NOT_NULL(strstr(err, "is the gateway running?"));
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/mute", folder);
	CU_ASSERT_EQUAL_FATAL(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	CU_ASSERT_EQUAL(run_at(address.sun_path, "stream list"), 3); /* bound, nobody listens */
	listen(fd, 1); /* connects, but nobody will answer */
	CU_ASSERT_EQUAL(run_at(address.sun_path, "-t 0.1 stream list"), 3);
	CU_ASSERT_PTR_NOT_NULL(strstr(err, "no answer in 0.1 s"));
	close(fd);
}

static void *answer_rubbish(void *context)
{
	int listener = *(int *)context;
	int fd = accept(listener, NULL, NULL);

	if (fd >= 0 && write(fd, "SSH-2.0\n", 8) == 8)
		shutdown(fd, SHUT_WR);
	close(fd);
	return NULL;
}

static void an_answer_that_is_not_json_rpc_exits_3(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pthread_t answerer;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/rubbish", folder);
	CU_ASSERT_EQUAL_FATAL(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	listen(fd, 1);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&answerer, NULL, answer_rubbish, &fd), 0);
	CU_ASSERT_EQUAL(run_at(address.sun_path, "rpc version"), 3);
	CU_ASSERT_PTR_NOT_NULL(strstr(err, "not a JSON-RPC server"));
	pthread_join(answerer, NULL);
	close(fd);
}

static int set_up(void)
{
	weir_log_set_level(WEIR_LOG_ERROR);
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/weir.sock", folder);
	if (weir_loop_create(&loop) < 0 || weir_rpc_create(&rpc) < 0 ||
		weir_methods_log_register(rpc) < 0 ||
		weir_rpc_register(rpc, methods, sizeof(methods) / sizeof(methods[0]), NULL) < 0 ||
		weir_server_open(&server, loop, rpc, path, NULL) < 0)
		return -1;
	return pthread_create(&thread, NULL, run_loop, loop);
}

static int tear_down(void)
{
	char command[64];

	weir_loop_stop(loop);
	pthread_join(thread, NULL);
	weir_server_close(server);
	weir_rpc_destroy(rpc);
	weir_loop_destroy(loop);
	snprintf(command, sizeof(command), "rm -r %s", folder);
	return system(command);
}

int main(int argc, char **argv)
{
	CU_TestInfo tests[] = {
		{"object and verb name a method", object_and_verb_name_a_method},
		{"arguments become parameters of the right type",
			arguments_become_parameters_of_the_right_type},
		{"wrong arguments are told and exit 2", wrong_arguments_are_told_and_exit_2},
		{"a file is sent as an object, its faults have a place",
			a_file_is_sent_as_an_object_and_its_faults_have_a_place},
		{"a refusal exits 1 with path, reason and hint",
			a_refusal_exits_1_with_path_reason_and_hint},
		{"check exits by whether the law holds", check_exits_by_whether_the_law_holds},
		{"help comes from the gateway, and from itself without",
			help_comes_from_the_gateway_and_from_itself_without},
		{"watch repeats", watch_repeats},
		{"no gateway and no answer exit 3", no_gateway_and_no_answer_exit_3},
		{"an answer that is not JSON-RPC exits 3", an_answer_that_is_not_json_rpc_exits_3},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{"weirctl commands", set_up, tear_down, NULL, NULL, tests},
		CU_SUITE_INFO_NULL,
	};

	if (argc != 2) {
		fprintf(stderr, "usage: %s WEIRCTL\n", argv[0]);
		return 2;
	}
	program = realpath(argv[1], NULL);
	alarm(120);
	if (program == NULL || CU_initialize_registry() != CUE_SUCCESS ||
		CU_register_suites(suites) != CUE_SUCCESS)
		return 1;
	CU_basic_set_mode(CU_BRM_NORMAL);
	CU_basic_run_tests();
	free((void *)(uintptr_t)program);
	return CU_get_number_of_failures() != 0 || CU_get_error() != CUE_SUCCESS;
}
