/* SPDX-License-Identifier: BSD-3-Clause */
/* Destination unreachable messages: what is read from sound ones, and that nothing else is. */
#include <stdlib.h>
#include <string.h>

#include <CUnit/Basic.h>

#include "host/icmp.h"

/* 192.0.2.1 says of a datagram 198.51.100.7:4739 -> 192.0.2.1:2055: port unreachable. */
static const uint8_t template4[] = {
	0x45, 0, 0, 56, 0, 0, 0, 0, 64, 1, 0, 0, 192, 0, 2, 1, 198, 51, 100, 7, /* IPv4 */
	3, 3, 0, 0, 0, 0, 0, 0,                                                 /* ICMP */
	0x45, 0, 5, 0, 0x12, 0x34, 0x40, 0, 64, 17, 0xab, 0xcd, 198, 51, 100, 7, 192, 0, 2, 1, 0x12,
	0x83, 0x08, 0x07, 0x04, 0xec, 0, 0, /* UDP */
};

/* The same between 2001:db8::1 and 2001:db8::7. */
static const uint8_t template6[] = {
	0x60, 0, 0, 0, 0, 56, 58, 64, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0x20,
	1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, /* IPv6 */
	1, 4, 0, 0, 0, 0, 0, 0,                           /* ICMPv6 */
	0x60, 0, 0, 0, 4, 0xec, 17, 64, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7,
	0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0x12, 0x83, 0x08, 0x07, 0x04, 0xec,
	0x55, 0xaa, /* UDP */
};

struct message {
	uint8_t bytes[1500];
	size_t length;
};

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* An independent checksum: byte by byte. */
static uint16_t checksum(uint32_t sum, const uint8_t *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		sum += i % 2 == 0 ? (uint32_t)bytes[i] << 8 : bytes[i];
	while (sum > 0xffff)
		sum = sum % 0x10000 + sum / 0x10000;
	return (uint16_t)~sum;
}

/* Lengths and checksums as they must be; the outer header of IPv4 has `options` bytes more. */
static void seal4(struct message *message)
{
	size_t header = (size_t)(message->bytes[0] & 0xf) * 4;

	put16(message->bytes + 2, (uint32_t)message->length);
	put16(message->bytes + 10, 0);
	put16(message->bytes + 10, checksum(0, message->bytes, header));
	put16(message->bytes + header + 2, 0);
	put16(message->bytes + header + 2,
		checksum(0, message->bytes + header, message->length - header));
}

static void seal6(struct message *message)
{
	uint32_t length = (uint32_t)message->length - 40;
	uint32_t pseudo = 58 + length;

	for (size_t i = 8; i < 40; i += 2)
		pseudo += (uint32_t)message->bytes[i] << 8 | message->bytes[i + 1];
	put16(message->bytes + 4, length);
	put16(message->bytes + 42, 0);
	put16(message->bytes + 42, checksum(pseudo, message->bytes + 40, length));
}

static struct message make4(void)
{
	struct message message = {.length = sizeof(template4)};

	memcpy(message.bytes, template4, sizeof(template4));
	seal4(&message);
	return message;
}

static struct message make6(void)
{
	struct message message = {.length = sizeof(template6)};

	memcpy(message.bytes, template6, sizeof(template6));
	seal6(&message);
	return message;
}

/* From memory of just that size, so a sanitizer sees every byte read beyond. */
static bool parse(const uint8_t *bytes, size_t length, struct weir_icmp_unreachable *out)
{
	uint8_t *exact = malloc(length != 0 ? length : 1);
	bool is_sound;

	if (exact == NULL)
		abort();
	memcpy(exact, bytes, length);
	is_sound = weir_icmp_parse(exact, exact + length, out);
	free(exact);
	return is_sound;
}

static void insert(struct message *message, size_t at, const uint8_t *bytes, size_t length)
{
	memmove(message->bytes + at + length, message->bytes + at, message->length - at);
	memcpy(message->bytes + at, bytes, length);
	message->length += length;
}

static bool has_text(const struct weir_address *address, const char *text)
{
	struct weir_address expected;

	return weir_address_parse(text, &expected) == 0 && weir_address_equal(address, &expected);
}

static void test_a_sound_message_names_the_datagram(void)
{
	struct message four = make4(), six = make6();
	struct weir_icmp_unreachable out;

	CU_ASSERT_FATAL(parse(four.bytes, four.length, &out));
	CU_ASSERT(has_text(&out.reporter, "192.0.2.1"));
	CU_ASSERT(has_text(&out.source, "198.51.100.7"));
	CU_ASSERT(has_text(&out.destination, "192.0.2.1"));
	CU_ASSERT_EQUAL(out.source_port, 4739);
	CU_ASSERT_EQUAL(out.destination_port, 2055);
	CU_ASSERT_EQUAL(out.cause, WEIR_ICMP_PORT);
	CU_ASSERT_EQUAL(out.code, 3);
	CU_ASSERT_FATAL(parse(six.bytes, six.length, &out));
	CU_ASSERT(has_text(&out.reporter, "2001:db8::1"));
	CU_ASSERT(has_text(&out.source, "2001:db8::7"));
	CU_ASSERT(has_text(&out.destination, "2001:db8::1"));
	CU_ASSERT_EQUAL(out.source_port, 4739);
	CU_ASSERT_EQUAL(out.destination_port, 2055);
	CU_ASSERT_EQUAL(out.cause, WEIR_ICMP_PORT);
	CU_ASSERT_EQUAL(out.code, 4);
}

static void test_the_code_says_the_cause(void)
{
	/* P port, H host, X prohibited, '-' no refusal */
	static const char causes4[] = "HHPP-HHHHXXHHXHH-";
	static const char causes6[] = "HXHHPXH-";
	static const char letters[] = {
		[WEIR_ICMP_PORT] = 'P', [WEIR_ICMP_HOST] = 'H', [WEIR_ICMP_PROHIBITED] = 'X'};

	for (unsigned int code = 0; code < 256; code++) {
		struct message four = make4(), six = make6();
		char expected4 = code < sizeof(causes4) - 1 ? causes4[code] : '-';
		char expected6 = code < sizeof(causes6) - 1 ? causes6[code] : '-';
		struct weir_icmp_unreachable out;

		four.bytes[21] = (uint8_t)code;
		seal4(&four);
		CU_ASSERT_EQUAL(
			parse(four.bytes, four.length, &out) ? letters[out.cause] : '-', expected4);
		six.bytes[41] = (uint8_t)code;
		seal6(&six);
		CU_ASSERT_EQUAL(
			parse(six.bytes, six.length, &out) ? letters[out.cause] : '-', expected6);
	}
}

static void test_every_truncation_is_refused(void)
{
	struct message four = make4(), six = make6();
	struct weir_icmp_unreachable out;

	for (size_t length = 0; length < four.length; length++)
		CU_ASSERT_FALSE(parse(four.bytes, length, &out));
	for (size_t length = 0; length < six.length; length++)
		CU_ASSERT_FALSE(parse(six.bytes, length, &out));
	/* The same when the outer length and checksums agree with the cut. */
	for (size_t length = 28; length < sizeof(template4); length++) {
		four = make4();
		four.length = length;
		seal4(&four);
		CU_ASSERT_FALSE(parse(four.bytes, length, &out));
	}
	for (size_t length = 48; length < sizeof(template6); length++) {
		six = make6();
		six.length = length;
		seal6(&six);
		CU_ASSERT_FALSE(parse(six.bytes, length, &out));
	}
}

static void test_every_single_bit_error_is_noticed(void)
{
	struct message four = make4(), six = make6();
	struct weir_icmp_unreachable out;

	for (size_t bit = 0; bit < four.length * 8; bit++) {
		struct message wrong = four;

		wrong.bytes[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
		CU_ASSERT_FALSE(parse(wrong.bytes, wrong.length, &out));
	}
	/* IPv6 protects neither traffic class, flow label nor hop limit. */
	for (size_t bit = 0; bit < six.length * 8; bit++) {
		struct message wrong = six;

		wrong.bytes[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
		CU_ASSERT_EQUAL(parse(wrong.bytes, wrong.length, &out),
			(bit >= 4 && bit < 32) || bit / 8 == 7);
	}
}

static void test_padding_after_the_packet_is_ignored(void)
{
	struct message four = make4(), six = make6();
	struct weir_icmp_unreachable out;

	memset(four.bytes + four.length, 0xff, 7);
	memset(six.bytes + six.length, 0xff, 7);
	CU_ASSERT(parse(four.bytes, four.length + 7, &out));
	CU_ASSERT(parse(six.bytes, six.length + 7, &out));
}

static void test_headers_with_options_are_passed(void)
{
	static const uint8_t no_operation[40] = {[0 ... 39] = 1};
	struct weir_icmp_unreachable out;

	for (unsigned int words = 1; words <= 10; words++) {
		struct message message = make4();

		insert(&message, 48, no_operation, words * 4);
		message.bytes[28] = (uint8_t)(0x45 + words);
		insert(&message, 20, no_operation, words * 4);
		message.bytes[0] = (uint8_t)(0x45 + words);
		seal4(&message);
		CU_ASSERT_FATAL(parse(message.bytes, message.length, &out));
		CU_ASSERT_EQUAL(out.source_port, 4739);
		CU_ASSERT_EQUAL(out.destination_port, 2055);
	}
}

static void test_header_lengths_below_the_minimum_are_refused(void)
{
	struct weir_icmp_unreachable out;

	for (uint8_t words = 0; words < 5; words++) {
		struct message message = make4();

		message.bytes[0] = (uint8_t)(0x40 | words);
		CU_ASSERT_FALSE(parse(message.bytes, message.length, &out));
		message = make4();
		message.bytes[28] = (uint8_t)(0x40 | words);
		seal4(&message);
		CU_ASSERT_FALSE(parse(message.bytes, message.length, &out));
	}
}

/* One byte of the message set, everything else right. */
static bool parses_with4(size_t at, uint8_t value)
{
	struct message message = make4();
	struct weir_icmp_unreachable out;

	message.bytes[at] = value;
	seal4(&message);
	return parse(message.bytes, message.length, &out);
}

static bool parses_with6(size_t at, uint8_t value)
{
	struct message message = make6();
	struct weir_icmp_unreachable out;

	message.bytes[at] = value;
	seal6(&message);
	return parse(message.bytes, message.length, &out);
}

static void test_other_messages_are_refused(void)
{
	CU_ASSERT_FALSE(parses_with4(9, 17));      /* not ICMP */
	CU_ASSERT_FALSE(parses_with4(6, 0x20));    /* a fragment, more to come */
	CU_ASSERT_FALSE(parses_with4(7, 1));       /* a later fragment */
	CU_ASSERT_FALSE(parses_with4(20, 11));     /* time exceeded */
	CU_ASSERT_FALSE(parses_with4(28, 0x65));   /* IPv6 inside */
	CU_ASSERT_FALSE(parses_with4(28 + 9, 6));  /* TCP inside */
	CU_ASSERT_FALSE(parses_with4(28 + 7, 1));  /* a later fragment inside */
	CU_ASSERT(parses_with4(28 + 6, 0x20));     /* the first fragment inside has the ports */
	CU_ASSERT_FALSE(parses_with6(6, 17));      /* not ICMPv6 */
	CU_ASSERT_FALSE(parses_with6(40, 2));      /* packet too big */
	CU_ASSERT_FALSE(parses_with6(48, 0x45));   /* IPv4 inside */
	CU_ASSERT_FALSE(parses_with6(48 + 6, 6));  /* TCP inside */
	CU_ASSERT_FALSE(parses_with6(48 + 6, 59)); /* nothing inside */
}

static void test_extension_headers_inside_are_passed(void)
{
	const uint8_t options[16] = {44, 1, 1, 12};   /* 16 bytes, then a fragment header */
	const uint8_t first[8] = {17, 0, 0, 1};       /* offset 0, more to come */
	const uint8_t later[8] = {17, 0, 0x05, 0xa8}; /* offset 181 */
	struct message message = make6();
	struct weir_icmp_unreachable out;

	insert(&message, 88, first, sizeof(first));
	insert(&message, 88, options, sizeof(options));
	message.bytes[48 + 6] = 0;
	seal6(&message);
	CU_ASSERT_FATAL(parse(message.bytes, message.length, &out));
	CU_ASSERT_EQUAL(out.destination_port, 2055);
	for (size_t length = 0; length < message.length; length++)
		CU_ASSERT_FALSE(parse(message.bytes, length, &out));
	memcpy(message.bytes + 88 + sizeof(options), later, sizeof(later));
	seal6(&message);
	CU_ASSERT_FALSE(parse(message.bytes, message.length, &out));
}

static void test_extension_headers_do_not_lead_outside(void)
{
	const uint8_t longest[8] = {17, 255};
	const uint8_t chained[8] = {60, 0, 1, 4};
	const uint8_t last[8] = {17, 0, 1, 4};
	struct weir_icmp_unreachable out;
	struct message message = make6();

	insert(&message, 88, longest, sizeof(longest));
	message.bytes[48 + 6] = 60;
	seal6(&message);
	CU_ASSERT_FALSE(parse(message.bytes, message.length, &out));
	/* Eight are walked, a ninth is not. */
	message = make6();
	insert(&message, 88, last, sizeof(last));
	for (int i = 0; i < 7; i++)
		insert(&message, 88, chained, sizeof(chained));
	message.bytes[48 + 6] = 60;
	seal6(&message);
	CU_ASSERT(parse(message.bytes, message.length, &out));
	insert(&message, 88, chained, sizeof(chained));
	seal6(&message);
	CU_ASSERT_FALSE(parse(message.bytes, message.length, &out));
}

static void test_noise_is_read_within_its_bounds(void)
{
	struct weir_icmp_unreachable out;
	uint8_t noise[128];

	srandom(20);
	for (int round = 0; round < 20000; round++) {
		size_t length = (size_t)random() % sizeof(noise);

		for (size_t i = 0; i < length; i++)
			noise[i] = (uint8_t)random();
		if (length > 0)
			noise[0] = round % 2 == 0 ? (uint8_t)(0x40 | (noise[0] & 0xf)) : 0x60;
		CU_ASSERT_FALSE(parse(noise, length, &out));
	}
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"a sound message names the datagram", test_a_sound_message_names_the_datagram},
		{"the code says the cause", test_the_code_says_the_cause},
		{"every truncation is refused", test_every_truncation_is_refused},
		{"every single bit error is noticed", test_every_single_bit_error_is_noticed},
		{"padding after the packet is ignored", test_padding_after_the_packet_is_ignored},
		{"headers with options are passed", test_headers_with_options_are_passed},
		{"header lengths below the minimum are refused",
			test_header_lengths_below_the_minimum_are_refused},
		{"other messages are refused", test_other_messages_are_refused},
		{"extension headers inside are passed", test_extension_headers_inside_are_passed},
		{"extension headers do not lead outside",
			test_extension_headers_do_not_lead_outside},
		{"noise is read within its bounds", test_noise_is_read_within_its_bounds},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{"icmp unreachable", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};

	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 1;
	CU_basic_run_tests();
	return CU_get_number_of_failures() != 0;
}
