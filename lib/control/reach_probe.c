/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/reach_private.h"

#include <stdio.h>
#include <sys/epoll.h>

#include "control/gateway.h"

/*
 * A consumer that refused datagrams is left alone for a hold time, then asked by one empty
 * datagram of the kernel's. While it refuses the hold time doubles.
 */

#define HOLD_MAX_MS 30000

static void hold(struct weir_reach_entry *entry, uint64_t now_ns)
{
	entry->hold_until_ns = now_ns + entry->hold_ms * WEIR_MS_NS;
	entry->hold_ms = entry->hold_ms * 2 < HOLD_MAX_MS ? entry->hold_ms * 2 : HOLD_MAX_MS;
}

static void judge(struct weir_reach_entry *entry)
{
	uint64_t now_ns = weir_loop_clock_ns();
	uint64_t elapsed_ms = (now_ns - entry->probe_started_ns) / WEIR_MS_NS;
	enum weir_probe_result result = weir_probe_result(&entry->probe, elapsed_ms);

	if (result == WEIR_PROBE_PENDING)
		return;
	weir_reach_stop_probe(entry);
	if (result == WEIR_PROBE_REFUSED) {
		hold(entry, now_ns);
		return;
	}
	weir_reach_forgive(entry);
	weir_reach_look(entry);
	/* The partitions come back with the next round or change. */
	if (entry->reach->must_republish &&
		weir_dataplane_republish(entry->reach->gateway->dataplane) == 0)
		entry->reach->must_republish = false;
}

static void probe_ready(void *context, int fd, uint32_t events)
{
	(void)fd;
	(void)events;
	judge(context);
}

static void probe_waited(void *context, uint64_t now_ns)
{
	(void)now_ns;
	judge(context);
}

void weir_reach_stop_probe(struct weir_reach_entry *entry)
{
	if (entry->probe.fd < 0)
		return;
	weir_loop_remove_fd(entry->reach->gateway->loop, entry->probe.fd);
	weir_loop_timer_cancel(entry->reach->gateway->loop, &entry->probe_timer);
	weir_probe_close(&entry->probe);
	entry->probe.fd = -1;
}

void weir_reach_retry(struct weir_reach_entry *entry, uint64_t now_ns)
{
	struct weir_loop *loop = entry->reach->gateway->loop;

	if (!entry->is_refused || entry->probe.fd >= 0 || now_ns < entry->hold_until_ns)
		return;
	if (weir_probe_start(&entry->config.address, entry->config.port, &entry->probe) < 0) {
		entry->probe.fd = -1;
		hold(entry, now_ns);
		return;
	}
	entry->probe_started_ns = now_ns;
	weir_loop_timer_init(&entry->probe_timer, probe_waited, entry);
	if (weir_loop_add_fd(loop, entry->probe.fd, EPOLLIN, probe_ready, entry) < 0 ||
		weir_loop_timer_arm(
			loop, &entry->probe_timer, (WEIR_PROBE_WAIT_MS + 10) * WEIR_MS_NS, 0) < 0) {
		weir_reach_stop_probe(entry);
		hold(entry, now_ns);
	}
}

void weir_reach_refuse(struct weir_reach_entry *entry, const struct weir_icmp_unreachable *icmp)
{
	static const char *const causes[] = {
		[WEIR_ICMP_PORT] = "nobody listens on its port",
		[WEIR_ICMP_HOST] = "no way to it",
		[WEIR_ICMP_PROHIBITED] = "a filter refuses it",
	};
	const struct weir_config *config = weir_dataplane_config(entry->reach->gateway->dataplane);
	char reporter[WEIR_ADDRESS_TEXT];

	if (entry->is_refused)
		return;
	weir_address_format(&icmp->reporter, reporter, sizeof(reporter));
	snprintf(entry->refusal, sizeof(entry->refusal), "%s, says %s by ICMP", causes[icmp->cause],
		reporter);
	entry->is_refused = true;
	entry->hold_ms = config->reach.hold_ms;
	hold(entry, weir_loop_clock_ns());
	weir_reach_look(entry);
}

void weir_reach_forgive(struct weir_reach_entry *entry)
{
	weir_reach_stop_probe(entry);
	entry->is_refused = false;
}
