/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <string.h>

#include "control/server_private.h"

/* Notifications to clients that have asked for them. */

void weir_server_subscribe(struct weir_server *server)
{
	if (server->serving != NULL)
		server->serving->is_subscribed = true;
}

bool weir_server_has_subscribers(const struct weir_server *server)
{
	struct weir_list *node;

	for (node = server->clients.next; node != &server->clients; node = node->next)
		if (weir_list_entry(node, struct weir_server_client, node)->is_subscribed)
			return true;
	return false;
}

uint64_t weir_server_events_lost(const struct weir_server *server)
{
	return server->events_lost;
}

/* A whole line or nothing: false when the client's share of memory is used up. */
static bool queue_line(struct weir_server_client *client, const char *text)
{
	size_t length = strlen(text);

	if (client->output.length + length + 1 > WEIR_SERVER_EVENTS_MAX ||
		weir_buffer_reserve(&client->output, length + 1) < 0)
		return false;
	weir_buffer_append(&client->output, text, length);
	weir_buffer_append(&client->output, "\n", 1);
	return true;
}

static bool tell_lost(struct weir_server_client *client)
{
	char text[128];

	if (client->events_lost == 0)
		return true;
	snprintf(text, sizeof(text),
		"{\"jsonrpc\":\"2.0\",\"method\":\"events_lost\",\"params\":{\"count\":%llu}}",
		(unsigned long long)client->events_lost);
	if (!queue_line(client, text))
		return false;
	client->events_lost = 0;
	return true;
}

void weir_server_notify(struct weir_server *server, const char *text)
{
	struct weir_list *next;

	for (struct weir_list *node = server->clients.next; node != &server->clients; node = next) {
		struct weir_server_client *client =
			weir_list_entry(node, struct weir_server_client, node);

		next = node->next;
		if (!client->is_subscribed || client->state != WEIR_CLIENT_OPEN)
			continue;
		if (text == NULL || !tell_lost(client) || !queue_line(client, text)) {
			client->events_lost++;
			server->events_lost++;
		}
		/* The one that is being served is looked at when its turn is over. */
		if (client != server->serving)
			weir_server_client_flush(client);
	}
}
