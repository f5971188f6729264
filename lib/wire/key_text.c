/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/key_text.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

static const char *const kind_names[WEIR_KEY_KINDS] = {
	[WEIR_KEY_FLOW] = "flow",
	[WEIR_KEY_IPFIX] = "ipfix",
	[WEIR_KEY_NETFLOW5] = "netflow5",
	[WEIR_KEY_SFLOW5] = "sflow5",
	[WEIR_KEY_GTPU] = "gtpu",
	[WEIR_KEY_UDP_NOTIF] = "udp_notif",
	[WEIR_KEY_SYSLOG] = "syslog",
	[WEIR_KEY_RTP] = "rtp",
	[WEIR_KEY_5TUPLE] = "5tuple",
	[WEIR_KEY_SOURCE] = "source",
	[WEIR_KEY_BYTES] = "bytes",
};

const char *weir_key_kind_name(enum weir_key_kind kind)
{
	return (unsigned int)kind < WEIR_KEY_KINDS ? kind_names[kind] : NULL;
}

int weir_key_kind_parse(const char *name)
{
	for (int kind = 0; kind < WEIR_KEY_KINDS; kind++)
		if (strcmp(name, kind_names[kind]) == 0)
			return kind;
	return -EINVAL;
}
