/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "dataplane_fixture.h"
#include "wire_template_messages.h"

/* An exporter of IPFIX or NetFlow v9, and a pair of collectors that take its stream in turn. */

#define STREAM "[{'name':'s','key':'ipfix','partitions':1}]"
#define PAIR                                                                                       \
	"[{'name':'g','streams':'s','consumers':[" CONSUMER("a", "198.51.100.7") "," CONSUMER(     \
		"b", "198.51.100.8") "]}]"

#define SOURCE_PORT 2055
#define LAST        0x10a5 /* of a message, as the client expects it */

/* What an exporter sends: with these the tests' templates and data are made. */
struct exporter {
	uint8_t version;    /* of the protocol */
	uint8_t ip_version; /* 4 or 6 */
	bool no_checksum;
	uint32_t sequence;
};

static inline void receive(
	struct plane *plane, const struct exporter *exporter, struct template_message *message)
{
	struct frame_spec spec = {.version = exporter->ip_version,
		.no_checksum = exporter->no_checksum,
		.source_port = SOURCE_PORT,
		.destination_port = 4739,
		.payload = message->bytes};
	uint32_t at = exporter->version == 10 ? 8 : 12;

	message_close(message);
	message_store16(message, at, exporter->sequence >> 16);
	message_store16(message, at + 2, exporter->sequence & 0xffff);
	spec.payload_length = (uint16_t)message->length;
	weir_address_parse(exporter->ip_version == 4 ? "10.1.2.3" : "2001:db8:1::3", &spec.source);
	weir_address_parse(
		exporter->ip_version == 4 ? "192.0.2.1" : "2001:db8:2::1", &spec.destination);
	plane_receive(plane, &spec);
}

/* A data set of `words` words of content. */
static inline void receive_data(
	struct plane *plane, const struct exporter *exporter, unsigned int words)
{
	struct template_message message;

	message_begin(&message, exporter->version);
	if (exporter->version == 9)
		message_store16(&message, 2, 1);
	message_set(&message, 256);
	for (unsigned int i = 0; i < 2 * words; i++)
		message_put16(&message, i + 1 < 2 * words ? 0x1000 + i : LAST);
	receive(plane, exporter, &message);
}

static inline uint32_t sequence_of(const struct frame_view *view)
{
	return weir_load32be(view->payload + (view->payload[1] == 10 ? 8 : 12));
}

/* The one of the pair that has the partition leaves it to the other. */
static inline void move(struct plane *plane, const char *from, const char *to)
{
	plane_reach(plane, to);
	plane_unreach(plane, from);
	plane_republish(plane);
	plane_forget_sent(plane);
}
