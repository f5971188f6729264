/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <stdlib.h>

#include <CUnit/CUnit.h>

/* The fixtures of the unit tests assert through CUnit; here what does not hold is a finding. */
CU_BOOL CU_assertImplementation(CU_BOOL holds, unsigned int line, const char *condition,
	const char *file, const char *function, CU_BOOL is_fatal)
{
	(void)function;
	(void)is_fatal;
	if (!holds) {
		fprintf(stderr, "%s:%u: %s\n", file, line, condition);
		abort();
	}
	return CU_TRUE;
}
