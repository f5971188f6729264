/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"

#define GROUP_NAME "weir"
#define BACKLOG    16
#define NO_GROUP   ((gid_t)-1)

/* Looked up each time: a group added while the gateway runs counts from then on. */
static gid_t weir_group(void)
{
	const struct group *group = getgrnam(GROUP_NAME);

	return group != NULL ? group->gr_gid : NO_GROUP;
}

static int set_address(struct weir_socket *sock, const char *path, struct weir_error *error)
{
	size_t length = strlen(path);

	if (length == 0 || length >= sizeof(sock->address.sun_path))
		return weir_error_set(error, -ENAMETOOLONG, path, "choose a shorter path",
			"a socket path has 1 to %zu bytes", sizeof(sock->address.sun_path) - 1);
	sock->address.sun_family = AF_UNIX;
	memcpy(sock->address.sun_path, path, length + 1);
	return 0;
}

static int make_parent(const char *path, struct weir_error *error)
{
	char folder[sizeof(((struct sockaddr_un *)0)->sun_path)];
	char *slash;
	mode_t before;
	int rc;

	snprintf(folder, sizeof(folder), "%s", path);
	slash = strrchr(folder, '/');
	if (slash == NULL || slash == folder)
		return 0;
	*slash = '\0';
	before = umask(0022);
	rc = mkdir(folder, 0755);
	umask(before);
	if (rc < 0 && errno != EEXIST)
		return weir_error_set(error, -errno, folder, "create the folder, or run as root",
			"cannot create it: %s", strerror(errno));
	return 0;
}

/* The file stays when the gateway ends: a lock file that is unlinked can be locked twice, once by
 * whoever had it open already and once by whoever creates it anew. */
static int take_lock(struct weir_socket *sock, struct weir_error *error)
{
	char path[sizeof(sock->address.sun_path) + sizeof(".lock")];
	char pid[16];
	ssize_t length;

	snprintf(path, sizeof(path), "%s.lock", sock->address.sun_path);
	sock->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (sock->lock_fd < 0)
		return weir_error_set(error, -errno, path, "run as a user who may write there",
			"cannot open the lock file: %s", strerror(errno));
	if (flock(sock->lock_fd, LOCK_EX | LOCK_NB) < 0) {
		length = read(sock->lock_fd, pid, sizeof(pid) - 1);
		pid[length > 0 ? length : 0] = '\0';
		pid[strcspn(pid, "\n")] = '\0';
		return weir_error_set(error, -EADDRINUSE, sock->address.sun_path,
			"stop it, or choose another socket path",
			"another gateway owns the socket (pid %s)",
			pid[0] != '\0' ? pid : "unknown");
	}
	if (ftruncate(sock->lock_fd, 0) < 0 || dprintf(sock->lock_fd, "%d\n", (int)getpid()) < 0)
		weir_log_warning("control", "%s: cannot note the pid: %s", path, strerror(errno));
	return 0;
}

/* Under the lock: what is at the path is not another gateway's, unless that one has no lock. */
static int remove_stale(const struct weir_socket *sock, struct weir_error *error)
{
	const char *path = sock->address.sun_path;
	struct stat status;
	int fd;
	int rc;

	if (lstat(path, &status) < 0)
		return 0; /* ENOENT; of anything else, bind says more */
	if (!S_ISSOCK(status.st_mode))
		return weir_error_set(error, -EEXIST, path, "choose another socket path",
			"exists and is not a socket");
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return weir_error_set(error, -errno, path, "", "socket: %s", strerror(errno));
	rc = connect(fd, (const struct sockaddr *)&sock->address, sizeof(sock->address));
	rc = rc < 0 ? errno : 0;
	close(fd);
	if (rc == 0 || rc == EAGAIN)
		return weir_error_set(error, -EADDRINUSE, path,
			"stop it, or choose another socket path", "another process answers there");
	if (rc != ECONNREFUSED)
		return weir_error_set(error, -rc, path, "remove the file when nobody uses it",
			"cannot tell whether the socket is in use: %s", strerror(rc));
	if (unlink(path) < 0)
		return weir_error_set(error, -errno, path, "remove the file",
			"a socket left by a dead process cannot be removed: %s", strerror(errno));
	return 0;
}

static int bind_and_listen(struct weir_socket *sock, struct weir_error *error)
{
	const char *path = sock->address.sun_path;
	gid_t group = weir_group();
	struct stat status;
	mode_t before;
	int rc;

	sock->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (sock->fd < 0)
		return weir_error_set(error, -errno, path, "", "socket: %s", strerror(errno));
	before = umask(0117);
	rc = bind(sock->fd, (const struct sockaddr *)&sock->address, sizeof(sock->address));
	umask(before);
	if (rc < 0)
		return weir_error_set(error, -errno, path, "run as a user who may write there",
			"cannot bind: %s", strerror(errno));
	if (lstat(path, &status) < 0)
		return weir_error_set(error, -errno, path, "", "lost at once: %s", strerror(errno));
	sock->device = status.st_dev;
	sock->inode = status.st_ino;
	/* The group before the listen: nobody connects under the old one. */
	if (group != NO_GROUP && lchown(path, (uid_t)-1, group) < 0)
		weir_log_warning("control", "%s: cannot give it to group %s: %s", path, GROUP_NAME,
			strerror(errno));
	if (listen(sock->fd, BACKLOG) < 0)
		return weir_error_set(error, -errno, path, "", "listen: %s", strerror(errno));
	return 0;
}

/* Supplementary groups; the peer's own gid comes with its credentials. */
static bool peer_has_group(int fd, gid_t group)
{
	socklen_t size = 0;
	gid_t *groups;
	bool is_member = false;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &size) == 0 || errno != ERANGE)
		return false;
	groups = malloc(size);
	if (groups == NULL)
		return false;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) == 0)
		for (size_t i = 0; i < size / sizeof(*groups); i++)
			is_member = is_member || groups[i] == group;
	free(groups);
	return is_member;
}

int weir_socket_open(struct weir_socket *sock, const char *path, struct weir_error *error)
{
	int rc;

	*sock = (struct weir_socket){.fd = -1, .lock_fd = -1};
	rc = set_address(sock, path, error);
	if (rc == 0)
		rc = make_parent(path, error);
	if (rc == 0)
		rc = take_lock(sock, error);
	if (rc == 0)
		rc = remove_stale(sock, error);
	if (rc == 0)
		rc = bind_and_listen(sock, error);
	if (rc < 0)
		weir_socket_close(sock);
	return rc;
}

void weir_socket_close(struct weir_socket *sock)
{
	struct stat status;

	if (sock->inode != 0 && lstat(sock->address.sun_path, &status) == 0 &&
		status.st_dev == sock->device && status.st_ino == sock->inode)
		unlink(sock->address.sun_path);
	if (sock->fd >= 0)
		close(sock->fd);
	if (sock->lock_fd >= 0)
		close(sock->lock_fd);
	*sock = (struct weir_socket){.fd = -1, .lock_fd = -1};
}

int weir_socket_peer(int fd, struct weir_rpc_peer *peer)
{
	gid_t group = weir_group();
	struct ucred credentials;
	socklen_t size = sizeof(credentials);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0)
		return -errno;
	peer->uid = credentials.uid;
	peer->pid = credentials.pid;
	peer->role = WEIR_RPC_READ;
	if (credentials.uid == 0 || credentials.uid == geteuid() ||
		(group != NO_GROUP && (credentials.gid == group || peer_has_group(fd, group))))
		peer->role = WEIR_RPC_WRITE;
	return 0;
}
