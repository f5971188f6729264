/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/quarantine.h"

#include <string.h>
#include <time.h>

#include "base/log.h"
#include "control/gateway.h"

static uint64_t wall_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void weir_quarantine_packet(struct weir_gateway *gateway, struct rte_mbuf *packet)
{
	const uint8_t *data = rte_pktmbuf_mtod(packet, const uint8_t *);
	struct weir_quarantined_names names;
	struct weir_quarantined note;

	memcpy(&note, data, sizeof(note));
	weir_quarantined_names(gateway->dataplane, &note, &names);
	if (weir_quarantine_add(
		    gateway->quarantine, &note, &names, data + sizeof(note), wall_ns()) < 0)
		weir_log_error("quarantine", "no memory for message %llu of stream %s",
			(unsigned long long)note.seq, names.stream);
	rte_pktmbuf_free(packet);
}

void weir_quarantine_sync(struct weir_gateway *gateway)
{
	const struct weir_config_quarantine *limits =
		&weir_dataplane_config(gateway->dataplane)->quarantine;

	weir_quarantine_set_limits(gateway->quarantine, limits->messages, limits->bytes);
}
