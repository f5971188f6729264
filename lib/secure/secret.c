/* SPDX-License-Identifier: BSD-3-Clause */
#include "secure/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX   (256u << 10) /* bytes; the longest useful file has half of it */
#define HEX_LENGTH ((size_t)2 * WEIR_SECRET_SIZE)
#define LINE_HINT  "write \"ID KEY [NAME]\": a number from 1, 64 hexadecimal digits, a name"

struct weir_secrets {
	size_t count;
	struct weir_secret items[WEIR_SECRETS_MAX];
};

struct word {
	const char *text;
	size_t length; /* 0: the line has no more */
};

/* Where the parser is, for its errors. */
struct place {
	const char *path;
	unsigned int line;
	struct weir_error *error;
};

static int fault(const struct place *place, const char *reason)
{
	return weir_error_set(
		place->error, -EINVAL, place->path, LINE_HINT, "line %u: %s", place->line, reason);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static struct word word_next(const char **cursor, const char *end)
{
	const char *at = *cursor;
	struct word word;

	while (at < end && is_blank(*at))
		at++;
	word.text = at;
	while (at < end && !is_blank(*at))
		at++;
	word.length = (size_t)(at - word.text);
	*cursor = at;
	return word;
}

static bool id_read(struct word word, uint32_t *id)
{
	uint64_t value = 0;

	if (word.length > sizeof("4294967295") - 1)
		return false;
	for (size_t i = 0; i < word.length; i++) {
		if (word.text[i] < '0' || word.text[i] > '9')
			return false;
		value = value * 10 + (uint64_t)(word.text[i] - '0');
	}
	*id = (uint32_t)value;
	return value != 0 && value <= UINT32_MAX;
}

static bool key_read(struct word word, uint8_t key[WEIR_SECRET_SIZE])
{
	size_t length = 0;

	return word.length == HEX_LENGTH &&
	       sodium_hex2bin(key, WEIR_SECRET_SIZE, word.text, word.length, NULL, &length, NULL) ==
		       0 &&
	       length == WEIR_SECRET_SIZE;
}

static bool name_read(struct word word, char name[WEIR_FRAME_NAME_SIZE])
{
	if (word.length >= WEIR_FRAME_NAME_SIZE)
		return false;
	for (size_t i = 0; i < word.length; i++) {
		char c = word.text[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			    c == '_' || c == '.' || c == '-'))
			return false;
	}
	memcpy(name, word.text, word.length);
	return true;
}

static int line_read(
	struct weir_secrets *secrets, const struct place *place, const char *line, const char *end)
{
	const char *comment = memchr(line, '#', (size_t)(end - line));
	const char *stop = comment != NULL ? comment : end;
	struct word id = word_next(&line, stop);
	struct word key = word_next(&line, stop);
	struct word name = word_next(&line, stop);
	struct weir_secret *secret = &secrets->items[secrets->count];

	if (id.length == 0)
		return 0;
	if (secrets->count == WEIR_SECRETS_MAX)
		return fault(place, "more than 1024 keys");
	if (!id_read(id, &secret->id))
		return fault(place, "the id is no number from 1 to 4294967295");
	if (!key_read(key, secret->key))
		return fault(place, "the key has not 64 hexadecimal digits");
	if (!name_read(name, secret->name))
		return fault(place, "a name has 1 to 31 of A-Z a-z 0-9 _ . -");
	if (word_next(&line, stop).length != 0)
		return fault(place, "more than id, key and name");
	if (weir_secrets_find(secrets, secret->id) != NULL)
		return fault(place, "an earlier line has this id");
	secrets->count++;
	return 0;
}

static int text_read(struct weir_secrets *secrets, const char *path, const char *text,
	size_t length, struct weir_error *error)
{
	struct place place = {.path = path, .error = error};
	const char *end = text + length;

	while (text < end) {
		const char *line_end = memchr(text, '\n', (size_t)(end - text));
		int result;

		if (line_end == NULL)
			line_end = end;
		place.line++;
		result = line_read(secrets, &place, text, line_end);
		if (result != 0)
			return result;
		text = line_end + 1;
	}
	if (secrets->count == 0)
		return weir_error_set(error, -EINVAL, path, LINE_HINT, "holds no key");
	return 0;
}

/* Looked at by descriptor, so that it is the file which is then read. */
static int file_check(int fd, const char *path, struct weir_error *error)
{
	struct stat status;

	if (fstat(fd, &status) != 0)
		return weir_error_set(
			error, -errno, path, "", "cannot be examined: %s", strerror(errno));
	if (!S_ISREG(status.st_mode))
		return weir_error_set(
			error, -EINVAL, path, "name a file of keys", "is no regular file");
	if (status.st_uid != 0 && status.st_uid != geteuid())
		return weir_error_set(error, -EPERM, path,
			"chown it to root or to the user that reads it",
			"belongs to user %u, who could change it", (unsigned int)status.st_uid);
	if ((status.st_mode & 07777 & ~(S_IRUSR | S_IWUSR)) != 0)
		return weir_error_set(error, -EPERM, path, "chmod 600",
			"has mode %04o: not only its owner may use it",
			(unsigned int)status.st_mode & 07777);
	return 0;
}

/* Bytes read; at most `size`. */
static ssize_t file_read(int fd, char *text, size_t size)
{
	size_t length = 0;

	while (length < size) {
		ssize_t count = read(fd, text + length, size - length);

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return -errno;
		if (count == 0)
			break;
		length += (size_t)count;
	}
	return (ssize_t)length;
}

static int file_load(
	int fd, const char *path, struct weir_secrets *secrets, struct weir_error *error)
{
	int result = file_check(fd, path, error);
	ssize_t length;
	char *text;

	if (result != 0)
		return result;
	text = malloc(FILE_MAX);
	if (text == NULL)
		return weir_error_set(error, -ENOMEM, path, "", "no memory to read it");
	length = file_read(fd, text, FILE_MAX);
	if (length < 0)
		result = weir_error_set(
			error, (int)length, path, "", "cannot be read: %s", strerror((int)-length));
	else if (length == FILE_MAX)
		result = weir_error_set(error, -EINVAL, path, LINE_HINT, "longer than 256 KiB");
	else
		result = text_read(secrets, path, text, (size_t)length, error);
	sodium_memzero(text, FILE_MAX);
	free(text);
	return result;
}

int weir_secrets_load(const char *path, struct weir_secrets **result, struct weir_error *error)
{
	struct weir_secrets *secrets;
	int fd, code;

	*result = NULL;
	/* Chooses the fastest code for this processor; may be called often, by any thread. */
	if (sodium_init() < 0)
		return weir_error_set(error, -ENOSYS, path, "", "libsodium does not work here");
	/* Without waiting: it might be a pipe. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return weir_error_set(error, -errno, path, "name a file of keys that can be read",
			"cannot be opened: %s", strerror(errno));
	secrets = calloc(1, sizeof(*secrets));
	if (secrets == NULL)
		code = weir_error_set(error, -ENOMEM, path, "", "no memory for its keys");
	else
		code = file_load(fd, path, secrets, error);
	close(fd);
	if (code != 0) {
		weir_secrets_free(secrets);
		return code;
	}
	*result = secrets;
	return 0;
}

void weir_secrets_free(struct weir_secrets *secrets)
{
	if (secrets == NULL)
		return;
	sodium_memzero(secrets, sizeof(*secrets));
	free(secrets);
}

void weir_secret_wipe(struct weir_secret *secret)
{
	sodium_memzero(secret, sizeof(*secret));
}

size_t weir_secrets_count(const struct weir_secrets *secrets)
{
	return secrets->count;
}

const struct weir_secret *weir_secrets_first(const struct weir_secrets *secrets)
{
	return &secrets->items[0];
}

const struct weir_secret *weir_secrets_find(const struct weir_secrets *secrets, uint32_t id)
{
	for (size_t i = 0; i < secrets->count; i++)
		if (secrets->items[i].id == id)
			return &secrets->items[i];
	return NULL;
}
