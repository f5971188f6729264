/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"

#define WATCHDOG_MAX_US (24ull * 3600 * 1000000)

struct weir_notify {
	struct weir_gateway *gateway;
	struct sockaddr_un address;
	socklen_t address_size;
	int fd;
	uint64_t period_ns; /* 0: no watchdog */
	struct weir_loop_timer alive;
};

static void tell(const struct weir_notify *notify, const char *state)
{
	if (sendto(notify->fd, state, strlen(state), MSG_DONTWAIT | MSG_NOSIGNAL,
		    (const struct sockaddr *)&notify->address, notify->address_size) < 0)
		weir_log_warning("notify", "the service manager was not told %s: %s", state,
			strerror(errno));
}

/* A path, or "@name" without one in the file system. */
static bool set_address(struct weir_notify *notify, const char *path)
{
	size_t length = strlen(path);

	if ((path[0] != '/' && path[0] != '@') || length < 2 ||
		length >= sizeof(notify->address.sun_path))
		return false;
	notify->address.sun_family = AF_UNIX;
	memcpy(notify->address.sun_path, path, length);
	if (path[0] == '@')
		notify->address.sun_path[0] = '\0';
	notify->address_size =
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (path[0] == '/'));
	return true;
}

/* Half of WatchdogSec=, if it is meant for this process. */
static uint64_t watchdog_period_ns(void)
{
	const char *pid = getenv("WATCHDOG_PID");
	const char *text = getenv("WATCHDOG_USEC");
	unsigned long long us;
	char *end;

	if (text == NULL || (pid != NULL && strtoll(pid, NULL, 10) != getpid()))
		return 0;
	errno = 0;
	us = strtoull(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || us < 2 || us > WATCHDOG_MAX_US) {
		weir_log_warning("notify", "WATCHDOG_USEC is not a time: no watchdog");
		return 0;
	}
	return us * 1000 / 2;
}

/* A worker that does not answer is silence: the service manager makes an end and starts anew. */
static void tell_alive(void *context, uint64_t now_ns)
{
	const struct weir_notify *notify = context;

	(void)now_ns;
	if (weir_dataplane_stalled(notify->gateway->dataplane) == 0)
		tell(notify, "WATCHDOG=1");
}

int weir_notify_create(struct weir_gateway *gateway, struct weir_notify **notify)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct weir_notify *made;

	*notify = NULL;
	if (path == NULL || path[0] == '\0')
		return 0;
	made = calloc(1, sizeof(*made));
	if (made == NULL)
		return -ENOMEM;
	made->gateway = gateway;
	made->fd = -1;
	weir_loop_timer_init(&made->alive, tell_alive, made);
	if (set_address(made, path))
		made->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (made->fd < 0) {
		weir_log_warning("notify", "NOTIFY_SOCKET %s is of no use", path);
		free(made);
		return 0;
	}
	made->period_ns = watchdog_period_ns();
	*notify = made;
	return 0;
}

void weir_notify_ready(struct weir_notify *notify)
{
	if (notify == NULL)
		return;
	tell(notify, "READY=1");
	if (notify->period_ns != 0 && weir_loop_timer_arm(notify->gateway->loop, &notify->alive,
					      notify->period_ns, notify->period_ns) < 0)
		weir_log_error("notify", "no memory: the watchdog will not be fed");
}

void weir_notify_stopping(const struct weir_notify *notify)
{
	if (notify != NULL)
		tell(notify, "STOPPING=1");
}

void weir_notify_destroy(struct weir_notify *notify)
{
	if (notify == NULL)
		return;
	weir_loop_timer_cancel(notify->gateway->loop, &notify->alive);
	close(notify->fd);
	free(notify);
}
