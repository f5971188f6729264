/* SPDX-License-Identifier: BSD-3-Clause */
#include "xdp/pins.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>

int weir_pin_path(char *path, size_t size, const char *folder, const char *part, const char *name)
{
	int length = name != NULL ? snprintf(path, size, "%s/%s/%s", folder, part, name)
				  : snprintf(path, size, "%s/%s", folder, part);

	return length < 0 || (size_t)length >= size ? -ENAMETOOLONG : 0;
}

bool weir_pin_is_of_port(const char *map)
{
	static const char *const names[] = {"xsks", "queues", "settings"};

	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(map, names[i]) == 0)
			return true;
	return false;
}

void *weir_pinned_map(const char *folder, const char *part, const char *name, size_t size,
	bool for_writing, int *result)
{
	struct bpf_map_info info = {0};
	__u32 length = sizeof(info);
	char path[PATH_MAX];
	void *memory;
	int fd;

	*result = weir_pin_path(path, sizeof(path), folder, part, name);
	fd = *result == 0 ? bpf_obj_get(path) : -1;
	if (fd < 0) {
		*result = *result < 0 ? *result : -errno;
		return NULL;
	}
	if (bpf_obj_get_info_by_fd(fd, &info, &length) < 0 ||
		(size_t)info.value_size * info.max_entries < size ||
		(info.map_flags & BPF_F_MMAPABLE) == 0) {
		close(fd);
		*result = -EPROTO;
		return NULL;
	}
	memory = mmap(
		NULL, size, for_writing ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, 0);
	*result = memory == MAP_FAILED ? -errno : 0;
	close(fd);
	return memory == MAP_FAILED ? NULL : memory;
}

int weir_pinned_open(
	const char *folder, const char *interface, bool for_writing, struct weir_pinned_port *port)
{
	int result;

	memset(port, 0, sizeof(*port));
	port->settings = weir_pinned_map(
		folder, interface, "settings", sizeof(*port->settings), for_writing, &result);
	if (result == 0 && port->settings->format != WEIR_XDP_FORMAT)
		result = -EPROTO;
	if (result == 0)
		port->queues = weir_pinned_map(folder, interface, "queues",
			WEIR_XDP_MAX_QUEUES * sizeof(*port->queues), for_writing, &result);
	if (result < 0)
		weir_pinned_close(port);
	return result;
}

void weir_pinned_close(struct weir_pinned_port *port)
{
	if (port->settings != NULL)
		munmap(port->settings, sizeof(*port->settings));
	if (port->queues != NULL)
		munmap(port->queues, WEIR_XDP_MAX_QUEUES * sizeof(*port->queues));
	memset(port, 0, sizeof(*port));
}

static uint64_t since(uint64_t now_ns, uint64_t then_ns)
{
	return (int64_t)(now_ns - then_ns) > 0 && then_ns != 0 ? now_ns - then_ns : 0;
}

void weir_pinned_read(const struct weir_xdp_queue_state *state, struct weir_failover_queue *queue)
{
	static const char *const reasons[WEIR_XDP_TRIPS] = {
		[WEIR_XDP_TRIP_OWNER] = "worker_ended",
		[WEIR_XDP_TRIP_HEARTBEAT] = "worker_silent",
		[WEIR_XDP_TRIP_BACKLOG] = "backlog",
		[WEIR_XDP_TRIP_SOCKET] = "no_socket",
		[WEIR_XDP_TRIP_OPERATOR] = "operator",
	};
	const volatile struct weir_xdp_queue_state *now = state;
	uint32_t reason = now->trip_reason, armed = now->armed;
	uint64_t consumed = now->consumed;
	struct timespec clock;
	uint64_t now_ns;

	clock_gettime(CLOCK_MONOTONIC, &clock);
	now_ns = (uint64_t)clock.tv_sec * 1000000000 + (uint64_t)clock.tv_nsec;
	memset(queue, 0, sizeof(*queue));
	queue->is_armed = armed != 0;
	queue->is_tripped = armed != 0 && now->tripped == armed;
	queue->has_worker = (now->owner & WEIR_XDP_OWNER_MASK) != 0 || now->is_moving != 0;
	queue->reason = reason < WEIR_XDP_TRIPS ? reasons[reason] : NULL;
	queue->heartbeat_age_ns = since(now_ns, now->heartbeat_ns);
	queue->tripped_at_ns = now->tripped_ns;
	queue->trips = now->trips;
	queue->redirected = now->redirected;
	queue->waiting =
		(int64_t)(queue->redirected - consumed) > 0 ? queue->redirected - consumed : 0;
	queue->in_kernel = now->in_kernel;
	queue->lost = now->handover_lost;
}

int weir_pins_list(
	const char *folder, void (*next)(void *context, const char *interface), void *context)
{
	DIR *directory = opendir(folder);
	struct dirent *entry;
	int count = 0;

	if (directory == NULL)
		return -errno;
	while ((entry = readdir(directory)) != NULL) {
		if (entry->d_name[0] == '.' || strcmp(entry->d_name, WEIR_XDP_SHARED) == 0)
			continue;
		next(context, entry->d_name);
		count++;
	}
	closedir(directory);
	return count;
}

/* Remove the files of a folder but the named one; a folder that is not there has none. */
static int remove_files(const char *folder, const char *part, const char *kept)
{
	char path[PATH_MAX];
	struct dirent *entry;
	DIR *directory;
	int result = weir_pin_path(path, sizeof(path), folder, part, NULL);

	if (result < 0)
		return result;
	directory = opendir(path);
	if (directory == NULL)
		return errno == ENOENT ? 0 : -errno;
	while ((entry = readdir(directory)) != NULL) {
		if (entry->d_name[0] == '.' || (kept != NULL && strcmp(entry->d_name, kept) == 0))
			continue;
		if ((weir_pin_path(path, sizeof(path), folder, part, entry->d_name) < 0 ||
			    unlink(path) < 0) &&
			result == 0)
			result = -errno;
	}
	closedir(directory);
	return result;
}

int weir_pins_remove_maps(const char *folder, const char *part)
{
	return remove_files(folder, part, WEIR_XDP_LINK);
}

int weir_pins_remove_port(const char *folder, const char *part)
{
	char path[PATH_MAX];
	int result;

	/* The link first: a program without its maps' names goes on, but nobody could tell. */
	if (weir_pin_path(path, sizeof(path), folder, part, WEIR_XDP_LINK) < 0)
		return -ENAMETOOLONG;
	if (unlink(path) < 0 && errno != ENOENT)
		return -errno;
	result = remove_files(folder, part, NULL);
	if (weir_pin_path(path, sizeof(path), folder, part, NULL) == 0 && rmdir(path) < 0 &&
		errno != ENOENT && result == 0)
		result = -errno;
	return result;
}

struct removal {
	const char *folder;
	int result;
};

static void remove_next(void *context, const char *interface)
{
	struct removal *removal = context;
	int result = weir_pins_remove_port(removal->folder, interface);

	if (removal->result == 0)
		removal->result = result;
}

int weir_pins_remove_all(const char *folder)
{
	struct removal removal = {.folder = folder};
	int count = weir_pins_list(folder, remove_next, &removal);
	int result = count < 0 ? count : weir_pins_remove_port(folder, WEIR_XDP_SHARED);

	if (count == -ENOENT)
		return 0;
	if (removal.result == 0)
		removal.result = result;
	if (rmdir(folder) < 0 && errno != ENOENT && removal.result == 0)
		removal.result = -errno;
	return removal.result;
}
