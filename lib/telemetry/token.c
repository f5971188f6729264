/* SPDX-License-Identifier: BSD-3-Clause */
#include "telemetry/token.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

static const char alphabet[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=";

static int refuse(struct weir_error *error, int code, const char *path, const char *reason)
{
	return weir_error_set(error, code, path,
		"one line of 16 to 256 letters, digits and -._~+/=, mode 0600; such as "
		"(umask 077; openssl rand -hex 32 >FILE)",
		"%s", reason);
}

int weir_token_read(const char *path, char token[WEIR_TOKEN_SIZE], struct weir_error *error)
{
	/* O_NONBLOCK: a FIFO must not hold up the gateway. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat about;
	ssize_t size;
	size_t length;

	if (fd < 0)
		return refuse(error, -errno, path, strerror(errno));
	if (fstat(fd, &about) < 0 || !S_ISREG(about.st_mode)) {
		close(fd);
		return refuse(error, -EINVAL, path, "not a regular file");
	}
	if ((about.st_mode & 077) != 0 || (about.st_uid != 0 && about.st_uid != geteuid())) {
		close(fd);
		return refuse(error, -EPERM, path, "others than its owner may read or write it");
	}
	memset(token, 0, WEIR_TOKEN_SIZE);
	size = read(fd, token, WEIR_TOKEN_SIZE);
	close(fd);
	if (size < 0)
		return refuse(error, -EIO, path, "cannot be read");
	if (size > 0 && token[size - 1] == '\n')
		token[--size] = '\0';
	length = (size_t)size;
	if (length < WEIR_TOKEN_MIN || length >= WEIR_TOKEN_SIZE ||
		strnlen(token, WEIR_TOKEN_SIZE) != length || strspn(token, alphabet) != length) {
		sodium_memzero(token, WEIR_TOKEN_SIZE);
		return refuse(error, -EINVAL, path, "not a token");
	}
	return 0;
}

bool weir_token_matches(const char *token, const char *authorization)
{
	static const char scheme[] = "Bearer ";
	char given[WEIR_TOKEN_SIZE] = "", wanted[WEIR_TOKEN_SIZE] = "";

	if (authorization == NULL || strncasecmp(authorization, scheme, strlen(scheme)) != 0)
		return false;
	authorization += strlen(scheme);
	if (strlen(authorization) >= sizeof(given))
		return false;
	memcpy(given, authorization, strlen(authorization));
	memcpy(wanted, token, strlen(token));
	return sodium_memcmp(given, wanted, sizeof(given)) == 0;
}
