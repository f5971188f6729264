/* SPDX-License-Identifier: BSD-3-Clause */
#include "xdp/program.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/log.h"
#include "weir_xdp.skel.h"
#include "xdp/pins.h"
#include "xdp/shared.h"

#define STATE_SIZE (WEIR_XDP_MAX_QUEUES * sizeof(struct weir_xdp_queue_state))

static int fail(
	struct weir_error *error, int code, unsigned int index, const char *hint, const char *what)
{
	char path[64];

	snprintf(path, sizeof(path), "$.ports[%u]", index);
	return weir_error_set(error, code, path, hint, "%s: %s", what, strerror(-code));
}

static int print(enum libbpf_print_level level, const char *format, va_list args)
{
	char text[400];
	size_t length;

	vsnprintf(text, sizeof(text), format, args);
	length = strcspn(text, "\n");
	text[length] = '\0';
	if (level == LIBBPF_WARN)
		weir_log_info("xdp", "libbpf: %s", text);
	else
		weir_log_debug("xdp", "libbpf: %s", text);
	return 0;
}

static int check_file_system(const char *folder, struct weir_error *error)
{
	struct statfs info;
	char parent[256];
	char *slash;

	snprintf(parent, sizeof(parent), "%s", folder);
	while (statfs(parent, &info) < 0 && (slash = strrchr(parent, '/')) != NULL &&
		slash != parent)
		*slash = '\0';
	if (statfs(parent, &info) == 0 && info.f_type == BPF_FS_MAGIC)
		return 0;
	return weir_error_set(error, -ENOTSUP, "$.failover.pins",
		"mount -t bpf bpf /sys/fs/bpf, or set failover.enabled to false",
		"%s is not in a BPF file system", folder);
}

bool weir_xdp_pins_are_possible(const struct weir_config *config)
{
	return check_file_system(config->failover.pins, NULL) == 0;
}

enum pinned { PINNED_OURS, PINNED_FOREIGN, PINNED_IN_USE };

/* Pins that an earlier gateway has left, also of another format; or that one uses now. */
static enum pinned look_at_pins(const char *folder, const char *interface)
{
	struct weir_pinned_port port;
	int result = weir_pinned_open(folder, interface, false, &port);
	enum pinned found = result == -EPROTO ? PINNED_FOREIGN : PINNED_OURS;

	for (uint32_t i = 0; result == 0 && i < WEIR_XDP_MAX_QUEUES; i++) {
		struct weir_failover_queue queue;

		weir_pinned_read(&port.queues[i], &queue);
		if (queue.is_armed && queue.has_worker)
			found = PINNED_IN_USE;
	}
	if (result == 0)
		weir_pinned_close(&port);
	return found;
}

int weir_xdp_pins_prepare(const struct weir_config *config, struct weir_error *error)
{
	const char *folder = config->failover.pins;
	bool foreign = false, any = false;
	enum pinned found;
	int result = 0;

	libbpf_set_print(print);
	for (unsigned int i = 0; i < config->port_count; i++) {
		if (config->ports[i].driver != WEIR_DRIVER_XDP)
			continue;
		any = true;
		found = look_at_pins(folder, config->ports[i].interface);
		if (found == PINNED_IN_USE)
			return fail(error, -EBUSY, i,
				"stop it first, or start this one with --takeover",
				"another gateway has the port");
		foreign |= config->failover.enabled && found == PINNED_FOREIGN;
	}
	if (!any || !config->failover.enabled)
		return 0;
	result = check_file_system(folder, error);
	if (result == 0 && mkdir(folder, 0755) < 0 && errno != EEXIST)
		result = weir_error_set(error, -errno, "$.failover.pins",
			"name a folder below a BPF file system", "%s: %s", folder, strerror(errno));
	if (result < 0 || !foreign)
		return result;
	weir_log_notice("xdp", "%s holds maps of another format: they are replaced", folder);
	for (unsigned int i = 0; i < config->port_count; i++)
		if (config->ports[i].driver == WEIR_DRIVER_XDP)
			weir_pins_remove_maps(folder, config->ports[i].interface);
	weir_pins_remove_maps(folder, WEIR_XDP_SHARED);
	return 0;
}

/* Where each map is pinned; those that are there already are used by libbpf as they are. */
static int set_pins(struct bpf_object *object, const char *folder, const char *interface)
{
	struct bpf_map *map;
	char path[256];

	bpf_object__for_each_map(map, object)
	{
		const char *name = bpf_map__name(map);
		const char *part = weir_pin_is_of_port(name) ? interface : WEIR_XDP_SHARED;
		int result = weir_pin_path(path, sizeof(path), folder, part, name);

		if (bpf_map__is_internal(map))
			continue;
		if (result == 0)
			result = bpf_map__set_pin_path(map, path);
		/* The kernel gives such maps this flag, and libbpf compares it with what we ask. */
		if (result == 0 && bpf_map__type(map) == BPF_MAP_TYPE_DEVMAP &&
			access(path, F_OK) == 0)
			result = bpf_map__set_map_flags(map, BPF_F_RDONLY_PROG);
		if (result < 0)
			return result;
	}
	return 0;
}

static int load_object(struct weir_xdp_program *program, const struct weir_config *config,
	const struct weir_config_port *port)
{
	struct weir_xdp *skeleton = weir_xdp__open();
	int result;

	if (skeleton == NULL)
		return -errno;
	result = program->is_pinned
			 ? set_pins(skeleton->obj, config->failover.pins, port->interface)
			 : 0;
	if (result == 0)
		result = weir_xdp_shared_size(skeleton->obj);
	if (result == 0)
		result = weir_xdp__load(skeleton);
	if (result < 0) {
		weir_xdp__destroy(skeleton);
		return result;
	}
	program->skeleton = skeleton;
	program->object = skeleton->obj;
	return 0;
}

static int load_or_replace(struct weir_xdp_program *program, const struct weir_config *config,
	unsigned int index, struct weir_error *error)
{
	const struct weir_config_port *port = &config->ports[index];
	int result = load_object(program, config, port);

	if (result < 0 && program->is_pinned && result != -EPERM) {
		/* A map of another shape than this program's, in spite of the same format. */
		weir_log_warning("xdp", "port %s: the pinned maps do not fit (%s): replaced",
			port->name, strerror(-result));
		weir_pins_remove_maps(config->failover.pins, port->interface);
		weir_pins_remove_maps(config->failover.pins, WEIR_XDP_SHARED);
		result = load_object(program, config, port);
	}
	if (result == -EPERM)
		return fail(error, result, index, "give it CAP_BPF, CAP_NET_ADMIN and CAP_NET_RAW",
			"the XDP program was refused");
	if (result < 0)
		return fail(error, result, index,
			"the lines above name the reason; --log-level debug shows more",
			"the XDP program was not loaded");
	return 0;
}

static void *map_memory(const struct weir_xdp_program *program, const char *name, size_t size)
{
	void *memory = mmap(
		NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, weir_xdp_map_fd(program, name), 0);

	return memory == MAP_FAILED ? NULL : memory;
}

/* The pinned link, if it still holds a program on this interface in a mode that will do. */
static int adopt_link(
	struct weir_xdp_program *program, const struct weir_config_port *port, int ifindex)
{
	struct bpf_link_info info = {0};
	struct bpf_xdp_query_opts query = {.sz = sizeof(query)};
	__u32 length = sizeof(info);
	bool wants_generic = port->xdp_mode == WEIR_XDP_GENERIC;
	bool is_generic;
	int fd = bpf_obj_get(program->link_path);

	if (fd < 0)
		return -errno;
	if (bpf_obj_get_info_by_fd(fd, &info, &length) < 0 || info.type != BPF_LINK_TYPE_XDP ||
		info.xdp.ifindex != (__u32)ifindex || bpf_xdp_query(ifindex, 0, &query) < 0)
		goto stale;
	is_generic = query.attach_mode == XDP_ATTACHED_SKB;
	if (port->xdp_mode != WEIR_XDP_AUTO && is_generic != wants_generic)
		goto stale;
	program->link_fd = fd;
	program->is_generic = is_generic;
	return 0;
stale:
	close(fd);
	unlink(program->link_path);
	return -ESTALE;
}

static int attach_new(
	struct weir_xdp_program *program, const struct weir_config_port *port, int ifindex, int fd)
{
	LIBBPF_OPTS(bpf_link_create_opts, options);
	int link = -1;

	if (port->xdp_mode != WEIR_XDP_GENERIC) {
		options.flags = XDP_FLAGS_DRV_MODE;
		link = bpf_link_create(fd, ifindex, BPF_XDP, &options);
	}
	if (link < 0 && (port->xdp_mode == WEIR_XDP_AUTO || port->xdp_mode == WEIR_XDP_GENERIC)) {
		if (port->xdp_mode == WEIR_XDP_AUTO && errno == EBUSY)
			return -EBUSY;
		options.flags = XDP_FLAGS_SKB_MODE;
		link = bpf_link_create(fd, ifindex, BPF_XDP, &options);
		program->is_generic = true;
	}
	if (link < 0)
		return -errno;
	program->link_fd = link;
	if (program->is_pinned && bpf_obj_pin(link, program->link_path) < 0)
		return -errno;
	return 0;
}

static int attach(struct weir_xdp_program *program, const struct weir_config *config,
	unsigned int index, int ifindex, struct weir_error *error)
{
	const struct weir_config_port *port = &config->ports[index];
	const struct weir_xdp *skeleton = program->skeleton;
	int fd = bpf_program__fd(skeleton->progs.weir_ingress);
	int result = program->is_pinned ? adopt_link(program, port, ifindex) : -ENOENT;

	if (result == 0) {
		if (bpf_link_update(program->link_fd, fd, NULL) < 0)
			return fail(error, -errno, index,
				"weir --unload removes all that is pinned",
				"the pinned link refused the program");
		weir_log_notice("xdp", "port %s: went on with the pinned program", port->name);
		return 0;
	}
	result = attach_new(program, port, ifindex, fd);
	if (result == -EBUSY)
		return fail(error, result, index,
			"see `ip link show`, take the other program off (ip link set DEV xdp off, "
			"or weir --unload)",
			"another XDP program is on the interface");
	if (result < 0)
		return fail(error, result, index,
			"try mode \"generic\"; a driver may refuse a large MTU, or need more "
			"queues",
			"the interface refused the XDP program");
	return 0;
}

static void fill_settings(
	struct weir_xdp_program *program, const struct weir_config *config, unsigned int index)
{
	const struct weir_config_port *port = &config->ports[index];
	struct weir_xdp_settings *settings = program->settings;

	settings->port = index;
	settings->heartbeat_limit_ns =
		program->is_pinned ? config->failover.heartbeat_ms * 1000000ull : 0;
	settings->gate = !program->is_pinned          ? 0
			 : config->failover.gate != 0 ? config->failover.gate
						      : port->descriptors / 4;
	settings->format = WEIR_XDP_FORMAT;
}

int weir_xdp_program_open(const struct weir_config *config, unsigned int index, int ifindex,
	struct weir_xdp_program **out, struct weir_error *error)
{
	struct weir_xdp_program *program = calloc(1, sizeof(*program));
	int result;

	*out = NULL;
	if (program == NULL)
		return fail(error, -ENOMEM, index, "free some memory", "no memory");
	program->link_fd = -1;
	program->is_pinned = config->failover.enabled;
	weir_pin_path(program->link_path, sizeof(program->link_path), config->failover.pins,
		config->ports[index].interface, WEIR_XDP_LINK);
	/* What an earlier gateway with fail-over has left holds the interface. */
	if (!program->is_pinned)
		weir_pins_remove_port(config->failover.pins, config->ports[index].interface);
	result = load_or_replace(program, config, index, error);
	if (result == 0) {
		program->xsks_fd = weir_xdp_map_fd(program, "xsks");
		program->queues = map_memory(program, "queues", STATE_SIZE);
		program->settings = map_memory(program, "settings", sizeof(*program->settings));
		if (program->queues == NULL || program->settings == NULL)
			result = fail(error, -ENOMEM, index, "free some memory",
				"the maps could not be mapped");
	}
	if (result == 0) {
		fill_settings(program, config, index);
		program->settings->ifindex = (__u32)ifindex;
		result = attach(program, config, index, ifindex, error);
	}
	if (result < 0) {
		weir_xdp_program_close(program);
		return result;
	}
	*out = program;
	return 0;
}

void weir_xdp_program_close(struct weir_xdp_program *program)
{
	if (program == NULL)
		return;
	if (program->queues != NULL)
		munmap(program->queues, STATE_SIZE);
	if (program->settings != NULL)
		munmap(program->settings, sizeof(*program->settings));
	if (program->link_fd >= 0)
		close(program->link_fd);
	weir_xdp__destroy(program->skeleton);
	free(program);
}

int weir_xdp_map_fd(const struct weir_xdp_program *program, const char *map)
{
	return bpf_object__find_map_fd_by_name(program->object, map);
}
