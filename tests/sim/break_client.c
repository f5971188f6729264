/* SPDX-License-Identifier: BSD-3-Clause */
#include "breaks.h"
#include "client/session_private.h"

/*
 * Rules of the client are broken from outside: the linker puts this function in the place of the
 * client's own (--wrap), which knows nothing of it.
 */

void __real_weir_session_repair(struct weir_session *session, struct weir_client_lane *lane,
	const struct weir_frame_data *frame, uint64_t now_ns);
void __wrap_weir_session_repair(struct weir_session *session, struct weir_client_lane *lane,
	const struct weir_frame_data *frame, uint64_t now_ns);

void __wrap_weir_session_repair(struct weir_session *session, struct weir_client_lane *lane,
	const struct weir_frame_data *frame, uint64_t now_ns)
{
	uint64_t seq = weir_be64(frame->seq);
	uint64_t next_seq = lane->next_seq;

	if (sim_broken == SIM_BREAK_DUPLICATE_TAKEN && seq < next_seq && lane->repair == NULL) {
		lane->next_seq = seq;
		lane->floor = seq;
	}
	if (sim_broken == SIM_BREAK_ORDER_LOST && seq > next_seq && lane->repair == NULL) {
		lane->next_seq = seq;
		__real_weir_session_repair(session, lane, frame, now_ns);
		lane->next_seq = next_seq;
		lane->floor = next_seq;
		return;
	}
	__real_weir_session_repair(session, lane, frame, now_ns);
}
