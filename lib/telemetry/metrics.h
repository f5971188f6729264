/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/feature.h"
#include "dataplane/latency.h"

/*
 * Metrics: one table of descriptors, and the set of samples of one moment. The control thread fills
 * a set and publishes it (telemetry/publish.h); from then on nobody changes it, so any thread may
 * print it. Exposition, the control socket, rte_telemetry, alerts and baselines all take their
 * figures from such a set, so they cannot disagree.
 *
 * Names are OpenMetrics': a family with a unit ends in it; of a counter, samples end in "_total".
 */
#define WEIR_METRICS(X)                                                                            \
	X(BUILD, INFO, "weir_build", "", "version that runs")                                      \
	X(UPTIME, GAUGE, "weir_uptime_seconds", "seconds", "time since the gateway began to run")  \
	X(AGE, GAUGE, "weir_sample_timestamp_seconds", "seconds", "when the figures were taken")   \
	X(GENERATION, GAUGE, "weir_config_generation", "", "configuration in use")                 \
	X(LAW, GAUGE, "weir_law_violations", "",                                                   \
		"equations of the conservation law that do not hold")                              \
	X(CENSUS_FAILURES, COUNTER, "weir_census_failures", "",                                    \
		"times that a worker did not give its counters")                                   \
	X(SAMPLES_LEFT_OUT, GAUGE, "weir_samples_left_out", "",                                    \
		"consumers and partitions without samples of their own, by the limits")            \
	X(STREAM_RECEIVED, COUNTER, "weir_stream_received_messages", "messages",                   \
		"datagrams that matched the stream")                                               \
	X(STREAM_RECEIVED_BYTES, COUNTER, "weir_stream_received_bytes", "bytes", "their payload")  \
	X(STREAM_APPENDED, COUNTER, "weir_stream_appended_messages", "messages",                   \
		"messages that entered a ring")                                                    \
	X(STREAM_REQUEUED, COUNTER, "weir_stream_requeued_messages", "messages",                   \
		"messages that came back out of quarantine")                                       \
	X(STREAM_MISSED, COUNTER, "weir_stream_missed_messages", "messages",                       \
		"numbers given away for what a port's program took without the gateway")           \
	X(STREAM_BY_PROGRAM, COUNTER, "weir_stream_by_program_messages", "messages",               \
		"messages on the kernel's path that a port's program gave to the groups")          \
	X(STREAM_DROPPED, COUNTER, "weir_stream_dropped_messages", "messages",                     \
		"messages dropped before the ring, by reason")                                     \
	X(STREAM_BUFFERS, GAUGE, "weir_stream_buffers", "", "buffers that the stream may hold")    \
	X(STREAM_BUFFERS_USED, GAUGE, "weir_stream_buffers_used", "", "buffers that it holds")     \
	X(STREAM_PARTITIONS, GAUGE, "weir_stream_partitions", "", "partitions of the stream")      \
	X(STREAM_SKEW, GAUGE, "weir_stream_partition_skew_ratio", "ratio",                         \
		"most messages of a partition, by the mean of all, since it began")                \
	X(TIER_RECEIVED, COUNTER, "weir_tier_received_messages", "messages",                       \
		"datagrams that matched a stream of the tier")                                     \
	X(TIER_SHED, COUNTER, "weir_tier_shed_messages", "messages",                               \
		"messages that gave way while a worker was overloaded")                            \
	X(PARTITION_MESSAGES, COUNTER, "weir_partition_messages", "messages",                      \
		"messages that entered the partition's ring")                                      \
	X(PARTITION_HELD, GAUGE, "weir_partition_held_messages", "messages", "messages in it")     \
	X(PARTITION_HELD_BYTES, GAUGE, "weir_partition_held_bytes", "bytes", "their payload")      \
	X(GROUP_RECEIVED, COUNTER, "weir_group_received_messages", "messages",                     \
		"messages for the group since it was attached")                                    \
	X(GROUP_REPLAYED, COUNTER, "weir_group_replayed_messages", "messages",                     \
		"messages that it was given again by a seek")                                      \
	X(GROUP_DELIVERED, COUNTER, "weir_group_delivered_messages", "messages",                   \
		"messages delivered to the group")                                                 \
	X(GROUP_DELIVERED_BYTES, COUNTER, "weir_group_delivered_bytes", "bytes", "their payload")  \
	X(GROUP_DROPPED, COUNTER, "weir_group_dropped_messages", "messages",                       \
		"messages that the group was not given, by reason")                                \
	X(GROUP_HELD, GAUGE, "weir_group_held_messages", "messages",                               \
		"messages that wait for the group")                                                \
	X(GROUP_CONSUMERS, GAUGE, "weir_group_consumers", "", "consumers of the group")            \
	X(GROUP_REACHABLE, GAUGE, "weir_group_reachable_consumers", "consumers",                   \
		"consumers that can be reached")                                                   \
	X(GROUP_MOVES, COUNTER, "weir_group_moves", "",                                            \
		"partitions that went from one consumer to another, or to nobody")                 \
	X(GROUP_MOVES_OVERDUE, COUNTER, "weir_group_moves_overdue", "",                            \
		"of them, not worked off when their time was over")                                \
	X(CONSUMER_DELIVERED, COUNTER, "weir_consumer_delivered_messages", "messages",             \
		"messages delivered to the consumer")                                              \
	X(CONSUMER_DELIVERED_BYTES, COUNTER, "weir_consumer_delivered_bytes", "bytes",             \
		"their payload")                                                                   \
	X(CONSUMER_DATAGRAMS, COUNTER, "weir_consumer_datagrams", "", "datagrams sent to it")      \
	X(CONSUMER_RETRANSMITTED, COUNTER, "weir_consumer_retransmitted_messages", "messages",     \
		"messages sent to it again")                                                       \
	X(CONSUMER_NACKS, COUNTER, "weir_consumer_nacks", "", "times that it asked for some")      \
	X(CONSUMER_PROBES, COUNTER, "weir_consumer_probes", "", "silences that were asked about")  \
	X(CONSUMER_LIMITED, COUNTER, "weir_consumer_limited_seconds", "seconds",                   \
		"time that a gate held messages for it back, by gate")                             \
	X(CONSUMER_GATES, COUNTER, "weir_consumer_gate_closings", "closings",                      \
		"times that a gate closed, by gate")                                               \
	X(CONSUMER_WAITING, GAUGE, "weir_consumer_waiting_messages", "messages",                   \
		"messages of its partitions that it was not sent")                                 \
	X(CONSUMER_FLYING, GAUGE, "weir_consumer_inflight_messages", "messages",                   \
		"messages sent and not acknowledged")                                              \
	X(CONSUMER_WINDOW, GAUGE, "weir_consumer_window_messages", "messages", "so many may be")   \
	X(CONSUMER_PARTITIONS, GAUGE, "weir_consumer_partitions", "", "partitions that it has")    \
	X(CONSUMER_QUEUE, GAUGE, "weir_consumer_queue_messages", "messages",                       \
		"messages in its own queue, as it reports")                                        \
	X(CONSUMER_STATE, GAUGE, "weir_consumer_state", "",                                        \
		"1 for how it fares, 0 for the other states")                                      \
	X(CONSUMER_UP, GAUGE, "weir_consumer_reachable", "", "1 while it can be reached")          \
	X(CONSUMER_LOST, COUNTER, "weir_consumer_unreachable_changes", "changes",                  \
		"times that it became unreachable")                                                \
	X(LATENCY, HISTOGRAM, "weir_latency_seconds", "seconds",                                   \
		"time that messages take, by stage and tier, sampled")                             \
	X(FEATURE_PARTITIONS, GAUGE, "weir_feature_partitions", "partitions",                      \
		"partitions where the feature is on, or off")                                      \
	X(FEATURE_DELIVERED, COUNTER, "weir_feature_delivered_messages", "messages",               \
		"messages of such partitions delivered to groups")                                 \
	X(FEATURE_DROPPED, COUNTER, "weir_feature_dropped_messages", "messages",                   \
		"messages of such partitions that groups lost")                                    \
	X(FEATURE_LATENCY, HISTOGRAM, "weir_feature_latency_seconds", "seconds",                   \
		"time from receive to send in such partitions, sampled")                           \
	X(PORT_UP, GAUGE, "weir_port_up", "", "1 while the port has a link")                       \
	X(PORT_RECEIVED, COUNTER, "weir_port_received_packets", "packets",                         \
		"packets taken off the port")                                                      \
	X(PORT_RECEIVED_BYTES, COUNTER, "weir_port_received_bytes", "bytes", "their frames")       \
	X(PORT_MATCHED, COUNTER, "weir_port_matched_packets", "packets", "packets for a stream")   \
	X(PORT_KERNEL, COUNTER, "weir_port_kernel_packets", "packets", "packets for the kernel")   \
	X(PORT_NATIVE, COUNTER, "weir_port_native_packets", "packets",                             \
		"datagrams of the stream protocol")                                                \
	X(PORT_SENT, COUNTER, "weir_port_sent_packets", "packets", "packets given to the port")    \
	X(PORT_SENT_BYTES, COUNTER, "weir_port_sent_bytes", "bytes", "their frames")               \
	X(PORT_FULL, COUNTER, "weir_port_full_bursts", "bursts",                                   \
		"bursts that the port did not take whole")                                         \
	X(PORT_DROPPED, COUNTER, "weir_port_dropped_packets", "packets",                           \
		"packets dropped before they belonged to a stream, by reason")                     \
	X(PORT_MISSED, COUNTER, "weir_port_missed_packets", "packets",                             \
		"packets that the device lost before a worker saw them")                           \
	X(PORT_NO_BUFFER, COUNTER, "weir_port_unbuffered_packets", "packets",                      \
		"packets that the driver had no buffer for")                                       \
	X(PORT_RX_ERRORS, COUNTER, "weir_port_receive_errors", "errors", "errors of receiving")    \
	X(PORT_TX_ERRORS, COUNTER, "weir_port_transmit_errors", "errors", "errors of sending")     \
	X(PROGRAM_STREAM_RECEIVED, COUNTER, "weir_program_stream_received_messages", "messages",   \
		"datagrams of the stream that a port's program did not give to the gateway")       \
	X(PROGRAM_STREAM_DROPPED, COUNTER, "weir_program_stream_dropped_messages", "messages",     \
		"of them, dropped by the program before they were a group's, by reason")           \
	X(PROGRAM_GROUP_RECEIVED, COUNTER, "weir_program_group_received_messages", "messages",     \
		"messages for the group that a port's program had")                                \
	X(PROGRAM_GROUP_DELIVERED, COUNTER, "weir_program_group_delivered_messages", "messages",   \
		"messages that it delivered to the group")                                         \
	X(PROGRAM_GROUP_DROPPED, COUNTER, "weir_program_group_dropped_messages", "messages",       \
		"messages that the group was not given, by reason")                                \
	X(WORKER_UP, GAUGE, "weir_worker_up", "", "1 while the worker runs")                       \
	X(WORKER_STALLED, GAUGE, "weir_worker_stalled", "", "1 while it does not come round")      \
	X(WORKER_BUSY, COUNTER, "weir_worker_busy_seconds", "seconds",                             \
		"time in loops that found something to do")                                        \
	X(WORKER_DUTY, GAUGE, "weir_worker_duty_ratio", "ratio",                                   \
		"share of the last interval that was busy")                                        \
	X(WORKER_HEADROOM, GAUGE, "weir_worker_headroom_cycles", "cycles",                         \
		"cycles a second that it has left")                                                \
	X(WORKER_LOOPS, COUNTER, "weir_worker_loops", "", "loops")                                 \
	X(WORKER_LONG, COUNTER, "weir_worker_long_loops", "", "loops over workers.long_loop_us")   \
	X(WORKER_LONGEST, GAUGE, "weir_worker_longest_loop_seconds", "seconds", "the longest")     \
	X(WORKER_SLEEPS, COUNTER, "weir_worker_sleeps", "", "times that it gave its core away")    \
	X(WORKER_ASLEEP, COUNTER, "weir_worker_asleep_seconds", "seconds",                         \
		"time that it had given its core away")                                            \
	X(WORKER_PARKED, GAUGE, "weir_worker_parked", "", "1 while it is to have no partitions")   \
	X(WORKER_SHED, GAUGE, "weir_worker_shed_ratio", "ratio", "share of a tier that it drops")  \
	X(WORKER_MESH_FULL, COUNTER, "weir_worker_mesh_full_bursts", "bursts",                     \
		"bursts that found the ring to another worker full")                               \
	X(WORKER_STRAY, COUNTER, "weir_worker_stray_messages", "messages",                         \
		"messages for a partition that was gone")                                          \
	X(POOL_SIZE, GAUGE, "weir_pool_buffers", "", "buffers of the pool")                        \
	X(POOL_FREE, GAUGE, "weir_pool_free_buffers", "buffers", "buffers that are free")          \
	X(NATIVE_DROPPED, COUNTER, "weir_native_dropped_frames", "frames",                         \
		"frames of the stream protocol that were refused, by reason")                      \
	X(SESSIONS, COUNTER, "weir_session_events", "events",                                      \
		"what became of those who asked to join")                                          \
	X(CHAOS_ON, GAUGE, "weir_chaos_on", "", "1 while the fault is injected")                   \
	X(CHAOS_INJECTED, COUNTER, "weir_chaos_injected", "",                                      \
		"packets, stalls or buffers that the fault has hit")                               \
	X(CHAOS_HELD, GAUGE, "weir_chaos_held_packets", "packets",                                 \
		"received packets that faults hold back")                                          \
	X(QUARANTINE, GAUGE, "weir_quarantine_held_messages", "messages",                          \
		"messages in quarantine")                                                          \
	X(QUARANTINED, COUNTER, "weir_quarantine_messages", "messages",                            \
		"messages that were put there")                                                    \
	X(CHECKPOINT_WRITES, COUNTER, "weir_checkpoint_writes", "", "states written to disk")      \
	X(CHECKPOINT_FAILURES, COUNTER, "weir_checkpoint_failures", "",                            \
		"states that could not be written")                                                \
	X(CHECKPOINT_DURATION, GAUGE, "weir_checkpoint_duration_seconds", "seconds",               \
		"time that the last write took")                                                   \
	X(CONTROL_CLIENTS, GAUGE, "weir_control_clients", "", "clients of the control socket")     \
	X(CONTROL_REQUESTS, COUNTER, "weir_control_requests", "", "requests, by how they ended")   \
	X(CONTROL_LAG, GAUGE, "weir_control_lag_seconds", "seconds",                               \
		"most that a timer of the control thread was late in the last interval")           \
	X(CONTROL_MEMORY, GAUGE, "weir_control_memory_bytes", "bytes",                             \
		"memory of the process that is resident")                                          \
	X(COLLECT_DURATION, GAUGE, "weir_collect_duration_seconds", "seconds",                     \
		"time that the control thread took for the figures before these")                  \
	X(HTTP_REQUESTS, COUNTER, "weir_http_requests", "", "requests over HTTP, by status")       \
	X(LOG_LINES, COUNTER, "weir_log_lines", "", "lines logged, by level")                      \
	X(LOG_SUPPRESSED, COUNTER, "weir_log_suppressed_lines", "lines",                           \
		"lines left out because too many like them came")                                  \
	X(SANDBOX_REFUSED, COUNTER, "weir_sandbox_refused", "",                                    \
		"system calls that the sandbox refused")                                           \
	X(EVENTS, COUNTER, "weir_events", "", "events, by kind")                                   \
	X(EVENTS_LOST, COUNTER, "weir_events_lost", "",                                            \
		"events that subscribers were too slow for")                                       \
	X(HEALTH, GAUGE, "weir_health_trouble", "", "1 while a watchdog finds something wrong")    \
	X(REMEDIES, COUNTER, "weir_remedy_actions", "actions",                                     \
		"what watchdogs did or, when they only report, would have done")                   \
	X(BASELINE_SCORE, GAUGE, "weir_baseline_deviation_score", "",                              \
		"standard deviations from what is usual at this hour of the week")                 \
	X(BASELINE_ODD, GAUGE, "weir_baseline_odd", "", "1 while it is more than the limit")       \
	X(DRIFT, GAUGE, "weir_drift_differences", "",                                              \
		"what is not as the configuration, or the host at the start, has it")              \
	X(CAPACITY, GAUGE, "weir_capacity_saturation_ratio", "ratio",                              \
		"times the present load, at which the first resource of the kind is used up")      \
	X(ALERTS, GAUGE, "weir_alerts", "", "alerts that are active, by name")

enum weir_metric_type {
	WEIR_METRIC_COUNTER,
	WEIR_METRIC_GAUGE,
	WEIR_METRIC_HISTOGRAM,
	WEIR_METRIC_INFO,
};

enum weir_metric {
#define X(id, type, name, unit, help) WEIR_METRIC_ID_##id,
	WEIR_METRICS(X)
#undef X
		WEIR_METRIC_COUNT
};

struct weir_metric_descriptor {
	enum weir_metric_type type;
	const char *name; /* of the family */
	const char *unit; /* "": none */
	const char *help;
};
extern const struct weir_metric_descriptor weir_metric_descriptors[WEIR_METRIC_COUNT];
/* "counter", "gauge"... */
const char *weir_metric_type_name(enum weir_metric_type type);

#define WEIR_SAMPLE_LABELS 5
/* The stages', and one for each feature on and off. */
#define WEIR_SAMPLE_HISTOGRAMS (WEIR_LATENCY_COUNT + 2 * WEIR_FEATURE_COUNT)

struct weir_label {
	const char *key; /* static */
	uint32_t value;  /* where its text begins in `texts` */
};

struct weir_sample {
	uint16_t metric;
	uint16_t label_count;
	uint32_t labels; /* index of the first */
	double value;
	int32_t histogram; /* index; -1: a value */
	int32_t next;      /* sample of the same metric; -1: none */
};

struct weir_samples {
	int64_t wall_ms;
	struct weir_sample *list;
	size_t count, room;
	struct weir_label *labels;
	size_t label_count, label_room;
	char *texts;
	size_t text_length, text_room;
	struct weir_latency histograms[WEIR_SAMPLE_HISTOGRAMS];
	uint32_t histogram_count;
	int32_t first[WEIR_METRIC_COUNT]; /* -1: none */
	int32_t last[WEIR_METRIC_COUNT];
	/* While it is filled: the labels of what comes next. */
	struct weir_label current[WEIR_SAMPLE_LABELS];
	uint16_t current_count;
	int64_t shared;  /* labels that the last samples have in common; -1: none */
	bool has_failed; /* no memory: not whole, not to be published */
};

/* Empty; what it has allocated is kept for the next moment. */
void weir_samples_reset(struct weir_samples *samples);
void weir_samples_free(struct weir_samples *samples);

/*
 * Labels of all that is added until they are replaced or taken away: `depth` is the place of the
 * label, those behind it go. Keys are static; values are copied.
 */
void weir_samples_label(
	struct weir_samples *samples, uint16_t depth, const char *key, const char *value);
void weir_samples_label_number(
	struct weir_samples *samples, uint16_t depth, const char *key, uint64_t value);
void weir_samples_unlabel(struct weir_samples *samples, uint16_t depth);
void weir_samples_add(struct weir_samples *samples, enum weir_metric metric, double value);
/* With one label more, for this sample alone. */
void weir_samples_add_with(struct weir_samples *samples, enum weir_metric metric, const char *key,
	const char *text, double value);
void weir_samples_add_histogram(struct weir_samples *samples, enum weir_metric metric,
	const struct weir_latency *histogram);

/* The value of a sample's label, or NULL. */
const char *weir_sample_label(
	const struct weir_samples *samples, const struct weir_sample *sample, const char *key);
/* Of its metric and labels: the same series has the same in every set. */
uint64_t weir_sample_series(const struct weir_samples *samples, const struct weir_sample *sample);
/* "name{label="value",...}" cut to `size`, "_total" included; returns `text`. */
char *weir_sample_name(const struct weir_samples *samples, const struct weir_sample *sample,
	char *text, size_t size);
