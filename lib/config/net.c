/* SPDX-License-Identifier: BSD-3-Clause */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/parts.h"

enum { MAX_PREFIXES = 4096, HINT_SIZE = 256 };

static unsigned int family_bits(const struct weir_address *address)
{
	return address->family == 4 ? 32 : 128;
}

/* "192.0.2.1/24" with its host bits; a bare address has the full length. */
static int parse_subnet(const char *text, struct weir_prefix *subnet)
{
	char host[WEIR_ADDRESS_TEXT];
	const char *slash = strchr(text, '/');
	size_t length = slash != NULL ? (size_t)(slash - text) : strlen(text);
	unsigned int bits = 0;

	if (length >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, length);
	host[length] = '\0';
	if (weir_address_parse(host, &subnet->address) < 0)
		return -EINVAL;
	subnet->length = (uint8_t)family_bits(&subnet->address);
	if (slash == NULL)
		return 0;
	if (slash[1] == '\0' || strlen(slash + 1) > 3)
		return -EINVAL;
	for (const char *digit = slash + 1; *digit != '\0'; digit++) {
		if (!isdigit((unsigned char)*digit))
			return -EINVAL;
		bits = bits * 10 + (unsigned int)(*digit - '0');
	}
	if (bits > subnet->length)
		return -EINVAL;
	subnet->length = (uint8_t)bits;
	return 0;
}

/* The network that the address is in: its host bits cleared. */
static struct weir_prefix network_of(const struct weir_prefix *subnet)
{
	struct weir_prefix network = *subnet;

	for (unsigned int bit = subnet->length; bit < 128; bit++)
		network.address.bytes[bit / 8] &= (uint8_t) ~(0x80u >> (bit % 8));
	return network;
}

static int read_prefix(const struct weir_value *value, struct weir_prefix *prefix)
{
	static const char hint[] = "an address or prefix, such as \"192.0.2.1\", "
				   "\"192.0.2.0/24\" or \"2001:db8::/32\"";
	char text[WEIR_ADDRESS_TEXT + 4], fix[HINT_SIZE];
	struct weir_prefix network;

	if (!json_is_string(value->json))
		return weir_value_refuse(value, hint, "not a text");
	if (parse_subnet(json_string_value(value->json), prefix) < 0)
		return weir_value_refuse(value, hint, "not an IP address or prefix");
	network = network_of(prefix);
	if (memcmp(&network, prefix, sizeof(network)) == 0)
		return 0;
	snprintf(fix, sizeof(fix),
		"the network is \"%s\"; for the one address leave the length out",
		weir_prefix_format(&network, text, sizeof(text)));
	return weir_value_refuse(value, fix, "a prefix with host bits set");
}

static bool is_multicast(const struct weir_address *address)
{
	return address->family == 4 ? (address->bytes[0] & 0xf0) == 0xe0
				    : address->bytes[0] == 0xff;
}

/* Why nothing can be sent to the address from a port, or NULL. */
static const char *why_no_host(const struct weir_address *address)
{
	static const uint8_t zero[16], mapped[12] = {[10] = 0xff, [11] = 0xff};
	const uint8_t *bytes = address->bytes;

	if (memcmp(bytes, zero, sizeof(zero)) == 0)
		return "the unspecified address";
	if (is_multicast(address))
		return "a multicast address";
	if (address->family == 4) {
		if (bytes[0] == 127)
			return "a loopback address";
		return bytes[0] == 0 || bytes[0] >= 240 ? "not a host's address" : NULL;
	}
	if (memcmp(bytes, zero, 15) == 0 && bytes[15] == 1)
		return "a loopback address";
	return memcmp(bytes, mapped, sizeof(mapped)) == 0 ? "an IPv4 address written as IPv6"
							  : NULL;
}

static int read_subnet(const struct weir_value *value, struct weir_prefix *subnet)
{
	static const char hint[] = "the interface's own address with its subnet's length, such as "
				   "\"192.0.2.1/24\" or \"2001:db8::1/64\"";
	const char *text = json_string_value(value->json);
	const char *complaint;

	if (text == NULL)
		return weir_value_refuse(value, hint, "not a text");
	if (parse_subnet(text, subnet) < 0 || strchr(text, '/') == NULL || subnet->length == 0)
		return weir_value_refuse(value, hint, "not an address with a length");
	complaint = why_no_host(&subnet->address);
	return complaint != NULL ? weir_value_refuse(value, hint, complaint) : 0;
}

/* weir_mac_parse takes blanks for digits; a configuration does not. */
static bool is_mac(const char *text)
{
	if (strlen(text) != 17)
		return false;
	for (unsigned int i = 0; i < 17; i++)
		if (i % 3 == 2 ? text[i] != ':' : !isxdigit((unsigned char)text[i]))
			return false;
	return true;
}

int weir_read_mac(const struct weir_value *value, const struct weir_field *field, void *target)
{
	static const char hint[] =
		"six hexadecimal pairs, such as \"02:00:00:00:00:01\"; the first "
		"one even, not all zero";
	static const uint8_t zero[6];
	const char *text = json_string_value(value->json);
	uint8_t mac[6];

	(void)field;
	if (text == NULL || !is_mac(text) || weir_mac_parse(text, mac) < 0)
		return weir_value_refuse(value, hint, "not a MAC address");
	if (mac[0] & 1)
		return weir_value_refuse(value, hint, "a multicast MAC address");
	if (memcmp(mac, zero, sizeof(mac)) == 0)
		return weir_value_refuse(value, hint, "no station's MAC address");
	memcpy(target, mac, sizeof(mac));
	return 0;
}

int weir_read_host(const struct weir_value *value, const struct weir_field *field, void *target)
{
	static const char hint[] = "the unicast address at which the receiver is reached over the "
				   "network, such as \"198.51.100.7\" or \"2001:db8::7\"";
	const char *text = json_string_value(value->json);
	struct weir_address address;
	const char *complaint;

	(void)field;
	if (text == NULL || weir_address_parse(text, &address) < 0)
		return weir_value_refuse(value, hint, "not an IP address");
	complaint = why_no_host(&address);
	if (complaint != NULL)
		return weir_value_refuse(value, hint, complaint);
	memcpy(target, &address, sizeof(address));
	return 0;
}

int weir_read_list(const struct weir_value *value, const struct weir_list_rule *rule, void **array,
	unsigned int *count)
{
	size_t length = weir_value_count(value);

	if (!rule->may_be_lone && !json_is_array(value->json))
		return weir_value_refuse(value, rule->hint, "not a list");
	if (length == 0 && !rule->may_be_empty)
		return weir_value_fail(value, rule->hint, "the list is empty");
	if (length > rule->maximum)
		return weir_value_fail(
			value, rule->hint, "%zu elements, more than %zu", length, rule->maximum);
	if (length == 0)
		return 0;
	*array = calloc(length, rule->size);
	if (*array == NULL)
		return weir_value_no_memory(value);
	*count = (unsigned int)length;
	return 0;
}

static int read_each(const struct weir_value *value, const struct weir_list_rule *rule,
	int (*read)(const struct weir_value *value, struct weir_prefix *prefix),
	struct weir_prefix **prefixes, unsigned int *count)
{
	void *array = NULL;
	int rc = weir_read_list(value, rule, &array, count);

	*prefixes = array;
	for (unsigned int i = 0; rc == 0 && i < *count; i++) {
		struct weir_value element = weir_value_element(value, i);

		rc = read(&element, &(*prefixes)[i]);
	}
	return rc;
}

int weir_read_prefixes(
	const struct weir_value *value, struct weir_prefix **prefixes, unsigned int *count)
{
	static const struct weir_list_rule rule = {.size = sizeof(struct weir_prefix),
		.maximum = MAX_PREFIXES,
		.may_be_lone = true,
		.hint = "1 to 4096 addresses or prefixes; leave the key out to match all"};

	return read_each(value, &rule, read_prefix, prefixes, count);
}

int weir_read_subnets(
	const struct weir_value *value, struct weir_prefix **subnets, unsigned int *count)
{
	static const struct weir_list_rule rule = {.size = sizeof(struct weir_prefix),
		.maximum = 64,
		.may_be_lone = true,
		.hint = "1 to 64 addresses such as \"192.0.2.1/24\"; leave the key out for none"};

	return read_each(value, &rule, read_subnet, subnets, count);
}
