/* SPDX-License-Identifier: BSD-3-Clause */
#include "client/weir.h"

const char *weir_version(void)
{
	return WEIR_VERSION;
}
