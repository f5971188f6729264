/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "client/weir.h"

/* A trace context as W3C's traceparent writes it: 00-TRACE-SPAN-FLAGS, in small hexadecimals. */

#define LOAD_TRACEPARENT_TEXT 56

/* 0, or -EINVAL: not one of that form, or an identity of zeros. */
int load_traceparent_parse(const char *text, struct weir_trace_context *context);
void load_traceparent_write(
	const struct weir_trace_context *context, char text[LOAD_TRACEPARENT_TEXT]);
