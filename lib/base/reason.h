/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Why a packet or a message was not delivered. One table: log, metric, JSON, trace and
 * document take the name and the text from here, so a reason has one name everywhere.
 *
 * Freestanding: the parser that uses it is compiled for the client and for BPF too.
 *
 * Stage says where the reason is counted:
 *   PORT    while the packet is parsed; it belongs to no stream yet
 *   STREAM  after a stream was matched, before the message is in its partition ring
 *   GROUP   at one group's cursor; the other groups still get the message
 *   NATIVE  a stream-protocol frame that a client sent to the gateway
 */
#define WEIR_REASONS(X)                                                                            \
	X(NONE, PORT, "none", "not dropped")                                                       \
	X(ETHER_TRUNCATED, PORT, "ether_truncated", "shorter than an Ethernet header")             \
	X(VLAN_TRUNCATED, PORT, "vlan_truncated", "ends inside a VLAN tag")                        \
	X(VLAN_DEPTH, PORT, "vlan_depth", "more than two VLAN tags")                               \
	X(IPV4_TRUNCATED, PORT, "ipv4_truncated", "ends inside the IPv4 header")                   \
	X(IPV4_VERSION, PORT, "ipv4_version", "EtherType IPv4, but another version inside")        \
	X(IPV4_HEADER_LENGTH, PORT, "ipv4_header_length", "IPv4 header length below 20 bytes")     \
	X(IPV4_TOTAL_LENGTH, PORT, "ipv4_total_length", "IPv4 total length wrong for this frame")  \
	X(IPV4_CHECKSUM, PORT, "ipv4_checksum", "IPv4 header checksum wrong")                      \
	X(IPV4_FRAGMENT, PORT, "ipv4_fragment", "fragment of an IPv4 UDP datagram")                \
	X(IPV6_TRUNCATED, PORT, "ipv6_truncated", "ends inside the IPv6 header")                   \
	X(IPV6_VERSION, PORT, "ipv6_version", "EtherType IPv6, but another version inside")        \
	X(IPV6_PAYLOAD_LENGTH, PORT, "ipv6_payload_length", "IPv6 payload length exceeds frame")   \
	X(IPV6_FRAGMENT, PORT, "ipv6_fragment", "fragment of an IPv6 UDP datagram")                \
	X(IPV6_EXTENSION, PORT, "ipv6_extension", "IPv6 extension header truncated or malformed")  \
	X(IPV6_EXTENSION_COUNT, PORT, "ipv6_extension_count", "more than eight IPv6 extensions")   \
	X(SOURCE_ADDRESS, PORT, "source_address", "source address that no host may send from")     \
	X(UDP_TRUNCATED, PORT, "udp_truncated", "ends inside the UDP header")                      \
	X(UDP_LENGTH, PORT, "udp_length", "UDP length below 8 or beyond the IP payload")           \
	X(UDP_CHECKSUM, PORT, "udp_checksum", "UDP checksum wrong, or absent over IPv6")           \
	X(SEGMENTED, PORT, "segmented", "headers are not in the first buffer segment")             \
	X(KERNEL_FULL, PORT, "kernel_full", "for the kernel, but the queue to it was full")        \
	X(CHAOS_DROP, PORT, "chaos_drop", "dropped when received, by an injected fault")           \
	X(KEY_TRUNCATED, STREAM, "key_truncated", "ends before the bytes of the key")              \
	X(KEY_VERSION, STREAM, "key_version", "protocol version that the key does not know")       \
	X(KEY_MALFORMED, STREAM, "key_malformed", "header that holds the key contradicts itself")  \
	X(MESH_FULL, STREAM, "mesh_full", "ring to the owning worker was full")                    \
	X(BUDGET, STREAM, "budget", "stream's buffer budget used up")                              \
	X(NO_OWNER, STREAM, "no_owner", "partition was removed while the packet was under way")    \
	X(NO_GROUP, STREAM, "no_group", "no group takes this stream")                              \
	X(SHED, STREAM, "shed", "its tier gave way while the worker was overloaded")               \
	X(LAPPED, GROUP, "lapped", "ring overwritten before this group had taken it")              \
	X(EXPIRED, GROUP, "expired", "past its deadline or the ring's age limit")                  \
	X(QUARANTINED, GROUP, "quarantined", "not acknowledged in all attempts; kept for a look")  \
	X(SKIPPED, GROUP, "skipped", "jumped over by a consumer's start or seek")                  \
	X(ELSEWHERE, GROUP, "elsewhere", "of another group alone: out of quarantine, or a gap")    \
	X(FAILOVER, GROUP, "failover", "the kernel's program had it, or had sent later ones")      \
	X(SAMPLED, GROUP, "sampled", "left out by the group's 1-in-N sampling")                    \
	X(FILTERED, GROUP, "filtered", "left out by the group's source filter")                    \
	X(TOO_BIG, GROUP, "too_big", "larger than the egress MTU or the frame")                    \
	X(FAMILY, GROUP, "family", "source kept, but consumer has another IP version")             \
	X(CHECKSUM, GROUP, "checksum", "UDP checksum wrong when framed, or none and IPv6 ahead")   \
	X(TX_FAILED, GROUP, "tx_failed", "egress port refused the packet or went away")            \
	X(CHAOS_LOSE, GROUP, "chaos_lose", "thrown away when sent, by an injected fault")          \
	X(REMOVED, GROUP, "removed", "stream or group was removed from the configuration")         \
	X(SUPERSEDED, GROUP, "superseded",                                                         \
		"not delivered before its stream's new rings had to go on")                        \
	X(SHUTDOWN, GROUP, "shutdown", "still held when the gateway stopped")                      \
	X(NO_CONSUMER, GROUP, "no_consumer", "in the kernel: nobody, or no way to who has it")     \
	X(CLOSED, GROUP, "closed", "in the kernel: its consumer was paused or unreachable")        \
	X(RATE, GROUP, "rate", "in the kernel: its consumer's rate was used up")                   \
	X(COPIES, GROUP, "copies", "in the kernel: no copy for this group could be made or sent")  \
	X(FRAME_TRUNCATED, NATIVE, "frame_truncated", "stream-protocol frame ends too early")      \
	X(FRAME_VERSION, NATIVE, "frame_version", "stream-protocol magic or version unknown")      \
	X(FRAME_TYPE, NATIVE, "frame_type", "frame type unknown or not for the gateway")           \
	X(FRAME_MALFORMED, NATIVE, "frame_malformed", "frame contradicts itself")                  \
	X(FRAME_SESSION, NATIVE, "frame_session", "session unknown or from another address")       \
	X(FRAME_COOKIE, NATIVE, "frame_cookie", "cookie wrong or too old")                         \
	X(FRAME_QUEUE, NATIVE, "frame_queue", "queue to the control thread was full")              \
	X(FRAME_STALE, NATIVE, "frame_stale", "of a lane or epoch that is not the session's")      \
	X(FRAME_TAG, NATIVE, "frame_tag", "authentication missing or wrong")                       \
	X(FRAME_REPLAY, NATIVE, "frame_replay", "authenticated, but seen before or too old")

enum weir_reason {
#define X(id, stage, name, text) WEIR_REASON_##id,
	WEIR_REASONS(X)
#undef X
		WEIR_REASON_COUNT
};

enum weir_reason_stage {
	WEIR_STAGE_PORT,
	WEIR_STAGE_STREAM,
	WEIR_STAGE_GROUP,
	WEIR_STAGE_NATIVE,
};
