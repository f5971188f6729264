/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/keys.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"

struct key_file {
	struct key_file *next;
	struct weir_secrets *secrets; /* NULL: the file cannot be used as it is */
	struct stat seen;             /* of the file that was read; st_ino 0: there was none */
	char path[];
};

struct weir_keys {
	struct key_file *files;
};

struct weir_keys *weir_keys_create(void)
{
	return calloc(1, sizeof(struct weir_keys));
}

void weir_keys_destroy(struct weir_keys *keys)
{
	while (keys != NULL && keys->files != NULL) {
		struct key_file *file = keys->files;

		keys->files = file->next;
		weir_secrets_free(file->secrets);
		free(file);
	}
	free(keys);
}

static struct key_file *find(struct weir_keys *keys, const char *path)
{
	size_t length = strlen(path) + 1;
	struct key_file *file = keys->files;

	while (file != NULL && strcmp(file->path, path) != 0)
		file = file->next;
	if (file != NULL)
		return file;
	file = calloc(1, sizeof(*file) + length);
	if (file == NULL)
		return NULL;
	memcpy(file->path, path, length);
	/* No file has this change time: it is read below. */
	file->seen.st_ctim.tv_nsec = -1;
	file->next = keys->files;
	keys->files = file;
	return file;
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

const struct weir_secrets *weir_keys_get(struct weir_keys *keys, const char *path)
{
	struct key_file *file = find(keys, path);
	struct weir_error error = {0};
	struct stat now;

	if (file == NULL)
		return NULL;
	if (stat(path, &now) != 0)
		memset(&now, 0, sizeof(now));
	if (is_same(&now, &file->seen))
		return file->secrets;
	weir_secrets_free(file->secrets);
	file->secrets = NULL;
	file->seen = now;
	if (weir_secrets_load(path, &file->secrets, &error) < 0) {
		file->secrets = NULL;
		weir_log_error("keys", "%s: %s; nobody who needs a key of it is admitted%s%s", path,
			error.reason, error.hint[0] != '\0' ? ": " : "", error.hint);
	} else {
		weir_log_info("keys", "%s: %zu keys", path, weir_secrets_count(file->secrets));
	}
	return file->secrets;
}
