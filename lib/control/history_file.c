/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/history.h"

#define MAGIC      "weir-versions"
#define FORMAT     1
#define DIGEST_HEX (2 * crypto_hash_sha256_BYTES)
/* "weir-versions 1 DIGEST\n" */
#define HEADER_BYTES (sizeof(MAGIC) - 1 + 1 + 1 + 1 + DIGEST_HEX + 1)

static void digest(const void *bytes, size_t length, char hex[DIGEST_HEX + 1])
{
	unsigned char hash[crypto_hash_sha256_BYTES];

	crypto_hash_sha256(hash, bytes, length);
	sodium_bin2hex(hex, DIGEST_HEX + 1, hash, sizeof(hash));
}

/* The configuration is text already: it is put in as it is, where a parser would be slow. */
static bool write_version(FILE *out, const struct weir_version *version)
{
	json_t *object = json_pack("{s:I, s:I, s:I, s:b, s:b, s:s, s:s}", "version",
		(json_int_t)version->number, "before", (json_int_t)version->before, "wall_ns",
		(json_int_t)version->wall_ns, "start", version->is_from_start, "reverted",
		version->is_reverted, "comment", version->comment, "digest", version->digest);
	char *text = json_dumps(object, JSON_COMPACT);

	json_decref(object);
	if (text == NULL)
		return false;
	fprintf(out, "%.*s,\"config\":%s}", (int)strlen(text) - 1, text, version->json);
	free(text);
	return true;
}

static bool write_all(FILE *out, const struct weir_history *history)
{
	fprintf(out, "%*s{\"next\":%llu,\"running\":%llu,\"back\":%llu,\"versions\":[",
		(int)HEADER_BYTES, "", (unsigned long long)history->next,
		(unsigned long long)history->running, (unsigned long long)history->back);
	for (uint32_t i = 0; i < history->count; i++) {
		if (i != 0)
			fputc(',', out);
		if (!write_version(out, history->versions[i]))
			return false;
	}
	fputs("]}\n", out);
	return ferror(out) == 0;
}

int weir_history_encode(const struct weir_history *history, uint8_t **bytes, size_t *length)
{
	char header[HEADER_BYTES + 1];
	char hex[DIGEST_HEX + 1];
	char *text = NULL;
	FILE *out = open_memstream(&text, length);
	bool is_good;

	if (out == NULL)
		return -ENOMEM;
	is_good = write_all(out, history);
	if (fclose(out) != 0 || !is_good) {
		free(text);
		return -ENOMEM;
	}
	digest(text + HEADER_BYTES, *length - HEADER_BYTES, hex);
	snprintf(header, sizeof(header), MAGIC " %d %s\n", FORMAT, hex);
	memcpy(text, header, HEADER_BYTES);
	*bytes = (uint8_t *)text;
	return 0;
}

static bool read_count(const json_t *object, const char *key, uint64_t *value)
{
	const json_t *number = json_object_get(object, key);

	*value = (uint64_t)json_integer_value(number);
	return json_is_integer(number) && json_integer_value(number) >= 0;
}

static bool read_text(const json_t *object, const char *key, char *text, size_t size)
{
	const char *value = json_string_value(json_object_get(object, key));

	if (value == NULL || strlen(value) >= size)
		return false;
	memcpy(text, value, strlen(value) + 1);
	return true;
}

/* 0, -ENOMEM, or -EBADMSG. */
static int read_version(const json_t *object, struct weir_version *version)
{
	const json_t *start = json_object_get(object, "start");
	const json_t *reverted = json_object_get(object, "reverted");
	const json_t *config = json_object_get(object, "config");
	char hex[DIGEST_HEX + 1];

	if (!read_count(object, "version", &version->number) ||
		!read_count(object, "before", &version->before) ||
		!read_count(object, "wall_ns", &version->wall_ns) ||
		!read_text(object, "comment", version->comment, sizeof(version->comment)) ||
		!read_text(object, "digest", version->digest, sizeof(version->digest)) ||
		!json_is_boolean(start) || !json_is_boolean(reverted) || !json_is_object(config) ||
		version->number == 0 || version->before >= version->number)
		return -EBADMSG;
	version->is_from_start = json_is_true(start);
	version->is_reverted = json_is_true(reverted);
	version->json = json_dumps(config, JSON_COMPACT | JSON_SORT_KEYS);
	if (version->json == NULL)
		return -ENOMEM;
	digest(version->json, strlen(version->json), hex);
	return strcmp(hex, version->digest) == 0 ? 0 : -EBADMSG;
}

static int read_versions(const json_t *list, struct weir_history *history)
{
	uint64_t last = 0;
	size_t i;
	json_t *object;

	if (!json_is_array(list) || json_array_size(list) > WEIR_HISTORY_VERSIONS)
		return -EBADMSG;
	json_array_foreach (list, i, object) {
		struct weir_version *version = calloc(1, sizeof(*version));
		int rc = version != NULL ? read_version(object, version) : -ENOMEM;

		if (rc == 0 && (version->number <= last || version->number >= history->next))
			rc = -EBADMSG;
		if (rc < 0) {
			weir_version_free(version);
			return rc;
		}
		last = version->number;
		history->bytes += strlen(version->json);
		history->versions[history->count++] = version;
	}
	return 0;
}

static int read_history(const json_t *root, struct weir_history *history)
{
	int rc;

	if (!read_count(root, "next", &history->next) ||
		!read_count(root, "running", &history->running) ||
		!read_count(root, "back", &history->back))
		return -EBADMSG;
	rc = read_versions(json_object_get(root, "versions"), history);
	if (rc < 0)
		return rc;
	if (history->running != 0 && weir_history_running(history) == NULL)
		return -EBADMSG;
	if (history->back != 0 && (history->running == 0 || history->back == history->running ||
					  weir_history_find(history, history->back) == NULL))
		return -EBADMSG;
	return 0;
}

static int check_header(
	const uint8_t *bytes, size_t length, const char *path, struct weir_error *error)
{
	char header[HEADER_BYTES + 1];
	char hex[DIGEST_HEX + 1];
	int format;

	if (length < HEADER_BYTES || memcmp(bytes, MAGIC " ", sizeof(MAGIC)) != 0)
		return weir_error_set(error, -EBADMSG, path, "", "damaged: no list of versions");
	format = bytes[sizeof(MAGIC)] - '0';
	if (format > FORMAT && format <= 9)
		return weir_error_set(error, -ENOTSUP, path, "run the newer gateway, or move it",
			"written by a newer gateway, in format %d", format);
	digest(bytes + HEADER_BYTES, length - HEADER_BYTES, hex);
	snprintf(header, sizeof(header), MAGIC " %d %s\n", FORMAT, hex);
	if (memcmp(bytes, header, HEADER_BYTES) != 0)
		return weir_error_set(error, -EBADMSG, path, "", "damaged: its checksum is wrong");
	return 0;
}

static int decode(const uint8_t *bytes, size_t length, const char *path, void *result,
	struct weir_error *error)
{
	struct weir_history *history;
	json_t *root;
	int rc = check_header(bytes, length, path, error);

	if (rc < 0)
		return rc;
	history = weir_history_create();
	root = json_loadb((const char *)bytes + HEADER_BYTES, length - HEADER_BYTES,
		JSON_REJECT_DUPLICATES, NULL);
	rc = history == NULL ? -ENOMEM : root == NULL ? -EBADMSG : read_history(root, history);
	json_decref(root);
	if (rc == 0) {
		*(struct weir_history **)result = history;
		return 0;
	}
	weir_history_destroy(history);
	return weir_error_set(error, rc, path, "",
		rc == -ENOMEM ? "no memory" : "damaged: it contradicts itself");
}

const struct weir_state_kind weir_history_kind = {.max_bytes = WEIR_HISTORY_MAX_FILE,
	.decode = decode,
	.lost_hint = "look at the disk; the versions are counted anew"};
