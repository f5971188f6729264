/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <CUnit/Basic.h>

#include "claim.h"
#include "dataplane/produce.h"
#include "dataplane_client.h"
#include "dataplane_maker.h"

/*
 * What comes at a gateway's worker: frames of anybody, and datagrams of a consumer and a producer
 * with a session. The input is packets, each behind a byte that says whose it is and how much time
 * passes, and its length of two bytes. A data plane takes a while to make, so some inputs share
 * one: a finding may need those in front of it, which FUZZ_EACH=1 in the environment excludes.
 */

#define PACKET_MOST 2048
#define INPUTS      64 /* of one data plane */
#define STREAM      "[{'name':'s','key':'ipfix','partitions':4,'producers':{'max':2},'templates':{}}]"
#define GROUPS                                                                                     \
	"[{'name':'n','class':'native','streams':'s'},"                                            \
	"{'name':'b','streams':'s','consumers':[{'name':'b0','address':'10.0.0.9','port':9995}]}]"

int LLVMFuzzerInitialize(int *count, char ***arguments);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum sender { ANYBODY, CONSUMER, PRODUCER, EXPORTER, SENDERS };

struct side {
	struct plane *plane;
	struct client client;
	struct maker maker;
};

static unsigned int inputs = INPUTS;
static struct side side;
static unsigned int taken; /* inputs, by `side` */

/* A frame as it comes. */
static void receive_frame(struct side *side, const uint8_t *data, size_t length)
{
	struct rte_mbuf *packet = rte_pktmbuf_alloc(side->plane->dataplane->buffers);
	char *room = packet != NULL ? rte_pktmbuf_append(packet, (uint16_t)length) : NULL;

	if (room == NULL)
		abort();
	memcpy(room, data, length);
	weir_classify(side->plane->worker, &side->plane->ports[0], &packet, 1);
}

static void receive(struct side *side, enum sender from, uint8_t *data, size_t length)
{
	struct frame_spec spec = {.version = 4,
		.source = side->client.address,
		.destination = maker_own,
		.source_port = 5000,
		.destination_port = WEIR_FRAME_PORT,
		.payload = data,
		.payload_length = (uint16_t)length};

	switch (from) {
	case CONSUMER:
		claim(data, length, side->client.consumer->session);
		break;
	case PRODUCER:
		claim(data, length, side->maker.producer->session);
		spec.source = (struct weir_address){4, {10, 0, 0, 77}};
		spec.source_port = side->maker.port;
		break;
	case EXPORTER:
		spec.destination_port = 4739;
		break;
	default:
		receive_frame(side, data, length);
		return;
	}
	plane_receive(side->plane, &spec);
}

static void open_side(struct side *side)
{
	const struct client_options options = {
		.is_reliable = true, .may_seek = true, .may_assign = true, .wants_contexts = true};

	memset(side, 0, sizeof(*side));
	side->plane = plane_open(STREAM, GROUPS);
	plane_reach_all(side->plane);
	side->maker = maker_join(side->plane, "probe", 1);
	client_join(&side->client, side->plane, &options);
	client_grant_all(&side->client);
}

static void send_all(struct plane *plane)
{
	(void)plane_turn(plane);
	plane_tick(plane);
	weir_produce_flush(plane->worker);
	weir_tx_flush_all(plane->worker);
	plane_forget_sent(plane);
}

/* Every message is accounted for, and all buffers are back. */
static void close_side(struct side *side)
{
	send_all(side->plane);
	client_leave(&side->client);
	maker_leave(&side->maker);
	send_all(side->plane);
	plane_close(side->plane);
}

static void take_input(struct side *side, const uint8_t *data, size_t size)
{
	const uint8_t *end = data + size;

	while (end - data >= 3) {
		uint8_t what = data[0], *packet;
		size_t length = weir_load16be(data + 1) % PACKET_MOST;

		data += 3;
		length = length < (size_t)(end - data) ? length : (size_t)(end - data);
		packet = malloc(length + 1);
		memcpy(packet, data, length);
		data += length;
		receive(side, what % SENDERS, packet, length);
		free(packet);
		plane_advance(side->plane, (uint64_t)(what >> 2) * 100);
		send_all(side->plane);
	}
}

/* At the end of the process. */
static void close_last(void)
{
	if (taken != 0)
		close_side(&side);
}

int LLVMFuzzerInitialize(int *count, char ***arguments)
{
	(void)count;
	(void)arguments;
	if (getenv("FUZZ_EACH") != NULL)
		inputs = 1;
	if (!plane_environment() || atexit(close_last) != 0)
		exit(1);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (taken == 0)
		open_side(&side);
	take_input(&side, data, size);
	if (!plane_law_holds(side.plane))
		abort();
	if (++taken >= inputs) {
		close_side(&side);
		taken = 0;
	}
	return 0;
}
