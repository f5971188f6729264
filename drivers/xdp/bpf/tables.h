/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
#pragma once

#include <linux/types.h>

/*
 * The configuration as the XDP program reads it, and the state that it shares with the gateway.
 *
 * A *generation* is what each packet needs, a part of fixed size, and one array of lines of 64
 * bytes: the compiled match tables, and who gets which partition. Both are written whole and not
 * changed while they are in use; `current` says which of two is, so a packet sees one or the other.
 * Numbers of lines are relative to the array's start; line 0 is empty, so 0 stands for "there is
 * none".
 *
 * The part of fixed size is there because an array inside of another map costs the program a call
 * for each look: `front` has a head, then the rule of each destination port, then the streams.
 *
 * What changes without a new generation (routes, tokens, counters) lives in maps of its own, by the
 * gateway's stable slot numbers.
 */

#define WEIR_XDP_LINE_CELLS   32 /* of 16 bits */
#define WEIR_XDP_LINE_WORDS   16 /* of 32 bits */
#define WEIR_XDP_LINE_STEPS   4
#define WEIR_XDP_NODE_LINES   16 /* a trie's node: an entry for each of 256 bytes */
#define WEIR_XDP_MAX_STEPS    160
#define WEIR_XDP_MAX_COPIES   8  /* groups that one packet goes to */
#define WEIR_XDP_COPY_MAPS    4  /* kinds of fan-out in one generation */
#define WEIR_XDP_COPY_ENTRIES 16 /* clones of one packet at most, those of no use included */
#define WEIR_XDP_CONSUMERS    16384
#define WEIR_XDP_STREAMS      4096
#define WEIR_XDP_ATTACHMENTS  4096
#define WEIR_XDP_MISSED       131072u /* partitions that native groups have, of all streams */
#define WEIR_XDP_WILLS        65536u  /* lanes of native groups, of all streams */
#define WEIR_XDP_HEADER       80
#define WEIR_XDP_LEAF         0x80000000u /* as WEIR_TRIE_LEAF */
#define WEIR_XDP_NOBODY       0xffffu     /* a partition without a consumer */

/* Which of the two generations holds. */
struct weir_xdp_current {
	__u32 bank; /* 0, 1; anything else: none, and every packet is the kernel's */
	__u32 reserved;
	__u64 generation;
	__s64 ticks_offset; /* token time less 16 * CLOCK_MONOTONIC; see buckets */
	__s64 wall_offset;  /* Unix time less CLOCK_MONOTONIC, nanoseconds */
	__u64 orphaned_ns;  /* CLOCK_MONOTONIC; since when the gateway is known to be dead. Program
			     */
	__u32 instance;     /* of the gateway that has written this; the next one has another */
	__u8 pad[20];
};

struct weir_xdp_head {
	__u64 generation;
	__u32 port_classes; /* lines of the class tables */
	__u32 vlan_classes;
	__u32 outer_vlan_classes;
	__u32 destination4; /* entries as in a trie's node; other nodes by line */
	__u32 destination6;
	__u32 source4;
	__u32 source6;
	__u32 own4; /* the gateway's own addresses: 1 inside */
	__u32 own6;
	__u32 steps; /* line of the first */
	__u16 step_count;
	__u16 native_port; /* 0: the stream protocol is not spoken */
	__u16 always;      /* rule that needs no step, or WEIR_MATCH_NONE */
	__u16 stream_count;
};

/* Lines of `front`, for each of its two banks. */
#define WEIR_XDP_FRONT_HEAD    0u
#define WEIR_XDP_FRONT_PORTS   1u /* struct weir_match's port_rules, as cells */
#define WEIR_XDP_FRONT_STREAMS (WEIR_XDP_FRONT_PORTS + 65536u / WEIR_XDP_LINE_CELLS)
#define WEIR_XDP_FRONT         (WEIR_XDP_FRONT_STREAMS + WEIR_XDP_STREAMS)

/* A step of struct weir_match_plane; the planes' steps follow one another. */
struct weir_xdp_step {
	__u32 map;   /* line; 0: the class as it is */
	__u32 table; /* line; 0: the first step of a plane */
	__u32 width;
	__u8 field;
	__u8 is_last; /* its result is a rule */
	__u8 pad[2];
};

struct weir_xdp_attachment {
	__u32 filter4; /* sources let through: entries as in a trie's node */
	__u32 filter6;
	__u32 sample; /* 1 in N */
	__u16 slot;   /* of the attachment's counters */
	__u16 group;
	__u8 class; /* enum weir_class */
	__u8 pad[3];
	__u32 will; /* place of its first partition in `will_lanes`, + 1; 0: it leaves nothing */
};

struct weir_xdp_stream {
	__u8 key_kind; /* struct weir_key_spec */
	__u8 key_length;
	__u16 key_offset;
	__u16 partitions;
	__u16 slot;        /* of the stream's counters */
	__u32 attachments; /* line of the first; one line each */
	__u32 lanes;       /* line; words: each partition's copy map, then one a group */
	__u16 attachment_count;
	__u16 unserved;                   /* groups beyond them, which get nothing from here */
	struct weir_xdp_attachment first; /* of them */
	__u32 missed;   /* place of its first partition in that map, + 1; 0: no native group */
	__u8 in_kernel; /* delivered by the program, also while the gateway lives */
	__u8 pad[15];
};

union weir_xdp_line {
	struct weir_xdp_head head;
	struct weir_xdp_step steps[WEIR_XDP_LINE_STEPS];
	struct weir_xdp_stream stream;
	struct weir_xdp_attachment attachment;
	__u16 cells[WEIR_XDP_LINE_CELLS];
	__u32 words[WEIR_XDP_LINE_WORDS];
};

/*
 * The way to a consumer, by its slot: struct weir_route. The control thread writes, and makes
 * `version` odd for that time; the program that finds it odd or changed lets go of the packet.
 */
struct weir_xdp_consumer {
	__u8 header[WEIR_XDP_HEADER]; /* from its first byte on */
	__u32 version;
	__u16 header_length; /* 0: no way to it */
	__u8 ip_version;
	__u8 keeps_source;
	__u32 closed;  /* WEIR_CLOSED_ bits */
	__u32 ifindex; /* of the egress port */
	__u32 port;    /* its index: the key in tx_ports */
	__u16 max_payload;
	__u8 class;
	__u8 pad;
	__u32 ip_sum;
	__u32 reserved;
	__u64 address_sum;
	__u64 spare[2];
};

/* The state of struct weir_bucket, shared with the gateway, and its price. */
struct weir_xdp_bucket {
	__u64 paid_until; /* whoever takes; ticks of 1/16 ns of the gateway's clock */
	__u64 cost;       /* control thread */
	__u64 burst;      /* control thread */
};

struct weir_xdp_buckets {
	struct weir_xdp_bucket packets;
	struct weir_xdp_bucket bits;
	__u64 spare[2];
	char name[32]; /* of the consumer, whose tokens these are; control thread */
	__u8 pad[32];
};

/* Whose counters a slot has. The group is empty for a stream's own; both are for a free slot. */
struct weir_xdp_label {
	char stream[32];
	char group[32];
};

/* Which part of `missed` a stream has, by the slot of its counters. Control thread. */
struct weir_xdp_missed_range {
	__u32 first;
	__u32 count; /* its partitions; 0: none */
};

/* struct weir_missed: what native consumers of a partition did not get; numbers given out. */
struct weir_xdp_missed {
	__u64 count;
	__u64 told; /* the gateway's */
	__u64 begin;
	__u64 given;
};

/* Which part of `will_lanes` a group has of a stream, by the slot of its counters: as that. */

/* struct weir_will_session, by the consumer's slot. */
struct weir_xdp_will_session {
	__u64 session;
	__u64 limit_messages; /* struct weir_credit_account */
	__u64 leased_messages;
	__u64 limit_bytes;
	__u64 leased_bytes;
	__u64 liveness_ns;
	__u64 heard_ns;
	__u16 max_datagram;
	__u8 wants_source;
	__u8 is_paused;
	__u8 pad[4];
};

/* struct weir_will_lane: a lane of a native group, where it stood when the gateway died. */
struct weir_xdp_will_lane {
	__u64 session;
	__u64 first;
	__u64 messages;
	__u64 bytes;
	__u64 next;
	__u32 epoch;
	__u16 stream;
	__u16 partition;
	__u32 deadline_us;
	__u16 consumer;
	__u8 pad[10];
	__u64 sent;
	__u64 sent_bytes;
	__u64 end;
	__u64 begin;
	__u64 spare[4];
};

/* What the program did, by CPU. received = the sum of all from `forwarded` to `refused`. */
struct weir_xdp_stream_counters {
	__u64 received;
	__u64 received_bytes; /* UDP payload */
	__u64 forwarded;      /* to at least one group */
	__u64 key_truncated;
	__u64 key_version;
	__u64 key_malformed;
	__u64 no_group;
	__u64 refused;  /* by every group: see there */
	__u64 unserved; /* not part of the sum: copies for groups beyond the eighth */
};

/*
 * For each attachment: received = delivered + all that follow, except `seen`, when nothing is under
 * way, and with the lost copies that struct weir_xdp_under_way still tells of.
 */
struct weir_xdp_group_counters {
	__u64 received;
	__u64 delivered; /* given to the egress device */
	__u64 delivered_bytes;
	__u64 no_consumer; /* nobody has the partition, or there is no way to who has */
	__u64 closed;      /* paused, or unreachable */
	__u64 rate;        /* its tokens were used up */
	__u64 too_big;
	__u64 family;
	__u64 sampled;
	__u64 filtered;
	__u64 checksum; /* to IPv6 a datagram without a checksum */
	__u64 failed;   /* no room for headers, or the route was just being written */
	__u64 native;   /* a native consumer waits for the gateway */
	__u64 copies;   /* no copy was made: in several buffers, no memory, no device */
	__u64 seen;     /* counts for `sample` */
	__u64 credit;   /* a native consumer has granted no more */
};

/*
 * For each consumer, of those of its groups that count what it was given, and what it was not. An
 * entry for each slot, for the first CPU, then for the next one: WEIR_XDP_CONSUMERS * CPU + slot.
 */
struct weir_xdp_consumer_counters {
	__u64 delivered;
	__u64 delivered_bytes;
	__u64 closed;
	__u64 rate;
	__u64 too_big;
	__u64 family;
	__u64 checksum;
	__u64 failed;
};

/*
 * In front of a packet that goes to several groups, for the program at each egress. No frame that
 * is sent begins like this: the address of its next hop is not zero.
 */
#define WEIR_XDP_NOTE 0x5752000000000000ull /* in host order: the first six bytes are zero */

struct weir_xdp_note {
	__u64 magic;
	__u64 packet; /* a number of its own on this CPU */
	__u32 bank;
	__u32 lanes;       /* line and place of the partition's words: line * 16 + word */
	__u32 attachments; /* line */
	__u16 count;
	__u16 partition;
	__u16 l3_offset; /* struct weir_packet, of the frame behind this */
	__u16 l4_offset;
	__u16 payload_length;
	__u16 ip_version;
	__u64 seq; /* its number for native consumers; 0: none */
};

/* By CPU and port: which packet's clones come, and how many have come. */
struct weir_xdp_copy_state {
	__u64 packet;
	__u64 count;
};

/*
 * Which copies of a packet have not come to their egress device: an entry for each of the newest
 * packets of the first CPU, then of the next one. A poll of a NIC is 64 packets, and at its end all
 * that it redirects has come.
 */
#define WEIR_XDP_UNDER_WAY 128u

struct weir_xdp_under_way {
	__u64 packet;   /* struct weir_xdp_note */
	__u64 since_ns; /* CLOCK_MONOTONIC_COARSE */
	__u32 missing;  /* a bit for each of `groups` */
	__u32 reserved;
	__u16 groups[WEIR_XDP_MAX_COPIES]; /* slots of their counters */
	__u8 pad[24];
};

#define WEIR_XDP_COPY_PORTS 64
#define WEIR_XDP_COPY_OWN   WEIR_XDP_COPY_PORTS /* this entry numbers the packets */
