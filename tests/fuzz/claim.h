/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "wire/frame.h"

/* A datagram is made the session's, or nearly nothing would be for it. */
static inline void claim(uint8_t *datagram, size_t length, uint64_t session)
{
	struct weir_datagram_header *header = (void *)datagram;

	if (length < WEIR_DATAGRAM_HEADER)
		return;
	header->magic = weir_be16(WEIR_FRAME_MAGIC);
	header->version = WEIR_FRAME_VERSION;
	header->session = weir_be64(session);
}
