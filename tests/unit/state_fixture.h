/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "state/state.h"

/* States whose whole content follows from their number, and files to keep them in. */

struct state_folder {
	char path[64];
	char file[96]; /* "state" in it, which is not made */
	char old_file[100];
	char new_file[100];
};

/* Aborts the test program when there is no folder to be had. */
void state_folder_make(struct state_folder *folder);
void state_folder_remove(const struct state_folder *folder);

/* A few streams, partitions and groups, fewer and more of them as the number goes. */
struct weir_state *state_sample(uint64_t number);
/* Is it the sample of the number that it bears, to the last position? */
bool state_is_sample(const struct weir_state *state);
bool state_is_equal(const struct weir_state *one, const struct weir_state *other);

/* Looks random, and is the same every time. */
uint64_t state_mix(uint64_t value);

/* The file's bytes, to be freed; NULL when it cannot be read. */
uint8_t *state_read(const char *path, size_t *length);
void state_write(const char *path, const uint8_t *bytes, size_t length);
bool state_exists(const char *path);

/* Length and checksum put right: what is between is taken for what its writer meant. */
void state_seal(uint8_t *bytes, size_t length);
