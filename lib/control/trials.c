/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/trials.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/feature_text.h"
#include "base/log.h"
#include "dataplane/report.h"

#define TEXT_SIZE 160

struct trial {
	bool is_running;
	bool is_stuck; /* it cannot go back; was told */
	struct weir_config_feature tried;
	struct weir_config_feature back; /* what was set before */
	struct weir_trial judged;
};

struct weir_trials {
	struct weir_gateway *gateway;
	struct trial trials[WEIR_FEATURE_COUNT];
};

/* The side that the setting's share is on. */
static const struct weir_feature_side *side_of(
	const struct weir_feature_report *report, const struct weir_config_feature *setting)
{
	return &report->sides[setting->is_on];
}

static void emit(const struct weir_trials *trials, enum weir_feature feature,
	enum weir_event_kind kind, const char *reason, int64_t count, const char *text)
{
	char subject[64];

	snprintf(subject, sizeof(subject), "feature=%s", weir_feature_name(feature));
	weir_event_emit(trials->gateway, &(struct weir_event){.kind = kind,
						 .subject = subject,
						 .reason = reason,
						 .count = count,
						 .text = text});
}

static void end_trial(struct trial *trial)
{
	weir_config_feature_free(&trial->tried);
	weir_config_feature_free(&trial->back);
	trial->is_running = false;
	trial->is_stuck = false;
}

int weir_trials_create(struct weir_gateway *gateway, struct weir_trials **trials)
{
	*trials = calloc(1, sizeof(**trials));
	if (*trials == NULL)
		return -ENOMEM;
	(*trials)->gateway = gateway;
	return 0;
}

void weir_trials_destroy(struct weir_trials *trials)
{
	for (int i = 0; trials != NULL && i < WEIR_FEATURE_COUNT; i++)
		if (trials->trials[i].is_running)
			end_trial(&trials->trials[i]);
	free(trials);
}

static void tell_set(const struct weir_trials *trials, enum weir_feature feature,
	const struct weir_config_feature *setting, const struct weir_feature_terms *terms)
{
	struct weir_feature_report report;
	char text[TEXT_SIZE];
	int used;

	weir_feature_report(trials->gateway->dataplane, feature, &report);
	used = snprintf(text, sizeof(text), "%s is on in %u partitions and off in %u",
		weir_feature_name(feature), report.sides[1].partitions, report.sides[0].partitions);
	if (terms != NULL)
		snprintf(text + used, sizeof(text) - (size_t)used, ", on trial for %u s",
			terms->seconds);
	emit(trials, feature, WEIR_EVENT_FEATURE_SET, setting->is_on ? "on" : "off",
		report.sides[setting->is_on].partitions, text);
}

static int prepare(struct weir_trials *trials, enum weir_feature feature,
	const struct weir_config_feature *setting, struct trial *next, struct weir_error *error)
{
	struct weir_feature_report report;

	if (trials->trials[feature].is_running)
		return weir_error_set(error, -EBUSY, "$.params.trial",
			"set it without a trial, or wait", "%s is on trial already",
			weir_feature_name(feature));
	weir_feature_report(trials->gateway->dataplane, feature, &report);
	if (weir_config_feature_equal(report.setting, setting))
		return weir_error_set(error, -EALREADY, "$.params.trial",
			"set it to something else first", "%s is set so already",
			weir_feature_name(feature));
	if (weir_config_feature_copy(setting, &next->tried) == 0 &&
		weir_config_feature_copy(report.setting, &next->back) == 0)
		return 0;
	end_trial(next);
	return weir_error_set(
		error, -ENOMEM, "$", "free some memory and try again", "no memory for the trial");
}

int weir_trials_set(struct weir_trials *trials, enum weir_feature feature,
	const struct weir_config_feature *setting, const struct weir_feature_terms *terms,
	struct weir_error *error)
{
	struct weir_dataplane *dataplane = trials->gateway->dataplane;
	struct trial *trial = &trials->trials[feature];
	struct trial next = {.is_running = terms != NULL};
	struct weir_feature_report report;
	int rc = terms != NULL ? prepare(trials, feature, setting, &next, error) : 0;

	if (rc < 0)
		return rc;
	/* What was until now is not the trial's. A worker that is stalled costs exactness. */
	(void)weir_census_take(dataplane);
	weir_features_fold(dataplane);
	rc = weir_feature_set(dataplane, feature, setting, error);
	if (rc < 0) {
		end_trial(&next);
		return rc;
	}
	if (trial->is_running)
		end_trial(trial);
	*trial = next;
	if (terms != NULL) {
		weir_feature_report(dataplane, feature, &report);
		weir_trial_begin(&trial->judged, &terms->objective,
			weir_loop_clock_ns() + terms->seconds * WEIR_S_NS,
			side_of(&report, setting));
	}
	tell_set(trials, feature, setting, terms);
	return 0;
}

const struct weir_trial *weir_trials_running(
	const struct weir_trials *trials, enum weir_feature feature, uint64_t *left_ms)
{
	const struct trial *trial = &trials->trials[feature];
	uint64_t now = weir_loop_clock_ns();

	*left_ms = trial->judged.end_ns > now ? (trial->judged.end_ns - now) / WEIR_MS_NS : 0;
	return trial->is_running ? &trial->judged : NULL;
}

static void revert(struct weir_trials *trials, enum weir_feature feature, enum weir_verdict verdict,
	const struct weir_trial_figures *figures)
{
	struct trial *trial = &trials->trials[feature];
	const struct weir_objective *objective = &trial->judged.objective;
	char text[TEXT_SIZE] = "no message came during the trial";
	const char *reason = "no_messages";
	int64_t count = 0;

	if (weir_feature_set(trials->gateway->dataplane, feature, &trial->back, NULL) < 0) {
		if (!trial->is_stuck)
			weir_log_error("feature", "no memory to revert %s; trying again",
				weir_feature_name(feature));
		trial->is_stuck = true;
		return;
	}
	if (verdict == WEIR_VERDICT_P99) {
		reason = "p99_us";
		count = (int64_t)figures->p99_us;
		snprintf(text, sizeof(text),
			"p99 was at least %" PRIu64 " us, the objective is %" PRIu64 " us; %" PRIu64
			" messages",
			figures->p99_us, objective->p99_us, figures->messages);
	} else if (verdict == WEIR_VERDICT_LOSS) {
		reason = "loss_ratio";
		count = (int64_t)(figures->loss_ratio * (double)figures->messages + 0.5);
		snprintf(text, sizeof(text),
			"loss was %g, the objective is %g; %" PRIu64 " messages",
			figures->loss_ratio, objective->loss_ratio, figures->messages);
	}
	end_trial(trial);
	emit(trials, feature, WEIR_EVENT_FEATURE_REVERTED, reason, count, text);
}

static void confirm(struct weir_trials *trials, enum weir_feature feature,
	const struct weir_trial_figures *figures)
{
	char text[TEXT_SIZE];

	snprintf(text, sizeof(text),
		"the trial held: p99 of about %" PRIu64 " us, loss %g; %" PRIu64 " messages",
		figures->p99_us, figures->loss_ratio, figures->messages);
	end_trial(&trials->trials[feature]);
	emit(trials, feature, WEIR_EVENT_FEATURE_CONFIRMED, NULL, (int64_t)figures->messages, text);
}

void weir_trials_look(struct weir_trials *trials, uint64_t now_ns)
{
	for (int i = 0; i < WEIR_FEATURE_COUNT; i++) {
		struct trial *trial = &trials->trials[i];
		enum weir_feature feature = (enum weir_feature)i;
		struct weir_trial_figures figures;
		struct weir_feature_report report;
		enum weir_verdict verdict;

		if (!trial->is_running)
			continue;
		weir_feature_report(trials->gateway->dataplane, feature, &report);
		verdict = weir_trial_judge(
			&trial->judged, now_ns, side_of(&report, &trial->tried), &figures);
		if (verdict == WEIR_VERDICT_HELD)
			confirm(trials, feature, &figures);
		else if (verdict != WEIR_VERDICT_OPEN || trial->is_stuck)
			revert(trials, feature, verdict, &figures);
	}
}

void weir_trials_sync(struct weir_trials *trials)
{
	for (int i = 0; i < WEIR_FEATURE_COUNT; i++) {
		struct trial *trial = &trials->trials[i];
		struct weir_feature_report report;

		if (!trial->is_running)
			continue;
		weir_feature_report(trials->gateway->dataplane, (enum weir_feature)i, &report);
		if (weir_config_feature_equal(report.setting, &trial->tried))
			continue;
		weir_log_notice("feature", "the trial of %s is over: a configuration has set it",
			weir_feature_name((enum weir_feature)i));
		end_trial(trial);
	}
}
