/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>

#include "state/format.h"
#include "state/templates.h"

/*
 * The files that a gateway finds, state or templates: the checksum is made to hold, so that what is
 * behind it is looked at. A state that is taken is written and read again.
 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void visit(void *context, const struct weir_state_template *template)
{
	volatile uint8_t *sum = context;

	for (uint16_t i = 0; i < template->length; i++)
		*sum = (uint8_t)(*sum + template->set[i]);
}

static void try_again(const struct weir_state *state)
{
	struct weir_state *again;
	struct weir_error error;
	uint8_t *bytes;
	size_t length;

	if (weir_state_encode(state, &bytes, &length) < 0)
		return;
	if (weir_state_decode(bytes, length, "again", &again, &error) < 0)
		abort();
	weir_state_free(again);
	free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *file = malloc(size + WEIR_STATE_CHECKSUM), sum = 0;
	struct weir_state *state;
	struct weir_error error;

	memcpy(file, data, size);
	weir_state_checksum(file, size, file + size);
	if (weir_state_decode(file, size + WEIR_STATE_CHECKSUM, "found", &state, &error) == 0)
		try_again(state);
	weir_state_free(state);
	(void)weir_state_templates_read(file, size + WEIR_STATE_CHECKSUM, visit, &sum);
	free(file);
	return 0;
}
