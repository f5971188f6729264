/* SPDX-License-Identifier: BSD-3-Clause */
#include "top.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int usage(const char *problem, const char *hint)
{
	fprintf(stderr, "weirctl: top: %s\n  hint: %s\n", problem, hint);
	return WEIRCTL_USAGE;
}

static void print_view(enum top_view view, const struct top_samples *samples)
{
	struct top_page page = {0};
	struct weirctl_text text = {0};
	size_t width;

	top_view_make(&page, view, samples);
	top_page_sort(&page, top_view_order(view));
	width = top_page_name_width(&page, TOP_CELL);
	top_page_line(&text, &page, NULL, width);
	weirctl_text_add(&text, "\n", 1);
	for (size_t i = 0; i < page.row_count; i++) {
		top_page_line(&text, &page, &page.rows[i], width);
		weirctl_text_add(&text, "\n", 1);
	}
	if (text.bytes != NULL)
		printf("\n%s", text.bytes);
	free(text.bytes);
	top_page_free(&page);
}

static void print_all(enum top_view view, const struct top_samples *samples)
{
	struct weirctl_text text = {0};

	top_summary(&text, samples);
	puts(text.bytes != NULL ? text.bytes : "");
	free(text.bytes);
	for (int one = 0; one < TOP_VIEW_COUNT; one++)
		if (view == TOP_VIEW_COUNT || (int)view == one)
			print_view((enum top_view)one, samples);
	putchar('\n');
	fflush(stdout);
}

/* Rates take two samples, so the first page comes after one interval. */
static int run_batch(struct weirctl_client *client, enum top_view view)
{
	double interval_s = client->options->interval_s;
	const struct timespec pause = {.tv_sec = (time_t)interval_s,
		.tv_nsec = (long)((interval_s - (double)(time_t)interval_s) * 1e9)};
	bool has_partitions = view == TOP_PARTITIONS || view == TOP_VIEW_COUNT;
	struct top_samples samples = {0};
	int count = client->options->count;
	int rc = top_sample_take(client, has_partitions, &samples);

	for (int page = 0; rc == WEIRCTL_OK && (count == 0 || page < count); page++) {
		nanosleep(&pause, NULL);
		rc = top_sample_take(client, has_partitions, &samples);
		if (rc == WEIRCTL_OK)
			print_all(view, &samples);
		if (ferror(stdout))
			break;
	}
	top_samples_free(&samples);
	return rc;
}

int weirctl_top(struct weirctl_client *client, char *const *words, int count)
{
	static const char views[] = "it takes streams, partitions, consumers or workers";
	enum top_view view = TOP_VIEW_COUNT;

	if (count > 1)
		return usage("one view at a time", views);
	for (int i = 0; count == 1 && i < TOP_VIEW_COUNT; i++)
		if (strcmp(words[0], top_view_names[i]) == 0)
			view = (enum top_view)i;
	if (count == 1 && view == TOP_VIEW_COUNT)
		return usage("no such view", views);
	if (client->options->is_json)
		return usage("it prints no JSON", "see \"weirctl -j stats get\"");
	if (client->options->is_batch)
		return run_batch(client, view);
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return usage("no terminal", "--once or --batch prints plain text");
	return top_screen_run(client, view == TOP_VIEW_COUNT ? TOP_STREAMS : view);
}
