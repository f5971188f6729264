/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "client/link.h"
#include "wire/frame.h"

/*
 * From HELLO to WELCOME, the same for consumers, producers and agents (docs/protocol.md, section
 * 4): HELLO again and again with growing pauses, the cookie given back, ERROR obeyed. It goes on
 * for ever; the owner stops using it when it is welcomed, and begins again when the session is
 * lost. Pure; times are monotonic nanoseconds from any origin. One thread.
 *
 *	group and name by weir_greeting_set_name(); role, max_datagram, options
 *	weir_greeting_begin(&greeting, &link, now)
 *	at weir_greeting_deadline_ns(): weir_greeting_send(&greeting, &link, now)
 *	for each COOKIE, WELCOME, ERROR of session 0: weir_greeting_take(...)
 */

#define WEIR_GREETING_BACKOFF_MS  100 /* between HELLOs, doubled each time */
#define WEIR_GREETING_BACKOFF_MAX 5000
#define WEIR_GREETING_RETRY_MAX   60000 /* longest wait that an ERROR may impose, milliseconds */

struct weir_greeting {
	/* What is asked for: the owner's, kept over sessions. */
	char group[WEIR_FRAME_NAME_SIZE]; /* a producer's stream */
	char name[WEIR_FRAME_NAME_SIZE];
	enum weir_role role;
	uint16_t max_datagram;
	uint32_t options; /* WEIR_OPTION_* */
	/* Where it stands: set by weir_greeting_begin(). */
	uint64_t nonce;
	uint8_t cookie[WEIR_FRAME_COOKIE_SIZE];
	bool has_cookie;
	uint32_t backoff_ms;
	uint64_t send_at_ns; /* next HELLO; the owner may put it off */
	uint16_t refused;    /* code of the newest ERROR; 0: none */
};

enum weir_greeting_news {
	WEIR_GREETING_NOTHING,   /* nothing to do: an ERROR that was told before */
	WEIR_GREETING_AGAIN,     /* weir_greeting_send() now */
	WEIR_GREETING_WELCOMED,  /* answer.welcome is a session */
	WEIR_GREETING_REFUSED,   /* answer.code, .text; it goes on by itself */
	WEIR_GREETING_FOREIGN,   /* an answer to somebody else, or no frame for a greeting */
	WEIR_GREETING_MALFORMED, /* a WELCOME beyond what was asked for */
};

/* What WELCOME gave, in host order. */
struct weir_welcome {
	uint64_t session;
	uint64_t incarnation;
	uint64_t clock_ns; /* the gateway's, since the Unix epoch */
	uint32_t options;  /* granted: of those asked for */
	uint32_t heartbeat_ms;
	uint32_t liveness_ms;
	uint16_t max_datagram;
	uint8_t guarantee; /* enum weir_guarantee */
};

struct weir_greeting_answer {
	struct weir_welcome welcome;
	uint16_t code; /* enum weir_frame_code */
	char text[WEIR_FRAME_ERROR_TEXT + 1];
};

/* Copies a name of 1 to 31 of A-Z a-z 0-9 _ . - and pads it with zeros; -EINVAL for another. */
int weir_greeting_set_name(char field[WEIR_FRAME_NAME_SIZE], const char *name);
/* A new nonce, no cookie; the first HELLO is due at `at_ns`. The link has no session any more. */
void weir_greeting_begin(struct weir_greeting *greeting, struct weir_link *link, uint64_t at_ns);
uint64_t weir_greeting_deadline_ns(const struct weir_greeting *greeting);
/* Send HELLO, and set when the next one is due. */
void weir_greeting_send(struct weir_greeting *greeting, struct weir_link *link, uint64_t now_ns);
/*
 * A checked frame came in a datagram without a session. `answer` is filled as the result says.
 * When welcomed, the link has the session.
 */
enum weir_greeting_news weir_greeting_take(struct weir_greeting *greeting, struct weir_link *link,
	const struct weir_frame_header *frame, uint64_t now_ns,
	struct weir_greeting_answer *answer);
