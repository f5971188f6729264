/* SPDX-License-Identifier: BSD-3-Clause */
#include "traceparent.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static int digit(char letter)
{
	if (letter >= '0' && letter <= '9')
		return letter - '0';
	return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

/* So many bytes from the text, and on behind them and the separator; NULL: it has others. */
static const char *read_bytes(const char *text, uint8_t *bytes, size_t count, char separator)
{
	for (size_t i = 0; text != NULL && i < count; i++) {
		int high = digit(text[0]), low = high >= 0 ? digit(text[1]) : -1;

		if (low < 0)
			return NULL;
		bytes[i] = (uint8_t)(high << 4 | low);
		text += 2;
	}
	return text != NULL && text[0] == separator ? text + 1 : NULL;
}

static bool is_zero(const uint8_t *bytes, size_t count)
{
	uint8_t all = 0;

	for (size_t i = 0; i < count; i++)
		all |= bytes[i];
	return all == 0;
}

int load_traceparent_parse(const char *text, struct weir_trace_context *context)
{
	uint8_t version;

	memset(context, 0, sizeof(*context));
	text = read_bytes(text, &version, 1, '-');
	text = read_bytes(text, context->trace_id, sizeof(context->trace_id), '-');
	text = read_bytes(text, context->span_id, sizeof(context->span_id), '-');
	text = read_bytes(text, &context->flags, 1, '\0');
	if (text == NULL || version != 0 || is_zero(context->trace_id, sizeof(context->trace_id)) ||
		is_zero(context->span_id, sizeof(context->span_id)))
		return -EINVAL;
	return 0;
}

static char *write_bytes(char *text, const uint8_t *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		*text++ = "0123456789abcdef"[bytes[i] >> 4];
		*text++ = "0123456789abcdef"[bytes[i] & 15];
	}
	return text;
}

void load_traceparent_write(
	const struct weir_trace_context *context, char text[LOAD_TRACEPARENT_TEXT])
{
	memcpy(text, "00-", 3);
	text = write_bytes(text + 3, context->trace_id, sizeof(context->trace_id));
	*text++ = '-';
	text = write_bytes(text, context->span_id, sizeof(context->span_id));
	*text++ = '-';
	*write_bytes(text, &context->flags, 1) = '\0';
}
