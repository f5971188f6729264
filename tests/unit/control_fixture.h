/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * For tests of the control socket: a server in a thread of its own, in a temporary folder, and
 * the client's side of a connection, blocking, with ten seconds' patience. The client's functions
 * assert with CUnit.
 */
extern char fixture_folder[];
extern char fixture_path[64]; /* of the socket, in a folder that the server had to make */

/* For CU_SuiteInfo: 0 when the server runs, and when it left no socket behind. */
int fixture_start(void);
int fixture_stop(void);
/* Run the suite; the exit code of main. */
int fixture_run(const char *name, void *tests);

int connect_to(const char *path);
/* False when the server closed the connection meanwhile. */
bool send_bytes(int fd, const char *bytes, size_t length);
/* One line, without reading beyond it; NULL at the end of the stream. The caller's reference. */
json_t *read_answer(int fd);
bool is_at_end(int fd);
/* The code of an answer's error, 0 for a result. */
json_int_t code_of(const json_t *answer);
/* A good request on `fd` is answered. */
void expect_served(int fd);
/* How many clients the server has. Also a barrier: what it could see before, it has served. */
json_int_t count_clients(int fd);
/* How often "test_big" was carried out; its answer is a mebibyte. */
int calls_of_big(void);
