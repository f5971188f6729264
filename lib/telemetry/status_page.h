/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stddef.h>

/* status.html, as it lies in the source tree. */
extern const char weir_status_page[];
extern const size_t weir_status_page_length;
