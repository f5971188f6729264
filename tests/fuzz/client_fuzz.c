/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>

#include "claim.h"
#include "client/producer_session.h"
#include "client_gateway.h"

/*
 * What comes from a gateway's address at a consumer and a producer. The input is datagrams, each
 * behind a byte of time and its length of two bytes. The lowest bit of the time: the datagram's
 * header is made the session's, or nearly nothing would be for it.
 */

#define DATAGRAM_MOST 2048

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t produced_session;

static int keep_session(void *context, const void *data, size_t length)
{
	(void)context;
	if (length >= WEIR_DATAGRAM_HEADER)
		produced_session = weir_be64(((const struct weir_datagram_header *)data)->session);
	return 0;
}

static uint64_t count_up(void *context)
{
	return ++*(uint64_t *)context;
}

static void take_all(struct gateway *gateway)
{
	struct weir_message message;
	struct weir_event event;

	while (weir_session_next(gateway->client, &message, gateway->now_ns) > 0) {
		volatile uint8_t sum = 0;

		for (uint32_t i = 0; i < message.length; i++)
			sum = (uint8_t)(sum + ((const uint8_t *)message.data)[i]);
	}
	while (weir_session_next_event(gateway->client, &event) > 0)
		;
}

static struct weir_producer_session *open_producer(uint64_t now_ns)
{
	static uint64_t state;
	const struct weir_session_io io = {
		.context = &state, .send = keep_session, .random = count_up};
	struct weir_producer_options options = {.name = "probe", .stream = "netflow"};
	struct weir_producer_session *producer = NULL;

	state = 0;
	if (weir_producer_session_create(&options, &io, now_ns, &producer) < 0)
		abort();
	weir_producer_session_tick(producer, now_ns + 10 * GATEWAY_MS);
	return producer;
}

static void give(struct gateway *gateway, struct weir_producer_session *producer,
	const uint8_t *data, size_t length, uint8_t time)
{
	struct weir_produced message = {.key = "k", .key_length = 1, .data = "abc", .length = 3};
	enum weir_held_by held_by;
	uint8_t *datagram = malloc(length + 1);

	memcpy(datagram, data, length);
	if (time & 1)
		claim(datagram, length, gateway->session);
	weir_session_receive(gateway->client, datagram, length, gateway->now_ns);
	if (time & 1)
		claim(datagram, length, produced_session);
	weir_producer_session_receive(producer, datagram, length, gateway->now_ns);
	free(datagram);
	(void)weir_producer_session_send(producer, &message, gateway->now_ns, &held_by);
	gateway_wait(gateway, time >> 2);
	weir_producer_session_tick(producer, gateway->now_ns);
	take_all(gateway);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = data + size;
	struct weir_producer_session *producer;
	struct gateway gateway = {0};

	gateway_open_reliable(&gateway, (struct weir_consumer_options){0});
	producer = open_producer(gateway.now_ns);
	while (end - data >= 3) {
		uint8_t time = data[0];
		size_t length = weir_load16be(data + 1) % DATAGRAM_MOST;

		data += 3;
		length = length < (size_t)(end - data) ? length : (size_t)(end - data);
		give(&gateway, producer, data, length, time);
		data += length;
	}
	weir_producer_session_destroy(producer);
	gateway_close(&gateway);
	return 0;
}
