/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "base/error.h"
#include "base/feature.h"
#include "wire/key.h"
#include "wire/match_build.h"

/*
 * The configuration, parsed and checked, as plain values. One JSON file makes one `struct
 * weir_config`; it is never changed afterwards, so any thread may read it. Who loads it frees it.
 *
 * Objects are known by name, unique within their kind; consumers' names are unique within all
 * groups. Positions in the arrays are the order of the file and mean nothing else, except for
 * streams: where two match the same packet, the first in the file gets it.
 */

#define WEIR_NAME_SIZE      32 /* with its NUL; [A-Za-z0-9_.-]+ */
#define WEIR_MAX_WORKERS    64
#define WEIR_MAX_PORTS      32
#define WEIR_MAX_STREAMS    4096
#define WEIR_MAX_PARTITIONS 4096 /* of one stream */
#define WEIR_MAX_GROUPS     1024
#define WEIR_STREAM_GROUPS  64 /* groups that one stream may feed */
#define WEIR_KERNEL_GROUPS  8  /* of path "kernel" */
#define WEIR_MAX_CONSUMERS  16384
#define WEIR_MAX_VLAN       4094
#define WEIR_VLAN_ANY       0xffff /* matches tagged and untagged */
#define WEIR_VLAN_NONE      0      /* matches untagged only (and priority tags, VID 0) */

#define WEIR_CONFIG_MAX_BYTES (8u << 20) /* of JSON text */

enum weir_driver {
	WEIR_DRIVER_PCI,
	WEIR_DRIVER_AF_PACKET,
	WEIR_DRIVER_AF_XDP,
	WEIR_DRIVER_XDP,
	WEIR_DRIVER_TAP,
	WEIR_DRIVER_MEMIF,
	WEIR_DRIVER_PCAP,
	WEIR_DRIVER_NULL,
};

enum weir_tier { WEIR_TIER_CRITICAL, WEIR_TIER_STANDARD, WEIR_TIER_BULK, WEIR_TIERS };

/* Who delivers a stream's packets that come in by a port of driver xdp. */
enum weir_path { WEIR_PATH_GATEWAY, WEIR_PATH_KERNEL };

enum weir_class { WEIR_CLASS_BLIND, WEIR_CLASS_ASSISTED, WEIR_CLASS_NATIVE };

enum weir_source_mode { WEIR_SOURCE_REWRITE, WEIR_SOURCE_KEEP };

/* How a driver xdp port meets its interface. */
enum weir_xdp_mode { WEIR_XDP_AUTO, WEIR_XDP_NATIVE, WEIR_XDP_GENERIC, WEIR_XDP_ZERO_COPY };
enum weir_log_format { WEIR_LOG_TEXT, WEIR_LOG_JSON };

enum weir_idle { WEIR_IDLE_AUTO, WEIR_IDLE_SPIN, WEIR_IDLE_SLEEP };

/* How a poll-mode worker and its port's memory are set up; changes need a restart. */
struct weir_config_workers {
	uint16_t cpus[WEIR_MAX_WORKERS]; /* one worker each, pinned */
	unsigned int count;
	uint32_t most; /* that a later configuration may have; 0: as many as `cpus` has */
	enum weir_idle idle;
	uint32_t stall_ms;        /* a worker silent for longer is named */
	uint32_t long_loop_us;    /* loops over this are counted */
	uint32_t isolate_percent; /* of all messages: such a partition gets a worker; 0: none */
};

struct weir_config_memory {
	bool hugepages;        /* false: --no-huge without asking */
	uint32_t buffers;      /* receive mbufs in all */
	uint32_t buffer_bytes; /* data room of each, without headroom */
};

struct weir_config_twin {
	bool enabled;
	char name[16];                 /* TAP interface; default "weir-<port>" cut to 15 */
	struct weir_prefix *addresses; /* host bits kept here: address with its subnet's length */
	unsigned int address_count;
};

struct weir_config_port {
	char name[WEIR_NAME_SIZE];
	enum weir_driver driver;
	char device[64];    /* PCI address "0000:03:00.0" (pci) */
	char interface[16]; /* kernel interface (af_packet, af_xdp, xdp) or the one to make (tap) */
	enum weir_xdp_mode xdp_mode;
	char rx_file[256]; /* pcap: read from; "" for none */
	char tx_file[256]; /* pcap: write to; "" for none */
	bool loop;         /* pcap: repeat rx_file for ever */
	char socket[108];  /* memif: control socket */
	uint32_t memif_id;
	bool memif_server;
	uint16_t queues;      /* receive queues; 0: one a worker, as the device allows */
	uint16_t descriptors; /* per queue */
	uint16_t mtu;         /* 0: as the device has it */
	uint32_t frame_bytes; /* null: length of the packets that it makes; 0: it makes none */
	bool promiscuous;
	bool has_mac;
	uint8_t mac[6]; /* set on the device when has_mac */
	struct weir_config_twin twin;
};

/* A list in a match means any of it; an absent list (count 0) means all. */
struct weir_config_match {
	uint16_t vlan;       /* innermost VID, or WEIR_VLAN_ANY / WEIR_VLAN_NONE */
	uint16_t outer_vlan; /* outer VID of QinQ, or WEIR_VLAN_ANY / WEIR_VLAN_NONE */
	struct weir_prefix *destinations;
	unsigned int destination_count;
	struct weir_prefix *sources;
	unsigned int source_count;
	struct weir_port_range *udp_ports; /* destination ports */
	unsigned int udp_port_count;
};

/* Rates: 0 means no limit. */
struct weir_config_rate {
	uint64_t packets_per_s;
	uint64_t bits_per_s;    /* of IP packets: layer-3 bytes * 8 */
	uint32_t burst_packets; /* 0: 10 ms worth, at least 32 */
	uint32_t burst_bytes;   /* 0: 10 ms worth, at least 32 full packets */
};

/* Messages and payload bytes; 0: no limit. */
struct weir_config_window {
	uint32_t messages;
	uint64_t bytes;
};

/* Who may produce into a stream by the stream protocol. */
struct weir_config_producers {
	unsigned int max;             /* 0: nobody */
	struct weir_config_rate rate; /* of each */
	char key_file[256];           /* pre-shared keys; "": none asked for */
};

/* IPFIX and NetFlow v9 templates kept for consumers that come later. */
struct weir_config_templates {
	uint32_t bytes; /* per partition; 0: none */
	uint32_t
		lifetime_s; /* not replayed later than this after the exporter sent it; 0: always */
};

struct weir_config_stream {
	char name[WEIR_NAME_SIZE];
	struct weir_config_match match;
	struct weir_key_spec key;
	enum weir_tier tier;
	enum weir_path path;
	uint16_t partitions;
	uint32_t ring_messages; /* per partition; power of two */
	uint64_t ring_bytes;    /* per partition; datagram payload */
	uint32_t age_ms;        /* held longer than this: expired; 0: no limit */
	uint32_t retain_ms;     /* kept so long for replay after all groups have passed; 0: not */
	uint32_t drain_ms;      /* after a change of what rings are made from, the old ones may
				   take so long to be delivered */
	uint32_t deadline_ms;   /* not delivered later than this after it came; 0: no deadline */
	uint32_t buffers;       /* budget for all its partitions; never 0: a stream that names
				   none got an equal share of what the others leave */
	struct weir_config_producers producers;
	struct weir_config_templates templates;
};

struct weir_config_consumer {
	char name[WEIR_NAME_SIZE];
	struct weir_address address;
	uint16_t port; /* UDP */
	enum weir_source_mode source;
	struct weir_config_rate rate;
	uint32_t weight; /* share of the partitions, beside those of the others; 100 is usual */
	char egress[WEIR_NAME_SIZE]; /* port to leave by without asking the kernel; "" : routes */
	bool has_mac;
	uint8_t mac[6]; /* next hop's, with `egress` */
};

/* The weight of a native consumer, which may come or not. */
struct weir_config_weight {
	char name[WEIR_NAME_SIZE];
	uint32_t weight;
};

struct weir_config_group {
	char name[WEIR_NAME_SIZE];
	enum weir_class class;
	char (*streams)[WEIR_NAME_SIZE];
	unsigned int stream_count;
	uint32_t sample;             /* 1 in N; 1: all */
	struct weir_prefix *sources; /* only from these; none: all */
	unsigned int source_count;
	struct weir_config_consumer *consumers; /* blind: the receivers; native: none, they join */
	unsigned int consumer_count;
	struct weir_config_rate consumer_rate; /* native: limit for each that joins */
	unsigned int max_consumers;            /* native */
	bool is_reliable;                      /* native: at least once, for who asks for it */
	struct weir_config_window window;      /* native: in flight, of each consumer */
	struct weir_config_window lane_window; /* native: in flight, of each partition */
	unsigned int attempts;                 /* native: times a message is sent at most */
	unsigned int retry_percent;            /* native: of what arrives, sent again at most */
	unsigned int moves;                    /* partitions that change hands at a time */
	uint32_t drain_ms;    /* native: longest that a partition is drained before it does */
	uint32_t rebalance_s; /* measured load is looked at so often; 0: it moves nothing */
	struct weir_config_weight *weights; /* native: of consumers by name */
	unsigned int weight_count;
	char key_file[256]; /* native, assisted: pre-shared keys; "": none asked for */
};

/* Critical goes first only while it keeps below these; above, it shares like standard. */
struct weir_config_tiers {
	struct weir_config_rate critical; /* per worker */
	uint32_t standard_weight;         /* quantum ratio in deficit round robin */
	uint32_t bulk_weight;
};

struct weir_config_native {
	uint16_t udp_port; /* stream protocol; 0: no native consumers */
	uint32_t heartbeat_ms;
	uint32_t liveness_ms;
	uint16_t max_frame; /* largest UDP payload sent, bytes */
	uint32_t queue_ms;  /* consumers that report their service time are kept this short of
			       work; 0: their credit alone decides */
};

/* Positions of groups and numbers of messages, kept over restarts. */
struct weir_config_state {
	char file[256]; /* "": not kept */
	uint32_t interval_ms;
};

/* Messages that could not be delivered, for an operator to look at; the oldest goes first. */
struct weir_config_quarantine {
	uint32_t messages;
	uint64_t bytes;
};

/* When a consumer is called what; see docs/contract.md. */
struct weir_config_health {
	uint32_t throttled_percent; /* of the time held back by a limit, with something to send */
	uint32_t park_ms;           /* nothing was let through for so long: parked */
	uint32_t catch_up_ms;       /* behind by more: a class of its own in the schedule */
};

/* What the XDP program on driver xdp ports does without the gateway. */
struct weir_config_failover {
	bool enabled;          /* false: the program goes with the gateway */
	char pins[128];        /* folder in a BPF file system */
	uint32_t heartbeat_ms; /* a worker silent for longer is dead */
	uint32_t gate;         /* packets that may wait for a worker; 0: a quarter of the ring */
};

struct weir_config_reach {
	uint32_t probe_ms; /* neighbours of consumers are probed this often */
	uint32_t hold_ms;  /* unreachable for at least this long before a retry */
};

/* Metrics and the status page over HTTP. */
struct weir_config_telemetry {
	struct weir_address address; /* to listen on */
	uint16_t port;               /* TCP; 0: no HTTP */
	char token_file[256];        /* bearer token that /metrics asks for; "": none */
	uint32_t interval_ms;        /* figures are taken this often */
	uint32_t partitions;         /* at most so many have samples of their own */
	uint32_t consumers;          /* likewise */
};

struct weir_config_log {
	enum weir_log_format format;
	uint32_t per_minute; /* lines of one kind; 0: no limit */
};

/* What watches workers, ports, pools, disk, neighbours and clock. */
struct weir_config_watchdog {
	bool act;              /* false: only report */
	uint32_t per_hour;     /* actions of one kind on one subject at most */
	uint32_t pool_percent; /* free buffers below this: short */
	uint32_t disk_ms;      /* a write of the state that takes longer: slow */
	uint32_t clock_ms;     /* a step of the wall clock beyond this */
};

/* Workers are parked and woken by load. */
struct weir_config_elastic {
	bool enabled;
	uint32_t least;        /* workers that are never parked */
	uint32_t wake_percent; /* busy on average for so much of the time: another is woken */
	uint32_t park_percent; /* one less would be busy for no more than that: it is parked */
	uint32_t wake_ms;      /* after so long */
	uint32_t park_ms;
};

/* Packet captures that an operator asks for. */
struct weir_config_capture {
	char directory[256]; /* their files; "": none are made */
	uint64_t bytes;      /* largest file */
};

/* Faults that an operator injects. */
struct weir_config_chaos {
	bool allow;
};

/* Who takes traces, by OTLP over HTTP. */
struct weir_config_collector {
	struct weir_address address; /* family 0: nobody */
	uint16_t port;
	char path[256]; /* begins with '/' */
};

/* What becomes of single messages. */
struct weir_config_trace {
	uint32_t sample;         /* one message in so many; 0: none but what is asked for */
	uint32_t keep;           /* traces that can be shown */
	uint32_t contexts_per_s; /* messages that are followed because their producers' are */
	struct weir_config_collector collector;
};

struct weir_config_alerts {
	uint32_t short_s; /* windows of the burn rate */
	uint32_t long_s;
	uint32_t deviation; /* standard deviations from the baseline that are odd */
};

/* Where a feature is on; see base/feature.h. */
struct weir_config_feature {
	bool is_on; /* what it is for the share below; for all other partitions it is the opposite
		     */
	uint32_t share_percent;          /* of each stream's partitions */
	char (*streams)[WEIR_NAME_SIZE]; /* in order */
	unsigned int stream_count;       /* 0: all streams */
};

struct weir_config {
	struct weir_config_workers workers;
	struct weir_config_memory memory;
	char control_socket[108];
	struct weir_config_tiers tiers;
	struct weir_config_native native;
	struct weir_config_reach reach;
	struct weir_config_state state;
	struct weir_config_quarantine quarantine;
	struct weir_config_health health;
	struct weir_config_failover failover;
	struct weir_config_telemetry telemetry;
	struct weir_config_log log;
	struct weir_config_watchdog watchdog;
	struct weir_config_alerts alerts;
	struct weir_config_elastic elastic;
	struct weir_config_feature features[WEIR_FEATURE_COUNT];
	struct weir_config_capture capture;
	struct weir_config_chaos chaos;
	struct weir_config_trace trace;
	struct weir_config_port *ports;
	unsigned int port_count;
	struct weir_config_stream *streams;
	unsigned int stream_count;
	struct weir_config_group *groups;
	unsigned int group_count;
	char *json;      /* the text it was made from, as canonical JSON */
	char digest[65]; /* SHA-256 of `json`, hexadecimal */
};

/*
 * Parse and check a whole configuration. On success 0 and *config is the caller's to free; on
 * failure a negative errno, *config is NULL and `error` has the JSON path, reason and hint.
 * Nothing outside is looked at: no file, no device, no address is resolved.
 */
int weir_config_parse(
	const char *text, size_t length, struct weir_config **config, struct weir_error *error);
/* The same from a file. */
int weir_config_load(const char *path, struct weir_config **config, struct weir_error *error);
void weir_config_free(struct weir_config *config);

/*
 * Receive buffers that no stream may budget: those in the ports' receive queues (queues, or one
 * a worker, times descriptors; none of driver xdp) and 8,192 under way in mesh, transmit queues and
 * caches. The parser has seen to it that this and the streams' budgets fit in memory.buffers.
 */
uint64_t weir_config_reserve(const struct weir_config *config);

/* Index of the named object, or -1. */
int weir_config_find_port(const struct weir_config *config, const char *name);
int weir_config_find_stream(const struct weir_config *config, const char *name);
int weir_config_find_group(const struct weir_config *config, const char *name);
/* The weight that a native consumer of this name has. */
uint32_t weir_config_weight(const struct weir_config_group *group, const char *consumer);

/* Workers that a gateway which begins with it may come to have. */
static inline uint32_t weir_config_slots(const struct weir_config *config)
{
	return config->workers.most != 0 ? config->workers.most : config->workers.count;
}

/*
 * The first part of `next` that cannot be taken over by a running gateway with room for `slots`
 * workers, as a JSON path ("$.ports[1].driver", "$.workers.cpus"), or NULL when all of it can. The
 * text lasts until the same thread asks again.
 */
const char *weir_config_needs_restart(
	const struct weir_config *running, const struct weir_config *next, uint32_t slots);

/* Names as in the JSON text; NULL outside the range. */
const char *weir_driver_name(enum weir_driver driver);
const char *weir_tier_name(enum weir_tier tier);
const char *weir_path_name(enum weir_path path);
const char *weir_class_name(enum weir_class class);
const char *weir_source_mode_name(enum weir_source_mode mode);
const char *weir_idle_name(enum weir_idle idle);
const char *weir_xdp_mode_name(enum weir_xdp_mode mode);
