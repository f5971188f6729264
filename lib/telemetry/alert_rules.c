/* SPDX-License-Identifier: BSD-3-Clause */
#include "telemetry/alert_rules.h"

#include <string.h>

#include "telemetry/alert.h"

static void print_filter(FILE *out, const struct weir_alert_descriptor *about)
{
	bool is_excluded = about->value[0] == '!';

	if (about->label[0] != '\0')
		fprintf(out, "{%s%s\"%s\"}", about->label, is_excluded ? "!~" : "=",
			about->value + is_excluded);
}

/* Over a window: the share of bad looks, or the growth of one counter by another's. */
static void print_share(FILE *out, const struct weir_alert_descriptor *about, uint32_t window_s)
{
	const char *name = weir_metric_descriptors[about->metric].name;

	if (about->test == WEIR_ALERT_RATIO) {
		fprintf(out, "sum by (%s) (increase(%s_total", about->by, name);
		print_filter(out, about);
		fprintf(out, "[%us])) / sum by (%s) (increase(%s_total[%us]))", window_s, about->by,
			weir_metric_descriptors[about->whole].name, window_s);
		return;
	}
	fprintf(out, "avg_over_time((%s", name);
	print_filter(out, about);
	fprintf(out, " %s bool %g)[%us:])", about->test == WEIR_ALERT_ABOVE ? ">" : "<",
		about->threshold, window_s);
}

static void print_rule(
	FILE *out, const struct weir_alert_descriptor *about, uint32_t short_s, uint32_t long_s)
{
	fprintf(out, "      - alert: %s\n        expr: |\n          ", about->name);
	print_share(out, about, short_s);
	fprintf(out, " > %g\n          and\n          ", about->short_limit);
	print_share(out, about, long_s);
	fprintf(out, " > %g\n        for: %us\n", about->long_limit, short_s / 2);
	fprintf(out,
		"        labels: {severity: %s}\n        annotations:\n"
		"          summary: \"%s\"\n          runbook: docs/runbooks/%s.md\n",
		about->severity, about->summary, about->name);
}

void weir_alert_rules_print(FILE *out, uint32_t short_s, uint32_t long_s)
{
	fputs("# SPDX-License-Identifier: BSD-3-Clause\n"
	      "# The gateway's own alerts as Prometheus rules: the same names, tests, windows and "
	      "limits.\n"
	      "# Made from lib/telemetry/alert.h; a test compares.\n"
	      "groups:\n  - name: weir\n    rules:\n"
	      "      - alert: WeirDown\n        expr: up{job=\"weir\"} == 0\n",
		out);
	fprintf(out,
		"        for: %us\n        labels: {severity: critical}\n        annotations:\n"
		"          summary: \"A gateway gives no figures\"\n"
		"          runbook: docs/runbooks/WeirDown.md\n",
		short_s / 2);
	for (int id = 0; id < WEIR_ALERT_COUNT; id++)
		print_rule(out, &weir_alert_descriptors[id], short_s, long_s);
}
