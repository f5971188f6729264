/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>

#include "host/decode.h"
#include "host/internal.h"
#include "host/netlink.h"

struct question {
	int ifindex;
	struct weir_host_link *link;
	bool is_answered;
};

static int take_answer(const struct nlmsghdr *message, void *context)
{
	struct question *question = context;
	struct weir_host_link link;

	if (message->nlmsg_type != RTM_NEWLINK || weir_host_decode_link(message, &link) < 0 ||
		link.ifindex != question->ifindex)
		return MNL_CB_OK;
	*question->link = link;
	question->is_answered = true;
	return MNL_CB_OK;
}

int weir_host_link_ask(struct weir_host *host, int ifindex, struct weir_host_link *link)
{
	struct question question = {.ifindex = ifindex, .link = link};
	struct nlmsghdr *message;
	struct ifinfomsg *header;
	int ret;

	memset(link, 0, sizeof(*link));
	if (ifindex <= 0)
		return -ENODEV;
	message = weir_request_begin(&host->request, RTM_GETLINK, 0, sizeof(*header));
	header = mnl_nlmsg_get_payload(message);
	header->ifi_family = AF_UNSPEC;
	header->ifi_index = ifindex;
	ret = weir_request_run(&host->request, message, take_answer, &question);
	if (ret < 0)
		return ret;
	return question.is_answered ? 0 : -EBADMSG;
}
