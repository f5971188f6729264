/* SPDX-License-Identifier: BSD-3-Clause */
#include "watcher.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"

#define NS_PER_S  UINT64_C(1000000000)
#define REOPEN_NS (10 * NS_PER_S) /* without a session: addresses and routes may be others now */
#define RETRY_NS  NS_PER_S        /* no way to the gateway */
#define DROPS_NS  (10 * NS_PER_S) /* between two lines about losses */

/* What an operator can do about a refusal. */
static const char *advice(uint16_t code)
{
	switch (code) {
	case WEIR_ERROR_NO_GROUP:
		return "; is --group right, and its class \"assisted\"?";
	case WEIR_ERROR_NAME_TAKEN:
		return "; give each agent a --name of its own";
	case WEIR_ERROR_NOT_PERMITTED:
		return "; does --key-file have the group's key, and are the clocks right?";
	case WEIR_ERROR_UNSUPPORTED:
		return "; the gateway is too old for agents";
	default:
		return "";
	}
}

static const char *code_text(uint16_t code)
{
	switch (code) {
#define X(id, number, name, text)                                                                  \
	case WEIR_ERROR_##id:                                                                      \
		return text;
		WEIR_FRAME_ERRORS(X)
#undef X
	default:
		return "unknown reason";
	}
}

static void joined(const struct agent_watcher *watcher)
{
	char address[WEIR_ADDRESS_TEXT];

	weir_address_format(&watcher->session.options.address, address, sizeof(address));
	weir_log_notice("agent", "port %u: gateway %s takes reports of %s, read by %s",
		watcher->port, watcher->options->gateway, address,
		weir_udp_watch_source(watcher->watch));
}

static void on_event(void *context, const struct weir_agent_event *event)
{
	struct agent_watcher *watcher = context;

	switch (event->news) {
	case WEIR_AGENT_JOINED:
		watcher->refused = 0;
		joined(watcher);
		break;
	case WEIR_AGENT_REFUSED:
		/* It is opened again now and then, and refused again. */
		if (watcher->refused == event->code)
			break;
		watcher->refused = event->code;
		weir_log_warning("agent", "port %u: the gateway refuses: %s%s", watcher->port,
			event->text, advice(event->code));
		break;
	case WEIR_AGENT_UNWANTED:
		weir_log_warning(
			"agent", "port %u: the gateway does not take reports", watcher->port);
		break;
	case WEIR_AGENT_LOST:
		watcher->open_at = weir_endpoint_now_ns() + REOPEN_NS;
		weir_log_notice("agent", "port %u: the session has ended: %s; greeting again",
			watcher->port, code_text(event->code));
		break;
	case WEIR_AGENT_SOCKET_GONE:
		weir_log_warning("agent", "port %u: nobody listens on it", watcher->port);
		break;
	case WEIR_AGENT_SOCKET_FOUND:
		weir_log_notice("agent", "port %u: somebody listens again", watcher->port);
		break;
	case WEIR_AGENT_DROPPED:
		watcher->dropped += event->count;
		break;
	}
}

/* The address that the gateway sees us by. */
static int local_address(const struct weir_endpoint *endpoint, struct weir_address *address)
{
	struct sockaddr_storage local;
	socklen_t length = sizeof(local);

	if (getsockname(weir_endpoint_fd(endpoint), (struct sockaddr *)&local, &length) < 0)
		return -errno;
	if (local.ss_family == AF_INET)
		weir_address_read(address, 4,
			(const uint8_t *)&((const struct sockaddr_in *)&local)->sin_addr);
	else
		weir_address_read(address, 6,
			(const uint8_t *)&((const struct sockaddr_in6 *)&local)->sin6_addr);
	return 0;
}

static int begin_session(struct agent_watcher *watcher, uint64_t now)
{
	const struct agent_options *options = watcher->options;
	struct weir_session_io io = weir_endpoint_io(watcher->endpoint);
	struct weir_agent_options wanted = {
		.group = options->group,
		.name = watcher->name,
		.address = options->address,
		.port = watcher->port,
		.interval_us = options->interval_us,
		.tell = on_event,
		.context = watcher,
	};
	int result = 0;

	if (wanted.address.family == 0)
		result = local_address(watcher->endpoint, &wanted.address);
	if (result == 0 && watcher->watch == NULL)
		result = weir_udp_watch_open(&wanted.address, watcher->port, &watcher->watch);
	return result < 0 ? result : weir_agent_start(&watcher->session, &wanted, &io, now);
}

static void close_endpoint(struct agent_watcher *watcher)
{
	weir_endpoint_close(watcher->endpoint);
	watcher->endpoint = NULL;
	/* The address may be another one next time. */
	weir_udp_watch_close(watcher->watch);
	watcher->watch = NULL;
}

static void open_endpoint(struct agent_watcher *watcher, uint64_t now)
{
	const struct agent_options *options = watcher->options;
	int result;

	close_endpoint(watcher);
	watcher->open_at = now + REOPEN_NS;
	result = weir_endpoint_open(options->gateway, options->gateway_port, 0, &watcher->endpoint);
	if (result == 0)
		result = begin_session(watcher, now);
	if (result == 0) {
		watcher->has_complained = false;
		return;
	}
	close_endpoint(watcher);
	watcher->open_at = now + RETRY_NS;
	if (!watcher->has_complained)
		weir_log_warning("agent", "port %u: no way to the gateway %s: %s; trying again",
			watcher->port, options->gateway, strerror(-result));
	watcher->has_complained = true;
}

static int look(struct agent_watcher *watcher, uint64_t now)
{
	struct weir_agent_reading reading = {0};
	struct weir_udp_queue queue;
	int result = weir_udp_watch_look(watcher->watch, &queue);

	if (result == 0) {
		reading.queue_bytes = queue.queue_bytes;
		reading.limit_bytes = queue.limit_bytes;
		reading.drops = queue.drops;
	} else if (result == -ENOENT) {
		reading.is_missing = true;
	} else {
		weir_log_error("agent",
			"the kernel tells nothing of its sockets (%s): allow AF_NETLINK, or "
			"reading /proc/net/udp",
			strerror(-result));
		return result;
	}
	weir_agent_looked(&watcher->session, &reading, now);
	return 0;
}

static void on_datagram(void *context, const void *data, size_t length, uint64_t now_ns)
{
	struct agent_watcher *watcher = context;

	weir_agent_receive(&watcher->session, data, length, now_ns);
}

static void show(struct agent_watcher *watcher, uint64_t now)
{
	const struct weir_agent_session *session = &watcher->session;

	if (watcher->dropped != 0 && now >= watcher->tell_at) {
		weir_log_warning("agent", "port %u: the collector's socket dropped %llu datagrams",
			watcher->port, (unsigned long long)watcher->dropped);
		watcher->dropped = 0;
		watcher->tell_at = now + DROPS_NS;
	}
	if (!watcher->options->is_verbose || now < watcher->show_at ||
		session->phase != WEIR_AGENT_REPORTING)
		return;
	weir_log_info("agent",
		"port %u: queue %u of %u bytes, %llu dropped, %llu looks, %llu reports",
		watcher->port, session->reading.queue_bytes, session->reading.limit_bytes,
		(unsigned long long)session->drops,
		(unsigned long long)(session->looks - watcher->shown_looks),
		(unsigned long long)(session->reports - watcher->shown_reports));
	watcher->shown_looks = session->looks;
	watcher->shown_reports = session->reports;
	watcher->show_at = now + NS_PER_S;
}

int agent_watcher_start(
	struct agent_watcher *watcher, const struct agent_options *options, unsigned int index)
{
	char name[WEIR_FRAME_NAME_SIZE];
	int result;

	memset(watcher, 0, sizeof(*watcher));
	watcher->options = options;
	watcher->port = options->ports[index];
	if (options->name != NULL)
		snprintf(name, sizeof(name), "%s", options->name);
	else
		weir_endpoint_name(name);
	/* Names are unique in the gateway, and each port has a session of its own. */
	if (options->port_count > 1)
		snprintf(watcher->name, sizeof(watcher->name), "%.25s-%u", name, watcher->port);
	else
		memcpy(watcher->name, name, sizeof(name));
	if (options->key_file == NULL)
		return 0;
	result = weir_guard_load(&watcher->session.link.guard, options->key_file, 0, watcher->name);
	if (result < 0)
		weir_log_error("agent", "%s: %s", options->key_file,
			result == -ENOKEY ? "no key in it for this agent" : strerror(-result));
	return result;
}

void agent_watcher_stop(struct agent_watcher *watcher)
{
	if (watcher->endpoint != NULL)
		weir_agent_leave(&watcher->session);
	weir_guard_close(&watcher->session.link.guard);
	close_endpoint(watcher);
}

int agent_watcher_fd(const struct agent_watcher *watcher)
{
	return watcher->endpoint != NULL ? weir_endpoint_fd(watcher->endpoint) : -1;
}

uint64_t agent_watcher_deadline_ns(const struct agent_watcher *watcher)
{
	uint64_t deadline;

	if (watcher->endpoint == NULL)
		return watcher->open_at;
	deadline = weir_agent_deadline_ns(&watcher->session);
	if (watcher->session.phase == WEIR_AGENT_GREETING && watcher->open_at < deadline)
		return watcher->open_at;
	return deadline;
}

int agent_watcher_run(struct agent_watcher *watcher, bool has_input)
{
	uint64_t now = weir_endpoint_now_ns();
	int result = 0;

	if (watcher->session.phase == WEIR_AGENT_GREETING && now >= watcher->open_at)
		open_endpoint(watcher, now);
	if (watcher->endpoint == NULL)
		return 0;
	while (has_input && weir_endpoint_read(watcher->endpoint, on_datagram, watcher) == 1)
		now = weir_endpoint_now_ns();
	if (weir_agent_tick(&watcher->session, now))
		result = look(watcher, now);
	show(watcher, now);
	return result;
}
