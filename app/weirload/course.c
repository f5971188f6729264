/* SPDX-License-Identifier: BSD-3-Clause */
#include "course.h"

#include "clock.h"

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t pause_begin(const struct load_course *course)
{
	return course->first_ns + load_clock_from_seconds(course->plan.pause_after);
}

static uint64_t pause_end(const struct load_course *course)
{
	return pause_begin(course) + load_clock_from_seconds(course->plan.pause_for);
}

static bool has_pause(const struct load_course *course)
{
	return course->plan.pause_for > 0 && course->first_ns != 0;
}

static uint64_t end_by_time(const struct load_course *course)
{
	return course->start_ns + load_clock_from_seconds(course->plan.seconds);
}

/* A pause of our own is no silence of the other side. */
static uint64_t end_by_silence(const struct load_course *course)
{
	uint64_t idle_ns = load_clock_from_seconds(course->plan.idle);

	if (has_pause(course) && course->last_ns < pause_end(course) &&
		course->last_ns + idle_ns > pause_begin(course))
		return pause_end(course) + idle_ns;
	return course->last_ns + idle_ns;
}

void load_course_init(
	struct load_course *course, const struct load_course_plan *plan, uint64_t now_ns)
{
	*course = (struct load_course){
		.plan = *plan,
		.start_ns = now_ns,
		.last_ns = now_ns,
	};
	load_pacer_init(&course->pacer, (double)plan->rate, 1, now_ns);
}

uint64_t load_course_room(struct load_course *course, uint64_t now_ns, uint64_t most)
{
	uint64_t room = most;

	if (load_course_is_paused(course, now_ns))
		return 0;
	if (course->plan.rate > 0)
		room = earlier(room, load_pacer_due(&course->pacer, now_ns));
	if (course->plan.count > 0)
		room = earlier(room, course->plan.count - course->taken);
	return room;
}

void load_course_note(struct load_course *course, uint64_t now_ns, uint64_t messages)
{
	if (messages == 0)
		return;
	if (course->first_ns == 0)
		course->first_ns = now_ns;
	course->last_ns = now_ns;
	course->taken += messages;
	course->pacer.sent += messages;
}

bool load_course_is_over(const struct load_course *course, uint64_t now_ns)
{
	const struct load_course_plan *plan = &course->plan;

	return (plan->count > 0 && course->taken >= plan->count) ||
	       (plan->seconds > 0 && now_ns >= end_by_time(course)) ||
	       (plan->idle > 0 && now_ns >= end_by_silence(course));
}

bool load_course_is_paused(const struct load_course *course, uint64_t now_ns)
{
	return has_pause(course) && now_ns >= pause_begin(course) && now_ns < pause_end(course);
}

uint64_t load_course_next(const struct load_course *course, uint64_t now_ns)
{
	uint64_t next = UINT64_MAX;

	if (course->plan.seconds > 0)
		next = earlier(next, end_by_time(course));
	if (course->plan.idle > 0)
		next = earlier(next, end_by_silence(course));
	if (has_pause(course) && now_ns < pause_begin(course))
		next = earlier(next, pause_begin(course));
	if (load_course_is_paused(course, now_ns))
		next = earlier(next, pause_end(course));
	else if (course->plan.rate > 0 && load_pacer_next(&course->pacer) > now_ns)
		next = earlier(next, load_pacer_next(&course->pacer));
	return next;
}
