/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * A disk that does what the test says: the calls by which a state gets there (fsync, renameat,
 * renameat2, unlinkat, write) are counted, and one of them goes wrong.
 */
enum state_disk_fault {
	STATE_DISK_GOOD,
	STATE_DISK_FAIL, /* returns -1 with `error`; a write has written half of its bytes */
	STATE_DISK_DIE,  /* the process is gone; a write has written half of its bytes */
	STATE_DISK_HOLD, /* waits for state_disk_release */
};

/* The call `at`, counted from 1 from now on. */
void state_disk_plan(enum state_disk_fault fault, unsigned int at, int error);
/* Calls since the plan was made. */
unsigned int state_disk_calls(void);
/* Returns once the call is held. */
void state_disk_wait(void);
void state_disk_release(void);
