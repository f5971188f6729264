/* SPDX-License-Identifier: BSD-3-Clause */
#include "link_way.h"

#include <string.h>

#include "clock.h"
#include "report.h"
#include "wire/parse.h"

static bool is_impaired(const struct load_way *way, const struct load_packet *packet)
{
	const uint8_t *frame = packet->bytes + sizeof(load_link_head);
	enum weir_reason reason;
	struct weir_packet parsed;

	if (way->only_udp == 0)
		return true;
	return weir_parse(frame, frame + packet->length, &parsed, &reason) == WEIR_PARSE_UDP &&
	       (parsed.source_port == way->only_udp || parsed.destination_port == way->only_udp);
}

static void decide(struct load_way *way, struct load_packet *packet, uint64_t now_ns)
{
	uint64_t due_ns = now_ns;

	way->packets++;
	way->bytes += packet->length;
	packet->users = 1;
	if (is_impaired(way, packet))
		packet->users = load_impair_decide(&way->impair, now_ns, packet->length, &due_ns);
	if (packet->users == 0)
		load_packet_put(&way->pool, packet);
	else
		for (unsigned int i = packet->users; i > 0; i--)
			load_queue_put(&way->queue, due_ns, packet);
}

static void send_leaving(struct load_way *way)
{
	struct load_port_sent result = load_port_send(way->to, way->leaving, way->leaving_count);
	unsigned int done = result.sent + result.failed;

	for (unsigned int i = 0; i < done; i++)
		load_packet_put(&way->pool, way->leaving[i]);
	way->leaving_count -= done;
	memmove(way->leaving, way->leaving + done, way->leaving_count * sizeof(*way->leaving));
	way->sent += result.sent;
	way->sent_bytes += result.bytes;
	way->failed += result.failed;
	if (result.error != 0)
		way->error = result.error;
}

int load_way_init(struct load_way *way, struct load_port *from, struct load_port *to, size_t limit)
{
	int error;

	way->from = from;
	way->to = to;
	error = load_packet_pool_init(&way->pool, limit);
	if (error < 0)
		return error;
	/* Each may be in the queue twice. */
	return load_queue_init(&way->queue, 2 * limit);
}

void load_way_free(struct load_way *way)
{
	load_queue_free(&way->queue);
	load_packet_pool_free(&way->pool);
}

int load_way_take(struct load_way *way)
{
	struct load_packet *packets[LOAD_LINK_BATCH];
	unsigned int count = 0;
	uint64_t spoilt = 0, now_ns;
	int taken;

	while (count < LOAD_LINK_BATCH && (packets[count] = load_packet_get(&way->pool)) != NULL)
		count++;
	if (count == 0)
		return 0;
	taken = load_port_take(way->from, packets, count, &spoilt);
	now_ns = load_clock_ns();
	way->packets += spoilt;
	way->failed += spoilt;
	/* From the end: what was not used is on top of the pool again, first the latest. */
	for (unsigned int i = count; i-- > (taken > 0 ? (unsigned int)taken : 0);)
		load_packet_put(&way->pool, packets[i]);
	for (int i = 0; i < taken; i++) {
		if (packets[i]->length > 0)
			decide(way, packets[i], now_ns);
		else
			load_packet_put(&way->pool, packets[i]);
	}
	return taken;
}

void load_way_release(struct load_way *way)
{
	uint64_t now_ns = load_clock_ns();

	do {
		struct load_packet *packet;

		while (way->leaving_count < LOAD_LINK_BATCH &&
			(packet = load_queue_take(&way->queue, now_ns)) != NULL)
			way->leaving[way->leaving_count++] = packet;
		if (way->leaving_count > 0)
			send_leaving(way);
	} while (way->leaving_count == 0 && load_queue_next(&way->queue) <= now_ns);
}

uint64_t load_way_next(const struct load_way *way)
{
	return way->leaving_count > 0 ? UINT64_MAX : load_queue_next(&way->queue);
}

bool load_way_has_room(const struct load_way *way)
{
	return way->pool.free_count > 0;
}

bool load_way_is_stuck(const struct load_way *way)
{
	return way->leaving_count > 0;
}

json_t *load_way_report(const struct load_way *way)
{
	const struct load_impair_stats *stats = &way->impair.stats;
	json_t *report = json_object();

	load_report_text(report, "from", way->from->name);
	load_report_text(report, "to", way->to->name);
	load_report_count(report, "packets", way->packets);
	load_report_count(report, "bytes", way->bytes);
	load_report_count(report, "impaired", way->impair.packets);
	load_report_count(report, "lost", stats->lost);
	load_report_count(report, "cut", stats->cut);
	load_report_count(report, "queue_full", stats->queue_full);
	load_report_count(report, "reordered", stats->reordered);
	load_report_count(report, "duplicated", stats->duplicated);
	load_report_count(report, "delayed", stats->delayed);
	load_report_count(report, "sent", way->sent);
	load_report_count(report, "sent_bytes", way->sent_bytes);
	load_report_count(report, "held", way->queue.count + way->leaving_count);
	load_report_count(report, "failed", way->failed);
	load_report_text(report, "error", way->error != 0 ? strerror(way->error) : "");
	load_report_count(report, "overrun", load_port_overruns(way->from));
	load_report_count(report, "device_drops", load_port_drops(way->to));
	return report;
}
