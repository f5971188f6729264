/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weirctl.h"

#define DEFAULT_SOCKET "/run/weir/weir.sock"
#define TIMEOUT_MAX_S  86400.0

static const char usage_text[] =
	"usage: weirctl [OPTION...] OBJECT VERB [ARGUMENT...]\n"
	"       weirctl [OPTION...] METHOD [NAME=VALUE...]\n"
	"       weirctl [OPTION...] rpc METHOD [JSON]   call with parameters as they are\n"
	"       weirctl [OPTION...] watch OBJECT VERB [ARGUMENT...]\n"
	"       weirctl [OPTION...] top [VIEW]          what flows now, until q\n"
	"       weirctl [OPTION...] check               does the conservation law hold?\n"
	"       weirctl [OPTION...] events              print each event from now on\n"
	"       weirctl [OPTION...] trace               the newest trace, as a waterfall\n"
	"       weirctl [OPTION...] help [METHOD]       what the gateway can do\n"
	"\n"
	"  -s, --socket PATH      the gateway's socket (default $WEIR_SOCKET or\n"
	"                         " DEFAULT_SOCKET ")\n"
	"  -j, --json             print the result as JSON\n"
	"  -t, --timeout SECONDS  wait this long for an answer (default 10)\n"
	"  -n, --interval SECONDS watch, top: time between two calls (default 1)\n"
	"  -c, --count N          watch, events, top: stop after N\n"
	"      --batch            top: print pages instead of using the terminal\n"
	"      --once             top: print one page\n"
	"      --names            help: the names of the methods only\n"
	"  -h, --help             this text, and the methods of the gateway if it runs\n"
	"  -V, --version          the version of weirctl\n"
	"\n"
	"Arguments fill the required parameters in their order; NAME=VALUE sets any.\n"
	"An object is JSON or the name of a file; numbers may end in k, M, G, T, Ki, Mi...\n"
	"Exit status: 0 done, 1 refused by the gateway, 2 usage, 3 no gateway or no answer.\n";

static const struct option long_options[] = {
	{"socket", required_argument, NULL, 's'},
	{"json", no_argument, NULL, 'j'},
	{"timeout", required_argument, NULL, 't'},
	{"interval", required_argument, NULL, 'n'},
	{"count", required_argument, NULL, 'c'},
	{"names", no_argument, NULL, 'N'},
	{"batch", no_argument, NULL, 'B'},
	{"once", no_argument, NULL, 'O'},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},
	{NULL, 0, NULL, 0},
};

static bool parse_seconds(const char *text, double *seconds)
{
	char *end;

	*seconds = strtod(text, &end);
	if (end != text && *end == '\0' && *seconds > 0 && *seconds <= TIMEOUT_MAX_S)
		return true;
	fprintf(stderr, "weirctl: \"%s\" is not a number of seconds\n", text);
	return false;
}

static bool parse_count(const char *text, int *count)
{
	char *end;
	long number;

	errno = 0;
	number = strtol(text, &end, 10);
	if (end != text && *end == '\0' && errno == 0 && number > 0 && number <= 1000000000) {
		*count = (int)number;
		return true;
	}
	fprintf(stderr, "weirctl: \"%s\" is not a count\n", text);
	return false;
}

static int show_help(struct weirctl_client *client)
{
	json_t *methods = NULL;

	fputs(usage_text, stdout);
	client->is_quiet = true;
	if (weirctl_fetch_methods(client, &methods) == 0) {
		printf("\nMethods of the gateway at %s:\n", client->options->socket_path);
		weirctl_print_methods(methods, false);
	}
	json_decref(methods);
	return WEIRCTL_OK;
}

static void ask_batch(struct weirctl_options *options, bool is_once)
{
	options->is_batch = true;
	if (is_once)
		options->count = 1;
}

/* 'h', 'V', 0 to go on, '?' for a fault. */
static int parse_options(int argc, char **argv, struct weirctl_options *options)
{
	int action = 0;
	int letter;

	while ((letter = getopt_long(argc, argv, "s:jt:n:c:hV", long_options, NULL)) != -1) {
		bool is_good = true;

		if (letter == 's')
			options->socket_path = optarg;
		else if (letter == 'j')
			options->is_json = true;
		else if (letter == 't')
			is_good = parse_seconds(optarg, &options->timeout_s);
		else if (letter == 'n')
			is_good = parse_seconds(optarg, &options->interval_s);
		else if (letter == 'c')
			is_good = parse_count(optarg, &options->count);
		else if (letter == 'N')
			options->is_names_only = true;
		else if (letter == 'B' || letter == 'O')
			ask_batch(options, letter == 'O');
		else if (letter == 'h' || letter == 'V')
			action = letter;
		else
			is_good = false;
		if (!is_good)
			return '?';
	}
	return action;
}

int main(int argc, char **argv)
{
	const char *environment = getenv("WEIR_SOCKET");
	struct weirctl_options options = {
		.socket_path = environment != NULL && environment[0] != '\0' ? environment
									     : DEFAULT_SOCKET,
		.timeout_s = 10,
		.interval_s = 1,
	};
	struct weirctl_client client = {.options = &options, .fd = -1};
	int action = parse_options(argc, argv, &options);
	int rc;

	if (action == '?') {
		rc = WEIRCTL_USAGE;
	} else if (action == 'V') {
		puts("weirctl " WEIR_VERSION);
		rc = WEIRCTL_OK;
	} else if (action == 'h') {
		rc = show_help(&client);
	} else {
		rc = weirctl_run(&client, argv + optind, argc - optind);
	}
	weirctl_disconnect(&client);
	return rc;
}
