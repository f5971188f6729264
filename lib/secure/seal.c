/* SPDX-License-Identifier: BSD-3-Clause */
#include "secure/seal.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#define REACH (UINT64_C(1) << 31) /* half of what the window's 32 bits tell apart */

static void tag_make(uint8_t tag[WEIR_DATAGRAM_TAG_SIZE], const void *data, size_t length,
	const uint8_t key[WEIR_SEAL_KEY_SIZE])
{
	crypto_generichash(tag, WEIR_DATAGRAM_TAG_SIZE, data, length, key, WEIR_SEAL_KEY_SIZE);
}

/* The window with a number in it: the same when the number was, or is too old. */
static uint64_t window_with(uint64_t window, uint32_t number)
{
	uint32_t highest = (uint32_t)(window >> 32);
	uint32_t seen = (uint32_t)window;
	int32_t ahead = (int32_t)(number - highest);

	if (ahead > 0) {
		seen = ahead < WEIR_SEAL_WINDOW ? seen << ahead | 1 : 1;
		return (uint64_t)number << 32 | seen;
	}
	if (ahead > -WEIR_SEAL_WINDOW)
		return window | UINT32_C(1) << -ahead;
	return window;
}

/*
 * Between the floor and REACH above it lie both the number and the window's highest, so their
 * low halves tell which is ahead. The floor is read after the window: it cannot be above the
 * highest while the window is still the one that was read.
 */
static int number_take(struct weir_seal *seal, uint64_t number)
{
	uint64_t window = atomic_load(&seal->rx_window);
	uint64_t floor, next;

	do {
		floor = atomic_load(&seal->rx_floor);
		if (number < floor || number - floor >= REACH)
			return -EALREADY;
		next = window_with(window, (uint32_t)number);
		if (next == window)
			return -EALREADY;
	} while (!atomic_compare_exchange_weak(&seal->rx_window, &window, next));
	/* Lost only to a thread that has raised it as well. */
	if (number - floor >= REACH / 2)
		atomic_compare_exchange_strong(&seal->rx_floor, &floor, number - REACH / 4);
	return 0;
}

void weir_seal_start(struct weir_seal *seal, const uint8_t tx_key[WEIR_SEAL_KEY_SIZE],
	const uint8_t rx_key[WEIR_SEAL_KEY_SIZE])
{
	memcpy(seal->tx_key, tx_key, sizeof(seal->tx_key));
	memcpy(seal->rx_key, rx_key, sizeof(seal->rx_key));
	atomic_init(&seal->tx_number, 0);
	atomic_init(&seal->rx_window, 1); /* as if 0, which no datagram has, had come */
	atomic_init(&seal->rx_floor, 0);
	seal->is_on = true;
}

void weir_seal_resume(struct weir_seal *seal, const uint8_t tx_key[WEIR_SEAL_KEY_SIZE],
	const uint8_t rx_key[WEIR_SEAL_KEY_SIZE], uint64_t tx_number, uint64_t rx_window,
	uint64_t rx_floor)
{
	weir_seal_start(seal, tx_key, rx_key);
	atomic_store(&seal->tx_number, tx_number);
	atomic_store(&seal->rx_window, rx_window);
	atomic_store(&seal->rx_floor, rx_floor);
}

void weir_seal_stop(struct weir_seal *seal)
{
	sodium_memzero(seal, sizeof(*seal));
}

int weir_seal_add(struct weir_seal *seal, struct weir_writer *writer)
{
	struct weir_datagram_trailer *trailer;

	if (!seal->is_on)
		return 0;
	trailer = weir_writer_add_trailer(writer, atomic_fetch_add(&seal->tx_number, 1) + 1);
	if (trailer == NULL)
		return -ENOSPC;
	tag_make(trailer->tag, writer->data, writer->length - sizeof(trailer->tag), seal->tx_key);
	return 0;
}

int weir_seal_check(struct weir_seal *seal, const void *data, size_t length)
{
	const struct weir_datagram_header *header = data;
	const struct weir_datagram_trailer *trailer;
	uint8_t tag[WEIR_DATAGRAM_TAG_SIZE];
	bool is_tagged;

	if (length < sizeof(*header))
		return -EBADMSG;
	is_tagged = header->flags & WEIR_DATAGRAM_TAGGED;
	if (!seal->is_on)
		return is_tagged ? -EBADMSG : 0;
	if (!is_tagged || length < sizeof(*header) + sizeof(*trailer))
		return -EBADMSG;
	trailer = (const void *)((const uint8_t *)data + length - sizeof(*trailer));
	tag_make(tag, data, length - sizeof(tag), seal->rx_key);
	if (sodium_memcmp(tag, trailer->tag, sizeof(tag)) != 0)
		return -EBADMSG;
	return number_take(seal, weir_be64(trailer->number));
}
