/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The rules that can be broken on purpose, to show that the checks notice: identifier, name on the
 * command line, the promise that must be found violated, what is broken.
 */
#define SIM_BREAKS(X)                                                                              \
	X(CREDIT_ADDED, "credit-added", "grant", "credit is added up, not absolute")               \
	X(CAP_IGNORED, "cap-ignored", "cap", "the windows of consumer and lane are ignored")       \
	X(DEADLINE_IGNORED, "deadline-ignored", "deadline", "messages are sent past their time")   \
	X(SETTLED_EARLY, "settled-early", "settled", "received counts as worked on")               \
	X(EPOCH_KEPT, "epoch-kept", "epoch", "a lane changes hands in the same epoch")             \
	X(STALE_HEARD, "stale-heard", "fence", "answers of an owner of before are taken")          \
	X(DRAIN_IGNORED, "drain-ignored", "drain", "a lane that is to move is sent on")            \
	X(DRAIN_SKIPPED, "drain-skipped", "repeat", "a lane moves while it is worked on")          \
	X(HANDED_FROM_SENT, "handed-from-sent", "settled", "a lane goes on where it was sent to")  \
	X(SUCCESSION_RUSHED, "succession-rushed", "succession", "no lane waits for those before")  \
	X(CUT_UNTOLD, "cut-untold", "gap", "what a change cuts off is told by nobody")             \
	X(HEIR_SILENT, "heir-silent", "gap", "what was cut off is not told to who comes later")    \
	X(LIST_UNTOLD, "list-untold", "refused", "a new stream is sent before it is listed")       \
	X(PLACED_ANEW, "placed-anew", "place", "plans begin from nothing")                         \
	X(WEIGHT_IGNORED, "weight-ignored", "place", "all consumers weigh the same")               \
	X(GAP_UNTOLD, "gap-untold", "gap", "what is given up is covered without a word")           \
	X(TAIL_UNSEEN, "tail-unseen", "quiet", "no tail probe, no lanes in heartbeats")            \
	X(BUDGET_IGNORED, "budget-ignored", "budget", "retransmission without a budget")           \
	X(RESENT_AFTER_GIVING_UP, "resent-after-giving-up", "given-up", "given up and sent")       \
	X(SEQUENCE_REPEATED, "sequence-repeated", "content", "a restart begins at old numbers")    \
	X(DROP_UNCOUNTED, "drop-uncounted", "conservation", "lapped messages are not counted")     \
	X(POSITIONS_WRONG, "positions-wrong", "position", "retransmissions move positions")        \
	X(DUPLICATE_TAKEN, "duplicate-taken", "duplicate", "the client does not look for repeats") \
	X(ORDER_LOST, "order-lost", "order", "the client does not hold back behind a gap")

enum sim_break {
	SIM_BREAK_NONE,
#define X(id, name, promise, text) SIM_BREAK_##id,
	SIM_BREAKS(X)
#undef X
		SIM_BREAK_COUNT
};

/* The one that holds in this process. */
extern enum sim_break sim_broken;

/* -1 for an unknown name. */
int sim_break_find(const char *name);
const char *sim_break_name(enum sim_break rule);
/* The promise whose violation shows it. */
const char *sim_break_promise(enum sim_break rule);
const char *sim_break_text(enum sim_break rule);
