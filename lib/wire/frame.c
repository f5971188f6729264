/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/frame.h"
#include "wire/frame_check.h"

static enum weir_reason frame_check(const struct weir_frame_header *header, uint32_t length,
	enum weir_frame_end end, uint64_t session)
{
	const struct weir_frame_rule *rule = weir_frame_rule(header->type);

	if (rule == NULL)
		return header->flags & WEIR_FRAME_IGNORABLE ? WEIR_REASON_NONE
							    : WEIR_REASON_FRAME_TYPE;
	if (!(rule->ends & (1u << end)))
		return WEIR_REASON_FRAME_TYPE;
	if (length < rule->fixed)
		return WEIR_REASON_FRAME_TRUNCATED;
	if (rule->session != WEIR_SESSION_ANY &&
		(session != 0) != (rule->session == WEIR_SESSION_SOME))
		return WEIR_REASON_FRAME_MALFORMED;
	return rule->is_valid(header, length) ? WEIR_REASON_NONE : WEIR_REASON_FRAME_MALFORMED;
}

static enum weir_reason header_check(const struct weir_datagram_header *header, size_t length)
{
	if (length < WEIR_DATAGRAM_HEADER)
		return WEIR_REASON_FRAME_TRUNCATED;
	if (weir_be16(header->magic) != WEIR_FRAME_MAGIC || header->version != WEIR_FRAME_VERSION)
		return WEIR_REASON_FRAME_VERSION;
	if ((header->flags & ~WEIR_DATAGRAM_TAGGED) != 0 || header->frame_count == 0 ||
		length > WEIR_DATAGRAM_MAX)
		return WEIR_REASON_FRAME_MALFORMED;
	if ((header->flags & WEIR_DATAGRAM_TAGGED) &&
		length < WEIR_DATAGRAM_HEADER + WEIR_DATAGRAM_TRAILER)
		return WEIR_REASON_FRAME_TRUNCATED;
	return WEIR_REASON_NONE;
}

enum weir_reason weir_datagram_open(
	struct weir_frame_cursor *cursor, enum weir_frame_end end, const void *data, size_t length)
{
	const struct weir_datagram_header *header = (const struct weir_datagram_header *)data;
	enum weir_reason reason = header_check(header, length);
	size_t offset = WEIR_DATAGRAM_HEADER;

	if (reason != WEIR_REASON_NONE)
		return reason;
	cursor->session = weir_be64(header->session);
	cursor->next = (const uint8_t *)data + offset;
	cursor->left = weir_be16(header->frame_count);
	cursor->is_tagged = header->flags & WEIR_DATAGRAM_TAGGED;
	if (cursor->is_tagged)
		length -= WEIR_DATAGRAM_TRAILER;
	for (uint16_t left = cursor->left; left > 0; left--) {
		const struct weir_frame_header *frame =
			(const void *)((const uint8_t *)data + offset);
		uint32_t frame_length;

		if (length - offset < sizeof(*frame))
			return WEIR_REASON_FRAME_TRUNCATED;
		frame_length = weir_be16(frame->length);
		if (frame_length < WEIR_FRAME_ALIGN || frame_length % WEIR_FRAME_ALIGN != 0)
			return WEIR_REASON_FRAME_MALFORMED;
		if (frame_length > length - offset)
			return WEIR_REASON_FRAME_TRUNCATED;
		reason = frame_check(frame, frame_length, end, cursor->session);
		if (reason != WEIR_REASON_NONE)
			return reason;
		offset += frame_length;
	}
	return offset == length ? WEIR_REASON_NONE : WEIR_REASON_FRAME_MALFORMED;
}

const struct weir_frame_header *weir_frame_next(struct weir_frame_cursor *cursor)
{
	while (cursor->left > 0) {
		const struct weir_frame_header *frame = (const void *)cursor->next;

		cursor->left--;
		cursor->next += weir_be16(frame->length);
		if (weir_frame_rule(frame->type) != NULL)
			return frame;
	}
	return NULL;
}

int weir_writer_add_error(struct weir_writer *writer, enum weir_frame_code code, uint64_t nonce,
	uint32_t retry_ms, const char *text)
{
	struct weir_frame_error *error;
	uint16_t length = 0;

	while (length < WEIR_FRAME_ERROR_TEXT && text[length] >= 0x20 && text[length] <= 0x7e)
		length++;
	error = weir_writer_add(writer, WEIR_FRAME_ERROR, 0, (uint32_t)sizeof(*error) + length);
	if (error == NULL)
		return -1;
	error->code = weir_be16((uint16_t)code);
	error->text_length = weir_be16(length);
	error->nonce = weir_be64(nonce);
	error->retry_ms = weir_be32(retry_ms);
	__builtin_memcpy(error->text, text, length);
	return 0;
}

const char *weir_frame_error_name(uint16_t code)
{
	switch (code) {
#define X(id, number, name, text)                                                                  \
	case number:                                                                               \
		return name;
		WEIR_FRAME_ERRORS(X)
#undef X
	default:
		return "unknown";
	}
}

const char *weir_frame_error_text(uint16_t code)
{
	switch (code) {
#define X(id, number, name, text)                                                                  \
	case number:                                                                               \
		return text;
		WEIR_FRAME_ERRORS(X)
#undef X
	default:
		return "unknown";
	}
}
