/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/native_wire.h"

/*
 * A message may be too long for one datagram of the path's MTU: then its datagram, alone, is sent
 * as IP fragments (RFC 791 3.2, RFC 8200 4.5), which the consumer's kernel puts together. Their
 * buffers are taken before the message is, so that none is lost half way.
 */

#define IPV4_HEADER     20
#define IPV6_HEADER     40
#define FRAGMENT_HEADER 8
#define NEXT_FRAGMENT   44
#define PROTOCOL_UDP    17

/* Bytes of the UDP datagram in one fragment: a multiple of eight. */
static uint32_t fragment_room(const struct weir_route *route)
{
	uint32_t l4_room = route->max_payload + 8u;

	return (route->ip_version == 6 ? l4_room - FRAGMENT_HEADER : l4_room) & ~7u;
}

static uint32_t count_fragments(const struct weir_route *route, uint32_t length)
{
	uint32_t room = fragment_room(route);

	return (length + 8 + room - 1) / room;
}

bool weir_native_reserve(struct weir_worker *worker, struct weir_outlet *outlet,
	const struct weir_route *route, uint32_t length)
{
	uint32_t count = count_fragments(route, length);

	if (count > WEIR_NATIVE_FRAGMENTS ||
		weir_tx_room(&worker->tx[route->port]) < 2 + worker->open_count + count ||
		rte_pktmbuf_alloc_bulk(worker->copies, outlet->fragments, count) != 0)
		return false;
	outlet->fragment_count = (uint16_t)count;
	worker->open_count += count;
	return true;
}

static uint8_t *put_ipv4(uint8_t *ip, uint32_t offset, uint32_t length, bool more, uint16_t id)
{
	weir_store16(ip + 2, rte_cpu_to_be_16((uint16_t)(IPV4_HEADER + length)));
	weir_store16(ip + 4, id);
	weir_store16(ip + 6, rte_cpu_to_be_16((uint16_t)((more ? 0x2000 : 0) | offset / 8)));
	weir_store16(ip + 10, 0);
	weir_store16(ip + 10, (uint16_t)~weir_sum_fold(weir_sum_address(ip, IPV4_HEADER)));
	return ip + IPV4_HEADER;
}

static uint8_t *put_ipv6(uint8_t *ip, uint32_t offset, uint32_t length, bool more, uint32_t id)
{
	uint8_t *fragment = ip + IPV6_HEADER;

	weir_store16(ip + 4, rte_cpu_to_be_16((uint16_t)(FRAGMENT_HEADER + length)));
	ip[6] = NEXT_FRAGMENT;
	fragment[0] = PROTOCOL_UDP;
	fragment[1] = 0;
	weir_store16(fragment + 2, rte_cpu_to_be_16((uint16_t)(offset | more)));
	weir_store32(fragment + 4, id);
	return fragment + FRAGMENT_HEADER;
}

/* One fragment: the link and IP headers of the whole datagram, adapted, and a piece of the rest. */
static void fill(struct rte_mbuf *fragment, const struct rte_mbuf *whole,
	const struct weir_route *route, uint32_t offset, uint32_t length, bool more, uint32_t id)
{
	const uint8_t *from = rte_pktmbuf_mtod(whole, const uint8_t *);
	uint32_t headers = route->header_length - 8u;
	uint8_t *to = rte_pktmbuf_mtod(fragment, uint8_t *);
	uint8_t *ip = to + headers - (route->ip_version == 6 ? IPV6_HEADER : IPV4_HEADER);
	uint8_t *piece;

	memcpy(to, from, headers);
	piece = route->ip_version == 6 ? put_ipv6(ip, offset, length, more, id)
				       : put_ipv4(ip, offset, length, more, (uint16_t)id);
	memcpy(piece, from + headers + offset, length);
	fragment->data_len = (uint16_t)(piece + length - to);
	fragment->pkt_len = fragment->data_len;
}

void weir_native_fragment(
	struct weir_worker *worker, struct weir_outlet *outlet, struct rte_mbuf *whole)
{
	const struct weir_route *route = outlet->datagram_route;
	uint32_t total = outlet->writer.length + 8, room = fragment_room(route), offset = 0;
	uint32_t id = worker->fragment_id++ * 64 + worker->id;

	for (uint16_t i = 0; i < outlet->fragment_count; i++) {
		uint32_t length = RTE_MIN(room, total - offset);

		fill(outlet->fragments[i], whole, route, offset, length, offset + length < total,
			id);
		weir_tx_add_datagram(
			&worker->tx[route->port], outlet->fragments[i], outlet->consumer);
		offset += length;
	}
	worker->open_count -= outlet->fragment_count;
	outlet->fragment_count = 0;
	rte_pktmbuf_free(whole);
}
