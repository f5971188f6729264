/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>

/* Codes of ERROR and reasons of LEAVE: number, stable name, text. */
#define WEIR_FRAME_ERRORS(X)                                                                       \
	X(VERSION, 1, "version", "no protocol version in common")                                  \
	X(NO_GROUP, 2, "no_group", "no such group, or it takes no native consumers")               \
	X(GROUP_FULL, 3, "group_full", "the group has all its consumers")                          \
	X(NAME_TAKEN, 4, "name_taken", "another session has this consumer's name")                 \
	X(NOT_PERMITTED, 5, "not_permitted", "authentication missing or wrong")                    \
	X(NO_STREAM, 6, "no_stream", "no such stream in this group")                               \
	X(UNSUPPORTED, 7, "unsupported", "an option or start that was not granted")                \
	X(SESSION, 8, "session", "no such session")                                                \
	X(BUSY, 9, "busy", "the gateway has no room for another session")                          \
	X(CLOSED, 16, "closed", "the client closed the session")                                   \
	X(SILENT, 17, "silent", "nothing was heard for the liveness time")                         \
	X(SHUTDOWN, 18, "shutdown", "the gateway stops")                                           \
	X(REMOVED, 19, "removed", "group or consumer was removed by the operator")                 \
	X(REPLACED, 20, "replaced", "the same client opened a new session")

enum weir_frame_code {
#define X(id, code, name, text) WEIR_ERROR_##id = code,
	WEIR_FRAME_ERRORS(X)
#undef X
};

/* Stable name and text of an error code; "unknown" outside the table. */
const char *weir_frame_error_name(uint16_t code);
const char *weir_frame_error_text(uint16_t code);
