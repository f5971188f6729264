/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/failover_view.h"
#include "weirctl.h"
#include "xdp/counters.h"
#include "xdp/pins.h"

/* failover show, when no gateway answers: from what is pinned. */

#define DEFAULT_PINS "/sys/fs/bpf/weir"

struct view {
	const char *folder;
	struct weir_failover_answer answer;
	int foreign; /* of another format */
};

static void add_port(void *context, const char *interface)
{
	struct weir_failover_queue queues[WEIR_XDP_MAX_QUEUES];
	struct view *view = context;
	struct weir_pinned_port port;
	uint32_t count;
	int result = weir_pinned_open(view->folder, interface, false, &port);

	if (result < 0) {
		fprintf(stderr, "weirctl: %s/%s: %s\n", view->folder, interface,
			result == -EPROTO ? "of another version" : strerror(-result));
		view->foreign++;
		return;
	}
	count = port.settings->queues < WEIR_XDP_MAX_QUEUES ? port.settings->queues
							    : WEIR_XDP_MAX_QUEUES;
	for (uint32_t i = 0; i < count; i++)
		weir_pinned_read(&port.queues[i], &queues[i]);
	json_array_append_new(view->answer.ports, weir_failover_view(interface, queues, count));
	weir_pinned_close(&port);
}

/* Of pins of another format nothing is known. */
static void add_flows(struct view *view)
{
	struct weir_xdp_counters counters;

	if (view->foreign != 0 || weir_pinned_counters_open(view->folder, &counters) < 0)
		return;
	(void)weir_xdp_counters_visit(&counters, weir_failover_answer_add, &view->answer);
	weir_pinned_counters_close(&counters);
}

int weirctl_failover_from_pins(json_t **result)
{
	const char *folder = getenv("WEIR_PINS");
	struct view view = {
		.folder = folder != NULL && folder[0] != '\0' ? folder : DEFAULT_PINS,
	};
	int found;

	weir_failover_answer_begin(&view.answer);
	found = weir_pins_list(view.folder, add_port, &view);
	if (found < 0) {
		fprintf(stderr,
			"weirctl: no gateway answers, and nothing is pinned in %s: %s\n  hint: "
			"$WEIR_PINS names another folder\n",
			view.folder, strerror(-found));
		json_decref(weir_failover_answer_end(&view.answer, false));
		return WEIRCTL_UNREACHABLE;
	}
	add_flows(&view);
	*result = weir_failover_answer_end(&view.answer, false);
	return *result == NULL || view.foreign != 0 ? WEIRCTL_REFUSED : WEIRCTL_OK;
}
