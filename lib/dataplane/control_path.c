/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/dataplane.h"

#include <errno.h>
#include <unistd.h>

#include "dataplane/native_wire.h"
#include "dataplane/worker.h"

/*
 * Packets between workers and the control thread. A worker makes a system call to wake it only
 * when it is about to sleep, so a flood of such packets costs a worker one call per round of
 * the control thread at most.
 */

void weir_control_notify(struct weir_worker *worker)
{
	struct weir_dataplane *dataplane = worker->dataplane;
	uint64_t one = 1;

	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load_explicit(&dataplane->control_sleeps, memory_order_relaxed) &&
		atomic_exchange(&dataplane->control_sleeps, false))
		(void)!write(dataplane->control_fd, &one, sizeof(one));
}

bool weir_control_arm(struct weir_dataplane *dataplane)
{
	atomic_store(&dataplane->control_sleeps, true);
	for (uint32_t id = 0; id < dataplane->worker_count; id++)
		if (!rte_ring_empty(dataplane->workers[id].to_control)) {
			atomic_store(&dataplane->control_sleeps, false);
			return true;
		}
	return false;
}

uint32_t weir_control_receive(
	struct weir_dataplane *dataplane, struct rte_mbuf **packets, uint32_t most)
{
	uint32_t share = RTE_MAX(most / dataplane->worker_count, 1u);
	uint32_t count = 0;

	for (uint32_t id = 0; id < dataplane->worker_count && count < most; id++)
		count += rte_ring_sc_dequeue_burst(dataplane->workers[id].to_control,
			(void **)(packets + count), RTE_MIN(share, most - count), NULL);
	return count;
}

struct rte_mbuf *weir_control_alloc(struct weir_dataplane *dataplane)
{
	return rte_pktmbuf_alloc(dataplane->copies);
}

int weir_control_send(struct weir_dataplane *dataplane, uint16_t port, struct rte_mbuf *packet)
{
	/* A worker with a queue of its own on that port: the first always has one. */
	struct weir_worker *worker = &dataplane->workers[0];

	packet->port = port;
	if (rte_ring_sp_enqueue(worker->from_control, packet) == 0)
		return 0;
	rte_pktmbuf_free(packet);
	return -ENOBUFS;
}

static int begin(struct weir_dataplane *dataplane, struct weir_reply *reply, uint64_t session,
	uint16_t size, struct weir_seal *seal)
{
	reply->packet = rte_pktmbuf_alloc(dataplane->copies);
	if (reply->packet == NULL)
		return -ENOBUFS;
	weir_writer_begin(&reply->writer, weir_native_payload(reply->packet),
		RTE_MIN(size, reply->route.max_payload) - (seal != NULL ? weir_seal_room(seal) : 0),
		session);
	reply->seal = seal;
	return 0;
}

int weir_reply_route(const struct weir_dataplane *dataplane, const struct rte_mbuf *request,
	const struct weir_packet *headers, struct weir_route *route)
{
	const uint8_t *frame = rte_pktmbuf_mtod(request, const uint8_t *);
	const uint8_t *ip = frame + headers->l3_offset;
	bool is_ipv6 = headers->ip_version == 6;
	struct weir_route_spec spec = {
		.port = request->port,
		.mtu = dataplane->ports[request->port]->mtu,
		.vlan = headers->vlan,
		.source_port = headers->destination_port,
		.destination_port = headers->source_port,
	};

	memcpy(spec.next_hop_mac, frame + 6, 6);
	memcpy(spec.source_mac, dataplane->ports[request->port]->mac, 6);
	weir_address_read(&spec.destination, headers->ip_version, ip + (is_ipv6 ? 8 : 12));
	weir_address_read(&spec.source, headers->ip_version, ip + (is_ipv6 ? 24 : 16));
	return weir_route_build(&spec, route);
}

int weir_reply_begin(struct weir_dataplane *dataplane, const struct rte_mbuf *request,
	const struct weir_packet *headers, uint64_t session, uint16_t size, struct weir_seal *seal,
	struct weir_reply *reply)
{
	int result = weir_reply_route(dataplane, request, headers, &reply->route);

	return result < 0 ? result : begin(dataplane, reply, session, size, seal);
}

int weir_reply_to_session(
	struct weir_dataplane *dataplane, struct weir_consumer *consumer, struct weir_reply *reply)
{
	const struct weir_route *route = atomic_load(&consumer->route);

	if (route == NULL)
		return -ENETUNREACH;
	reply->route = *route;
	return begin(dataplane, reply, consumer->session, consumer->max_datagram, &consumer->seal);
}

int weir_reply_by_route(struct weir_dataplane *dataplane, const struct weir_route *route,
	uint64_t session, uint16_t size, struct weir_seal *seal, struct weir_reply *reply)
{
	reply->route = *route;
	return begin(dataplane, reply, session, size, seal);
}

int weir_reply_send(struct weir_dataplane *dataplane, struct weir_reply *reply)
{
	if (reply->seal != NULL && reply->seal->is_on) {
		reply->writer.size += weir_seal_room(reply->seal);
		(void)weir_seal_add(reply->seal, &reply->writer);
	}
	weir_native_headers(reply->packet, &reply->route, reply->writer.length);
	return weir_control_send(dataplane, reply->route.port, reply->packet);
}
