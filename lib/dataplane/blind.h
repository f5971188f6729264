/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <rte_memcpy.h>

#include "dataplane/worker.h"

/*
 * Delivery to blind consumers: the original datagram under new headers. The UDP checksum is
 * changed by what changed under it (RFC 1624), never computed anew, so damage done to a datagram
 * before it came here stays visible to its receiver. Private to lib/dataplane.
 *
 * What nearly every packet is, IPv4 to IPv4 and wanted by no other group any more, is rewritten
 * in place here; the rest is in blind.c.
 */

#define WEIR_BLIND_COPY 512 /* payloads up to this are copied rather than chained */

/* Copies, and changes of IP version. NULL when there is no buffer. */
struct rte_mbuf *weir_blind_make_any(struct weir_worker *worker, const struct weir_route *route,
	const struct weir_message_slot *slot, bool last);

/* Why this consumer cannot get this message at all, or NONE. */
static inline enum weir_reason weir_blind_check(
	const struct weir_route *route, const struct weir_message_slot *slot)
{
	uint8_t version = slot->flags & WEIR_SLOT_IPV6 ? 6 : 4;

	if (unlikely(slot->payload_length > route->max_payload))
		return WEIR_REASON_TOO_BIG;
	if (unlikely(route->keep_source && version != route->ip_version))
		return WEIR_REASON_FAMILY;
	return WEIR_REASON_NONE;
}

/* The checksum after `changed`: complements of what was, and the route's words. Never 0. */
static inline uint16_t weir_blind_checksum(
	const struct weir_route *route, uint16_t checksum, uint64_t changed)
{
	uint16_t sum = (uint16_t)~weir_sum_fold((uint16_t)~checksum + changed + route->address_sum);

	return sum != 0 ? sum : 0xffff;
}

static inline bool weir_blind_has_headroom(const struct weir_message_slot *slot)
{
	return slot->mbuf->data_off + slot->l4_offset + 8 >= WEIR_ROUTE_HEADER;
}

/*
 * IPv4 to IPv4: new headers before the packet's UDP payload, which is in place behind `udp`, made
 * of the old ones, which may be where the new ones come.
 */
static inline void weir_blind_write(const struct weir_route *route, struct rte_mbuf *packet,
	uint8_t *udp, uint16_t payload_length, const uint8_t *ip, const uint8_t *old_udp)
{
	uint32_t source = weir_load32(ip + 12);
	uint16_t source_port = weir_load16(old_udp);
	uint16_t checksum = weir_load16(old_udp + 6);
	uint64_t changed =
		(uint64_t)(uint32_t)~weir_load32(ip + 16) + (uint16_t)~weir_load16(old_udp + 2);
	struct weir_ipv4_fields fields = {
		.kept = WEIR_IPV4_KEPT(weir_load64(ip)),
		.source = source,
	};
	uint8_t *start = weir_route_write_ipv4(route, udp + 8, payload_length, &fields);

	if (route->keep_source)
		weir_store16(udp, source_port);
	else
		changed += (uint64_t)(uint32_t)~source + (uint16_t)~source_port;
	if (likely(checksum != 0))
		weir_store16(udp + 6, weir_blind_checksum(route, checksum, changed));
	packet->data_off = (uint16_t)(start - (const uint8_t *)packet->buf_addr);
	packet->data_len = (uint16_t)(route->header_length + payload_length);
	packet->pkt_len = packet->data_len;
	packet->ol_flags &= RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL;
}

/* In place: nobody else wants the message. */
static inline void weir_blind_rewrite(const struct weir_route *route, struct rte_mbuf *packet,
	uint8_t l3_offset, uint16_t l4_offset, uint16_t payload_length)
{
	uint8_t *frame = rte_pktmbuf_mtod(packet, uint8_t *);
	uint8_t *udp = frame + l4_offset;

	weir_blind_write(route, packet, udp, payload_length, frame + l3_offset, udp);
}

/*
 * The same for a frame that weir_parse_four found plain, and a route that keeps the source: what of
 * the headers stays is left where it is, and the sums, its lane of weir_four's, are there already.
 */
static __rte_always_inline void weir_blind_rewrite_plain(const struct weir_route *route,
	struct rte_mbuf *packet, uint8_t *frame, uint16_t payload_length, uint32_t ip_sum,
	uint32_t udp_sum)
{
	const uint8_t *header = route->header + WEIR_ROUTE_HEADER - 28;
	uint8_t *ip = frame + 14;
	uint8_t *udp = ip + 20;

	/* Ethernet and a tag, or what is before it. */
	memcpy(ip - 20, header - 20, 20);
	ip[8] = WEIR_ROUTE_TTL;
	weir_store16(ip + 10, (uint16_t)~weir_sum_fold32(ip_sum + route->four_ip_sum));
	memcpy(ip + 16, header + 16, 4);
	memcpy(udp + 2, header + 22, 2);
	/* Of what is not all 0, and so not 0. */
	if (likely(weir_load16(udp + 6) != 0))
		weir_store16(udp + 6, weir_sum_fold32(udp_sum + route->four_udp_sum));
	packet->data_off = (uint16_t)(packet->data_off + 42 - route->header_length);
	packet->data_len = (uint16_t)(route->header_length + payload_length);
	packet->pkt_len = packet->data_len;
	packet->ol_flags &= RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL;
}

static inline void weir_blind_rewrite_slot(
	const struct weir_route *route, const struct weir_message_slot *slot)
{
	weir_blind_rewrite(
		route, slot->mbuf, slot->l3_offset, slot->l4_offset, slot->payload_length);
}

/* Where the UDP header of what is made in a buffer of its own begins. */
static inline uint8_t *weir_blind_udp(const struct rte_mbuf *packet)
{
	return (uint8_t *)packet->buf_addr + RTE_PKTMBUF_HEADROOM - WEIR_UDP_SIZE;
}

/*
 * A copy of an IPv4 message for a route of IPv4, in a buffer just as its pool gives it: whatever
 * matters in it is set.
 */
static inline void weir_blind_copy(const struct weir_route *route, struct rte_mbuf *packet,
	const struct weir_message_slot *slot)
{
	const uint8_t *frame = rte_pktmbuf_mtod(slot->mbuf, const uint8_t *);
	const uint8_t *old_udp = frame + slot->l4_offset;
	uint8_t *udp = weir_blind_udp(packet);

	rte_memcpy(udp + WEIR_UDP_SIZE, old_udp + WEIR_UDP_SIZE, slot->payload_length);
	weir_blind_write(
		route, packet, udp, slot->payload_length, frame + slot->l3_offset, old_udp);
}

/* Likewise with new headers in `packet` and a reference to the payload in `rest`. */
void weir_blind_chain(const struct weir_route *route, struct rte_mbuf *packet,
	struct rte_mbuf *rest, const struct weir_message_slot *slot);

/*
 * The packet for the consumer: the received one rewritten when `last`, else a copy; NULL when
 * there is no buffer for it.
 */
static inline struct rte_mbuf *weir_blind_make(struct weir_worker *worker,
	const struct weir_route *route, const struct weir_message_slot *slot, bool last)
{
	if (likely(last && route->ip_version == 4 && !(slot->flags & WEIR_SLOT_IPV6) &&
		    weir_blind_has_headroom(slot))) {
		weir_blind_rewrite_slot(route, slot);
		return slot->mbuf;
	}
	return weir_blind_make_any(worker, route, slot, last);
}
