/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>

#include "commands.h"

static const char usage[] =
	"weirload " WEIR_VERSION ": UDP streams, made and verified, and a bad wire for them\n"
	"\n"
	"Usage: weirload send --to ADDRESS:PORT [options]\n"
	"       weirload produce --to ADDRESS:PORT --stream NAME [options]\n"
	"       weirload receive --listen ADDRESS:PORT [options]\n"
	"       weirload receive --native ADDRESS:PORT --group NAME [options]\n"
	"       weirload link INTERFACE INTERFACE [options]\n"
	"\n"
	"  send     numbered messages of many keys, at a rate, as a protocol that Weir carries\n"
	"  produce  the same by the stream protocol: acknowledged, paced, sent again\n"
	"  receive  as a blind or a native consumer: checks order by key, loss, duplicates\n"
	"  link     a wire between two interfaces that loses, delays, reorders, duplicates\n"
	"\n"
	"All print a report in JSON when they end, also on SIGINT and SIGTERM. After the\n"
	"command, --help lists its options.\n"
	"Exit status: 0, 1 failed, 2 wrong arguments, 3 not clean (--strict).";

int load_signals_open(void)
{
	sigset_t signals;
	int fd;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
		return -errno;
	fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

int main(int argc, char **argv)
{
	if (argc >= 2 && strcmp(argv[1], "send") == 0)
		return load_send_command(argc - 1, argv + 1);
	if (argc >= 2 && strcmp(argv[1], "produce") == 0)
		return load_produce_command(argc - 1, argv + 1);
	if (argc >= 2 && strcmp(argv[1], "receive") == 0)
		return load_receive_command(argc - 1, argv + 1);
	if (argc >= 2 && strcmp(argv[1], "link") == 0)
		return load_link_command(argc - 1, argv + 1);
	if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		puts(usage);
		return LOAD_EXIT_OK;
	}
	fprintf(stderr, "%s\n", usage);
	return LOAD_EXIT_USAGE;
}
