/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
#pragma once

#include <linux/types.h>

/*
 * What the XDP program and the gateway share through pinned maps. The maps outlive both, so a
 * change of a layout here is a change of WEIR_XDP_FORMAT: a gateway that finds another number in
 * the pins replaces them all.
 */

#define WEIR_XDP_FORMAT     6
#define WEIR_XDP_MAX_QUEUES 64
#define WEIR_XDP_LINE       64

/* The bits of a futex word that hold its owner's thread number; the kernel clears them at death. */
#define WEIR_XDP_OWNER_MASK 0x3fffffffu

/* Why a queue's packets went over to the program. */
enum weir_xdp_trip {
	WEIR_XDP_TRIP_NONE,
	WEIR_XDP_TRIP_OWNER,     /* the worker's thread has ended */
	WEIR_XDP_TRIP_HEARTBEAT, /* the worker's loop stands still */
	WEIR_XDP_TRIP_BACKLOG,   /* too much waits in the socket */
	WEIR_XDP_TRIP_SOCKET,    /* there is no socket */
	WEIR_XDP_TRIP_OPERATOR,  /* failover_trip */
	WEIR_XDP_TRIPS
};

/*
 * One receive queue. A packet goes to the socket while the queue is armed and not tripped in this
 * arming: `armed` is a number that each arming raises, `tripped` the one in which the program took
 * over, so a trip holds until the gateway arms again. Each line has one writer. An orderly end is
 * the program's to begin: no one else knows that it hands nothing over at this moment.
 */
struct weir_xdp_queue_state {
	/* The worker, or the control thread while no worker runs. */
	__u64 heartbeat_ns;  /* CLOCK_MONOTONIC; compare as a signed difference */
	__u64 consumed;      /* packets taken from the socket, or known to be lost in front of it */
	__u32 armed;         /* 0: disarmed */
	__u32 is_moving;     /* between two workers' threads: it has no owner, and waits for one */
	__u64 handover_lost; /* packets that were in the socket when the program took over */
	__u32 is_ending;     /* in order: `consumed` is what was taken and has left again */
	__u32 instance;      /* the gateway that has the queue: see struct weir_xdp_current */
	__u8 worker_pad[WEIR_XDP_LINE - 40];
	/* The program, for each packet. One CPU at a time has the queue. */
	__u64 redirected; /* packets given to the socket */
	__u64 in_kernel;  /* packets of streams that the program dealt with itself */
	__u8 program_pad[WEIR_XDP_LINE - 16];
	/* The program, or the control thread, at a trip. Read by the worker for each burst. */
	__u32 tripped;
	__u32 trip_reason; /* enum weir_xdp_trip */
	__u64 tripped_ns;  /* CLOCK_MONOTONIC */
	__u64 trips;
	__u32 ended; /* the arming that the program has ended in order */
	__u8 trip_pad[WEIR_XDP_LINE - 28];
	/*
	 * A robust mutex (pthread) that the worker's thread holds. The first word is its futex. The
	 * kernel marks it when the thread ends, before it tears down memory and sockets, which
	 * takes milliseconds.
	 */
	__u32 owner;
	__u8 owner_rest[WEIR_XDP_LINE - 4];
};

/* What the gateway tells the program of one port. */
struct weir_xdp_settings {
	__u32 format;             /* WEIR_XDP_FORMAT */
	__u32 port;               /* position in the configuration */
	__u64 heartbeat_limit_ns; /* older is dead; 0: not looked at */
	__u64 gate;               /* packets in the socket at most; 0: not looked at */
	__u32 ifindex;
	__u32 queues;
};
