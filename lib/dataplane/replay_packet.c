/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/replay.h"

#include <netinet/in.h>

#include <rte_memcpy.h>

#include "dataplane/native_wire.h"

#define AT_COUNT 2 /* NetFlow v9: records; IPFIX: length of the message */

static uint32_t sequence_at(uint8_t version)
{
	return version == WEIR_TEMPLATE_IPFIX ? 8 : 12;
}

/* The frame up to the message's sets, in a buffer with room for `payload_length`. */
static bool begin(struct weir_worker *worker, const struct weir_message_slot *slot, uint32_t header,
	uint32_t payload_length, struct weir_message_slot *stand_in)
{
	uint32_t size = slot->l4_offset + 8u + payload_length;
	struct rte_mbuf *packet = rte_pktmbuf_alloc(worker->copies);

	if (packet != NULL && rte_pktmbuf_tailroom(packet) < size) {
		rte_pktmbuf_free(packet);
		packet = rte_pktmbuf_alloc(worker->large);
	}
	if (packet == NULL || rte_pktmbuf_tailroom(packet) < size) {
		rte_pktmbuf_free(packet);
		return false;
	}
	rte_memcpy(rte_pktmbuf_append(packet, (uint16_t)size),
		rte_pktmbuf_mtod(slot->mbuf, const uint8_t *), slot->l4_offset + 8u + header);
	*stand_in = *slot;
	stand_in->mbuf = packet;
	stand_in->payload_length = (uint16_t)payload_length;
	stand_in->holders = 1;
	stand_in->flags &= (uint8_t)~WEIR_SLOT_TEMPLATES;
	return true;
}

static void write_sets(const struct weir_replay_pick *pick, uint8_t *at)
{
	for (uint32_t i = 0; i < pick->count; i++) {
		weir_template_write(pick->cache, pick->entries[i], at);
		at += weir_template_entry_at(pick->cache, pick->entries[i])->length;
	}
}

/* Sum of a word's change: the old one's complement and the new one. */
static uint64_t change16(uint16_t old, uint16_t new)
{
	return (uint64_t)(uint16_t)~old + new;
}

static uint16_t swap(uint32_t value)
{
	return rte_cpu_to_be_16((uint16_t)value);
}

/* A sequence number becomes lower; what that does to a sum. */
static uint64_t count_back(uint8_t *at, uint32_t by)
{
	uint16_t high = weir_load16(at), low = weir_load16(at + 2);

	weir_store32(at, rte_cpu_to_be_32(weir_load32be(at) - by));
	return change16(high, weir_load16(at)) + change16(low, weir_load16(at + 2));
}

bool weir_replay_with(struct weir_worker *worker, const struct weir_message_slot *slot,
	const struct weir_replay_pick *pick, struct weir_message_slot *stand_in)
{
	uint32_t header = weir_template_header(pick->version);
	uint32_t length = slot->payload_length + pick->bytes;
	const uint8_t *from =
		rte_pktmbuf_mtod_offset(slot->mbuf, const uint8_t *, slot->l4_offset + 8);
	uint32_t added = pick->version == WEIR_TEMPLATE_IPFIX ? pick->bytes : pick->count;
	uint16_t before, after, checksum;
	uint8_t *payload;
	uint64_t sum = 0;

	if (!begin(worker, slot, header, length, stand_in))
		return false;
	payload = rte_pktmbuf_mtod_offset(stand_in->mbuf, uint8_t *, slot->l4_offset + 8);
	write_sets(pick, payload + header);
	rte_memcpy(payload + header + pick->bytes, from + header, slot->payload_length - header);
	before = weir_load16(payload + AT_COUNT);
	after = swap(weir_load16be(payload + AT_COUNT) + added);
	weir_store16(payload + AT_COUNT, after);
	if (pick->version == WEIR_TEMPLATE_IPFIX)
		sum = count_back(payload + sequence_at(pick->version), pick->pending);
	checksum = weir_load16(payload - 2);
	if (checksum == 0)
		return true;
	/* Changed by what changed, so that damage stays visible; the length is summed twice. */
	sum += (uint16_t)~checksum + change16(before, after);
	sum += 2 * change16(swap(slot->payload_length + 8u), swap(length + 8));
	sum += weir_sum_bytes(payload + header, pick->bytes);
	checksum = (uint16_t)~weir_sum_fold(sum);
	weir_store16(payload - 2, checksum != 0 ? checksum : 0xffff);
	return true;
}

static void set_checksum(const struct weir_message_slot *message)
{
	uint8_t *frame = rte_pktmbuf_mtod(message->mbuf, uint8_t *);
	uint8_t *udp = frame + message->l4_offset;
	bool is_ipv6 = message->flags & WEIR_SLOT_IPV6;
	uint16_t length = (uint16_t)(message->payload_length + 8), checksum;
	uint64_t sum;

	weir_store16(udp + 4, swap(length));
	if (weir_load16(udp + 6) == 0)
		return;
	weir_store16(udp + 6, 0);
	sum = weir_sum_address(frame + message->l3_offset + (is_ipv6 ? 8 : 12), is_ipv6 ? 32 : 8);
	sum += (uint64_t)rte_cpu_to_be_16(IPPROTO_UDP) + swap(length);
	sum += weir_sum_bytes(udp, length);
	checksum = (uint16_t)~weir_sum_fold(sum);
	weir_store16(udp + 6, checksum != 0 ? checksum : 0xffff);
}

bool weir_replay_alone(struct weir_worker *worker, const struct weir_message_slot *slot,
	const struct weir_replay_pick *pick, uint32_t before, struct weir_message_slot *stand_in)
{
	uint32_t header = weir_template_header(pick->version);
	uint8_t *frame, *payload;

	if (!begin(worker, slot, header, header + pick->bytes, stand_in))
		return false;
	frame = rte_pktmbuf_mtod(stand_in->mbuf, uint8_t *);
	payload = frame + slot->l4_offset + 8;
	write_sets(pick, payload + header);
	if (pick->version == WEIR_TEMPLATE_IPFIX) {
		weir_store16(payload + AT_COUNT, swap(header + pick->bytes));
		before = pick->pending;
	} else {
		weir_store16(payload + AT_COUNT, swap(pick->count));
	}
	count_back(payload + sequence_at(pick->version), before);
	/* It has the identification of the message's packet: it must not be fragmented. */
	if (!(slot->flags & WEIR_SLOT_IPV6))
		frame[slot->l3_offset + 6] |= 0x40;
	set_checksum(stand_in);
	return true;
}
