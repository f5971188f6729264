/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/windows.h"

#include <stdio.h>
#include <string.h>

#include "control/loop.h"

static struct weir_window_memory *find(struct weir_windows *windows, const char *name)
{
	for (uint32_t i = 0; i < WEIR_WINDOWS_KEPT; i++)
		if (strcmp(windows->kept[i].name, name) == 0)
			return &windows->kept[i];
	return NULL;
}

void weir_windows_keep(
	struct weir_windows *windows, const struct weir_consumer *consumer, uint32_t workers)
{
	struct weir_window_memory *memory = find(windows, consumer->name);
	uint32_t good = 0;

	if (!consumer->is_reliable)
		return;
	if (memory == NULL)
		memory = &windows->kept[windows->next++ % WEIR_WINDOWS_KEPT];
	/* Only looked at: its worker may still write it. */
	for (uint32_t id = 0; id < workers; id++) {
		uint32_t one =
			__atomic_load_n(&consumer->outlets[id].window.good, __ATOMIC_RELAXED);

		good = one > good ? one : good;
	}
	snprintf(memory->name, sizeof(memory->name), "%s", consumer->name);
	memory->good = good;
	memory->left_ns = weir_loop_clock_ns();
}

void weir_windows_restore(
	struct weir_windows *windows, struct weir_consumer *consumer, uint32_t workers)
{
	const struct weir_window_memory *memory = find(windows, consumer->name);
	uint64_t age_us;

	if (memory == NULL)
		return;
	age_us = (weir_loop_clock_ns() - memory->left_ns) / 1000;
	for (uint32_t id = 0; id < workers; id++) {
		struct weir_window *window = &consumer->outlets[id].window;

		weir_window_init(window, memory->good, 0);
		weir_window_resume(window, age_us, 0);
	}
}
