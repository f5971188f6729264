/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/netlink.h>

#define DUMP_ATTEMPTS 3

static int open_socket(struct weir_request *request)
{
	int ret;

	request->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (request->socket == NULL)
		return -errno;
	if (mnl_socket_bind(request->socket, 0, MNL_SOCKET_AUTOPID) == 0)
		return 0;
	ret = -errno;
	mnl_socket_close(request->socket);
	request->socket = NULL;
	return ret;
}

/* Send, then hand over what comes back until it is complete. */
static int exchange(
	struct weir_request *request, struct nlmsghdr *message, mnl_cb_t answer, void *context)
{
	unsigned int portid = mnl_socket_get_portid(request->socket);
	int state = MNL_CB_OK;

	if (mnl_socket_sendto(request->socket, message, message->nlmsg_len) < 0)
		return -errno;
	while (state > MNL_CB_STOP) {
		ssize_t length =
			mnl_socket_recvfrom(request->socket, request->buffer, WEIR_REQUEST_BUFFER);

		if (length < 0)
			return -errno;
		state = mnl_cb_run(request->buffer, (size_t)length, message->nlmsg_seq, portid,
			answer, context);
	}
	return state < 0 ? -errno : 0;
}

int weir_request_open(struct weir_request *request)
{
	int ret;

	memset(request, 0, sizeof(*request));
	request->buffer = malloc(WEIR_REQUEST_BUFFER);
	if (request->buffer == NULL)
		return -ENOMEM;
	ret = open_socket(request);
	if (ret < 0)
		weir_request_close(request);
	return ret;
}

void weir_request_close(struct weir_request *request)
{
	if (request->socket != NULL)
		mnl_socket_close(request->socket);
	request->socket = NULL;
	free(request->buffer);
	request->buffer = NULL;
}

struct nlmsghdr *weir_request_begin(
	struct weir_request *request, uint16_t type, uint16_t flags, size_t header_size)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(request->message);

	message->nlmsg_type = type;
	message->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	message->nlmsg_seq = ++request->sequence;
	mnl_nlmsg_put_extra_header(message, header_size);
	return message;
}

int weir_request_run(
	struct weir_request *request, struct nlmsghdr *message, mnl_cb_t answer, void *context)
{
	/* After a dump that failed, when no new socket was to be had. */
	if (request->socket == NULL) {
		int ret = open_socket(request);

		if (ret < 0)
			return ret;
	}
	message->nlmsg_flags |= NLM_F_ACK;
	return exchange(request, message, answer, context);
}

int weir_request_dump(struct weir_request *request, uint16_t type, size_t header_size,
	mnl_cb_t answer, void *context)
{
	int ret = -EINTR;

	for (int attempt = 0; attempt < DUMP_ATTEMPTS && ret == -EINTR; attempt++) {
		if (request->socket == NULL) {
			ret = open_socket(request);
			if (ret < 0)
				break;
		}
		ret = exchange(request, weir_request_begin(request, type, NLM_F_DUMP, header_size),
			answer, context);
		if (ret < 0) {
			/* The rest of this dump would be taken for the answer to what comes next.
			 */
			mnl_socket_close(request->socket);
			request->socket = NULL;
		}
	}
	return ret;
}
