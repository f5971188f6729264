/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "lane/delivery.h"

/* A lane under test that begins at FIRST, its caller, its client and the clock. */

#define RING   64
#define FIRST  1000u /* not a multiple of the ring */
#define RTT_US 10000u
#define LENGTH 100

extern struct weir_delivery_record records[RING];
extern struct weir_delivery_rules rules;
extern struct weir_delivery lane;
extern uint64_t now;

void begin(void);
void send_some(unsigned int count);
/* `count` pairs of first, end follow; all relative to FIRST. */
int ack(uint64_t next, uint64_t done, unsigned int count, ...);
int nack(uint64_t first, uint64_t end);
/* Settle what can be; how many were in the wanted state. */
unsigned int settle_all(enum weir_delivery_state wanted);
/* Send again whatever may be; the number of messages. */
unsigned int resend_all(void);
void check_flying(uint64_t messages);
