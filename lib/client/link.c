/* SPDX-License-Identifier: BSD-3-Clause */
#include "client/link.h"

void weir_link_begin(
	const struct weir_link *link, struct weir_writer *writer, void *buffer, uint32_t size)
{
	weir_writer_begin(writer, buffer, size - WEIR_LINK_SPARE, link->session);
}

void weir_link_send(struct weir_link *link, struct weir_writer *writer)
{
	if (writer->frames == 0)
		return;
	/* HELLO has a proof of its own. */
	writer->size += WEIR_LINK_SPARE;
	if (link->session != 0)
		(void)weir_seal_add(&link->guard.seal, writer);
	if (link->io.send(link->io.context, writer->data, writer->length) != 0)
		link->send_errors++;
}

enum weir_reason weir_link_open(
	struct weir_link *link, struct weir_frame_cursor *cursor, const void *data, size_t length)
{
	enum weir_reason reason = weir_datagram_open(cursor, WEIR_END_CLIENT, data, length);

	if (reason != WEIR_REASON_NONE)
		return reason;
	return weir_guard_check(&link->guard, link->session, cursor, data, length);
}
