/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/telemetry.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "control/alerts.h"
#include "control/trials.h"
#include "control/capacity.h"
#include "control/drift.h"
#include "control/gateway.h"
#include "control/watchdog.h"
#include "telemetry/collect.h"
#include "telemetry/http.h"
#include "telemetry/publish.h"
#include "telemetry/rte.h"

#define HTTP_MS 1000 /* connections are looked at, and a listener that failed is tried again */

struct weir_telemetry {
	struct weir_gateway *gateway;
	struct weir_loop_timer timer;
	struct weir_loop_timer http_timer;
	struct weir_collector collector;
	struct weir_publisher *publisher;
	const struct weir_samples *newest;            /* borrowed */
	struct weir_config_telemetry config;          /* that HTTP and the timer follow */
	struct weir_http *http;                       /* NULL: none, or not yet */
	uint64_t http_before[WEIR_HTTP_STATUS_COUNT]; /* of listeners that were closed */
	bool was_told;                                /* that it cannot listen */
	uint64_t expected_ns;                         /* when the timer was to fire; 0: unknown */
	uint64_t duration_ns;                         /* that the last look took */
};

static void add_http(const struct weir_telemetry *telemetry, struct weir_samples *samples)
{
	static const char *const names[] = {
#define X(status) #status,
		WEIR_HTTP_STATUSES(X)
#undef X
	};
	uint64_t counters[WEIR_HTTP_STATUS_COUNT] = {0};

	if (telemetry->http != NULL)
		weir_http_counters(telemetry->http, counters);
	for (int i = 0; i < WEIR_HTTP_STATUS_COUNT; i++)
		weir_samples_add_with(samples, WEIR_METRIC_ID_HTTP_REQUESTS, "status", names[i],
			(double)(counters[i] + telemetry->http_before[i]));
}

static int64_t wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void add_own(
	const struct weir_telemetry *telemetry, uint64_t now_ns, struct weir_samples *samples)
{
	uint64_t late_ns = telemetry->expected_ns != 0 && now_ns > telemetry->expected_ns
				   ? now_ns - telemetry->expected_ns
				   : 0;

	samples->wall_ms = wall_ms();
	weir_samples_unlabel(samples, 0);
	weir_samples_add_with(samples, WEIR_METRIC_ID_BUILD, "version", WEIR_VERSION, 1);
	weir_samples_add(samples, WEIR_METRIC_ID_UPTIME,
		(double)(now_ns - telemetry->gateway->started_ns) / WEIR_S_NS);
	weir_samples_add(samples, WEIR_METRIC_ID_AGE, (double)samples->wall_ms / 1000);
	weir_samples_add(samples, WEIR_METRIC_ID_CONTROL_LAG, (double)late_ns / WEIR_S_NS);
	weir_samples_add(samples, WEIR_METRIC_ID_COLLECT_DURATION,
		(double)telemetry->duration_ns / WEIR_S_NS);
	add_http(telemetry, samples);
}

static void publish(struct weir_telemetry *telemetry, struct weir_samples *samples)
{
	if (weir_publisher_commit(telemetry->publisher, samples) < 0)
		return;
	if (telemetry->newest != NULL)
		weir_publisher_return(telemetry->publisher, telemetry->newest);
	telemetry->newest = weir_publisher_borrow(telemetry->publisher);
}

static void look(void *context, uint64_t now_ns)
{
	struct weir_telemetry *telemetry = context;
	struct weir_gateway *gateway = telemetry->gateway;
	struct weir_samples *samples = weir_publisher_begin(telemetry->publisher);
	uint32_t left_out;

	if (samples == NULL)
		return;
	add_own(telemetry, now_ns, samples);
	weir_collect(&telemetry->collector, gateway->dataplane, now_ns, samples);
	weir_trials_look(gateway->trials, now_ns);
	left_out = telemetry->collector.left_out +
		   weir_telemetry_collect_control(gateway, telemetry->config.consumers, samples);
	weir_samples_unlabel(samples, 0);
	weir_samples_add(samples, WEIR_METRIC_ID_SAMPLES_LEFT_OUT, left_out);
	weir_capacities_look(gateway->capacities, now_ns, samples);
	weir_drift_add_samples(gateway->drift, samples);
	weir_samples_unlabel(samples, 0);
	weir_watchdog_look(gateway->watchdog, now_ns, samples);
	weir_watch_look(gateway->alerts, now_ns, samples);
	publish(telemetry, samples);
	telemetry->duration_ns = weir_loop_clock_ns() - now_ns;
	telemetry->expected_ns = telemetry->timer.deadline_ns;
}

static void listen_again(struct weir_telemetry *telemetry)
{
	struct weir_error error = {0};

	if (telemetry->config.port == 0)
		return;
	if (weir_http_open(&telemetry->config, telemetry->publisher, &telemetry->http, &error) ==
		0) {
		char address[WEIR_ADDRESS_TEXT];

		weir_address_format(&telemetry->config.address, address, sizeof(address));
		weir_log_info("telemetry", "metrics at http://%s%s%s:%u/metrics",
			telemetry->config.address.family == 6 ? "[" : "", address,
			telemetry->config.address.family == 6 ? "]" : "", telemetry->config.port);
		telemetry->was_told = false;
		return;
	}
	if (!telemetry->was_told)
		weir_log_error("telemetry", "no metrics over HTTP: %s: %s; trying again%s%s",
			error.path, error.reason, error.hint[0] != '\0' ? "; hint: " : "",
			error.hint);
	telemetry->was_told = true;
}

static void look_at_http(void *context, uint64_t now_ns)
{
	struct weir_telemetry *telemetry = context;

	(void)now_ns;
	if (telemetry->http != NULL)
		weir_http_reap(telemetry->http);
	else
		listen_again(telemetry);
}

static void close_http(struct weir_telemetry *telemetry)
{
	uint64_t counters[WEIR_HTTP_STATUS_COUNT];

	if (telemetry->http == NULL)
		return;
	weir_http_counters(telemetry->http, counters);
	for (int i = 0; i < WEIR_HTTP_STATUS_COUNT; i++)
		telemetry->http_before[i] += counters[i];
	weir_http_close(telemetry->http);
	telemetry->http = NULL;
}

static bool same_listener(
	const struct weir_config_telemetry *a, const struct weir_config_telemetry *b)
{
	return weir_address_equal(&a->address, &b->address) && a->port == b->port &&
	       strcmp(a->token_file, b->token_file) == 0;
}

void weir_telemetry_sync(struct weir_telemetry *telemetry)
{
	const struct weir_config *config = weir_dataplane_config(telemetry->gateway->dataplane);
	const struct weir_config_telemetry *next = &config->telemetry;
	uint64_t interval_ns = next->interval_ms * WEIR_MS_NS;
	bool is_same = same_listener(&telemetry->config, next);

	if (telemetry->config.interval_ms != next->interval_ms) {
		telemetry->expected_ns = 0;
		if (weir_loop_timer_arm(telemetry->gateway->loop, &telemetry->timer, interval_ns,
			    interval_ns) < 0)
			weir_log_error("telemetry", "no memory for the timer");
	}
	telemetry->config = *next;
	telemetry->collector.partition_limit = next->partitions;
	if (is_same)
		return;
	close_http(telemetry);
	telemetry->was_told = false;
	listen_again(telemetry);
}

void weir_telemetry_suspend(struct weir_telemetry *telemetry)
{
	weir_loop_timer_cancel(telemetry->gateway->loop, &telemetry->timer);
	weir_loop_timer_cancel(telemetry->gateway->loop, &telemetry->http_timer);
	close_http(telemetry);
}

int weir_telemetry_create(struct weir_gateway *gateway, struct weir_telemetry **out)
{
	struct weir_telemetry *telemetry = calloc(1, sizeof(*telemetry));
	int rc;

	*out = telemetry;
	if (telemetry == NULL)
		return -ENOMEM;
	telemetry->gateway = gateway;
	weir_loop_timer_init(&telemetry->timer, look, telemetry);
	weir_loop_timer_init(&telemetry->http_timer, look_at_http, telemetry);
	rc = weir_publisher_create(&telemetry->publisher);
	if (rc == 0)
		rc = weir_loop_timer_arm(gateway->loop, &telemetry->http_timer,
			HTTP_MS * WEIR_MS_NS, HTTP_MS * WEIR_MS_NS);
	if (rc == 0 && weir_rte_telemetry_open(telemetry->publisher) < 0)
		weir_log_warning("telemetry", "no figures by DPDK's telemetry socket");
	return rc;
}

void weir_telemetry_destroy(struct weir_telemetry *telemetry)
{
	if (telemetry == NULL)
		return;
	weir_telemetry_suspend(telemetry);
	weir_rte_telemetry_close();
	if (telemetry->newest != NULL)
		weir_publisher_return(telemetry->publisher, telemetry->newest);
	weir_publisher_destroy(telemetry->publisher);
	free(telemetry);
}

const struct weir_samples *weir_telemetry_newest(const struct weir_telemetry *telemetry)
{
	return telemetry->newest;
}
