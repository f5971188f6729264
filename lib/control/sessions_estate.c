/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "control/agents.h"
#include "control/producers.h"
#include "control/sessions_private.h"
#include "dataplane/estate.h"

/* Consumers' sessions that go on in another gateway (dataplane/estate.h). */

void weir_sessions_leave_guests(struct weir_sessions *sessions)
{
	weir_producer_sessions_leave_all(sessions);
	weir_agents_leave_all(sessions);
}

void weir_sessions_freeze(struct weir_sessions *sessions)
{
	weir_loop_timer_cancel(sessions->gateway->loop, &sessions->watch);
	weir_loop_timer_cancel(sessions->gateway->loop, &sessions->announce);
}

struct naming {
	const struct weir_consumer *consumer;
	char *group;
};

static void note_group(void *context, struct weir_consumer *consumer,
	const struct weir_config_group *group, const struct weir_config_consumer *config)
{
	struct naming *naming = context;

	(void)config;
	if (consumer == naming->consumer)
		memcpy(naming->group, group->name, WEIR_NAME_SIZE);
}

static void describe(struct weir_sessions *sessions, const struct weir_session *session,
	struct weir_estate_session *estate)
{
	struct naming naming = {session->consumer, estate->group};

	weir_estate_describe(session->consumer, estate);
	weir_consumers_visit(sessions->gateway->dataplane, note_group, &naming);
	estate->nonce = session->nonce;
	estate->hello_ns = session->hello_ns;
	estate->key = session->key;
	estate->options = session->options;
	estate->subscribe_counter = session->subscribe_counter;
	estate->edition = session->edition;
}

int weir_sessions_describe(
	struct weir_sessions *sessions, struct weir_estate_session **list, uint32_t *count)
{
	uint32_t total = 0, i = 0;

	weir_list_for_each (each, &sessions->list)
		total++;
	*list = calloc(total + 1, sizeof(**list));
	if (*list == NULL)
		return -ENOMEM;
	weir_list_for_each (node, &sessions->list)
		describe(sessions, weir_list_entry(node, struct weir_session, link), &(*list)[i++]);
	*count = total;
	return 0;
}

int weir_sessions_adopt(struct weir_sessions *sessions, const struct weir_estate_session *estate,
	const char (*names)[WEIR_NAME_SIZE])
{
	struct weir_session *session = calloc(1, sizeof(*session));
	int result;

	if (session == NULL)
		return -ENOMEM;
	result = weir_estate_adopt(sessions->gateway->dataplane, estate, names, &session->consumer);
	if (result < 0) {
		weir_log_info("session", "consumer %s does not go on: %s", estate->name,
			strerror(-result));
		free(session);
		return result;
	}
	session->consumer->knows = sessions->gateway->dataplane->generation;
	session->nonce = estate->nonce;
	session->hello_ns = estate->hello_ns;
	session->key = estate->key;
	session->options = estate->options;
	session->subscribe_counter = estate->subscribe_counter;
	session->edition = estate->edition;
	/* It was being told of new streams: that goes on. */
	if (estate->edition != estate->knows && estate->edition != 0)
		weir_session_announce_begin(sessions, session);
	weir_list_add_tail(&sessions->list, &session->link);
	return 0;
}
