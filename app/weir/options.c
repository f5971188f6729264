/* SPDX-License-Identifier: BSD-3-Clause */
#include "options.h"

#include <getopt.h>
#include <stdio.h>

#include "base/log.h"

static const char help[] =
	"Usage: weir --config FILE [--check | --takeover | --unload] [--user USER]\n"
	"            [--no-sandbox] [--log-level LEVEL]\n"
	"\n"
	"Take UDP streams from the ports in FILE and deliver them to their consumers,\n"
	"until SIGINT or SIGTERM. weirctl(1) watches and changes the running gateway.\n"
	"\n"
	"  -c, --config FILE      configuration, JSON (default /etc/weir/weir.json)\n"
	"  -C, --check            check FILE, print what is wrong with it, and what the\n"
	"                         machine lacks for its ports, and exit\n"
	"  -t, --takeover         take ports, held messages and sessions over from the gateway\n"
	"                         that runs on FILE's control socket, which then ends\n"
	"  -U, --unload           take the XDP program off the interfaces, with all that\n"
	"                         is pinned where FILE says, and exit\n"
	"  -M, --methods          print the methods of the control socket as JSON, and exit\n"
	"  -u, --user USER        become USER once started, with the capabilities that FILE's\n"
	"                         ports need\n"
	"  -S, --no-sandbox       keep all capabilities and system calls, to debug\n"
	"  -l, --log-level LEVEL  error, warning, notice (default), info or debug\n"
	"  -V, --version          print the version and exit\n"
	"  -h, --help             print this text and exit\n"
	"\n"
	"Exit status: 0 stopped as asked, 1 could not start or go on, 2 wrong usage.\n"
	"Signals: SIGTERM and SIGINT stop receiving, deliver what is held for up to two\n"
	"seconds, and end. DPDK's arguments are made from FILE; none are given here.\n";

static const struct option list[] = {
	{"config", required_argument, NULL, 'c'},
	{"check", no_argument, NULL, 'C'},
	{"takeover", no_argument, NULL, 't'},
	{"unload", no_argument, NULL, 'U'},
	{"methods", no_argument, NULL, 'M'},
	{"user", required_argument, NULL, 'u'},
	{"no-sandbox", no_argument, NULL, 'S'},
	{"log-level", required_argument, NULL, 'l'},
	{"version", no_argument, NULL, 'V'},
	{"help", no_argument, NULL, 'h'},
	{0},
};

static int bad(int *status, const char *format, const char *value)
{
	fprintf(stderr, format, value);
	fprintf(stderr, "Try 'weir --help'.\n");
	*status = 2;
	return -1;
}

int weir_options_parse(int argc, char **argv, struct weir_options *options, int *status)
{
	int option, level;

	options->config = "/etc/weir/weir.json";
	options->check_only = false;
	options->takes_over = false;
	options->unload = false;
	options->print_methods = false;
	options->no_sandbox = false;
	options->user = NULL;
	while ((option = getopt_long(argc, argv, "c:CtUMu:Sl:Vh", list, NULL)) != -1) {
		switch (option) {
		case 'c':
			options->config = optarg;
			break;
		case 'C':
			options->check_only = true;
			break;
		case 't':
			options->takes_over = true;
			break;
		case 'U':
			options->unload = true;
			break;
		case 'M':
			options->print_methods = true;
			break;
		case 'u':
			options->user = optarg;
			break;
		case 'S':
			options->no_sandbox = true;
			break;
		case 'l':
			level = weir_log_level_parse(optarg);
			if (level < 0)
				return bad(status, "weir: no log level '%s'\n", optarg);
			weir_log_set_level((enum weir_log_level)level);
			break;
		case 'V':
			printf("weir %s\n", WEIR_VERSION);
			*status = 0;
			return -1;
		case 'h':
			fputs(help, stdout);
			*status = 0;
			return -1;
		default:
			return bad(status, "%s", "");
		}
	}
	if (options->user != NULL && options->no_sandbox)
		return bad(
			status, "weir: --user %s does not go with --no-sandbox\n", options->user);
	if (optind != argc)
		return bad(status, "weir: unexpected argument '%s'\n", argv[optind]);
	return 0;
}
