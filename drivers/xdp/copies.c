/* SPDX-License-Identifier: BSD-3-Clause */
#include "xdp/copies.h"

#include <errno.h>
#include <string.h>

#include <bpf/bpf.h>

static bool covers(const uint8_t *has, const uint8_t *needs)
{
	for (uint32_t i = 0; i < WEIR_MAX_PORTS; i++)
		if (has[i] < needs[i])
			return false;
	return true;
}

/* Room for both; false: they would need more entries than a map has. */
static bool merge(uint8_t *into, const uint8_t *from)
{
	uint8_t merged[WEIR_MAX_PORTS];
	uint32_t total = 0;

	for (uint32_t i = 0; i < WEIR_MAX_PORTS; i++) {
		merged[i] = into[i] > from[i] ? into[i] : from[i];
		total += merged[i];
	}
	if (total > WEIR_XDP_COPY_ENTRIES)
		return false;
	memcpy(into, merged, sizeof(merged));
	return true;
}

uint8_t weir_xdp_copies_find(struct weir_xdp_copies *copies, const uint8_t counts[WEIR_MAX_PORTS])
{
	for (uint32_t i = 0; i < copies->used; i++)
		if (memcmp(copies->counts[i], counts, WEIR_MAX_PORTS) == 0)
			return (uint8_t)(i + 1);
	if (copies->used < WEIR_XDP_COPY_MAPS) {
		memcpy(copies->counts[copies->used++], counts, WEIR_MAX_PORTS);
		return (uint8_t)copies->used;
	}
	for (uint32_t i = 0; i < copies->used; i++)
		if (covers(copies->counts[i], counts))
			return (uint8_t)(i + 1);
	return merge(copies->counts[copies->used - 1], counts) ? (uint8_t)copies->used : 0;
}

int weir_xdp_copies_write(const struct weir_xdp_copies *copies, struct weir_xdp_shared *shared,
	uint32_t bank, const uint32_t ifindex[WEIR_MAX_PORTS])
{
	for (uint32_t map = 0; map < WEIR_XDP_COPY_MAPS; map++) {
		int fd = shared->copies_fd[bank * WEIR_XDP_COPY_MAPS + map];
		uint32_t key = 0;

		for (uint32_t port = 0; map < copies->used && port < WEIR_MAX_PORTS; port++)
			for (uint8_t i = 0; i < copies->counts[map][port]; i++, key++) {
				struct bpf_devmap_val value = {.ifindex = ifindex[port],
					.bpf_prog.fd = shared->egress_program};

				if (bpf_map_update_elem(fd, &key, &value, BPF_ANY) < 0)
					return -errno;
			}
		for (; key < WEIR_XDP_COPY_ENTRIES; key++)
			(void)bpf_map_delete_elem(fd, &key);
	}
	return 0;
}
