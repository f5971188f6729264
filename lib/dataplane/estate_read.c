/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/estate.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "dataplane/estate_cursor.h"

/* Opening an estate: everything in it is checked once, so that whoever uses it need not. */

static bool is_name(const char name[WEIR_NAME_SIZE])
{
	return name[0] != '\0' && memchr(name, '\0', WEIR_NAME_SIZE) != NULL;
}

static bool check_names(struct weir_estate_cursor *cursor, uint64_t count)
{
	const char(*names)[WEIR_NAME_SIZE] = weir_estate_take(cursor, count, sizeof(*names));

	for (uint64_t i = 0; names != NULL && i < count; i++)
		if (!is_name(names[i]))
			return false;
	return names != NULL;
}

static bool is_address(const struct weir_address *address)
{
	return address->family == 4 || address->family == 6;
}

static bool check_session(struct weir_estate_cursor *cursor)
{
	const struct weir_estate_session *session = weir_estate_take(cursor, 1, sizeof(*session));

	if (session == NULL || !is_name(session->name) || !is_name(session->group) ||
		!is_address(&session->peer) || !is_address(&session->local) ||
		session->stream_count > WEIR_MAX_STREAMS ||
		(session->session & 0xffff) >= WEIR_MAX_CONSUMERS ||
		session->max_datagram < WEIR_DATAGRAM_MIN ||
		session->max_datagram > WEIR_DATAGRAM_MAX)
		return false;
	return check_names(cursor, session->stream_count);
}

static bool check_gaps(const struct weir_delivery_gap *gaps, uint16_t count, uint64_t base)
{
	uint64_t from = 0;

	for (uint16_t i = 0; gaps != NULL && i < count; i++) {
		if (gaps[i].first < from || gaps[i].end <= gaps[i].first || gaps[i].end > base ||
			gaps[i].reason >= WEIR_GAP_REASON_COUNT)
			return false;
		from = gaps[i].end;
	}
	return gaps != NULL;
}

static bool check_gone(const struct weir_estate_gone *gone, uint32_t count, uint64_t held)
{
	uint64_t from = 0;

	for (uint32_t i = 0; gone != NULL && i < count; i++) {
		if (gone[i].offset < from || gone[i].offset >= held ||
			gone[i].reason >= WEIR_GAP_REASON_COUNT)
			return false;
		from = gone[i].offset + UINT64_C(1);
	}
	return gone != NULL;
}

static bool check_lane(struct weir_estate_cursor *cursor,
	const struct weir_estate_partition *partition, const struct weir_estate_group *group)
{
	struct weir_estate_lane_view view;
	const struct weir_estate_lane *lane;

	if (!weir_estate_take_lane(cursor, &view))
		return false;
	lane = view.lane;
	if (lane->base < partition->tail || lane->base > partition->head ||
		lane->redeliver > partition->head)
		return false;
	if (!group->is_acknowledged && (lane->gap_count != 0 || lane->gone_count != 0))
		return false;
	return lane->gap_count <= WEIR_DELIVERY_GAPS &&
	       check_gaps(view.gaps, lane->gap_count, lane->base) &&
	       check_gone(view.gone, lane->gone_count, partition->head - lane->base);
}

/* Whole headers of IP and UDP with the payload behind them, and the context if there is one. */
static bool is_whole(const struct weir_estate_message_view *view)
{
	const struct weir_estate_message *message = view->message;
	uint32_t ip = message->flags & WEIR_SLOT_IPV6 ? 40 : 20;
	uint32_t end = (uint32_t)message->l4_offset + 8 + message->payload_length;
	bool has_context = message->flags & WEIR_SLOT_CONTEXT;

	return message->l3_offset + ip <= message->l4_offset &&
	       end + (has_context ? sizeof(struct weir_message_context) : 0) <=
		       message->packet_length &&
	       (!has_context || weir_context_is_valid((const void *)(view->packet + end)));
}

static bool check_message(struct weir_estate_cursor *cursor, uint16_t groups, uint64_t *payload)
{
	struct weir_estate_message_view view;
	const struct weir_estate_message *message;

	if (!weir_estate_take_message(cursor, &view))
		return false;
	message = view.message;
	*payload += message->payload_length;
	return message->only <= groups && is_whole(&view) && message->packet_length <= UINT16_MAX;
}

static bool check_partition(
	struct weir_estate_cursor *cursor, const struct weir_estate_group *groups, uint16_t count)
{
	const struct weir_estate_partition *partition =
		weir_estate_take(cursor, 1, sizeof(*partition));
	uint64_t payload = 0;

	if (partition == NULL || partition->tail > partition->head ||
		partition->head >= WEIR_FRAME_VALUE_MAX || partition->retained < partition->tail ||
		partition->retained > partition->head)
		return false;
	for (uint16_t i = 0; i < count; i++)
		if (!check_lane(cursor, partition, &groups[i]))
			return false;
	for (uint64_t seq = partition->tail; seq != partition->head; seq++)
		if (!check_message(cursor, count, &payload))
			return false;
	return payload == partition->payload;
}

static bool check_stream(struct weir_estate_cursor *cursor)
{
	const struct weir_estate_stream *stream = weir_estate_take(cursor, 1, sizeof(*stream));
	const struct weir_estate_group *groups;

	if (stream == NULL || !is_name(stream->name) || stream->slot >= WEIR_MAX_STREAMS ||
		stream->partition_count == 0 || stream->partition_count > WEIR_MAX_PARTITIONS ||
		stream->group_count > WEIR_STREAM_GROUPS)
		return false;
	groups = weir_estate_take(cursor, stream->group_count, sizeof(*groups));
	for (uint16_t i = 0; groups != NULL && i < stream->group_count; i++)
		if (!is_name(groups[i].name))
			return false;
	for (uint16_t i = 0; groups != NULL && i < stream->partition_count; i++)
		if (!check_partition(cursor, groups, stream->group_count))
			return false;
	return groups != NULL;
}

static bool check_all(struct weir_estate *estate)
{
	struct weir_estate_cursor cursor = {.estate = estate, .at = sizeof(*estate->header)};
	const struct weir_estate_header *header = estate->header;

	estate->sessions_at = cursor.at;
	for (uint32_t i = 0; i < header->session_count; i++)
		if (!check_session(&cursor))
			return false;
	estate->streams_at = cursor.at;
	for (uint32_t i = 0; i < header->stream_count; i++)
		if (!check_stream(&cursor))
			return false;
	return cursor.at == estate->length;
}

static int check_header(const struct weir_estate *estate, struct weir_error *error)
{
	if (estate->length < sizeof(*estate->header) ||
		memcmp(estate->header->magic, WEIR_ESTATE_MAGIC, sizeof(estate->header->magic)) !=
			0)
		return weir_error_set(
			error, -EBADMSG, "", "", "what the running gateway left is no estate");
	if (estate->header->version != WEIR_ESTATE_VERSION)
		return weir_error_set(error, -ENOTSUP, "",
			"stop the running gateway and start this one",
			"the running gateway leaves its estate in version %u, this one reads %u",
			estate->header->version, WEIR_ESTATE_VERSION);
	if (estate->header->length != estate->length)
		return weir_error_set(error, -EBADMSG, "", "",
			"the running gateway's estate has %zu of %llu bytes", estate->length,
			(unsigned long long)estate->header->length);
	return 0;
}

int weir_estate_open(int fd, struct weir_estate *estate, struct weir_error *error)
{
	struct stat status;
	int result;

	*estate = (struct weir_estate){0};
	if (fstat(fd, &status) < 0 || status.st_size <= 0)
		return weir_error_set(
			error, -EBADMSG, "", "", "the running gateway's estate cannot be read");
	estate->length = (size_t)status.st_size;
	estate->bytes = mmap(NULL, estate->length, PROT_READ, MAP_PRIVATE, fd, 0);
	if (estate->bytes == MAP_FAILED) {
		*estate = (struct weir_estate){0};
		return weir_error_set(error, -errno, "", "",
			"the running gateway's estate cannot be read: %s", strerror(errno));
	}
	estate->header = (const void *)estate->bytes;
	result = check_header(estate, error);
	if (result == 0 && !check_all(estate))
		result = weir_error_set(
			error, -EBADMSG, "", "", "the running gateway's estate contradicts itself");
	if (result < 0)
		weir_estate_close(estate);
	return result;
}

void weir_estate_close(struct weir_estate *estate)
{
	if (estate->bytes != NULL)
		munmap((void *)(uintptr_t)estate->bytes, estate->length);
	*estate = (struct weir_estate){0};
}

const struct weir_estate_session *weir_estate_next_session(
	const struct weir_estate *estate, size_t *at, const char (**names)[WEIR_NAME_SIZE])
{
	struct weir_estate_cursor cursor = {
		.estate = estate, .at = *at != 0 ? *at : estate->sessions_at};
	const struct weir_estate_session *session;

	if (cursor.at == estate->streams_at)
		return NULL;
	session = weir_estate_take(&cursor, 1, sizeof(*session));
	*names = weir_estate_take(&cursor, session->stream_count, sizeof(**names));
	*at = cursor.at;
	return session;
}
