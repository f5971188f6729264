/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "base/failover.h"

/*
 * The port interface: all that the data plane knows of a NIC. A driver (drivers/) fills one of
 * these for each port that it has started; afterwards everything stays as it is.
 * Queue handles are the driver's; queue q is used by one worker only.
 */

#define WEIR_PORT_MAX_QUEUES 64

/*
 * In a received mbuf's ol_flags, by drivers with `failover`: it waited while the port's program
 * sent later ones, so it is out of order for all but native consumers, who got none of these.
 * The driver registers it as a dynamic flag.
 */
#define WEIR_PORT_STALE_BIT 38
#define WEIR_PORT_STALE     (UINT64_C(1) << WEIR_PORT_STALE_BIT)

/* Likewise, set by the worker that has received it: it is to be traced. See trace.h. */
#define WEIR_PORT_TRACED_BIT 40
#define WEIR_PORT_TRACED     (UINT64_C(1) << WEIR_PORT_TRACED_BIT)

/*
 * In an mbuf to send, for ports with `joins`: a datagram that the gateway has made. Those with the
 * same headers, one behind the other, may be handed on as one, with checksums made anew. l2_len and
 * l3_len say where they are.
 */
#define WEIR_PORT_JOINS_BIT 37
#define WEIR_PORT_JOINS     (UINT64_C(1) << WEIR_PORT_JOINS_BIT)

struct weir_dataplane;
struct weir_will_store;
struct weir_token_store;

struct weir_port_counters {
	uint64_t rx_packets;
	uint64_t rx_bytes;
	uint64_t rx_missed; /* lost in the NIC or the kernel, before a worker saw them */
	uint64_t rx_errors;
	uint64_t rx_no_buffer; /* the driver found no free mbuf */
	uint64_t tx_packets;
	uint64_t tx_bytes;
	uint64_t tx_errors;
};

struct weir_port_ops {
	/* Burst functions of rte_ethdev's shape; never block, own what they return or take. */
	uint16_t (*rx)(void *queue, struct rte_mbuf **packets, uint16_t count);
	uint16_t (*tx)(void *queue, struct rte_mbuf **packets, uint16_t count);
	/* File descriptor that becomes readable with packets, after `arm`; -ENOTSUP without. */
	int (*rx_fd)(void *queue);
	int (*rx_arm)(void *queue, bool on);
	/* Another thread is to poll the queue from now on; NULL: it does not matter. */
	void (*rx_leave)(void *queue);
	/* Control thread only. */
	void (*hold)(void *driver, bool on); /* held, or not started: `rx` and `tx` move nothing */
	int (*restart)(void *driver); /* held, and no worker in it: stop and start the device */
	void (*counters)(void *driver, struct weir_port_counters *counters);
	bool (*link)(void *driver);
	uint32_t (*speed)(
		void *driver); /* Mbit/s; 0: unknown. NULL: the kernel's interface knows */
	/* A port whose packets go another way while no gateway takes them; NULL for all others. */
	void (*take)(void *driver, bool on); /* workers run: from now on, or not any more */
	void (*release)(void *driver);       /* no more, and what is under way has been taken */
	void (*trip)(void *driver);          /* the other way at once, until taken */
	uint32_t (*failover)(void *driver, struct weir_failover_queue *queues, uint32_t most);
	/* What went that way; ports of one driver tell the same. */
	void (*flows)(void *driver, weir_failover_visit visit, void *context);
	/* Of one stream, of one of its groups (NULL: itself), of the consumer in a slot; since this
	   gateway began. False: nothing is known. */
	bool (*flow)(void *driver, const char *stream, const char *group,
		struct weir_failover_flow *flow);
	bool (*consumer_flow)(void *driver, uint16_t slot, struct weir_failover_flow *flow);
	void (*watch)(void *driver); /* now and then: say what goes wrong without the gateway */
	void (*follow)(void *driver, struct weir_dataplane *dataplane); /* something has changed */
	const struct weir_token_store *(*tokens)(void *driver);
	const struct weir_will_store *(*wills)(void *driver);
};

struct weir_port {
	char name[32];
	char interface[16];   /* of the kernel, that the port stands on; "": none */
	char driver_name[32]; /* as the driver calls itself: "net_af_packet" */
	uint16_t index;       /* position in the configuration */
	uint16_t mtu;         /* layer-3 bytes */
	uint8_t mac[6];
	bool has_twin;          /* not-for-a-stream packets go to a TAP; else the kernel has them */
	bool can_ip_checksum;   /* receive verifies the IPv4 header and says so in ol_flags */
	bool can_udp_checksum;  /* receive verifies UDP and says so in ol_flags */
	bool can_multi_segment; /* transmit takes chained mbufs */
	bool joins;             /* transmit makes one packet of several: WEIR_PORT_JOINS */
	bool can_restart;       /* `hold` and `restart` are there */
	int kernel_ifindex;     /* interface whose routes lead out of this port; 0: none */
	uint16_t rx_queues;
	uint16_t tx_queues;
	void *rx_queue[WEIR_PORT_MAX_QUEUES];
	void *tx_queue[WEIR_PORT_MAX_QUEUES];
	const struct weir_port_ops *ops;
	void *driver; /* the driver's own state; it frees it */
};
