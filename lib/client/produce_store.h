/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * What a producer has sent and the gateway has not yet told to be retained: messages by number,
 * their bytes one after another in one ring. Only the oldest can be let go. Pure; one thread.
 */
struct produce_entry {
	uint64_t deadline_ns; /* 0: none */
	uint64_t sent_ns;     /* newest transmission in this session; 0: none */
	uint64_t at;          /* of its bytes, as a position in the ring */
	uint16_t length;
	uint8_t key_length;
	uint8_t tier;
	uint8_t tries;    /* in this session; saturates */
	bool is_due;      /* to be sent at the next occasion */
	bool is_received; /* the gateway has it, and waits with it for what is missing before */
	bool is_given_up; /* past its deadline, or too long for the session */
	bool has_context; /* of a trace: its bytes begin with it, as it is on the wire */
};

struct produce_store {
	struct produce_entry *entries;
	uint8_t *bytes;
	uint32_t mask;         /* of entries */
	uint32_t max_messages; /* at most mask + 1 */
	uint32_t max_bytes;
	uint64_t oldest; /* number of the first entry */
	uint64_t next;   /* the next message's number */
	uint64_t write;  /* position behind the newest bytes */
};

/* 0 or -ENOMEM; closing one that did not open is allowed. */
int weir_produce_store_open(struct produce_store *store, uint32_t messages, uint32_t bytes);
void weir_produce_store_close(struct produce_store *store);

static inline struct produce_entry *weir_produce_entry(
	const struct produce_store *store, uint64_t number)
{
	return &store->entries[number & store->mask];
}

static inline uint64_t weir_produce_count(const struct produce_store *store)
{
	return store->next - store->oldest;
}

/* The bytes of an entry: its context if it has one, its key, its payload. */
const uint8_t *weir_produce_bytes(
	const struct produce_store *store, const struct produce_entry *entry);
/* Bytes that are held. */
uint64_t weir_produce_held(const struct produce_store *store);
/*
 * Add a message: its entry, zeroed but for lengths, context and place, and room for its bytes in
 * *bytes. NULL when there is no room.
 */
struct produce_entry *weir_produce_add(struct produce_store *store, uint16_t length,
	uint8_t key_length, bool has_context, uint8_t **bytes);
/* Let go of the oldest. There is one. */
void weir_produce_drop(struct produce_store *store);
