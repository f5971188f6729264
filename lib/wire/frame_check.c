/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdbool.h>

#include "wire/frame_check.h"
#include "wire/frame_data.h"
#include "wire/frame_delivery.h"
#include "wire/frame_produce.h"

/*
 * One function a type; each is called with a frame at least as long as its fixed part, and says
 * whether everything a reader will rely on is true.
 */

static bool name_is_valid(const char field[WEIR_FRAME_NAME_SIZE])
{
	unsigned int length = 0;

	while (length < WEIR_FRAME_NAME_SIZE && field[length] != '\0') {
		char c = field[length++];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			    c == '_' || c == '.' || c == '-'))
			return false;
	}
	if (length == 0 || length == WEIR_FRAME_NAME_SIZE)
		return false;
	while (length < WEIR_FRAME_NAME_SIZE)
		if (field[length++] != '\0')
			return false;
	return true;
}

static bool hello_is_valid(const struct weir_frame_header *header, uint32_t length)
{
	const struct weir_frame_hello *hello = (const void *)header;

	return length == sizeof(*hello) && hello->version_min != 0 &&
	       hello->version_min <= hello->version_max && hello->role < WEIR_ROLES &&
	       weir_be16(hello->max_datagram) >= WEIR_DATAGRAM_MIN && hello->nonce != 0 &&
	       name_is_valid(hello->group) && name_is_valid(hello->name);
}

static bool cookie_is_valid(const struct weir_frame_header *header, uint32_t length)
{
	(void)header;
	return length == sizeof(struct weir_frame_cookie);
}

static bool welcome_is_valid(const struct weir_frame_header *header, uint32_t length)
{
	const struct weir_frame_welcome *welcome = (const void *)header;
	uint16_t max_datagram = weir_be16(welcome->max_datagram);
	uint32_t heartbeat_ms = weir_be32(welcome->heartbeat_ms);
	uint32_t liveness_ms = weir_be32(welcome->liveness_ms);

	return length == sizeof(*welcome) && welcome->session != 0 &&
	       max_datagram >= WEIR_DATAGRAM_MIN && max_datagram <= WEIR_DATAGRAM_MAX &&
	       heartbeat_ms >= WEIR_HEARTBEAT_MS_MIN && heartbeat_ms <= WEIR_HEARTBEAT_MS_MAX &&
	       liveness_ms > heartbeat_ms && liveness_ms <= WEIR_LIVENESS_MS_MAX;
}

static bool key_is_valid(const struct weir_frame_header *header, uint32_t length)
{
	(void)header;
	return length == sizeof(struct weir_frame_key);
}

static bool error_is_valid(const struct weir_frame_header *header, uint32_t length)
{
	const struct weir_frame_error *error = (const void *)header;
	uint16_t text_length = weir_be16(error->text_length);

	if (text_length > WEIR_FRAME_ERROR_TEXT ||
		length != weir_frame_padded((uint32_t)sizeof(*error) + text_length))
		return false;
	for (uint32_t i = 0; i < text_length; i++)
		if (error->text[i] < 0x20 || error->text[i] > 0x7e)
			return false;
	return true;
}

static bool leave_is_valid(const struct weir_frame_header *header, uint32_t length)
{
	(void)header;
	return length == sizeof(struct weir_frame_leave);
}

static bool subscribe_is_valid(const struct weir_frame_header *header, uint32_t length)
{
	const struct weir_frame_subscribe *subscribe = (const void *)header;
	uint16_t count = weir_be16(subscribe->count);

	if (count > WEIR_SUBSCRIBE_MAX || subscribe->counter == 0 ||
		subscribe->start >= WEIR_STARTS || !weir_frame_value_fits(subscribe->start_value) ||
		!weir_frame_value_fits(subscribe->limit_messages) ||
		!weir_frame_value_fits(subscribe->limit_bytes) ||
		length != sizeof(*subscribe) + (uint32_t)count * WEIR_FRAME_NAME_SIZE)
		return false;
	for (uint16_t i = 0; i < count; i++)
		if (!name_is_valid(subscribe->names[i]))
			return false;
	return true;
}

static bool subscribed_is_valid(const struct weir_frame_header *header, uint32_t length)
{
	const struct weir_frame_subscribed *subscribed = (const void *)header;
	uint32_t total = weir_be16(subscribed->total);
	uint32_t first = weir_be16(subscribed->first);
	uint32_t count = weir_be16(subscribed->count);

	if (total == 0 || total > WEIR_SUBSCRIBED_MAX || count == 0 || first + count > total ||
		length != sizeof(*subscribed) + count * sizeof(struct weir_frame_subscribed_stream))
		return false;
	for (uint32_t i = 0; i < count; i++)
		if (!name_is_valid(subscribed->streams[i].name) ||
			subscribed->streams[i].partitions == 0)
			return false;
	return true;
}

#define MESSAGE_PARTS (WEIR_MESSAGE_ADDRESS | WEIR_MESSAGE_IPV6 | WEIR_MESSAGE_CONTEXT)

/* Of a message that lies within its frame: what most do not have. */
static bool parts_are_valid(const struct weir_frame_message *message)
{
	const uint8_t *behind = (const uint8_t *)(message + 1);

	if ((message->flags & (WEIR_MESSAGE_ADDRESS | WEIR_MESSAGE_IPV6)) == WEIR_MESSAGE_IPV6)
		return false;
	return !(message->flags & WEIR_MESSAGE_CONTEXT) ||
	       weir_context_is_valid((const void *)(behind + weir_message_address(message->flags)));
}

static bool messages_are_valid(const struct weir_frame_data *data, uint32_t length)
{
	uint32_t covered = weir_be32(data->covered);
	uint32_t offset = sizeof(*data);
	int32_t last_delta = -1;

	for (uint32_t left = weir_be16(data->count); left > 0; left--) {
		const struct weir_frame_message *message =
			(const void *)((const uint8_t *)data + offset);
		uint16_t delta;

		if (length - offset < sizeof(*message))
			return false;
		offset += weir_message_size(weir_be16(message->length), message->flags);
		delta = weir_be16(message->seq_delta);
		if (offset > length || delta <= last_delta || delta >= covered)
			return false;
		if ((message->flags & MESSAGE_PARTS) && !parts_are_valid(message))
			return false;
		last_delta = delta;
	}
	return length == weir_frame_padded(offset);
}

static bool data_is_valid(const struct weir_frame_header *header, uint32_t length)
{
	const struct weir_frame_data *data = (const void *)header;

	return data->covered != 0 && weir_frame_value_fits(data->seq) &&
	       weir_frame_value_fits(data->lane_messages) &&
	       weir_frame_value_fits(data->lane_bytes) &&
	       weir_be64(data->lane_first) <= weir_be64(data->seq) &&
	       messages_are_valid(data, length);
}

static bool heartbeat_is_valid(const struct weir_frame_header *header, uint32_t length)
{
	const struct weir_frame_heartbeat *heartbeat = (const void *)header;
	uint32_t count = weir_be16(heartbeat->count);

	if (length != sizeof(*heartbeat) + count * sizeof(struct weir_frame_heartbeat_lane))
		return false;
	for (uint32_t i = 0; i < count; i++) {
		const struct weir_frame_heartbeat_lane *lane = &heartbeat->lanes[i];

		if (!weir_frame_value_fits(lane->next_seq) ||
			!weir_frame_value_fits(lane->lane_messages) ||
			!weir_frame_value_fits(lane->lane_bytes) ||
			weir_be64(lane->lane_first) > weir_be64(lane->next_seq))
			return false;
	}
	return true;
}

static bool credit_is_valid(const struct weir_frame_header *header, uint32_t length)
{
	const struct weir_frame_credit *credit = (const void *)header;
	uint32_t lanes = weir_be16(credit->lane_count);

	if (lanes > WEIR_CREDIT_LANES_MAX ||
		length != sizeof(*credit) + lanes * sizeof(struct weir_frame_credit_lane) ||
		!weir_frame_value_fits(credit->limit_messages) ||
		!weir_frame_value_fits(credit->limit_bytes) ||
		!weir_frame_value_fits(credit->consumed_messages) ||
		!weir_frame_value_fits(credit->consumed_bytes))
		return false;
	for (uint32_t i = 0; i < lanes; i++)
		if (!weir_frame_value_fits(credit->lanes[i].limit_messages) ||
			!weir_frame_value_fits(credit->lanes[i].limit_bytes))
			return false;
	return true;
}

static bool pause_is_valid(const struct weir_frame_header *header, uint32_t length)
{
	const struct weir_frame_pause *pause = (const void *)header;
	uint32_t count = weir_be16(pause->count);

	return pause->counter != 0 && pause->scope < WEIR_PAUSE_SCOPES && count <= WEIR_PAUSE_MAX &&
	       (count != 0) == (pause->scope == WEIR_PAUSE_LIST) &&
	       length == weir_frame_padded((uint32_t)sizeof(*pause) + count * 2);
}

enum { TO_GATEWAY = 1 << WEIR_END_GATEWAY, TO_CLIENT = 1 << WEIR_END_CLIENT };

static const struct weir_frame_rule rules[] = {
	[WEIR_FRAME_HELLO] = {hello_is_valid, sizeof(struct weir_frame_hello), TO_GATEWAY,
		WEIR_SESSION_NONE},
	[WEIR_FRAME_COOKIE] = {cookie_is_valid, sizeof(struct weir_frame_cookie), TO_CLIENT,
		WEIR_SESSION_NONE},
	[WEIR_FRAME_WELCOME] = {welcome_is_valid, sizeof(struct weir_frame_welcome), TO_CLIENT,
		WEIR_SESSION_NONE},
	[WEIR_FRAME_ERROR] = {error_is_valid, sizeof(struct weir_frame_error), TO_CLIENT,
		WEIR_SESSION_ANY},
	[WEIR_FRAME_LEAVE] = {leave_is_valid, sizeof(struct weir_frame_leave),
		TO_GATEWAY | TO_CLIENT, WEIR_SESSION_SOME},
	[WEIR_FRAME_SUBSCRIBE] = {subscribe_is_valid, sizeof(struct weir_frame_subscribe),
		TO_GATEWAY, WEIR_SESSION_SOME},
	[WEIR_FRAME_SUBSCRIBED] = {subscribed_is_valid, sizeof(struct weir_frame_subscribed),
		TO_CLIENT, WEIR_SESSION_SOME},
	[WEIR_FRAME_DATA] = {data_is_valid, sizeof(struct weir_frame_data), TO_CLIENT,
		WEIR_SESSION_SOME},
	[WEIR_FRAME_HEARTBEAT] = {heartbeat_is_valid, sizeof(struct weir_frame_heartbeat),
		TO_CLIENT, WEIR_SESSION_SOME},
	[WEIR_FRAME_CREDIT] = {credit_is_valid, sizeof(struct weir_frame_credit), TO_GATEWAY,
		WEIR_SESSION_SOME},
	[WEIR_FRAME_PAUSE] = {pause_is_valid, sizeof(struct weir_frame_pause), TO_GATEWAY,
		WEIR_SESSION_SOME},
	[WEIR_FRAME_ACK] = {weir_frame_ack_is_valid, sizeof(struct weir_frame_ack), TO_GATEWAY,
		WEIR_SESSION_SOME},
	[WEIR_FRAME_NACK] = {weir_frame_nack_is_valid, sizeof(struct weir_frame_nack), TO_GATEWAY,
		WEIR_SESSION_SOME},
	[WEIR_FRAME_GAP] = {weir_frame_gap_is_valid, sizeof(struct weir_frame_gap), TO_CLIENT,
		WEIR_SESSION_SOME},
	[WEIR_FRAME_LOAD] = {weir_frame_load_is_valid, sizeof(struct weir_frame_load), TO_GATEWAY,
		WEIR_SESSION_SOME},
	[WEIR_FRAME_ASSIGN] = {weir_frame_handover_is_valid, sizeof(struct weir_frame_handover),
		TO_CLIENT, WEIR_SESSION_SOME},
	[WEIR_FRAME_REVOKE] = {weir_frame_handover_is_valid, sizeof(struct weir_frame_handover),
		TO_CLIENT, WEIR_SESSION_SOME},
	[WEIR_FRAME_RELEASE] = {weir_frame_handover_is_valid, sizeof(struct weir_frame_handover),
		TO_GATEWAY, WEIR_SESSION_SOME},
	[WEIR_FRAME_SEEK] = {weir_frame_seek_is_valid, sizeof(struct weir_frame_seek), TO_GATEWAY,
		WEIR_SESSION_SOME},
	[WEIR_FRAME_PRODUCE] = {weir_frame_produce_is_valid, sizeof(struct weir_frame_produce),
		TO_GATEWAY, WEIR_SESSION_SOME},
	[WEIR_FRAME_PRODUCE_ACK] = {weir_frame_produce_ack_is_valid,
		sizeof(struct weir_frame_produce_ack), TO_CLIENT, WEIR_SESSION_SOME},
	[WEIR_FRAME_PACE] = {weir_frame_pace_is_valid, sizeof(struct weir_frame_pace), TO_CLIENT,
		WEIR_SESSION_SOME},
	[WEIR_FRAME_KEY] = {key_is_valid, sizeof(struct weir_frame_key), TO_CLIENT,
		WEIR_SESSION_NONE},
};

const struct weir_frame_rule *weir_frame_rule(uint8_t type)
{
	if (type >= sizeof(rules) / sizeof(rules[0]) || rules[type].is_valid == NULL)
		return NULL;
	return &rules[type];
}
