/* SPDX-License-Identifier: BSD-3-Clause */
#include "xdp/errors.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "weir_errors.skel.h"
#include "xdp/pins.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

#define PROBE_WAIT_MS 20

struct weir_xdp_errors_counter {
	struct weir_errors *skeleton;
	int map_fd;
	uint64_t net_cookie;
};

static int own_cookie(uint64_t *cookie)
{
	socklen_t length = sizeof(*cookie);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int result;

	if (fd < 0)
		return -errno;
	result = getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, cookie, &length) < 0 ? -errno : 0;
	close(fd);
	return result;
}

/* What an earlier gateway pinned goes on under its own links; the new ones take their names. */
static int pin(struct weir_errors *skeleton, const char *folder)
{
	const struct {
		struct bpf_link *link;
		const char *name;
	} links[] = {
		{skeleton->links.weir_redirect_refused, "link_refused"},
		{skeleton->links.weir_transmit_refused, "link_not_sent"},
	};
	char path[PATH_MAX];

	for (unsigned int i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		if (weir_pin_path(path, sizeof(path), folder, WEIR_XDP_SHARED, links[i].name) < 0)
			return -ENAMETOOLONG;
		unlink(path);
		if (bpf_obj_pin(bpf_link__fd(links[i].link), path) < 0)
			return -errno;
	}
	return 0;
}

/*
 * `kept_back`: the map of the program whose packets are counted, -1: of none. With several programs
 * that share no maps, of one of them.
 */
static int load(struct weir_errors *skeleton, const char *folder, int kept_back)
{
	char path[PATH_MAX];
	int result = 0;

	if (folder != NULL) {
		result = weir_pin_path(path, sizeof(path), folder, WEIR_XDP_SHARED, "errors");
		if (result == 0)
			result = bpf_map__set_pin_path(skeleton->maps.errors, path);
	}
	if (result == 0 && kept_back >= 0)
		result = bpf_map__reuse_fd(skeleton->maps.kept_back, kept_back);
	bpf_program__set_autoattach(skeleton->progs.weir_probe, false);
	if (result == 0)
		result = weir_errors__load(skeleton);
	if (result == 0)
		result = weir_errors__attach(skeleton);
	return result == 0 && folder != NULL ? pin(skeleton, folder) : result;
}

static int open_counter(
	const char *folder, int kept_back, int probe_target, struct weir_xdp_errors_counter **out)
{
	struct weir_xdp_errors_counter *counter = calloc(1, sizeof(*counter));
	int result = counter == NULL ? -ENOMEM : own_cookie(&counter->net_cookie);

	*out = NULL;
	if (result == 0) {
		counter->skeleton = weir_errors__open();
		result = counter->skeleton == NULL ? -errno : 0;
	}
	if (result == 0) {
		counter->skeleton->rodata->probe_target = probe_target;
		result = load(counter->skeleton, folder, kept_back);
	}
	if (result < 0) {
		weir_xdp_errors_close(counter);
		return result;
	}
	counter->map_fd = bpf_map__fd(counter->skeleton->maps.errors);
	*out = counter;
	return 0;
}

int weir_xdp_errors_open(
	const char *folder, int kept_back, struct weir_xdp_errors_counter **counter)
{
	return open_counter(folder, kept_back, 0, counter);
}

void weir_xdp_errors_close(struct weir_xdp_errors_counter *counter)
{
	if (counter == NULL)
		return;
	weir_errors__destroy(counter->skeleton);
	free(counter);
}

int weir_xdp_errors_add(struct weir_xdp_errors_counter *counter, int ifindex)
{
	const struct weir_xdp_errors_key key = {
		.net_cookie = counter->net_cookie, .ifindex = (__u32)ifindex};
	const struct weir_xdp_errors zero = {0};

	if (bpf_map_update_elem(counter->map_fd, &key, &zero, BPF_NOEXIST) == 0 || errno == EEXIST)
		return 0;
	return -errno;
}

int weir_xdp_errors_read(
	struct weir_xdp_errors_counter *counter, int ifindex, struct weir_xdp_errors *errors)
{
	const struct weir_xdp_errors_key key = {
		.net_cookie = counter->net_cookie, .ifindex = (__u32)ifindex};

	return bpf_map_lookup_elem(counter->map_fd, &key, errors) < 0 ? -errno : 0;
}

static int send_one(const struct weir_errors *skeleton, int ifindex)
{
	/* To a group address that no bridge forwards (IEEE 802.1Q 8.6.3), of a local experiment. */
	uint8_t frame[64] = {0x01, 0x80, 0xc2, 0, 0, 0x0e, 0x02, 0, 0, 0, 0, 0x01, 0x88, 0xb5};
	struct xdp_md context = {.data_end = sizeof(frame), .ingress_ifindex = (__u32)ifindex};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame, .data_size_in = sizeof(frame),
		.ctx_in = &context, .ctx_size_in = sizeof(context), .repeat = 1,
		.flags = BPF_F_TEST_XDP_LIVE_FRAMES);

	return bpf_prog_test_run_opts(bpf_program__fd(skeleton->progs.weir_probe), &options);
}

int weir_xdp_errors_probe(int ifindex)
{
	const struct timespec moment = {.tv_nsec = 1000000};
	struct weir_xdp_errors errors = {0};
	struct weir_xdp_errors_counter *counter;
	int result = open_counter(NULL, -1, ifindex, &counter);

	if (result < 0)
		return 1;
	if (weir_xdp_errors_add(counter, ifindex) < 0 || send_one(counter->skeleton, ifindex) < 0)
		result = 1;
	for (int i = 0; result == 0 && i < PROBE_WAIT_MS && errors.newest == 0; i++) {
		nanosleep(&moment, NULL);
		weir_xdp_errors_read(counter, ifindex, &errors);
	}
	weir_xdp_errors_close(counter);
	return result != 0 ? result : errors.newest;
}
