/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

int weir_error_set(struct weir_error *error, int code, const char *path, const char *hint,
	const char *reason_format, ...)
{
	va_list args;

	if (error == NULL)
		return code;
	error->code = code;
	snprintf(error->path, sizeof(error->path), "%s", path);
	snprintf(error->hint, sizeof(error->hint), "%s", hint);
	va_start(args, reason_format);
	vsnprintf(error->reason, sizeof(error->reason), reason_format, args);
	va_end(args);
	return code;
}
