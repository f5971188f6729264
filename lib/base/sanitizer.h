/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Whether the address sanitizer is built in: it traces the process at its end, and is slow. */
#ifdef __has_feature
#define WEIR_HAS_SANITIZER __has_feature(address_sanitizer)
#elif defined(__SANITIZE_ADDRESS__)
#define WEIR_HAS_SANITIZER 1
#else
#define WEIR_HAS_SANITIZER 0
#endif
