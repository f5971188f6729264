/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/frame_delivery.h"
#include "world.h"

/*
 * A liar speaks its session's language, and nothing of it is true: it grants without bounds,
 * acknowledges what was never sent, asks for what it has. The gateway must believe it in what is
 * the liar's own affair, and keep every promise to all others.
 */

static struct weir_frame_range *make_ranges(
	struct sim_random *chance, struct weir_frame_range *ranges, uint32_t count, uint64_t from)
{
	for (uint32_t i = 0; i < count; i++) {
		uint64_t first = from + 1 + sim_below(chance, 20);

		from = first + 1 + sim_below(chance, 20);
		ranges[i].first = weir_be64(first);
		ranges[i].end = weir_be64(from);
	}
	return ranges;
}

/* A sequence that may have been sent, or nearly. */
static uint64_t near(struct sim_world *world, uint32_t stream, uint32_t partition)
{
	uint64_t first = world->plan.streams[stream].first_seq[partition];

	return sim_chance(&world->chance, 5) ? sim_random(&world->chance) >> 3
					     : first + sim_below(&world->chance, 600);
}

static void lie_credit(struct sim_world *world, struct weir_writer *writer)
{
	struct weir_frame_credit *credit =
		weir_writer_add(writer, WEIR_FRAME_CREDIT, 0, sizeof(*credit));

	credit->counter = weir_be32((uint32_t)sim_random(&world->chance));
	credit->limit_messages = weir_be64(sim_scale(&world->chance, 1, 1u << 30));
	credit->limit_bytes = weir_be64(sim_scale(&world->chance, 1, UINT64_C(1) << 40));
}

static void lie_ack(struct sim_world *world, struct weir_writer *writer, uint32_t stream,
	uint32_t partition, uint32_t epoch)
{
	uint16_t count = (uint16_t)sim_below(&world->chance, WEIR_ACK_RANGES_MAX + 1);
	struct weir_frame_ack *ack = weir_writer_add(writer, WEIR_FRAME_ACK, 0,
		(uint32_t)(sizeof(*ack) + count * sizeof(ack->ranges[0])));
	uint64_t next = near(world, stream, partition);

	ack->stream = weir_be16((uint16_t)stream);
	ack->partition = weir_be16((uint16_t)partition);
	ack->epoch = weir_be32(epoch);
	ack->count = weir_be16(count);
	ack->delay = weir_be16((uint16_t)sim_random(&world->chance));
	ack->next_seq = weir_be64(next);
	ack->done_seq = weir_be64(next - sim_below(&world->chance, 10));
	ack->newest_seq = weir_be64(near(world, stream, partition));
	make_ranges(&world->chance, ack->ranges, count, next);
}

static void lie_nack(struct sim_world *world, struct weir_writer *writer, uint32_t stream,
	uint32_t partition, uint32_t epoch)
{
	uint16_t count = (uint16_t)sim_between(&world->chance, 1, WEIR_NACK_RANGES_MAX);
	struct weir_frame_nack *nack = weir_writer_add(writer, WEIR_FRAME_NACK, 0,
		(uint32_t)(sizeof(*nack) + count * sizeof(nack->ranges[0])));

	nack->stream = weir_be16((uint16_t)stream);
	nack->partition = weir_be16((uint16_t)partition);
	nack->epoch = weir_be32(epoch);
	nack->count = weir_be16(count);
	make_ranges(&world->chance, nack->ranges, count, near(world, stream, partition));
}

static void lie_release(struct sim_world *world, struct weir_writer *writer, uint32_t stream,
	uint32_t partition, uint32_t epoch)
{
	struct weir_frame_handover *release =
		weir_writer_add(writer, WEIR_FRAME_RELEASE, 0, sizeof(*release));

	release->stream = weir_be16((uint16_t)stream);
	release->partition = weir_be16((uint16_t)partition);
	release->epoch = weir_be32(epoch);
	release->seq = weir_be64(near(world, stream, partition));
}

void sim_lie(struct sim_world *world, struct sim_consumer *consumer)
{
	uint8_t buffer[SIM_DATAGRAM];
	struct weir_writer writer;

	weir_writer_begin(&writer, buffer, sizeof(buffer), consumer->session_id);
	for (uint64_t i = sim_between(&world->chance, 1, 3); i > 0; i--) {
		uint32_t stream = (uint32_t)sim_below(&world->chance, world->plan.stream_count);
		uint32_t partition =
			(uint32_t)sim_below(&world->chance, world->plan.streams[stream].partitions);
		/* Epochs are small numbers here: easily guessed. */
		uint32_t epoch = (uint32_t)sim_between(&world->chance, 1, 12);

		switch (sim_below(&world->chance, 4)) {
		case 0:
			lie_credit(world, &writer);
			break;
		case 1:
			lie_ack(world, &writer, stream, partition, epoch);
			break;
		case 2:
			lie_release(world, &writer, stream, partition, epoch);
			break;
		default:
			if (writer.size - writer.length > 600)
				lie_nack(world, &writer, stream, partition, epoch);
			break;
		}
	}
	if (writer.frames != 0)
		(void)sim_network_send(&world->network, consumer->address, true, writer.data,
			writer.length, world->now_ns);
}
