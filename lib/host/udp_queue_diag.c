/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>

#include "host/udp_queue_private.h"

#define BUFFER 32768 /* the kernel's dumps have no longer datagrams */

/* What is being read, and where it goes. */
struct answer {
	struct weir_udp_socket *one; /* or */
	struct weir_udp_choice *choice;
	bool is_found;
};

static void read_socket(const struct inet_diag_msg *message, struct weir_udp_socket *socket)
{
	uint8_t family = message->idiag_family == AF_INET6 ? 6 : 4;

	memset(socket, 0, sizeof(*socket));
	weir_address_read(&socket->local, family, (const uint8_t *)message->id.idiag_src);
	socket->is_connected = message->id.idiag_dport != 0;
	socket->inode = message->idiag_inode;
	socket->queue_bytes = message->idiag_rqueue;
}

/* The first numbers of SKMEMINFO are the same since it exists; later ones may be missing. */
static void read_memory(const struct nlattr *attribute, struct weir_udp_socket *socket)
{
	uint32_t numbers[SK_MEMINFO_VARS] = {0};
	size_t length = mnl_attr_get_payload_len(attribute);

	memcpy(numbers, mnl_attr_get_payload(attribute),
		length < sizeof(numbers) ? length : sizeof(numbers));
	socket->queue_bytes = numbers[SK_MEMINFO_RMEM_ALLOC];
	socket->limit_bytes = numbers[SK_MEMINFO_RCVBUF];
	socket->drops = numbers[SK_MEMINFO_DROPS];
}

static int take(const struct nlmsghdr *header, void *context)
{
	const struct inet_diag_msg *message = mnl_nlmsg_get_payload(header);
	const struct nlattr *attribute;
	struct answer *answer = context;
	struct weir_udp_socket socket;

	if (header->nlmsg_type != SOCK_DIAG_BY_FAMILY ||
		mnl_nlmsg_get_payload_len(header) < sizeof(*message))
		return MNL_CB_OK;
	read_socket(message, &socket);
	mnl_attr_for_each(attribute, header, sizeof(*message))
	{
		if (mnl_attr_get_type(attribute) == INET_DIAG_SKMEMINFO)
			read_memory(attribute, &socket);
	}
	answer->is_found = true;
	if (answer->one != NULL)
		*answer->one = socket;
	else
		weir_udp_choose(answer->choice, &socket);
	return MNL_CB_OK;
}

static int exchange(struct weir_udp_diag *diag, struct nlmsghdr *message, struct answer *answer)
{
	unsigned int portid = mnl_socket_get_portid(diag->socket);
	bool is_dump = message->nlmsg_flags & NLM_F_DUMP;
	int state = MNL_CB_OK;

	message->nlmsg_seq = ++diag->sequence;
	if (mnl_socket_sendto(diag->socket, message, message->nlmsg_len) < 0)
		return -errno;
	/* A single answer is the whole answer; an error comes in its place. */
	while (state > MNL_CB_STOP && (is_dump || !answer->is_found)) {
		ssize_t length = mnl_socket_recvfrom(diag->socket, diag->buffer, BUFFER);

		if (length < 0)
			return -errno;
		state = mnl_cb_run(
			diag->buffer, (size_t)length, message->nlmsg_seq, portid, take, answer);
	}
	return state < 0 ? -errno : 0;
}

static struct inet_diag_req_v2 *begin(char *room, uint16_t flags, uint8_t family)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(room);
	struct inet_diag_req_v2 *request;

	message->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	message->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	request = mnl_nlmsg_put_extra_header(message, sizeof(*request));
	request->sdiag_family = family == 6 ? AF_INET6 : AF_INET;
	request->sdiag_protocol = IPPROTO_UDP;
	request->idiag_ext = 1 << (INET_DIAG_SKMEMINFO - 1);
	request->idiag_states = UINT32_MAX;
	request->id.idiag_cookie[0] = INET_DIAG_NOCOOKIE;
	request->id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
	return request;
}

int weir_udp_diag_open(struct weir_udp_diag *diag)
{
	int result = 0;

	memset(diag, 0, sizeof(*diag));
	diag->buffer = malloc(BUFFER);
	if (diag->buffer == NULL)
		return -ENOMEM;
	diag->socket = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (diag->socket == NULL || mnl_socket_bind(diag->socket, 0, MNL_SOCKET_AUTOPID) < 0)
		result = -errno;
	if (result < 0)
		weir_udp_diag_close(diag);
	return result;
}

void weir_udp_diag_close(struct weir_udp_diag *diag)
{
	if (diag->socket != NULL)
		mnl_socket_close(diag->socket);
	free(diag->buffer);
	memset(diag, 0, sizeof(*diag));
}

int weir_udp_diag_one(struct weir_udp_diag *diag, const struct weir_address *address, uint16_t port,
	struct weir_udp_socket *socket)
{
	char room[MNL_ALIGN(sizeof(struct nlmsghdr)) + MNL_ALIGN(sizeof(struct inet_diag_req_v2))]
		__attribute__((aligned(8)));
	struct inet_diag_req_v2 *request = begin(room, 0, address->family);
	struct answer answer = {.one = socket};
	int result;

	/* For a single UDP socket the kernel takes the destination for the socket's own side. */
	memcpy(request->id.idiag_dst, address->bytes, sizeof(address->bytes));
	request->id.idiag_dport = htons(port);
	result = exchange(diag, (struct nlmsghdr *)(void *)room, &answer);
	return result == 0 && !answer.is_found ? -ENOENT : result;
}

int weir_udp_diag_all(struct weir_udp_diag *diag, uint16_t port, struct weir_udp_choice *choice)
{
	char room[MNL_ALIGN(sizeof(struct nlmsghdr)) + MNL_ALIGN(sizeof(struct inet_diag_req_v2))]
		__attribute__((aligned(8)));
	static const uint8_t families[] = {4, 6};
	int result = 0;

	for (unsigned int i = 0; i < sizeof(families) && result == 0; i++) {
		struct inet_diag_req_v2 *request = begin(room, NLM_F_DUMP, families[i]);
		struct answer answer = {.choice = choice};

		request->id.idiag_sport = htons(port);
		result = exchange(diag, (struct nlmsghdr *)(void *)room, &answer);
	}
	return result;
}
