/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <string.h>

#include "config/config.h"
#include "config/field.h"
#include "config/parts.h"

const char *const weir_driver_names[] = {
	"pci", "af_packet", "af_xdp", "xdp", "tap", "memif", "pcap", "null", NULL};
const char *const weir_tier_names[] = {"critical", "standard", "bulk", NULL};
const char *const weir_path_names[] = {"gateway", "kernel", NULL};
const char *const weir_class_names[] = {"blind", "assisted", "native", NULL};
const char *const weir_source_mode_names[] = {"rewrite", "keep", NULL};
const char *const weir_idle_names[] = {"auto", "spin", "sleep", NULL};
const char *const weir_xdp_mode_names[] = {"auto", "native", "generic", "zero_copy", NULL};
const char *const weir_log_format_names[] = {"text", "json", NULL};

enum { LONGEST_NAME = 32 };

static unsigned int minimum(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

/* Edits (insert, delete, replace) from one word to the other; words are cut at LONGEST_NAME. */
static unsigned int distance(const char *a, const char *b)
{
	unsigned int row[LONGEST_NAME + 1];
	size_t length_a = strnlen(a, LONGEST_NAME), length_b = strnlen(b, LONGEST_NAME);

	for (unsigned int j = 0; j <= length_b; j++)
		row[j] = j;
	for (unsigned int i = 1; i <= length_a; i++) {
		unsigned int diagonal = row[0];

		row[0] = i;
		for (unsigned int j = 1; j <= length_b; j++) {
			unsigned int above = row[j];
			unsigned int replace = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);

			row[j] = minimum(replace, minimum(above, row[j - 1]) + 1);
			diagonal = above;
		}
	}
	return row[length_b];
}

const char *weir_names_list(const char *const *names, char *text, size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; names[i] != NULL && used < size; i++) {
		const char *comma = i == 0 ? "" : ", ";

		used += (size_t)snprintf(text + used, size - used, "%s%s", comma, names[i]);
	}
	return text;
}

const char *weir_names_nearest(const char *const *names, const char *written)
{
	const char *nearest = NULL;
	unsigned int best = minimum(3, (unsigned int)strnlen(written, LONGEST_NAME) / 2) + 1;

	for (size_t i = 0; names[i] != NULL; i++) {
		unsigned int edits = distance(written, names[i]);

		if (edits < best) {
			best = edits;
			nearest = names[i];
		}
	}
	return nearest;
}

const char *weir_driver_name(enum weir_driver driver)
{
	return (unsigned int)driver <= WEIR_DRIVER_NULL ? weir_driver_names[driver] : NULL;
}

const char *weir_tier_name(enum weir_tier tier)
{
	return (unsigned int)tier < WEIR_TIERS ? weir_tier_names[tier] : NULL;
}

const char *weir_path_name(enum weir_path path)
{
	return (unsigned int)path <= WEIR_PATH_KERNEL ? weir_path_names[path] : NULL;
}

const char *weir_class_name(enum weir_class class)
{
	return (unsigned int)class <= WEIR_CLASS_NATIVE ? weir_class_names[class] : NULL;
}

const char *weir_source_mode_name(enum weir_source_mode mode)
{
	return (unsigned int)mode <= WEIR_SOURCE_KEEP ? weir_source_mode_names[mode] : NULL;
}

const char *weir_idle_name(enum weir_idle idle)
{
	return (unsigned int)idle <= WEIR_IDLE_SLEEP ? weir_idle_names[idle] : NULL;
}

const char *weir_xdp_mode_name(enum weir_xdp_mode mode)
{
	return (unsigned int)mode <= WEIR_XDP_ZERO_COPY ? weir_xdp_mode_names[mode] : NULL;
}
