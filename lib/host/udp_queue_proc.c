/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "host/udp_queue_private.h"

#define LINE          512
#define DEFAULT_LIMIT 212992 /* of Linux for long, when it does not tell */

/* The kernel prints an address as 32-bit words of the machine's own order. */
static bool read_address(const char *text, uint8_t family, struct weir_address *address)
{
	uint8_t bytes[16] = {0};

	for (unsigned int i = 0; i < (family == 6 ? 4u : 1u); i++) {
		uint32_t word;

		if (sscanf(text + (size_t)i * 8, "%8" SCNx32, &word) != 1)
			return false;
		memcpy(bytes + (size_t)i * 4, &word, sizeof(word));
	}
	weir_address_read(address, family, bytes);
	return true;
}

bool weir_udp_proc_line(
	const char *line, uint8_t family, uint16_t port, struct weir_udp_socket *socket)
{
	unsigned int local_port, remote_port;
	char local[33], remote[33];

	memset(socket, 0, sizeof(*socket));
	if (sscanf(line,
		    " %*u: %32[0-9A-Fa-f]:%4x %32[0-9A-Fa-f]:%4x %*x %*x:%" SCNx32
		    " %*x:%*x %*x %*u %*u %" SCNu64 " %*d %*s %" SCNu64,
		    local, &local_port, remote, &remote_port, &socket->queue_bytes, &socket->inode,
		    &socket->drops) != 7)
		return false;
	if (local_port != port || strlen(local) != (family == 6 ? 32 : 8))
		return false;
	socket->is_connected = remote_port != 0;
	return read_address(local, family, &socket->local);
}

/* The size of a socket's queue is not told here: the least that it has unless it was lowered. */
static uint32_t default_limit(void)
{
	FILE *file = fopen("/proc/sys/net/core/rmem_default", "re");
	uint32_t limit = DEFAULT_LIMIT;

	if (file == NULL)
		return limit;
	if (fscanf(file, "%" SCNu32, &limit) != 1)
		limit = DEFAULT_LIMIT;
	fclose(file);
	return limit;
}

static int read_file(
	const char *path, uint8_t family, uint16_t port, struct weir_udp_choice *choice)
{
	FILE *file = fopen(path, "re");
	struct weir_udp_socket socket;
	char line[LINE];

	if (file == NULL)
		return -errno;
	while (fgets(line, sizeof(line), file) != NULL)
		if (weir_udp_proc_line(line, family, port, &socket)) {
			socket.limit_bytes = default_limit();
			weir_udp_choose(choice, &socket);
		}
	fclose(file);
	return 0;
}

int weir_udp_proc_all(uint16_t port, struct weir_udp_choice *choice)
{
	int result = read_file("/proc/net/udp", 4, port, choice);
	/* A kernel without IPv6 has no such file. */
	int also = read_file("/proc/net/udp6", 6, port, choice);

	return also == 0 || also == -ENOENT ? result : also;
}
