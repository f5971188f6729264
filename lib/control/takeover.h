/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "base/error.h"
#include "control/gateway.h"
#include "dataplane/estate.h"

/*
 * One gateway taking over from another on the same machine, over the control socket:
 *
 *   the new one                      the running one
 *   takeover_begin             ->    slots of streams and sessions, largest MTU
 *   (memory, buffers)                goes on
 *   takeover_release           ->    stops, leaves its estate (dataplane/estate.h), lets go of
 *   ports, sessions, rings           ports, twins and socket; answers nothing else any more
 *   takeover_done              ->    ends
 *   workers start
 *
 * If it fails before it lets go, the running one goes on as before. If the new one fails after
 * that, the running one notes where its groups stand, and ends with an error. Control thread.
 */

/* The running gateway's side. */
struct weir_takeover;

int weir_takeover_create(struct weir_gateway *gateway, struct weir_takeover **takeover);
void weir_takeover_destroy(struct weir_takeover *takeover);
int weir_methods_takeover_register(struct weir_gateway *gateway);
/* Ports, sessions and positions are another gateway's: there is nothing left to stop. */
bool weir_takeover_is_done(const struct weir_takeover *takeover);
/* The other gateway was let in and never said that it is there. */
bool weir_takeover_has_failed(const struct weir_takeover *takeover);

/* The new gateway's side. Calls wait for the running one, for some seconds at most. */
struct weir_takeover_peer {
	int fd;
	int pid; /* of the running gateway */
	uint16_t mtu;
	struct weir_slot_plan slots;
	struct weir_estate estate;
	uint32_t sessions; /* that went on */
	struct weir_inheritance inheritance;
};

/* Ask the gateway at `socket`. The peer is the caller's until weir_takeover_close(). */
int weir_takeover_connect(
	const char *socket, struct weir_takeover_peer **peer, struct weir_error *error);
/* It stops, and its estate is ours. */
int weir_takeover_release(struct weir_takeover_peer *peer, struct weir_error *error);
/* Before workers start: sessions and rings of the estate become the gateway's. */
void weir_takeover_inherit(struct weir_takeover_peer *peer, struct weir_gateway *gateway);
/* The running gateway may end. Whether it hears it changes nothing here. */
void weir_takeover_finish(struct weir_takeover_peer *peer);
/* Logs what was taken over and for how long nothing was received. NULL is fine. */
void weir_takeover_report(const struct weir_takeover_peer *peer);
void weir_takeover_close(struct weir_takeover_peer *peer);
