/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/address.h"
#include "base/error.h"

/*
 * What the Linux kernel knows of links, addresses, routes and neighbours in the network namespace
 * that the host was opened in. The kernel is the authority: it resolves neighbours and chooses
 * routes, Weir only follows and asks. Links, addresses and neighbours are cached here and kept by
 * notifications; routes are asked for one by one, so a full BGP table costs no memory.
 *
 * One thread only. The notification fd is for the caller's epoll. Questions to the kernel are
 * answered within the system call, nothing here waits for another host. Values are copied out;
 * nothing that is returned points into the caches. An interface is known by its ifindex, > 0.
 */
struct weir_host;

enum weir_host_change_kind {
	WEIR_HOST_LINK,       /* `ifindex` appeared, changed or went away */
	WEIR_HOST_ADDRESS,    /* the list of addresses of `ifindex` changed */
	WEIR_HOST_NEIGHBOUR,  /* state or MAC of `address` on `ifindex` changed, or it went away */
	WEIR_HOST_ROUTE,      /* any route may lead elsewhere now: ask again for those in use */
	WEIR_HOST_EVERYTHING, /* notifications were lost; the caches are fresh again: look anew */
};

struct weir_host_change {
	enum weir_host_change_kind kind;
	int ifindex;                 /* 0 where it has no meaning */
	struct weir_address address; /* WEIR_HOST_NEIGHBOUR only */
};

/* Called from within weir_host_process(), which it must not call, nor close the host. */
typedef void (*weir_host_changed)(void *context, const struct weir_host_change *change);

/*
 * Subscribe and fill the caches. `changed` may be NULL. On success *host is the caller's, to be
 * closed; on failure a negative errno with `error` filled (may be NULL) and *host NULL.
 */
int weir_host_open(weir_host_changed changed, void *context, struct weir_host **host,
	struct weir_error *error);
/* NULL is fine. */
void weir_host_close(struct weir_host *host);
/* Readable when there is something to process (level-triggered); owned by the host. */
int weir_host_fd(const struct weir_host *host);
/*
 * Take in what the kernel has to say and call back for what changed. A bounded share of a flood is
 * taken each time, the fd then stays readable. Links, addresses and neighbours are told one by
 * one; ROUTE at most once a call, after them, and also after a change of a link or an address,
 * because the kernel removes the IPv4 routes of a link that goes down without a word.
 * A link that goes away takes its addresses and neighbours along, of which LINK alone is told.
 * -errno: the caches could not be made fresh after a loss; call again, at latest in a second.
 */
int weir_host_process(struct weir_host *host);

#define WEIR_LINK_NAME 16 /* IFNAMSIZ */

struct weir_host_link {
	int ifindex;
	char name[WEIR_LINK_NAME];
	char kind[WEIR_LINK_NAME]; /* "vlan", "veth", "bond", "tun"...; "" for a plain device */
	uint32_t mtu;
	bool is_up;      /* set up by the administrator */
	bool is_running; /* up, and has its carrier */
	bool is_loopback;
	bool has_mac; /* its link layer address has six bytes */
	uint8_t mac[6];
	int parent;             /* ifindex under it (VLAN, macvlan), in this namespace; 0: none */
	int master;             /* ifindex of the bridge, bond or VRF over it; 0: none */
	uint16_t vlan;          /* VLAN id of an 802.1Q or 802.1ad device; 0: is none */
	uint16_t vlan_protocol; /* EtherType of its tag, 0x8100 or 0x88a8; 0: is none */
	uint32_t xdp_program; /* number of its XDP program; 0: none. Changes are not always told */
};

/* From the cache. 0 or -ENODEV. */
int weir_host_link_by_index(const struct weir_host *host, int ifindex, struct weir_host_link *link);
int weir_host_link_by_name(
	const struct weir_host *host, const char *name, struct weir_host_link *link);

/* Asks the kernel: what changes without being told is as it is now. 0, -ENODEV or -errno. */
int weir_host_link_ask(struct weir_host *host, int ifindex, struct weir_host_link *link);

struct weir_host_address {
	struct weir_address address;
	uint8_t length; /* of its subnet, bits */
	bool is_usable; /* not still, or in vain, checked for duplicates (RFC 4862 5.4) */
};

/*
 * Addresses of an interface, from the cache, in the kernel's order. Fills at most `max` and returns
 * how many there are; none is not an error.
 */
unsigned int weir_host_addresses(const struct weir_host *host, int ifindex,
	struct weir_host_address *addresses, unsigned int max);

enum weir_route_type {
	WEIR_ROUTE_UNICAST, /* leaves by `ifindex` to `next_hop` */
	WEIR_ROUTE_LOCAL,   /* this machine's own address */
	WEIR_ROUTE_BROADCAST,
	WEIR_ROUTE_MULTICAST,
	WEIR_ROUTE_UNREACHABLE, /* the administrator's refusals, from here on */
	WEIR_ROUTE_BLACKHOLE,
	WEIR_ROUTE_PROHIBIT,
	WEIR_ROUTE_TYPES,
};

struct weir_host_route {
	enum weir_route_type type;
	int ifindex;                  /* 0 where the type leads nowhere */
	bool has_gateway;             /* `next_hop` is a router */
	struct weir_address next_hop; /* router or destination; IPv6 also for an IPv4 route by it */
	struct weir_address source;   /* that the kernel would use; family 0: none */
	uint32_t mtu;                 /* of the path if known, else of the link; 0: unknown */
};

/*
 * Ask the kernel which way a UDP datagram of this machine to `destination` takes. Of several equal
 * paths it names one. A path MTU learnt later is not notified. 0 when there is a route, also one
 * that refuses (see type); -ENETUNREACH when there is none; another -errno when the question
 * failed (-EINVAL: not an address). Link-local destinations have no route without an interface.
 */
int weir_host_route(struct weir_host *host, const struct weir_address *destination,
	struct weir_host_route *route);
/* "unicast", "local"...; "unknown" outside. */
const char *weir_route_type_name(enum weir_route_type type);

enum weir_neighbour_state {
	WEIR_NEIGHBOUR_UNKNOWN,   /* no entry, nobody asked yet */
	WEIR_NEIGHBOUR_RESOLVING, /* asked, no answer yet */
	WEIR_NEIGHBOUR_REACHABLE, /* has a MAC that may be sent to, confirmed or not doubted yet */
	WEIR_NEIGHBOUR_FAILED,    /* did not answer */
	WEIR_NEIGHBOUR_STATES,
};

struct weir_host_neighbour {
	enum weir_neighbour_state state;
	uint8_t mac[6]; /* valid when REACHABLE, else zero */
	uint16_t nud;   /* the kernel's NUD_* bits, for people; 0: no entry */
};

/* From the cache; never fails, an unknown neighbour is UNKNOWN. */
void weir_host_neighbour(const struct weir_host *host, int ifindex,
	const struct weir_address *address, struct weir_host_neighbour *neighbour);
/*
 * Have the kernel resolve a neighbour that has no MAC; for one that has, or is being resolved,
 * nothing is done. It is RESOLVING on return; how that ends comes as a change. With the kernel's
 * defaults (three requests, one a second) an absent neighbour is FAILED 3 s later. 0, -EPERM
 * without CAP_NET_ADMIN, or -errno.
 */
int weir_host_neighbour_resolve(
	struct weir_host *host, int ifindex, const struct weir_address *address);
/*
 * Have the kernel ask a neighbour that has a MAC whether it is still there. It stays REACHABLE
 * meanwhile. With the kernel's defaults (three unicast requests, one a second) one that has gone is
 * FAILED 3 s later; probing again meanwhile does not prolong that. Permanent and NOARP
 * entries are left alone: they are the administrator's word. 0, -ENOENT when there is no MAC to
 * verify (resolve it), -EPERM without CAP_NET_ADMIN, or -errno.
 */
int weir_host_neighbour_probe(
	struct weir_host *host, int ifindex, const struct weir_address *address);
/* "unknown", "resolving", "reachable", "failed". */
const char *weir_neighbour_state_name(enum weir_neighbour_state state);
