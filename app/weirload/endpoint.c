/* SPDX-License-Identifier: BSD-3-Clause */
#include "options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"

static int parse_port(const char *text, uint16_t *port)
{
	unsigned long value;
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return -EINVAL;
	value = strtoul(text, &end, 10);
	if (*end != '\0' || value > UINT16_MAX)
		return -EINVAL;
	*port = (uint16_t)value;
	return 0;
}

/* Where the host's text ends, and the port's text or NULL. An address with several colons and
 * no brackets is IPv6 without a port. */
static int split(const char *text, const char **host, size_t *host_length, const char **port)
{
	const char *colon = strchr(text, ':');
	const char *bracket;

	*host = text;
	*host_length = strlen(text);
	*port = NULL;
	if (text[0] == '[') {
		bracket = strchr(text, ']');
		if (bracket == NULL || (bracket[1] != ':' && bracket[1] != '\0'))
			return -EINVAL;
		*host = text + 1;
		*host_length = (size_t)(bracket - text) - 1;
		*port = bracket[1] == ':' ? bracket + 2 : NULL;
	} else if (colon != NULL && strchr(colon + 1, ':') == NULL) {
		*host_length = (size_t)(colon - text);
		*port = colon + 1;
	}
	return 0;
}

static void fill(struct load_endpoint *endpoint, const struct weir_address *address)
{
	struct sockaddr_in *four = (struct sockaddr_in *)&endpoint->address;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)&endpoint->address;

	if (address->family == 4) {
		four->sin_family = AF_INET;
		memcpy(&four->sin_addr, address->bytes, sizeof(four->sin_addr));
		endpoint->length = sizeof(*four);
	} else {
		six->sin6_family = AF_INET6;
		memcpy(&six->sin6_addr, address->bytes, sizeof(six->sin6_addr));
		endpoint->length = sizeof(*six);
	}
}

int load_endpoint_parse(const char *text, struct load_endpoint *endpoint)
{
	char host[WEIR_ADDRESS_TEXT];
	struct weir_address address;
	const char *start, *port_text;
	uint16_t port = 0;
	size_t length;

	memset(endpoint, 0, sizeof(*endpoint));
	if (split(text, &start, &length, &port_text) < 0 || length >= sizeof(host) ||
		strlen(text) >= sizeof(endpoint->text))
		return -EINVAL;
	memcpy(host, start, length);
	host[length] = '\0';
	if (weir_address_parse(host, &address) < 0)
		return -EINVAL;
	if (port_text != NULL && parse_port(port_text, &port) < 0)
		return -EINVAL;
	fill(endpoint, &address);
	load_endpoint_set_port(endpoint, port);
	memcpy(endpoint->text, text, strlen(text) + 1);
	return 0;
}

uint16_t load_endpoint_port(const struct load_endpoint *endpoint)
{
	/* The port is at the same place in both families' structures. */
	return ntohs(((const struct sockaddr_in *)&endpoint->address)->sin_port);
}

void load_endpoint_set_port(struct load_endpoint *endpoint, uint16_t port)
{
	((struct sockaddr_in *)&endpoint->address)->sin_port = htons(port);
}

size_t load_endpoint_overhead(const struct load_endpoint *endpoint)
{
	return endpoint->address.ss_family == AF_INET6 ? 40 + 8 : 20 + 8;
}
