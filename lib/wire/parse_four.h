/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "wire/parse_headers.h"

/*
 * Four frames at once, a lane of a vector each: whether each is what nearly every packet is,
 * untagged Ethernet, IPv4 without options, UDP, nothing wrong and nothing behind the datagram in
 * the IP packet. Of those it tells what is needed to find their stream and to give them new
 * headers. Any other frame is parse.h's, which finds what it is, or the reason.
 *
 * The lengths and what is compared are as in weir_parse_plain_at. A reserved bit of the fragment
 * field that is set makes a frame not plain, too: plain ones keep these bytes when they are sent
 * on.
 */

#define WEIR_FOUR       4
#define WEIR_FOUR_BYTES 44 /* of each frame are read, whatever is in them */

#define WEIR_PLAIN_PAYLOAD (WEIR_ETHER_SIZE + WEIR_IPV4_SIZE + WEIR_UDP_SIZE) /* offset */

typedef uint32_t weir_words __attribute__((vector_size(16)));
typedef uint8_t weir_word_bytes __attribute__((vector_size(16)));

/* A lane each. Sums are of 16-bit words as in memory, before they are folded. */
struct weir_four {
	uint32_t faults[WEIR_FOUR]; /* 0: plain; otherwise the rest may be anything */
	uint32_t payload_length[WEIR_FOUR];
	uint32_t destination_port[WEIR_FOUR]; /* host order */
	/* Of the complements of the IPv4 header's checksum, destination, and TTL with protocol. */
	uint32_t ip_sum[WEIR_FOUR];
	/* Of the UDP checksum, the destination and its port. */
	uint32_t udp_sum[WEIR_FOUR];
};

/* Their 16 bytes at `offset`, as four vectors of a word of each frame. Little-endian. */
WEIR_INLINE void weir_four_load(const uint8_t *const *frames, uint32_t offset, weir_words *words)
{
	weir_words rows[WEIR_FOUR], low[2], high[2];

	for (unsigned int i = 0; i < WEIR_FOUR; i++)
		__builtin_memcpy(&rows[i], frames[i] + offset, sizeof(rows[i]));
	for (unsigned int i = 0; i < 2; i++) {
		low[i] = __builtin_shufflevector(rows[2 * i], rows[2 * i + 1], 0, 4, 1, 5);
		high[i] = __builtin_shufflevector(rows[2 * i], rows[2 * i + 1], 2, 6, 3, 7);
	}
	words[0] = __builtin_shufflevector(low[0], low[1], 0, 1, 4, 5);
	words[1] = __builtin_shufflevector(low[0], low[1], 2, 3, 6, 7);
	words[2] = __builtin_shufflevector(high[0], high[1], 0, 1, 4, 5);
	words[3] = __builtin_shufflevector(high[0], high[1], 2, 3, 6, 7);
}

/* Each 16-bit word the other way round. */
WEIR_INLINE weir_words weir_four_swap(weir_words words)
{
	weir_word_bytes bytes = (weir_word_bytes)words;

	return (weir_words)__builtin_shufflevector(
		bytes, bytes, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14);
}

WEIR_INLINE void weir_four_store(uint32_t *to, weir_words words)
{
	__builtin_memcpy(to, &words, sizeof(words));
}

WEIR_INLINE weir_words weir_four_all(uint32_t value)
{
	return (weir_words){value, value, value, value};
}

/* Not 0 in the lanes where a is less, both being below 2^31. */
WEIR_INLINE weir_words weir_four_less(weir_words a, weir_words b)
{
	return (a - b) & 0x80000000;
}

/* Of the words of the destination, and of the whole IPv4 header. */
struct weir_four_sums {
	weir_words destination;
	weir_words all;
};

WEIR_INLINE struct weir_four_sums weir_four_sum(const weir_words *a, const weir_words *b)
{
	struct weir_four_sums sums = {.destination = (b[0] >> 16) + (b[1] & 0xffff)};

	sums.all = (a[0] >> 16) + (a[1] & 0xffff) + (a[1] >> 16) + (a[2] & 0xffff) + (a[2] >> 16) +
		   (a[3] & 0xffff) + (a[3] >> 16) + (b[0] & 0xffff) + sums.destination;
	return sums;
}

/* Not 0 for an address that no sender has, as weir_parse_ipv4_is_martian. */
WEIR_INLINE weir_words weir_four_martian(weir_words octet)
{
	/* 0 becomes the highest of all; of the others those from 224 on have all three bits. */
	return ((octet - 1) & 0x80000000) | (weir_words)(octet == 127) |
	       (weir_words)((octet & 0xe0) == 0xe0);
}

WEIR_INLINE int weir_four_is_zero(weir_words words)
{
	typedef uint64_t halves __attribute__((vector_size(16)));

	return (((halves)words)[0] | ((halves)words)[1]) == 0;
}

/*
 * `lengths`: of the frames, each at least WEIR_FOUR_BYTES. True: all are plain and go to the same
 * port.
 */
WEIR_INLINE int weir_parse_four(
	const uint8_t *const *frames, weir_words lengths, struct weir_four *four)
{
	weir_words a[4], b[4], faults, swapped, udp_length, total, destination_port;
	struct weir_four_sums sums;

	if (__BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__) {
		__builtin_memset(four->faults, 0xff, sizeof(four->faults));
		return 0;
	}
	weir_four_load(frames, 12, a);
	weir_four_load(frames, 28, b);
	/* EtherType, version and header length; then fragment field and protocol. */
	faults = (a[0] & 0xffffff) ^ 0x450008;
	faults |= (a[2] & 0xff00ffbf) ^ ((uint32_t)WEIR_PROTOCOL_UDP << 24);
	total = weir_four_swap(a[1]) & 0xffff;
	swapped = weir_four_swap(b[2]);
	udp_length = swapped >> 16;
	destination_port = swapped & 0xffff;
	faults |= (udp_length + WEIR_IPV4_SIZE) ^ total;
	faults |= weir_four_less(lengths, total + WEIR_ETHER_SIZE);
	faults |= (udp_length - WEIR_UDP_SIZE) & 0x80000000;
	faults |= weir_four_martian((a[3] >> 16) & 0xff);
	sums = weir_four_sum(a, b);
	/* Of ten words that are not all 0: folded once, all ones is the only sum that is right. */
	faults |= ((sums.all & 0xffff) + (sums.all >> 16)) ^ 0xffff;
	weir_four_store(four->faults, faults);
	weir_four_store(four->payload_length, udp_length - WEIR_UDP_SIZE);
	weir_four_store(four->destination_port, destination_port);
	weir_four_store(
		four->ip_sum, 4 * 0xffff - ((a[3] & 0xffff) + sums.destination + (a[2] >> 16)));
	weir_four_store(four->udp_sum, (b[3] & 0xffff) + (b[2] & 0xffff) + sums.destination);
	swapped = __builtin_shufflevector(destination_port, destination_port, 0, 0, 0, 0);
	return weir_four_is_zero(faults | (destination_port ^ swapped));
}
