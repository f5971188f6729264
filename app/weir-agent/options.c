/* SPDX-License-Identifier: BSD-3-Clause */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/agent_session.h"

#define INTERVAL_LEAST 100
#define INTERVAL_MOST  1000000

static const char help[] =
	"Usage: weir-agent --port PORT --gateway ADDRESS[:PORT] --group GROUP [OPTIONS]\n"
	"\n"
	"Watch the UDP socket of a collector on this host and tell a Weir gateway how full it\n"
	"is, so that the gateway sends no more than the socket can hold. The collector knows\n"
	"nothing of it. It runs until SIGINT or SIGTERM, over restarts of both.\n"
	"\n"
	"  -p, --port PORT          UDP port of the collector; may be given again\n"
	"  -g, --gateway ADDRESS    of the gateway; with another port than 4150: 192.0.2.1:4151,\n"
	"                           [2001:db8::1]:4151\n"
	"  -G, --group GROUP        the collector's group in the gateway, of class assisted\n"
	"  -a, --address ADDRESS    of the collector as the gateway has it (default: the one that\n"
	"                           this host sends to the gateway from)\n"
	"  -n, --name NAME          of this agent, in the gateway's logs (default: host and "
	"process)\n"
	"  -k, --key-file FILE      pre-shared key of the group\n"
	"  -i, --interval-us N      look every N microseconds while there is traffic (default "
	"1000)\n"
	"  -o, --once               report once, print what was seen, and end\n"
	"  -v, --verbose            print what is seen every second\n"
	"  -V, --version            print the version and exit\n"
	"  -h, --help               print this text and exit\n"
	"\n"
	"Exit status: 0 stopped as asked, 1 could not start or go on, 2 wrong usage.\n";

static int bad(int *status, const char *format, const char *value)
{
	fprintf(stderr, format, value);
	fprintf(stderr, "Try 'weir-agent --help'.\n");
	*status = 2;
	return -1;
}

static int parse_number(const char *text, unsigned long least, unsigned long most, uint32_t *value)
{
	unsigned long number;
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return -EINVAL;
	errno = 0;
	number = strtoul(text, &end, 10);
	if (errno != 0 || *end != '\0' || number < least || number > most)
		return -EINVAL;
	*value = (uint32_t)number;
	return 0;
}

/* "192.0.2.1", "192.0.2.1:4151", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:4151". */
static int parse_gateway(const char *text, struct agent_options *options)
{
	const char *first = strchr(text, ':'), *start = text, *port = NULL;
	size_t length = strlen(text);
	struct weir_address address;
	uint32_t number = WEIR_FRAME_PORT;

	if (text[0] == '[') {
		const char *end = strchr(text, ']');

		if (end == NULL || (end[1] != '\0' && end[1] != ':'))
			return -EINVAL;
		start = text + 1;
		length = (size_t)(end - start);
		port = end[1] == ':' ? end + 2 : NULL;
	} else if (first != NULL && strchr(first + 1, ':') == NULL) {
		length = (size_t)(first - text);
		port = first + 1;
	}
	if (length >= sizeof(options->gateway) ||
		(port != NULL && parse_number(port, 1, UINT16_MAX, &number) < 0))
		return -EINVAL;
	memcpy(options->gateway, start, length);
	options->gateway[length] = '\0';
	options->gateway_port = (uint16_t)number;
	return weir_address_parse(options->gateway, &address);
}

static int add_port(const char *text, struct agent_options *options)
{
	uint32_t number;

	if (options->port_count == AGENT_PORTS || parse_number(text, 1, UINT16_MAX, &number) < 0)
		return -EINVAL;
	options->ports[options->port_count++] = (uint16_t)number;
	return 0;
}

/* 0 or the text of what is wrong with the argument. */
static const char *take(int option, struct agent_options *options)
{
	char name[WEIR_FRAME_NAME_SIZE];

	switch (option) {
	case 'p':
		return add_port(optarg, options) < 0
			       ? "weir-agent: no UDP port, or too many: '%s'\n"
			       : NULL;
	case 'g':
		return parse_gateway(optarg, options) < 0
			       ? "weir-agent: no address, or address and port: '%s'\n"
			       : NULL;
	case 'G':
		options->group = optarg;
		return weir_greeting_set_name(name, optarg) < 0
			       ? "weir-agent: no name of a group: '%s'\n"
			       : NULL;
	case 'n':
		options->name = optarg;
		return weir_greeting_set_name(name, optarg) < 0
			       ? "weir-agent: no name (1 to 31 of A-Z a-z 0-9 _ . -): '%s'\n"
			       : NULL;
	case 'a':
		return weir_address_parse(optarg, &options->address) < 0
			       ? "weir-agent: no address: '%s'\n"
			       : NULL;
	case 'k':
		options->key_file = optarg;
		return NULL;
	case 'i':
		return parse_number(optarg, INTERVAL_LEAST, INTERVAL_MOST, &options->interval_us) <
				       0
			       ? "weir-agent: not between 100 and 1000000 us: '%s'\n"
			       : NULL;
	case 'o':
		options->is_once = true;
		return NULL;
	case 'v':
		options->is_verbose = true;
		return NULL;
	default:
		optarg = NULL;
		return "%s";
	}
}

static int check(const struct agent_options *options, int *status)
{
	if (options->port_count == 0)
		return bad(status, "weir-agent: which port is to be watched? Give %s\n", "--port");
	if (options->gateway[0] == '\0')
		return bad(status, "weir-agent: where is the gateway? Give %s\n", "--gateway");
	if (options->group == NULL)
		return bad(status, "weir-agent: of which group is it? Give %s\n", "--group");
	return 0;
}

int agent_options_parse(int argc, char **argv, struct agent_options *options, int *status)
{
	static const struct option list[] = {
		{"port", required_argument, NULL, 'p'},
		{"gateway", required_argument, NULL, 'g'},
		{"group", required_argument, NULL, 'G'},
		{"address", required_argument, NULL, 'a'},
		{"name", required_argument, NULL, 'n'},
		{"key-file", required_argument, NULL, 'k'},
		{"interval-us", required_argument, NULL, 'i'},
		{"once", no_argument, NULL, 'o'},
		{"verbose", no_argument, NULL, 'v'},
		{"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int option;

	memset(options, 0, sizeof(*options));
	options->interval_us = WEIR_AGENT_INTERVAL_US;
	while ((option = getopt_long(argc, argv, "p:g:G:a:n:k:i:ovVh", list, NULL)) != -1) {
		const char *wrong;

		if (option == 'V' || option == 'h') {
			if (option == 'V')
				printf("weir-agent %s\n", WEIR_VERSION);
			else
				fputs(help, stdout);
			*status = 0;
			return -1;
		}
		wrong = take(option, options);
		if (wrong != NULL)
			return bad(status, wrong, optarg != NULL ? optarg : "");
	}
	if (optind != argc)
		return bad(status, "weir-agent: unexpected argument '%s'\n", argv[optind]);
	return check(options, status);
}
