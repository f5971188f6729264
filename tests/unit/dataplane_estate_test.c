/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dataplane_client.h"
#include "dataplane_tests.h"

/* What one gateway leaves to the next: all of it arrives, or its loss is told; and lies do no harm.
 */

#define LIES    150
#define STREAM  "[{'name':'s','key':'source','partitions':1}]"
#define SHORTER "[{'name':'s','key':'source','partitions':1,'ring':{'messages':16}}]"
#define OTHER   "[{'name':'s','key':'source','partitions':2}]"
#define NATIVE  "{'name':'n','class':'native','streams':'s'}"
#define BLIND   "{'name':'g','streams':'s','consumers':[" CONSUMER("c", "198.51.100.9") "]}"
#define LATE    "{'name':'late','streams':'s','consumers':[" CONSUMER("l", "198.51.100.8") "]}"
#define GROUPS  "[" NATIVE "," BLIND "]"

static const struct client_options reliable = {.is_reliable = true};

/* The plane's estate in a file; the plane is closed. */
static int leave(struct plane *plane)
{
	int fd = memfd_create("estate", MFD_CLOEXEC);

	CU_ASSERT_EQUAL_FATAL(weir_estate_write(plane->dataplane, NULL, 0, 1, fd), 0);
	plane_close(plane);
	return fd;
}

static struct plane *take_over(int fd, const char *streams, const char *groups)
{
	struct weir_error error = {0};
	struct weir_estate estate;
	struct plane *plane;

	CU_ASSERT_EQUAL_FATAL(weir_estate_open(fd, &estate, &error), 0);
	plane = plane_open_with(streams, groups, &(struct plane_options){.estate = &estate});
	weir_estate_close(&estate);
	CU_ASSERT_TRUE(plane_law_holds(plane));
	return plane;
}

/* Twenty messages; of the native group's, 0 to 3 are done, 12 to 14 received, 16 given up. */
static int leave_some(uint32_t *epoch)
{
	struct client client;
	struct plane *plane = plane_open(STREAM, GROUPS);

	client_join(&client, plane, &reliable);
	client_grant_all(&client);
	plane_receive_numbered(plane, 1, 0, 16, 100);
	plane_receive_numbered(plane, 1, 16, 1, 1400);
	plane_receive_numbered(plane, 1, 17, 3, 100);
	client_collect(&client);
	client_ack_ranges(&client, 0, 10, 4, (const uint64_t[][2]){{12, 15}}, 1);
	*epoch = client.lanes[0].epoch;
	return leave(plane);
}

static void test_all_arrives(void)
{
	struct client client;
	uint32_t epoch;
	int fd = leave_some(&epoch);
	struct plane *plane = take_over(fd, STREAM, GROUPS);

	CU_ASSERT_EQUAL(plane->inheritance.messages, 20);
	CU_ASSERT_EQUAL(plane->inheritance.left, 0);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "g").held, 20);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "g").received, 20);
	plane_receive_numbered(plane, 1, 20, 2, 100);
	plane_reach(plane, "c");
	plane_deliver(plane);
	CU_ASSERT_EQUAL(plane->sent_count, 22);
	for (uint32_t i = 0; i < 22; i++)
		CU_ASSERT_EQUAL(plane_number(plane, i), i);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "g").delivered, 22);
	plane_forget_sent(plane);
	client_join(&client, plane, &reliable);
	client_grant_all(&client);
	client_collect(&client);
	/* What was too long for the first client is not tried with the next. */
	CU_ASSERT_EQUAL(client.message_count, 17);
	CU_ASSERT_EQUAL(client.messages[0].seq, 4);
	CU_ASSERT_EQUAL(client.messages[11].seq, 15);
	CU_ASSERT_EQUAL(client.messages[12].seq, 17);
	CU_ASSERT_TRUE(client.messages[0].flags & WEIR_MESSAGE_REDELIVERED);
	CU_ASSERT_FALSE(client.messages[16].flags & WEIR_MESSAGE_REDELIVERED);
	CU_ASSERT_TRUE(client.lanes[0].epoch > epoch);
	client_ack(&client, 0, 22, 22);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "n").delivered, 17);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "n").held, 0);
	plane_close(plane);
	close(fd);
}

/* A group that is new begins at the head; one that is gone is forgotten. */
static void test_groups_change(void)
{
	uint32_t epoch;
	int fd = leave_some(&epoch);
	struct plane *plane = take_over(fd, STREAM, "[" BLIND "," LATE "]");

	CU_ASSERT_EQUAL(plane_group(plane, "s", "g").held, 20);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "late").held, 0);
	plane_receive_numbered(plane, 1, 20, 1, 100);
	plane_reach_all(plane);
	plane_deliver(plane);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "g").delivered, 21);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "late").delivered, 1);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "late").received, 1);
	plane_close(plane);
	close(fd);
}

/* Rings too short: numbers go on, the loss is counted, and told as a gap. */
static void test_what_does_not_fit_is_told(void)
{
	struct client client;
	uint32_t epoch;
	int fd = leave_some(&epoch);
	struct plane *plane = take_over(fd, SHORTER, GROUPS);

	CU_ASSERT_EQUAL(plane->inheritance.left, 20);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "g").dropped[WEIR_REASON_SHUTDOWN], 20);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "n").dropped[WEIR_REASON_SHUTDOWN], 15);
	client_join(&client, plane, &reliable);
	client_grant_all(&client);
	plane_receive_numbered(plane, 1, 20, 1, 100);
	client_collect(&client);
	CU_ASSERT_EQUAL(client.message_count, 1);
	CU_ASSERT_EQUAL(client.messages[0].seq, 20);
	CU_ASSERT_EQUAL(client.lanes[0].first, 4);
	client_nack(&client, 0, (const uint64_t[][2]){{4, 20}}, 1);
	client_collect(&client);
	CU_ASSERT_EQUAL(client.gap_count, 1);
	CU_ASSERT_EQUAL(client.gaps[0].first, 4);
	CU_ASSERT_EQUAL(client.gaps[0].end, 20);
	plane_close(plane);
	plane = take_over(fd, OTHER, GROUPS);
	CU_ASSERT_EQUAL(plane->inheritance.left, 20);
	plane_close(plane);
	close(fd);
}

/* Opened, and when it is believed, taken over: whatever is in it, the law holds. */
static bool try_bytes(const uint8_t *bytes, size_t length)
{
	int fd = memfd_create("estate", MFD_CLOEXEC);
	struct weir_error error = {0};
	struct weir_estate estate;
	bool is_believed;

	CU_ASSERT_EQUAL_FATAL(write(fd, bytes, length), (ssize_t)length);
	is_believed = weir_estate_open(fd, &estate, &error) == 0;
	if (is_believed) {
		struct plane *plane =
			plane_open_with(STREAM, GROUPS, &(struct plane_options){.estate = &estate});

		plane_reach_all(plane);
		plane_deliver(plane);
		plane_close(plane);
		weir_estate_close(&estate);
	} else {
		CU_ASSERT_NOT_EQUAL(error.reason[0], '\0');
	}
	close(fd);
	return is_believed;
}

static void test_lies_do_no_harm(void)
{
	uint32_t epoch, believed = 0, flagged = 0;
	int fd = leave_some(&epoch);
	size_t length = (size_t)lseek(fd, 0, SEEK_END);
	uint8_t *bytes = malloc(length), *copy = malloc(length);

	CU_ASSERT_EQUAL_FATAL(pread(fd, bytes, length, 0), (ssize_t)length);
	CU_ASSERT_TRUE(try_bytes(bytes, length));
	for (size_t cut = 0; cut < length; cut += 1 + cut / 32)
		CU_ASSERT_FALSE(try_bytes(bytes, cut));
	srand(1);
	for (uint32_t i = 0; i < LIES; i++) {
		memcpy(copy, bytes, length);
		/* The beginning more often than the packets. */
		copy[(size_t)rand() % (i % 2 ? length : 400)] = (uint8_t)rand();
		believed += try_bytes(copy, length);
	}
	/* Bytes of packets are no lies that could be found. */
	CU_ASSERT_TRUE(believed > 0 && believed < LIES);
	/* Flags end a message's record, behind l3_offset: templates, in a stream that keeps none.
	 */
	for (size_t at = 7; at < length; at += 8) {
		if (bytes[at - 1] != 14)
			continue;
		memcpy(copy, bytes, length);
		copy[at] |= WEIR_SLOT_TEMPLATES;
		(void)try_bytes(copy, length);
		flagged++;
	}
	CU_ASSERT_TRUE(flagged > 0);
	free(bytes);
	free(copy);
	close(fd);
}

CU_TestInfo dataplane_estate_tests[] = {
	{"rings and places arrive in the next gateway", test_all_arrives},
	{"groups may have come and gone", test_groups_change},
	{"what does not fit is counted and told", test_what_does_not_fit_is_told},
	{"an estate that lies does no harm", test_lies_do_no_harm},
	CU_TEST_INFO_NULL,
};
