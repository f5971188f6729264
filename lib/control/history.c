/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct weir_history *weir_history_create(void)
{
	struct weir_history *history = calloc(1, sizeof(*history));

	if (history != NULL)
		history->next = 1;
	return history;
}

void weir_version_free(struct weir_version *version)
{
	if (version == NULL)
		return;
	free(version->json);
	free(version);
}

void weir_history_destroy(struct weir_history *history)
{
	if (history == NULL)
		return;
	for (uint32_t i = 0; i < history->count; i++)
		weir_version_free(history->versions[i]);
	free(history);
}

struct weir_version *weir_version_make(
	const struct weir_config *config, const char *comment, uint64_t wall_ns)
{
	struct weir_version *version = calloc(1, sizeof(*version));

	if (version == NULL)
		return NULL;
	version->json = strdup(config->json);
	if (version->json == NULL) {
		free(version);
		return NULL;
	}
	version->wall_ns = wall_ns;
	memcpy(version->digest, config->digest, sizeof(version->digest));
	snprintf(version->comment, sizeof(version->comment), "%s", comment);
	return version;
}

static void let_go(struct weir_history *history, uint32_t index)
{
	history->bytes -= strlen(history->versions[index]->json);
	weir_version_free(history->versions[index]);
	history->count--;
	memmove(&history->versions[index], &history->versions[index + 1],
		(history->count - index) * sizeof(history->versions[0]));
}

/* The oldest but the one that runs and the one to go back to; false: there are no others. */
static bool let_oldest_go(struct weir_history *history)
{
	for (uint32_t i = 0; i < history->count; i++) {
		uint64_t number = history->versions[i]->number;

		if (number == history->running || number == history->back)
			continue;
		let_go(history, i);
		return true;
	}
	return false;
}

void weir_history_add(struct weir_history *history, struct weir_version *version)
{
	size_t bytes = strlen(version->json);

	while ((history->count == WEIR_HISTORY_VERSIONS ||
		       history->bytes + bytes > WEIR_HISTORY_BYTES) &&
		let_oldest_go(history))
		continue;
	version->number = history->next++;
	version->before = history->running;
	history->versions[history->count++] = version;
	history->bytes += bytes;
	history->running = version->number;
}

void weir_history_select(struct weir_history *history, uint64_t number)
{
	history->running = number;
}

static struct weir_version *find(const struct weir_history *history, uint64_t number)
{
	for (uint32_t i = 0; i < history->count; i++)
		if (history->versions[i]->number == number)
			return history->versions[i];
	return NULL;
}

const struct weir_version *weir_history_find(const struct weir_history *history, uint64_t number)
{
	return find(history, number);
}

const struct weir_version *weir_history_running(const struct weir_history *history)
{
	return find(history, history->running);
}

const struct weir_version *weir_history_before(const struct weir_history *history)
{
	const struct weir_version *running = find(history, history->running);

	return running != NULL ? find(history, running->before) : NULL;
}

void weir_history_begin_trial(struct weir_history *history, uint64_t back)
{
	history->back = back;
}

void weir_history_confirm(struct weir_history *history)
{
	struct weir_version *running = find(history, history->running);

	/* It may have failed in an earlier trial. */
	if (running != NULL)
		running->is_reverted = false;
	history->back = 0;
}

void weir_history_revert(struct weir_history *history)
{
	struct weir_version *running = find(history, history->running);

	if (running != NULL)
		running->is_reverted = true;
	history->running = history->back;
	history->back = 0;
}
