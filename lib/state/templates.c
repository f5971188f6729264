/* SPDX-License-Identifier: BSD-3-Clause */
#include "state/templates.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "state/format.h"

/*
 * Big-endian: magic "WEIRTMPL", version u32, templates u32, then each: length of the stream's name
 * u8, the name, family u8, protocol version u8, port u16, domain u32, address, heard u64, length
 * of the set u16, the set; last BLAKE2b-256 of all before.
 */
#define MAGIC   "WEIRTMPL"
#define VERSION 1
#define HEADER  16
#define FIXED   34 /* of a template behind its name */

static void begin(struct weir_state_sink *sink)
{
	uint8_t *at = weir_state_reserve(sink, HEADER);

	if (at == NULL)
		return;
	memcpy(at, MAGIC, 8);
	weir_state_put(at + 8, VERSION, 4);
	weir_state_put(at + 12, 0, 4); /* how many: known at the end */
	weir_state_commit(sink, at + HEADER);
}

void weir_state_templates_add(
	struct weir_state_templates *templates, const struct weir_state_template *template)
{
	size_t name = strnlen(template->stream, sizeof(template->stream));
	struct weir_state_sink *sink = &templates->sink;
	uint8_t *at;

	if (sink->length == 0)
		begin(sink);
	at = weir_state_reserve(sink, 1 + name + FIXED + template->length);
	if (at == NULL)
		return;
	*at++ = (uint8_t)name;
	memcpy(at, template->stream, name);
	at += name;
	*at++ = template->family;
	*at++ = template->version;
	weir_state_put(at, template->port, 2);
	weir_state_put(at + 2, template->domain, 4);
	memcpy(at + 6, template->address, 16);
	weir_state_put(at + 22, template->heard_ns, 8);
	weir_state_put(at + 30, template->length, 2);
	memcpy(at + 32, template->set, template->length);
	weir_state_commit(sink, at + 32 + template->length);
	templates->count++;
}

int weir_state_templates_end(
	struct weir_state_templates *templates, uint8_t **bytes, size_t *length)
{
	struct weir_state_sink *sink = &templates->sink;
	uint8_t *at;
	int rc;

	if (sink->length == 0)
		begin(sink);
	at = weir_state_reserve(sink, WEIR_STATE_CHECKSUM);
	rc = sink->rc;
	if (at != NULL) {
		weir_state_put(sink->bytes + 12, templates->count, 4);
		weir_state_checksum(sink->bytes, sink->length, at);
		*bytes = sink->bytes;
		*length = sink->length + WEIR_STATE_CHECKSUM;
	} else {
		free(sink->bytes);
		*bytes = NULL;
		*length = 0;
	}
	*templates = (struct weir_state_templates){0};
	return rc;
}

/* The template at *at; false when it is none. */
static bool read_one(const uint8_t **at, const uint8_t *end, struct weir_state_template *template)
{
	const uint8_t *from = *at;
	size_t name;

	if (end - from < 1)
		return false;
	name = *from++;
	if (name == 0 || name >= sizeof(template->stream) || (size_t)(end - from) < name + FIXED)
		return false;
	memset(template, 0, sizeof(*template));
	memcpy(template->stream, from, name);
	if (strnlen(template->stream, name) != name)
		return false;
	from += name;
	template->family = from[0];
	template->version = from[1];
	template->port = (uint16_t)weir_state_get(from + 2, 2);
	template->domain = (uint32_t)weir_state_get(from + 4, 4);
	memcpy(template->address, from + 8, 16);
	template->heard_ns = weir_state_get(from + 24, 8);
	template->length = (uint16_t)weir_state_get(from + 32, 2);
	template->set = from + FIXED;
	if (template->length > end - template->set ||
		(template->family != 4 && template->family != 6))
		return false;
	*at = template->set + template->length;
	return true;
}

static bool is_whole(const uint8_t *bytes, size_t length)
{
	uint8_t checksum[WEIR_STATE_CHECKSUM];

	if (length < HEADER + WEIR_STATE_CHECKSUM || memcmp(bytes, MAGIC, 8) != 0)
		return false;
	weir_state_checksum(bytes, length - WEIR_STATE_CHECKSUM, checksum);
	return memcmp(checksum, bytes + length - WEIR_STATE_CHECKSUM, sizeof(checksum)) == 0;
}

/* All of them, or with `visit` NULL only whether they can be read. */
static bool read_all(
	const uint8_t *bytes, size_t length, weir_state_template_visit visit, void *context)
{
	const uint8_t *at = bytes + HEADER, *end = bytes + length - WEIR_STATE_CHECKSUM;
	uint64_t count = weir_state_get(bytes + 12, 4);
	struct weir_state_template template;

	for (uint64_t i = 0; i < count; i++) {
		if (!read_one(&at, end, &template))
			return false;
		if (visit != NULL)
			visit(context, &template);
	}
	return at == end;
}

int weir_state_templates_read(
	const uint8_t *bytes, size_t length, weir_state_template_visit visit, void *context)
{
	uint64_t version;

	if (!is_whole(bytes, length))
		return -EBADMSG;
	version = weir_state_get(bytes + 8, 4);
	if (version > VERSION)
		return -ENOTSUP;
	if (version != VERSION || !read_all(bytes, length, NULL, NULL))
		return -EBADMSG;
	read_all(bytes, length, visit, context);
	return 0;
}
