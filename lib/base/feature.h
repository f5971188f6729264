/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Behaviour that can be on for some partitions and off for others, so that its effect can be
 * compared. One table: configuration, control socket and metrics take the names from here. Each is
 * decided by a bit of the partition's own word; there are few, since what workers count of groups
 * and latency is kept apart for each value of that word.
 */
#define WEIR_FEATURES(X)                                                                           \
	X(BATCHING, "batching",                                                                    \
		"messages for a native consumer that takes several a datagram share datagrams; "   \
		"off: "                                                                            \
		"one leaves with each message")                                                    \
	X(RUNS, "runs",                                                                            \
		"messages for a blind consumer without limits are taken in runs, and where "       \
		"nothing "                                                                         \
		"waits pass their ring; off: one by one")                                          \
	X(ISOLATION, "isolation",                                                                  \
		"a hot partition gets a worker to itself, if workers.isolate_percent is set; "     \
		"off: it shares one")

enum weir_feature {
#define X(id, name, text) WEIR_FEATURE_##id,
	WEIR_FEATURES(X)
#undef X
		WEIR_FEATURE_COUNT
};

#define WEIR_FEATURE_BIT(id) (1u << (id))
#define WEIR_FEATURE_WORDS   (1u << WEIR_FEATURE_COUNT) /* values that a partition's may have */
#define WEIR_FEATURE_ALL     (WEIR_FEATURE_WORDS - 1)

_Static_assert(WEIR_FEATURE_COUNT <= 3, "each doubles what workers count in");
