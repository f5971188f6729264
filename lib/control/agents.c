/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/agents.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

#define DROPS_LOG_NS (10 * WEIR_S_NS) /* losses of a socket are logged so often at most */

struct weir_agent_entry {
	struct weir_list link;
	struct weir_agent *agent;
	uint64_t nonce;
	uint64_t hello_ns;         /* as in struct weir_session */
	struct weir_frame_key key; /* likewise */
	int refused;               /* why it was not bound, as logged; 0: not refused */
	bool is_socketless;        /* nobody has the socket, as logged */
	uint64_t drops;            /* as logged */
	uint64_t drops_logged_ns;
};

static struct weir_agent_entry *entry_of(struct weir_list *node)
{
	return weir_list_entry(node, struct weir_agent_entry, link);
}

static void tell_leave(
	struct weir_sessions *sessions, struct weir_agent *agent, enum weir_frame_code reason)
{
	struct weir_dataplane *dataplane = sessions->gateway->dataplane;
	struct weir_frame_leave *frame;
	struct weir_reply reply;

	if (weir_reply_by_route(dataplane, &agent->route, agent->session, WEIR_DATAGRAM_MIN,
		    &agent->seal, &reply) < 0)
		return;
	frame = weir_writer_add(&reply.writer, WEIR_FRAME_LEAVE, 0, sizeof(*frame));
	frame->reason = weir_be16(reason);
	weir_reply_send(dataplane, &reply);
}

static void end(struct weir_sessions *sessions, struct weir_agent_entry *entry,
	enum weir_frame_code reason, bool tell)
{
	struct weir_dataplane *dataplane = sessions->gateway->dataplane;
	const struct weir_consumer *consumer = weir_agent_consumer(dataplane, entry->agent);

	if (consumer != NULL)
		weir_log_notice("agent",
			"consumer %s: its agent %s is gone (%s); it is sent to without credit",
			consumer->name, entry->agent->name, weir_sessions_code_text(reason));
	else
		weir_log_info("agent", "agent %s: %s", entry->agent->name,
			weir_sessions_code_text(reason));
	if (tell)
		tell_leave(sessions, entry->agent, reason);
	/* Without memory for a snapshot it stays; its liveness will end it again. */
	if (weir_agent_remove(dataplane, entry->agent) < 0)
		return;
	weir_list_remove(&entry->link);
	free(entry);
}

static enum weir_frame_code code_of(int error)
{
	switch (error) {
	case -ENOENT:
		return WEIR_ERROR_NO_GROUP;
	case -EEXIST:
		return WEIR_ERROR_NAME_TAKEN;
	default:
		return WEIR_ERROR_BUSY;
	}
}

static void welcome(struct weir_sessions *sessions, const struct weir_applicant *applicant,
	struct weir_agent_entry *entry)
{
	const struct weir_welcome_spec spec = {
		.session = entry->agent->session,
		.max_datagram = WEIR_DATAGRAM_MIN,
		.guarantee = WEIR_GUARANTEE_AT_MOST_ONCE,
		.options = weir_be32(applicant->hello->options) & WEIR_OPTION_LOAD,
		.seal = &entry->agent->seal,
		.key = &entry->key,
	};

	weir_sessions_welcome(sessions, applicant, &spec);
}

static int make_agent(struct weir_sessions *sessions, const struct weir_applicant *applicant,
	struct weir_agent_entry *entry)
{
	struct weir_dataplane *dataplane = sessions->gateway->dataplane;
	const struct weir_request *request = applicant->request;
	struct weir_agent_spec spec = {
		.group = applicant->group,
		.name = applicant->name,
		.peer = request->peer,
		.peer_port = request->headers.source_port,
	};
	int result = weir_reply_route(dataplane, request->packet, &request->headers, &spec.route);

	if (result < 0)
		return result;
	randombytes_buf(&spec.random, sizeof(spec.random));
	result = weir_agent_prepare(dataplane, &spec, &entry->agent);
	if (result < 0)
		return result;
	if (!weir_sessions_agree(
		    sessions, applicant, entry->agent->session, &entry->key, &entry->agent->seal))
		result = -EPERM;
	if (result == 0)
		result = weir_agent_add(dataplane, entry->agent);
	if (result < 0)
		weir_agent_free(entry->agent);
	return result;
}

static void admit(struct weir_sessions *sessions, const struct weir_applicant *applicant)
{
	struct weir_agent_entry *entry = calloc(1, sizeof(*entry));
	int result;

	if (entry == NULL)
		return;
	result = make_agent(sessions, applicant, entry);
	if (result < 0) {
		free(entry);
		if (result != -EPERM)
			weir_sessions_refuse(sessions, applicant, code_of(result));
		return;
	}
	entry->nonce = applicant->nonce;
	entry->hello_ns = applicant->hello_ns;
	weir_list_add_tail(&sessions->agents, &entry->link);
	sessions->counters.admitted++;
	weir_log_info("agent", "agent %s joined group %s", applicant->name, applicant->group);
	welcome(sessions, applicant, entry);
}

static bool is_of_peer(const struct weir_agent *agent, const struct weir_request *request)
{
	return agent->peer_port == request->headers.source_port &&
	       weir_address_equal(&agent->peer, &request->peer);
}

static struct weir_agent_entry *find_peer(
	struct weir_sessions *sessions, const struct weir_applicant *applicant)
{
	weir_list_for_each (node, &sessions->agents) {
		const struct weir_agent *agent = entry_of(node)->agent;

		if (strcmp(agent->name, applicant->name) == 0 &&
			is_of_peer(agent, applicant->request))
			return entry_of(node);
	}
	return NULL;
}

static const char *key_file_of(const struct weir_sessions *sessions, const char *group)
{
	const struct weir_config *config = weir_dataplane_config(sessions->gateway->dataplane);
	int index = weir_config_find_group(config, group);

	return index >= 0 ? config->groups[index].key_file : "";
}

void weir_agents_hello(struct weir_sessions *sessions, struct weir_applicant *applicant)
{
	struct weir_agent_entry *known;

	if (!weir_sessions_authorize(sessions, applicant, key_file_of(sessions, applicant->group)))
		return;
	known = find_peer(sessions, applicant);
	if (known != NULL && known->nonce == applicant->nonce) {
		welcome(sessions, applicant, known);
		return;
	}
	/* A HELLO that was recorded ends no session. */
	if (known != NULL && applicant->secret != NULL && applicant->hello_ns <= known->hello_ns) {
		sessions->counters.dropped++;
		return;
	}
	if (known != NULL)
		end(sessions, known, WEIR_ERROR_REPLACED, false);
	admit(sessions, applicant);
}

static const char *refusal(int error)
{
	switch (error) {
	case -ENOENT:
		return "its group has no consumer there";
	case -EACCES:
		return "it is sent from another address, and the agent has no key";
	case -EBUSY:
		return "another agent watches it";
	default:
		return "it watched another socket before";
	}
}

/* A report of an agent that is not bound yet, or no longer: its consumer may have come. */
static void bind_agent(struct weir_sessions *sessions, struct weir_agent_entry *entry,
	const struct weir_frame_load *load)
{
	struct weir_dataplane *dataplane = sessions->gateway->dataplane;
	struct weir_agent *agent = entry->agent;
	uint16_t port = weir_be16(load->port);
	char text[WEIR_ADDRESS_TEXT];
	struct weir_address address;
	int result = -EACCES;

	weir_address_unmap(&address, load->address);
	weir_address_format(&address, text, sizeof(text));
	/* What a stranger on another host says must not stop a collector. */
	if (agent->seal.is_on || weir_address_equal(&address, &agent->peer))
		result = weir_agent_bind(dataplane, agent, &address, port);
	if (result == 0) {
		const struct weir_consumer *consumer = weir_agent_consumer(dataplane, agent);

		if (consumer != NULL)
			weir_log_notice("agent",
				"consumer %s: agent %s watches its socket; it is sent to as its "
				"queue allows",
				consumer->name, agent->name);
	} else if (result != entry->refused) {
		weir_log_warning("agent", "agent %s reports %s port %u: %s", agent->name, text,
			port, refusal(result));
	}
	entry->refused = result;
}

bool weir_agents_datagram(struct weir_sessions *sessions, const struct weir_request *request,
	struct weir_frame_cursor *cursor)
{
	const struct weir_frame_header *frame;
	struct weir_agent_entry *entry = NULL;

	weir_list_for_each (node, &sessions->agents)
		if (entry_of(node)->agent->session == cursor->session)
			entry = entry_of(node);
	if (entry == NULL || !is_of_peer(entry->agent, request))
		return false;
	/* Not checked by a worker that did not know it yet: it will be said again. */
	if (entry->agent->seal.is_on && request->packet->hash.usr != WEIR_TO_SESSION_CHECKED) {
		sessions->counters.dropped++;
		return true;
	}
	while ((frame = weir_frame_next(cursor)) != NULL) {
		if (frame->type == WEIR_FRAME_LOAD &&
			weir_agent_consumer(sessions->gateway->dataplane, entry->agent) == NULL)
			bind_agent(sessions, entry, (const struct weir_frame_load *)frame);
		if (frame->type == WEIR_FRAME_LEAVE) {
			sessions->counters.left++;
			end(sessions, entry, WEIR_ERROR_CLOSED, false);
			break;
		}
	}
	return true;
}

/* What its newest report says, for an operator. */
static void log_changes(struct weir_sessions *sessions, struct weir_agent_entry *entry)
{
	const struct weir_agent *agent = entry->agent;
	const struct weir_consumer *consumer =
		weir_agent_consumer(sessions->gateway->dataplane, agent);
	uint64_t drops = atomic_load(&agent->drops), now = weir_loop_clock_ns();
	bool is_socketless = atomic_load(&agent->limit_bytes) == 0;

	if (consumer == NULL || atomic_load(&agent->reports) == 0)
		return;
	if (is_socketless && !entry->is_socketless)
		weir_log_warning("agent",
			"consumer %s: nobody listens at its address; what is for it waits",
			consumer->name);
	if (!is_socketless && entry->is_socketless)
		weir_log_notice("agent", "consumer %s: it listens again", consumer->name);
	entry->is_socketless = is_socketless;
	if (entry->drops_logged_ns == 0)
		entry->drops = drops; /* from before we watched */
	if (entry->drops_logged_ns == 0 ||
		(drops > entry->drops && now - entry->drops_logged_ns >= DROPS_LOG_NS)) {
		if (drops > entry->drops)
			weir_log_warning("agent", "consumer %s: its socket dropped %llu datagrams",
				consumer->name, (unsigned long long)(drops - entry->drops));
		entry->drops = drops;
		entry->drops_logged_ns = now;
	}
}

void weir_agents_watch(struct weir_sessions *sessions)
{
	const struct weir_config *config = weir_dataplane_config(sessions->gateway->dataplane);
	struct weir_list *node = sessions->agents.next;

	while (node != &sessions->agents) {
		struct weir_agent_entry *entry = entry_of(node);

		node = node->next;
		if (weir_agent_silent_ms(entry->agent) < config->native.liveness_ms) {
			log_changes(sessions, entry);
			continue;
		}
		sessions->counters.silent++;
		end(sessions, entry, WEIR_ERROR_SILENT, true);
	}
}

void weir_agents_sync(struct weir_sessions *sessions)
{
	struct weir_dataplane *dataplane = sessions->gateway->dataplane;
	const struct weir_config *config = weir_dataplane_config(dataplane);
	struct weir_list *node = sessions->agents.next;

	while (node != &sessions->agents) {
		struct weir_agent_entry *entry = entry_of(node);
		int group = weir_config_find_group(config, entry->agent->group);

		node = node->next;
		if (group < 0 || config->groups[group].class != WEIR_CLASS_ASSISTED)
			end(sessions, entry, WEIR_ERROR_REMOVED, true);
		else if (weir_agent_consumer(dataplane, entry->agent) == NULL)
			weir_agent_unbind(dataplane, entry->agent);
	}
}

void weir_agents_leave_all(struct weir_sessions *sessions)
{
	weir_list_for_each (node, &sessions->agents)
		tell_leave(sessions, entry_of(node)->agent, WEIR_ERROR_SHUTDOWN);
}

void weir_agents_destroy(struct weir_sessions *sessions)
{
	while (!weir_list_is_empty(&sessions->agents)) {
		struct weir_agent_entry *entry = entry_of(sessions->agents.next);

		/* The agent itself is the data plane's. */
		weir_list_remove(&entry->link);
		free(entry);
	}
}
