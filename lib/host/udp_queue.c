/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/udp_queue.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "host/udp_queue_private.h"

#define LIST_NS UINT64_C(1000000000) /* all sockets of the port are listed so often */

struct weir_udp_watch {
	struct weir_address address;
	uint16_t port;
	bool has_diag;
	struct weir_udp_diag diag;
	bool is_single; /* the kernel finds it by itself, and there is no other */
	uint64_t list_at;
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static bool is_any(const struct weir_address *address)
{
	static const uint8_t zeros[16];

	return memcmp(address->bytes, zeros, sizeof(zeros)) == 0;
}

/* A socket of IPv6 has an IPv4 address mapped. */
static bool is_same(const struct weir_address *local, const struct weir_address *wanted)
{
	struct weir_address address = *local;

	if (local->family == 6)
		weir_address_unmap(&address, local->bytes);
	return weir_address_equal(&address, wanted);
}

/* Whether the queue is fuller, as a share of what it holds. */
static bool is_fuller(const struct weir_udp_socket *socket, const struct weir_udp_queue *queue)
{
	return (uint64_t)socket->queue_bytes * queue->limit_bytes >
	       (uint64_t)queue->queue_bytes * socket->limit_bytes;
}

void weir_udp_choose(struct weir_udp_choice *choice, const struct weir_udp_socket *socket)
{
	struct weir_udp_queue *queue = &choice->queue;
	bool is_specific = is_same(&socket->local, &choice->wanted);
	/* One for any address of IPv6 takes IPv4 too, as a rule; the reverse never. */
	bool is_general =
		is_any(&socket->local) && (socket->local.family == 6 || choice->wanted.family == 4);

	if (socket->is_connected || (!is_specific && (!is_general || choice->is_specific)))
		return;
	if (is_specific && !choice->is_specific)
		*queue = (struct weir_udp_queue){0};
	choice->is_specific |= is_specific;
	queue->drops += socket->drops;
	if (queue->sockets++ != 0 && !is_fuller(socket, queue))
		return;
	queue->queue_bytes = socket->queue_bytes;
	queue->limit_bytes = socket->limit_bytes;
	choice->inode = socket->inode;
}

static int list_all(struct weir_udp_watch *watch, struct weir_udp_choice *choice)
{
	int result = -EOPNOTSUPP;

	*choice = (struct weir_udp_choice){.wanted = watch->address};
	if (watch->has_diag)
		result = weir_udp_diag_all(&watch->diag, watch->port, choice);
	if (result < 0) {
		*choice = (struct weir_udp_choice){.wanted = watch->address};
		weir_udp_diag_close(&watch->diag);
		watch->has_diag = false;
		result = weir_udp_proc_all(watch->port, choice);
	}
	if (result < 0)
		return result;
	return choice->queue.sockets != 0 ? 0 : -ENOENT;
}

/* List them, and see whether asking for the one alone will do until the next time. */
static int look_at_all(struct weir_udp_watch *watch, struct weir_udp_queue *queue)
{
	struct weir_udp_choice choice;
	struct weir_udp_socket one;
	int result;

	if (now_ns() >= watch->list_at) {
		watch->list_at = now_ns() + LIST_NS;
		/* What was refused once may be allowed later: a module was loaded. */
		if (!watch->has_diag)
			watch->has_diag = weir_udp_diag_open(&watch->diag) == 0;
	}
	watch->is_single = false;
	result = list_all(watch, &choice);
	if (result < 0)
		return result;
	watch->is_single =
		choice.queue.sockets == 1 && watch->has_diag &&
		weir_udp_diag_one(&watch->diag, &watch->address, watch->port, &one) == 0 &&
		one.inode == choice.inode;
	*queue = choice.queue;
	return 0;
}

int weir_udp_watch_open(
	const struct weir_address *address, uint16_t port, struct weir_udp_watch **out)
{
	struct weir_udp_watch *watch = calloc(1, sizeof(*watch));

	*out = watch;
	if (watch == NULL)
		return -ENOMEM;
	watch->address = *address;
	watch->port = port;
	watch->has_diag = weir_udp_diag_open(&watch->diag) == 0;
	return 0;
}

void weir_udp_watch_close(struct weir_udp_watch *watch)
{
	if (watch == NULL)
		return;
	weir_udp_diag_close(&watch->diag);
	free(watch);
}

int weir_udp_watch_look(struct weir_udp_watch *watch, struct weir_udp_queue *queue)
{
	struct weir_udp_socket one;

	if (!watch->is_single || now_ns() >= watch->list_at ||
		weir_udp_diag_one(&watch->diag, &watch->address, watch->port, &one) < 0)
		return look_at_all(watch, queue);
	*queue = (struct weir_udp_queue){.queue_bytes = one.queue_bytes,
		.limit_bytes = one.limit_bytes,
		.drops = one.drops,
		.sockets = 1};
	return 0;
}

const char *weir_udp_watch_source(const struct weir_udp_watch *watch)
{
	return watch->has_diag ? "sock_diag" : "/proc/net/udp";
}
