/* SPDX-License-Identifier: BSD-3-Clause */
#include "sink.h"

#include <errno.h>
#include <string.h>

#include "report.h"

static json_t *report_latency(const struct load_histogram *latency)
{
	json_t *report = json_object();

	load_report_real(report, "min", (double)latency->lowest / 1e3);
	load_report_real(report, "p50", (double)load_histogram_quantile(latency, 500) / 1e3);
	load_report_real(report, "p99", (double)load_histogram_quantile(latency, 990) / 1e3);
	load_report_real(report, "p99_9", (double)load_histogram_quantile(latency, 999) / 1e3);
	load_report_real(report, "max", (double)latency->highest / 1e3);
	return report;
}

static json_t *report_key(const struct load_verify_key *key)
{
	json_t *report = json_object();

	load_report_count(report, "run", key->run);
	load_report_count(report, "key", key->key);
	load_report_count(report, "received", key->received);
	load_report_count(report, "lost", load_verify_key_lost(key));
	load_report_count(report, "duplicates", key->duplicates);
	load_report_count(report, "reordered", key->reordered);
	load_report_count(report, "stale", key->stale);
	load_report_count(report, "next", key->next);
	return report;
}

static json_t *report_keys(const struct load_verifier *verifier)
{
	const struct load_verify_key *key;
	json_t *rows = json_array();

	for (size_t i = 0; (key = load_verifier_key(verifier, i)) != NULL; i++)
		json_array_append_new(rows, report_key(key));
	return rows;
}

int load_sink_init(struct load_sink *sink, bool is_late)
{
	memset(sink, 0, sizeof(*sink));
	sink->verifier = load_verifier_create(is_late);
	return sink->verifier != NULL ? 0 : -ENOMEM;
}

void load_sink_free(struct load_sink *sink)
{
	load_verifier_destroy(sink->verifier);
	sink->verifier = NULL;
}

void load_sink_take(struct load_sink *sink, const uint8_t *payload, size_t length, size_t overhead,
	uint64_t now_ns)
{
	struct load_record record;

	load_meter_add(&sink->meter, now_ns, 1, length + overhead);
	if (!load_record_get(payload, length, &record)) {
		sink->foreign++;
		return;
	}
	sink->received++;
	sink->bytes += length;
	/* A key that cannot be remembered is in the total as untracked. */
	(void)load_verifier_take(sink->verifier, &record);
	load_histogram_add(&sink->latency, now_ns > record.sent_ns ? now_ns - record.sent_ns : 0);
}

uint64_t load_sink_messages(const struct load_sink *sink)
{
	return sink->received + sink->foreign;
}

bool load_sink_is_clean(const struct load_sink *sink)
{
	struct load_verify_total total;

	load_verifier_total(sink->verifier, &total);
	return sink->received > 0 && sink->foreign == 0 && total.lost == 0 &&
	       total.duplicates == 0 && total.reordered == 0 && total.stale == 0 &&
	       total.untracked == 0;
}

json_t *load_sink_report(const struct load_sink *sink, bool with_keys)
{
	struct load_rate rate = load_meter_rate(&sink->meter);
	uint64_t span_ns = sink->meter.last_ns - sink->meter.first_ns;
	struct load_verify_total total;
	json_t *report = json_object();

	load_verifier_total(sink->verifier, &total);
	load_report_count(report, "received", sink->received);
	load_report_count(report, "bytes", sink->bytes);
	load_report_count(report, "lost", total.lost);
	load_report_count(report, "duplicates", total.duplicates);
	load_report_count(report, "reordered", total.reordered);
	load_report_count(report, "stale", total.stale);
	load_report_count(report, "foreign", sink->foreign);
	load_report_count(report, "untracked", total.untracked);
	load_report_count(report, "keys", total.keys);
	load_report_count(report, "runs", total.runs);
	load_report_count(report, "gaps", total.gaps);
	load_report_count(report, "gap_end_ns", total.gap_end_ns);
	load_report_real(report, "seconds", (double)span_ns / 1e9);
	load_report_real(report, "rate_pps", rate.packets_per_s);
	load_report_real(report, "rate_bps", rate.bits_per_s);
	load_report_part(report, "latency_us", report_latency(&sink->latency));
	if (with_keys)
		load_report_part(report, "per_key", report_keys(sink->verifier));
	return report;
}
