/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/blind.h"

/* What the new headers need of the old ones, read before they are overwritten. */
struct old_headers {
	struct weir_ipv4_fields ip;
	uint8_t source[16];
	uint16_t source_port;
	uint16_t checksum; /* of UDP; 0: none */
	uint64_t changed;  /* sum of the words that the route replaces, complemented */
};

static uint64_t complement32(const uint8_t *bytes, uint32_t length)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < length; i += 4)
		sum += ~weir_load32(bytes + i);
	return sum;
}

static void read_headers(const struct weir_route *route, const struct weir_message_slot *slot,
	const uint8_t *frame, struct old_headers *old)
{
	const uint8_t *ip = frame + slot->l3_offset;
	const uint8_t *udp = frame + slot->l4_offset;
	bool is_ipv6 = slot->flags & WEIR_SLOT_IPV6;
	uint32_t length = is_ipv6 ? 16 : 4;
	const uint8_t *source = ip + (is_ipv6 ? 8 : 12);

	old->checksum = weir_load16(udp + 6);
	old->source_port = weir_load16(udp);
	old->changed = (uint16_t)~weir_load16(udp + 2);
	old->changed += complement32(source + length, length);
	if (is_ipv6) {
		old->ip.kept = WEIR_IPV4_DONT_SPLIT |
			       WEIR_IPV4_TOS(rte_be_to_cpu_32(weir_load32(ip)) >> 20 & 0xff);
	} else {
		old->ip.kept = WEIR_IPV4_KEPT(weir_load64(ip));
		old->ip.source = weir_load32(source);
	}
	if (route->keep_source) {
		if (is_ipv6)
			memcpy(old->source, source, 16);
		return;
	}
	old->changed += complement32(source, length);
	old->changed += (uint16_t)~old->source_port;
}

/* No checksum is allowed over IPv4 alone (RFC 8200 8.1): one is computed, over the payload. */
static bool needs_sum(const struct weir_route *route, const struct old_headers *old)
{
	return unlikely(old->checksum == 0) && route->ip_version == 6;
}

static uint8_t *write_headers(const struct weir_route *route, const struct old_headers *old,
	uint8_t *payload, uint16_t payload_length)
{
	uint8_t *udp = payload - 8;
	uint8_t *start = weir_route_write(route, payload, payload_length, &old->ip);

	if (route->keep_source) {
		weir_store16(udp, old->source_port);
		if (route->ip_version == 6)
			memcpy(udp - 32, old->source, 16);
	}
	if (unlikely(old->checksum == 0)) {
		if (needs_sum(route, old))
			weir_store16(udp + 6, weir_route_checksum(route, payload, payload_length));
		return start;
	}
	weir_store16(udp + 6, weir_blind_checksum(route, old->checksum, old->changed));
	return start;
}

static void set_length(struct rte_mbuf *packet, const uint8_t *start, uint32_t length)
{
	packet->data_off = (uint16_t)(start - (const uint8_t *)packet->buf_addr);
	packet->data_len = (uint16_t)length;
	packet->pkt_len = length;
	/* Where the data lives stays true; what the NIC said of the old headers does not. */
	packet->ol_flags &= RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL;
}

/* The buffer becomes a reference to the message's payload. */
static void attach(struct rte_mbuf *rest, const struct weir_message_slot *slot)
{
	rte_pktmbuf_attach(rest, slot->mbuf);
	rte_pktmbuf_adj(rest, (uint16_t)(slot->l4_offset + 8));
	rest->data_len = slot->payload_length;
	rest->pkt_len = slot->payload_length;
}

/* The packet has headers alone. */
static void join(struct rte_mbuf *packet, struct rte_mbuf *rest, uint16_t header_length)
{
	packet->data_len = header_length;
	packet->pkt_len = header_length + rest->pkt_len;
	packet->next = rest;
	packet->nb_segs = 2;
}

/* New headers, then either a copy of the payload or a reference to it. */
static struct rte_mbuf *make_copy(struct weir_worker *worker, const struct weir_route *route,
	const struct weir_message_slot *slot, const struct old_headers *old)
{
	struct weir_port *port = worker->tx[route->port].port;
	struct rte_mbuf *packet = rte_pktmbuf_alloc(worker->copies);
	const uint8_t *source;
	struct rte_mbuf *rest;
	uint8_t *payload;
	uint8_t *start;

	if (unlikely(packet == NULL))
		return NULL;
	source = rte_pktmbuf_mtod_offset(slot->mbuf, const uint8_t *, slot->l4_offset + 8);
	payload = (uint8_t *)packet->buf_addr + RTE_PKTMBUF_HEADROOM;
	if (slot->payload_length <= WEIR_BLIND_COPY || !port->can_multi_segment ||
		needs_sum(route, old)) {
		rte_memcpy(payload, source, slot->payload_length);
		start = write_headers(route, old, payload, slot->payload_length);
		set_length(packet, start, route->header_length + slot->payload_length);
		return packet;
	}
	rest = rte_pktmbuf_alloc(worker->copies);
	if (unlikely(rest == NULL)) {
		rte_pktmbuf_free(packet);
		return NULL;
	}
	attach(rest, slot);
	start = write_headers(route, old, payload, slot->payload_length);
	set_length(packet, start, route->header_length);
	join(packet, rest, route->header_length);
	return packet;
}

/* What nearly every copy is: IPv4 to IPv4, and short. */
static struct rte_mbuf *copy_short(struct weir_worker *worker, const struct weir_route *route,
	const struct weir_message_slot *slot)
{
	struct rte_mbuf *packet = rte_pktmbuf_alloc(worker->copies);

	if (likely(packet != NULL))
		weir_blind_copy(route, packet, slot);
	return packet;
}

void weir_blind_chain(const struct weir_route *route, struct rte_mbuf *packet,
	struct rte_mbuf *rest, const struct weir_message_slot *slot)
{
	const uint8_t *frame = rte_pktmbuf_mtod(slot->mbuf, const uint8_t *);

	attach(rest, slot);
	weir_blind_write(route, packet, weir_blind_udp(packet), slot->payload_length,
		frame + slot->l3_offset, frame + slot->l4_offset);
	join(packet, rest, route->header_length);
}

struct rte_mbuf *weir_blind_make_any(struct weir_worker *worker, const struct weir_route *route,
	const struct weir_message_slot *slot, bool last)
{
	struct rte_mbuf *packet = slot->mbuf;
	uint8_t *frame = rte_pktmbuf_mtod(packet, uint8_t *);
	uint8_t *payload = frame + slot->l4_offset + 8;
	struct old_headers old;
	uint8_t *start;

	if (likely(!last && route->ip_version == 4 && !(slot->flags & WEIR_SLOT_IPV6) &&
		    slot->payload_length <= WEIR_BLIND_COPY))
		return copy_short(worker, route, slot);
	read_headers(route, slot, frame, &old);
	if (!last || payload - (uint8_t *)packet->buf_addr < WEIR_ROUTE_HEADER) {
		struct rte_mbuf *copy = make_copy(worker, route, slot, &old);

		if (last && copy != NULL)
			rte_pktmbuf_free(packet);
		return copy;
	}
	start = write_headers(route, &old, payload, slot->payload_length);
	set_length(packet, start, route->header_length + slot->payload_length);
	return packet;
}
