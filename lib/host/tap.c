/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>

#include "host/request.h"

#define TUN_DEVICE   "/dev/net/tun"
#define ETHER_HEADER 14

struct weir_tap {
	int fd;
	int ifindex;
};

static int open_device(struct weir_error *error)
{
	int fd = open(TUN_DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	int ret = -errno;

	if (fd >= 0)
		return fd;
	return weir_error_set(error, ret, TUN_DEVICE,
		ret == -EACCES || ret == -EPERM ? "let this user open it, or run as root"
						: "load the driver: modprobe tun",
		"cannot open it: %s", strerror(-ret));
}

static const char *attach_hint(int ret)
{
	switch (ret) {
	case -EBUSY:
		return "an interface of that name exists: choose another name or delete it";
	case -EPERM:
		return "give the process CAP_NET_ADMIN";
	default:
		return "a name has 1 to 15 bytes, no space, '/' or '%'";
	}
}

/* Exclusive: an interface that somebody else made is not reconfigured under them. */
static int attach(int fd, const char *name, struct weir_error *error)
{
	struct ifreq request = {.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | IFF_TUN_EXCL)};
	int ret = -EINVAL;

	/* '%' is a template to the kernel, which would number it. */
	if (name[0] != '\0' && strlen(name) < sizeof(request.ifr_name) &&
		strchr(name, '%') == NULL) {
		snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
		ret = ioctl(fd, TUNSETIFF, &request) < 0 ? -errno : 0;
	}
	if (ret == 0)
		return 0;
	return weir_error_set(error, ret, name, attach_hint(ret), "cannot make TAP interface: %s",
		strerror(-ret));
}

static int set_link(
	struct weir_request *request, int ifindex, const struct weir_tap_options *options)
{
	struct nlmsghdr *message =
		weir_request_begin(request, RTM_NEWLINK, 0, sizeof(struct ifinfomsg));
	struct ifinfomsg *header = mnl_nlmsg_get_payload(message);

	header->ifi_index = ifindex;
	if (options->has_mac)
		mnl_attr_put(message, IFLA_ADDRESS, 6, options->mac);
	if (options->mtu != 0)
		mnl_attr_put_u32(message, IFLA_MTU, options->mtu);
	return weir_request_run(request, message, NULL, NULL);
}

static int set_up(struct weir_request *request, int ifindex)
{
	struct nlmsghdr *message =
		weir_request_begin(request, RTM_NEWLINK, 0, sizeof(struct ifinfomsg));
	struct ifinfomsg *header = mnl_nlmsg_get_payload(message);

	header->ifi_index = ifindex;
	header->ifi_flags = IFF_UP;
	header->ifi_change = IFF_UP;
	return weir_request_run(request, message, NULL, NULL);
}

static int add_address(struct weir_request *request, int ifindex, const struct weir_prefix *prefix)
{
	const struct weir_address *address = &prefix->address;
	uint16_t length = address->family == 4 ? 4 : 16;
	struct nlmsghdr *message = weir_request_begin(
		request, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, sizeof(struct ifaddrmsg));
	struct ifaddrmsg *header = mnl_nlmsg_get_payload(message);

	header->ifa_family = address->family == 4 ? AF_INET : AF_INET6;
	header->ifa_prefixlen = prefix->length;
	header->ifa_flags = address->family == 4 ? 0 : IFA_F_NODAD;
	header->ifa_index = (unsigned int)ifindex;
	mnl_attr_put(message, IFA_LOCAL, length, address->bytes);
	mnl_attr_put(message, IFA_ADDRESS, length, address->bytes);
	/* The kernel makes up no broadcast address, though most hosts expect one (RFC 919). */
	if (address->family == 4 && prefix->length < 31) {
		uint8_t broadcast[4];

		for (unsigned int i = 0; i < 4; i++) {
			unsigned int bits = prefix->length > i * 8 ? prefix->length - i * 8 : 0;

			broadcast[i] = address->bytes[i];
			if (bits < 8)
				broadcast[i] |= (uint8_t)(0xff >> bits);
		}
		mnl_attr_put(message, IFA_BROADCAST, 4, broadcast);
	}
	return weir_request_run(request, message, NULL, NULL);
}

static int add_addresses(struct weir_request *request, int ifindex,
	const struct weir_tap_options *options, struct weir_error *error)
{
	for (unsigned int i = 0; i < options->address_count; i++) {
		const struct weir_prefix *prefix = &options->addresses[i];
		char text[WEIR_ADDRESS_TEXT + 4];
		int ret = add_address(request, ifindex, prefix);

		if (ret == 0)
			continue;
		weir_prefix_format(prefix, text, sizeof(text));
		return weir_error_set(error, ret, options->name,
			prefix->address.family == 6
				? "IPv6 needs an MTU of 1280 and must not be disabled in the kernel"
				: "each address once, with its subnet's length",
			"cannot add address %s: %s", text, strerror(-ret));
	}
	return 0;
}

static int configure(struct weir_request *request, int ifindex,
	const struct weir_tap_options *options, struct weir_error *error)
{
	int ret = set_link(request, ifindex, options);

	if (ret < 0)
		return weir_error_set(error, ret, options->name,
			"a MAC is unicast and not zero, an MTU is 68 to 65521",
			"cannot set MAC or MTU %u: %s", options->mtu, strerror(-ret));
	ret = add_addresses(request, ifindex, options, error);
	if (ret < 0)
		return ret;
	ret = set_up(request, ifindex);
	if (ret < 0)
		return weir_error_set(
			error, ret, options->name, "", "cannot set it up: %s", strerror(-ret));
	return 0;
}

static int start(
	struct weir_tap *tap, const struct weir_tap_options *options, struct weir_error *error)
{
	struct weir_request request;
	int ret;

	tap->fd = open_device(error);
	if (tap->fd < 0)
		return tap->fd;
	ret = attach(tap->fd, options->name, error);
	if (ret < 0)
		return ret;
	tap->ifindex = (int)if_nametoindex(options->name);
	if (tap->ifindex == 0)
		return weir_error_set(error, -ENODEV, options->name, "",
			"interface went away while it was set up");
	ret = weir_request_open(&request);
	if (ret < 0)
		return weir_error_set(error, ret, options->name, "",
			"cannot open a netlink socket: %s", strerror(-ret));
	ret = configure(&request, tap->ifindex, options, error);
	weir_request_close(&request);
	return ret;
}

int weir_tap_open(
	const struct weir_tap_options *options, struct weir_tap **tap, struct weir_error *error)
{
	int ret;

	*tap = calloc(1, sizeof(**tap));
	if (*tap == NULL)
		return weir_error_set(error, -ENOMEM, options->name, "", "no memory");
	(*tap)->fd = -1;
	ret = start(*tap, options, error);
	if (ret < 0) {
		weir_tap_close(*tap);
		*tap = NULL;
	}
	return ret;
}

void weir_tap_close(struct weir_tap *tap)
{
	if (tap == NULL)
		return;
	if (tap->fd >= 0)
		close(tap->fd);
	free(tap);
}

int weir_tap_fd(const struct weir_tap *tap)
{
	return tap->fd;
}

int weir_tap_ifindex(const struct weir_tap *tap)
{
	return tap->ifindex;
}

ssize_t weir_tap_read(struct weir_tap *tap, void *frame, size_t size)
{
	uint8_t beyond; /* the kernel does not tell when it cuts a frame; a byte too many does */
	const struct iovec parts[2] = {{frame, size}, {&beyond, 1}};
	ssize_t length = readv(tap->fd, parts, 2);

	if (length < 0)
		return -errno;
	return (size_t)length > size ? -EMSGSIZE : length;
}

int weir_tap_write(struct weir_tap *tap, const void *frame, size_t length)
{
	ssize_t written;

	if (length < ETHER_HEADER)
		return -EINVAL;
	written = write(tap->fd, frame, length);
	if (written < 0)
		return -errno;
	return (size_t)written == length ? 0 : -EIO;
}
