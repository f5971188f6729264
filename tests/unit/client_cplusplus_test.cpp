/* SPDX-License-Identifier: BSD-3-Clause */
#include <weir.h>

#include <cstdio>
#include <cstring>

/* weir.h from C++: it compiles, and the functions have C's names. */
int main()
{
	weir_consumer_options options = {};
	weir_producer_options produced = {};
	weir_consumer *consumer = nullptr;
	weir_producer *producer = nullptr;
	weir_message message = {};
	weir_event event = {};

	options.gateway = "127.0.0.1";
	options.group = "g";
	options.start = WEIR_FROM_EARLIEST;
	produced.gateway = "127.0.0.1";
	produced.stream = "s";
	produced.tier = WEIR_PRODUCE_BULK;
	if (weir_consumer_open(&options, &consumer) != 0 ||
		weir_producer_open(&produced, &producer) != 0)
		return 1;
	bool is_empty = weir_consumer_next(consumer, &message) == 0 &&
			weir_consumer_next_event(consumer, &event) == 0;
	weir_held_by held_by = WEIR_HELD_BY_NOTHING;
	int result =
		weir_producer_send(producer, "k", 1, WEIR_PRODUCE_DEFAULT, 0, "data", 4, &held_by);
	weir_consumer_close(consumer);
	weir_producer_close(producer);
	char version[32];
	std::snprintf(version, sizeof(version), "%d.%d.%d", WEIR_VERSION_MAJOR, WEIR_VERSION_MINOR,
		WEIR_VERSION_PATCH);
	return is_empty && result == 0 && held_by == WEIR_HELD_BY_CLOSED &&
			       std::strcmp(version, weir_version()) == 0
		       ? 0
		       : 1;
}
