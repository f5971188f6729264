/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <sys/stat.h>
#include <sys/un.h>

#include "base/error.h"
#include "control/rpc.h"

/*
 * The control socket as a file: who may reach it, and that only one gateway owns it.
 *
 * A lock file beside it ("<path>.lock") is held as long as the socket lives, so two gateways that
 * start together cannot both win. A socket file left by a dead process is removed; one that
 * answers is not. Permissions are right from the first moment: the umask is set before the bind,
 * so there is no time in which the socket is open to more than 0660. The umask belongs to
 * the whole process: open the socket before other threads create files.
 */
struct weir_socket {
	struct sockaddr_un address;
	int fd;       /* listening, non-blocking */
	int lock_fd;  /* its flock is the ownership */
	dev_t device; /* of the socket file that was made, so that only that one is removed */
	ino_t inode;
};

/*
 * Listen on `path`: mode 0660, group `weir` where that group exists. A missing parent folder is
 * made, 0755. 0, -EADDRINUSE when another process owns it, -ENAMETOOLONG, -EEXIST when the path
 * is something else than a socket; `error` is filled.
 */
int weir_socket_open(struct weir_socket *socket, const char *path, struct weir_error *error);
/* Remove the socket file and release the lock. */
void weir_socket_close(struct weir_socket *socket);
/*
 * Who is at the other end of `fd`: root, this process's own user and members of group `weir` may
 * write, whoever else the file permissions let in may read. 0 or negative errno.
 */
int weir_socket_peer(int fd, struct weir_rpc_peer *peer);
