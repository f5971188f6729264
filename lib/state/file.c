/* SPDX-License-Identifier: BSD-3-Clause */
#include "state/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_BYTES (NAME_MAX + 1)

/* The folder, open, and the names in it: no name is resolved twice. */
struct place {
	int folder;
	char path[PATH_MAX];
	char file[NAME_BYTES];
	char new_file[NAME_BYTES];
	char old_file[NAME_BYTES];
};

static const char start_hint[] = "run as a user who may, or choose another state.file";

/* chmod and not umask, which belongs to all threads. */
static int make_folder(const char *folder)
{
	if (mkdir(folder, 0755) < 0)
		return errno == EEXIST ? 0 : -errno;
	return chmod(folder, 0755) < 0 ? -errno : 0;
}

static int open_place(struct place *place, const char *path, bool is_made, struct weir_error *error)
{
	const char *slash = strrchr(path, '/');
	const char *file = slash != NULL ? slash + 1 : path;
	char folder[PATH_MAX] = ".";
	int rc = 0;

	if (strlen(path) >= sizeof(place->path) || strlen(file) + sizeof(".new") > NAME_BYTES)
		return weir_error_set(error, -ENAMETOOLONG, path, "choose a shorter path",
			"the path is too long");
	if (file[0] == '\0')
		return weir_error_set(
			error, -EINVAL, path, "name a file in a folder", "the path names no file");
	memcpy(place->path, path, strlen(path) + 1);
	memcpy(place->file, file, strlen(file) + 1);
	snprintf(place->new_file, sizeof(place->new_file), "%s.new", file);
	snprintf(place->old_file, sizeof(place->old_file), "%s.old", file);
	if (slash != NULL)
		snprintf(folder, sizeof(folder), "%.*s", (int)(slash == path ? 1 : slash - path),
			path);
	if (is_made)
		rc = make_folder(folder);
	if (rc == 0) {
		place->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		rc = place->folder < 0 ? -errno : 0;
	}
	if (rc < 0)
		return weir_error_set(error, rc, path, start_hint, "cannot %s its folder: %s",
			is_made ? "make or open" : "open", strerror(-rc));
	return 0;
}

/* All of the file, which may have changed its length since it was looked at. */
static int read_all(int fd, size_t length, uint8_t *bytes)
{
	size_t have = 0;
	ssize_t got;

	while (have < length) {
		got = read(fd, bytes + have, length - have);
		if (got < 0 && errno != EINTR)
			return -errno;
		if (got == 0)
			return -EBADMSG;
		have += got > 0 ? (size_t)got : 0;
	}
	return 0;
}

static int read_file(int fd, const char *path, size_t most, uint8_t **bytes, size_t *length,
	struct weir_error *error)
{
	struct stat status;
	int rc;

	if (fstat(fd, &status) < 0)
		return weir_error_set(error, -errno, path, "", "fstat: %s", strerror(errno));
	if (!S_ISREG(status.st_mode))
		return weir_error_set(
			error, -EINVAL, path, "choose another state.file", "is no regular file");
	if (status.st_size > (off_t)most)
		return weir_error_set(
			error, -EBADMSG, path, "", "damaged: it is larger than it can be");
	*length = (size_t)status.st_size;
	*bytes = malloc(*length + 1);
	if (*bytes == NULL)
		return weir_error_set(error, -ENOMEM, path, "", "no memory");
	rc = read_all(fd, *length, *bytes);
	if (rc == 0)
		return 0;
	free(*bytes);
	return weir_error_set(error, rc, path, "", "cannot read it: %s", strerror(-rc));
}

/* `is_old`: FILE.old and not FILE. */
static int load_one(const struct place *place, bool is_old, const struct weir_state_kind *kind,
	void *result, struct weir_error *error)
{
	char path[PATH_MAX + sizeof(".old")];
	uint8_t *bytes = NULL;
	size_t length = 0;
	int fd;
	int rc;

	snprintf(path, sizeof(path), "%s%s", place->path, is_old ? ".old" : "");
	/* Nonblocking, for a FIFO would wait for a writer. */
	fd = openat(place->folder, is_old ? place->old_file : place->file,
		O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return weir_error_set(
			error, -errno, path, start_hint, "cannot open it: %s", strerror(errno));
	rc = read_file(fd, path, kind->max_bytes, &bytes, &length, error);
	close(fd);
	if (rc < 0)
		return rc;
	rc = kind->decode(bytes, length, path, result, error);
	free(bytes);
	return rc;
}

static bool is_damage(int rc)
{
	return rc == -EBADMSG || rc == -EIO;
}

static int write_all(int fd, const uint8_t *bytes, size_t length)
{
	ssize_t written;

	while (length > 0) {
		written = write(fd, bytes, length);
		if (written < 0 && errno != EINTR)
			return -errno;
		bytes += written > 0 ? written : 0;
		length -= written > 0 ? (size_t)written : 0;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

/* FILE.new, whole and on disk; or not there at all. */
static int write_new(const struct place *place, const uint8_t *bytes, size_t length)
{
	int fd;
	int rc;

	if (unlinkat(place->folder, place->new_file, 0) < 0 && errno != ENOENT)
		return -errno;
	fd = openat(place->folder, place->new_file,
		O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	rc = write_all(fd, bytes, length);
	close(fd);
	if (rc < 0)
		unlinkat(place->folder, place->new_file, 0);
	return rc;
}

/*
 * FILE.new gets the name, durably. FILE.new and FILE change their names in one step, so that
 * FILE.old, which may be the only good one, is not touched before FILE is good.
 */
static int publish(const struct place *place, struct weir_error *error)
{
	int folder = place->folder;
	int rc = 0;

	if (renameat2(folder, place->new_file, folder, place->file, RENAME_EXCHANGE) < 0)
		rc = -errno;
	/* There is no FILE yet, or the file system cannot exchange. */
	if (rc == -ENOENT || rc == -EINVAL || rc == -ENOSYS || rc == -EOPNOTSUPP)
		rc = renameat(folder, place->new_file, folder, place->file) < 0 ? -errno : 1;
	if (rc < 0) {
		unlinkat(folder, place->new_file, 0);
		return weir_error_set(
			error, rc, place->path, start_hint, "cannot replace it: %s", strerror(-rc));
	}
	if (fsync(folder) < 0)
		return weir_error_set(error, -errno, place->path, "look at the disk",
			"not known to be on disk: %s", strerror(errno));
	/* After an exchange FILE.new is what FILE was. */
	if (rc == 0 && renameat(folder, place->new_file, folder, place->old_file) < 0)
		return weir_error_set(error, -errno, place->path, start_hint,
			"saved, but the one before it cannot become %.64s: %s", place->old_file,
			strerror(errno));
	return 0;
}

static void copy_error(struct weir_error *to, const struct weir_error *from)
{
	if (to != NULL)
		*to = *from;
}

int weir_state_load_kind(const char *path, const struct weir_state_kind *kind, void *result,
	bool *is_previous, struct weir_error *error)
{
	struct weir_error first = {0};
	struct weir_error second = {0};
	struct place place;
	bool is_lost;
	int rc;

	*is_previous = false;
	rc = open_place(&place, path, false, error);
	if (rc < 0)
		return rc;
	rc = load_one(&place, false, kind, result, &first);
	is_lost = rc == -ENOENT || is_damage(rc);
	if (is_lost)
		rc = load_one(&place, true, kind, result, &second);
	close(place.folder);
	if (!is_lost || rc == 0) {
		*is_previous = is_lost;
		copy_error(error, &first);
		return rc;
	}
	if (rc != -ENOENT && !is_damage(rc)) {
		copy_error(error, &second);
		return rc;
	}
	if (first.code == -ENOENT && second.code == -ENOENT)
		return weir_error_set(error, -ENOENT, path, "", "there is none yet");
	return weir_error_set(error, -EBADMSG, path, kind->lost_hint,
		"%.110s; the one before it, with .old: %.110s", first.reason, second.reason);
}

static int decode_state(const uint8_t *bytes, size_t length, const char *path, void *result,
	struct weir_error *error)
{
	return weir_state_decode(bytes, length, path, result, error);
}

int weir_state_load(
	const char *path, struct weir_state **state, bool *is_previous, struct weir_error *error)
{
	static const struct weir_state_kind kind = {.max_bytes = WEIR_STATE_MAX_BYTES,
		.decode = decode_state,
		.lost_hint = "look at the disk; the numbering begins anew, from the clock"};

	*state = NULL;
	return weir_state_load_kind(path, &kind, state, is_previous, error);
}

int weir_state_write(
	const char *path, const uint8_t *bytes, size_t length, struct weir_error *error)
{
	struct place place;
	int rc;

	rc = open_place(&place, path, true, error);
	if (rc < 0)
		return rc;
	rc = write_new(&place, bytes, length);
	if (rc < 0)
		weir_error_set(error, rc, path, "make room, or look at the disk",
			"cannot write %.64s: %s", place.new_file, strerror(-rc));
	else
		rc = publish(&place, error);
	close(place.folder);
	return rc;
}

int weir_state_save(const char *path, const struct weir_state *state, struct weir_error *error)
{
	uint8_t *bytes;
	size_t length;
	int rc;

	rc = weir_state_encode(state, &bytes, &length);
	if (rc < 0)
		return weir_error_set(error, rc, path, "", "cannot encode: %s", strerror(-rc));
	rc = weir_state_write(path, bytes, length, error);
	free(bytes);
	return rc;
}
