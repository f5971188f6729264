/* SPDX-License-Identifier: BSD-3-Clause */
#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#include <CUnit/Basic.h>

#include "flow/bucket.h"
#include "flow/credit.h"
#include "flow/wheel.h"

#define SECOND  (1000000000ull * WEIR_TICKS_PER_NS)
#define THREADS 4

static void test_bucket_burst(void)
{
	struct weir_bucket bucket = {0};
	unsigned int granted = 0;

	weir_bucket_init(&bucket, 1000, 50, SECOND);
	while (weir_bucket_take(&bucket, 1, SECOND) == 0 && granted < 1000)
		granted++;
	CU_ASSERT_EQUAL(granted, 50);
	/* An hour makes no more than one burst. */
	for (granted = 0; weir_bucket_take(&bucket, 1, 3600 * SECOND) == 0 && granted < 1000;)
		granted++;
	CU_ASSERT_EQUAL(granted, 50);
}

static void test_bucket_wait(void)
{
	struct weir_bucket bucket = {0};
	uint64_t now = 5 * SECOND, wait;

	weir_bucket_init(&bucket, 1000, 1, now);
	CU_ASSERT_EQUAL(weir_bucket_take(&bucket, 1, now), 0);
	wait = weir_bucket_take(&bucket, 1, now);
	CU_ASSERT_TRUE(llabs((long long)(wait - SECOND / 1000)) < 100);
	CU_ASSERT_NOT_EQUAL(weir_bucket_take(&bucket, 1, now + wait - 1), 0);
	CU_ASSERT_EQUAL(weir_bucket_take(&bucket, 1, now + wait), 0);
}

static uint64_t run_bucket(struct weir_bucket *bucket, uint64_t start, uint64_t chunk)
{
	uint64_t granted = 0;

	for (uint64_t at = 0; at < 10 * SECOND; at += SECOND / 10007)
		while (weir_bucket_take(bucket, chunk, start + at) == 0)
			granted += chunk;
	return granted;
}

static void test_bucket_rate(void)
{
	static const uint64_t rates[] = {1000, 33333, 1000000, 12345678};

	for (unsigned int i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		struct weir_bucket bucket = {0};
		uint64_t burst = rates[i] / 1000 + 1;
		double granted;

		weir_bucket_init(&bucket, rates[i], burst, 0);
		granted = (double)run_bucket(&bucket, 0, 1) - (double)burst;
		CU_ASSERT_TRUE(fabs(granted / (10.0 * (double)rates[i]) - 1) < 0.001);
	}
}

static void test_bucket_wrap(void)
{
	struct weir_bucket bucket = {0};
	uint64_t start = UINT64_MAX - 5 * SECOND;
	double granted;

	weir_bucket_init(&bucket, 10000, 10, start);
	granted = (double)run_bucket(&bucket, start, 1);
	CU_ASSERT_TRUE(fabs(granted / 100000.0 - 1) < 0.001);
}

/* Longer than the burst must still go, and is paid for afterwards. */
static void test_bucket_large_unit(void)
{
	struct weir_bucket bucket = {0};

	weir_bucket_init(&bucket, 1000, 10, 0);
	CU_ASSERT_FALSE(weir_bucket_can_hold(&bucket, 100));
	CU_ASSERT_TRUE(weir_bucket_can_hold(&bucket, 10));
	CU_ASSERT_EQUAL(weir_bucket_take(&bucket, 100, 0), 0);
	CU_ASSERT_NOT_EQUAL(weir_bucket_take(&bucket, 1, SECOND / 100 * 9), 0);
	CU_ASSERT_EQUAL(weir_bucket_take(&bucket, 1, SECOND / 10), 0);
}

static void test_bucket_return(void)
{
	struct weir_bucket bucket = {0};
	unsigned int granted = 0;

	weir_bucket_init(&bucket, 1000, 32, 0);
	for (int i = 0; i < 1000; i++) {
		CU_ASSERT_EQUAL(weir_bucket_take(&bucket, 32, 0), 0);
		weir_bucket_return(&bucket, 32);
	}
	while (weir_bucket_take(&bucket, 1, 0) == 0 && granted < 1000)
		granted++;
	CU_ASSERT_EQUAL(granted, 32);
}

static void test_bucket_forgive(void)
{
	struct weir_bucket bucket = {0};

	weir_bucket_init(&bucket, 1, 1, 0);
	weir_bucket_charge(&bucket, 1000, 0);
	CU_ASSERT_FALSE(weir_bucket_is_paid(&bucket, 100 * SECOND));
	weir_bucket_set(&bucket, 1000, 100);
	weir_bucket_forgive(&bucket, 100 * SECOND);
	CU_ASSERT_TRUE(weir_bucket_is_paid(&bucket, 100 * SECOND));
	CU_ASSERT_NOT_EQUAL(weir_bucket_take(&bucket, 1, 100 * SECOND), 0);
	CU_ASSERT_EQUAL(weir_bucket_take(&bucket, 90, 101 * SECOND), 0);
}

static void test_bucket_unlimited(void)
{
	struct weir_bucket bucket = {0};

	weir_bucket_init(&bucket, 0, 100, 0);
	CU_ASSERT_FALSE(weir_bucket_is_limited(&bucket));
	CU_ASSERT_EQUAL(weir_bucket_take(&bucket, UINT32_MAX, 0), 0);
	CU_ASSERT_EQUAL(weir_bucket_take(&bucket, UINT32_MAX, 0), 0);
}

/* Workers that draw from one bucket and return part of it, each at its own pace of time. */
struct drawer {
	struct weir_bucket *bucket;
	struct weir_credit_line *line;
	_Atomic uint64_t *clock;
	uint64_t taken;
};

static void *draw(void *argument)
{
	struct drawer *drawer = argument;
	uint64_t now = 0;

	while (now < SECOND) {
		now = atomic_fetch_add(drawer->clock, SECOND / 400000);
		if (weir_bucket_take(drawer->bucket, 32, now) != 0)
			continue;
		weir_bucket_return(drawer->bucket, 7);
		drawer->taken += 25;
	}
	return NULL;
}

static uint64_t run_threads(void *(*run)(void *), const struct drawer *drawer)
{
	struct drawer drawers[THREADS];
	pthread_t threads[THREADS];
	uint64_t sum = 0;

	for (int i = 0; i < THREADS; i++) {
		drawers[i] = *drawer;
		CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, run, &drawers[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		sum += drawers[i].taken;
	}
	return sum;
}

static void test_bucket_threads(void)
{
	struct weir_bucket bucket = {0};
	_Atomic uint64_t clock = 0;
	struct drawer drawer = {.bucket = &bucket, .clock = &clock};
	double taken;

	weir_bucket_init(&bucket, 1000000, 1000, 0);
	taken = (double)run_threads(draw, &drawer);
	/* One burst above the rate at most; and no less than the rate, but for the last chunks. */
	CU_ASSERT_TRUE(taken <= 1000000 + 1000 + THREADS * 32);
	CU_ASSERT_TRUE(taken >= 1000000 * 0.98);
}

static void test_credit_grants(void)
{
	struct weir_credit_line line = {0};

	CU_ASSERT_EQUAL(weir_credit_lease(&line, 1, 10), 0);
	CU_ASSERT_TRUE(weir_credit_grant(&line, 15));
	CU_ASSERT_FALSE(weir_credit_grant(&line, 15));
	CU_ASSERT_FALSE(weir_credit_grant(&line, 3));
	CU_ASSERT_EQUAL(weir_credit_lease(&line, 1, 10), 10);
	CU_ASSERT_EQUAL(weir_credit_lease(&line, 6, 10), 0);
	CU_ASSERT_EQUAL(weir_credit_lease(&line, 5, 10), 5);
	weir_credit_return(&line, 2);
	CU_ASSERT_EQUAL(weir_credit_lease(&line, 1, 10), 2);
	CU_ASSERT_EQUAL(weir_credit_lease(&line, 1, 10), 0);
}

/* The threads' sum must never pass the limit, though they lease more than they use. */
static void *spend(void *argument)
{
	struct drawer *drawer = argument;
	unsigned int idle = 0;

	while (idle < 100000) {
		uint64_t got = weir_credit_lease(drawer->line, 1, 32);
		uint64_t used = got < 20 ? got : 20;
		uint64_t leased = atomic_load(&drawer->line->leased);

		if ((int64_t)(leased - atomic_load(&drawer->line->limit)) > 0)
			drawer->taken += 1ull << 40;
		weir_credit_return(drawer->line, got - used);
		drawer->taken += used;
		idle = got == 0 ? idle + 1 : 0;
		if (got != 0 && used % 4 == 0)
			weir_credit_grant(drawer->line, 1000000);
	}
	return NULL;
}

static void test_credit_threads(void)
{
	struct weir_credit_line line = {0};
	struct drawer drawer = {.line = &line};

	weir_credit_grant(&line, 1000);
	CU_ASSERT_EQUAL(run_threads(spend, &drawer), 1000000);
	CU_ASSERT_EQUAL(atomic_load(&line.leased), 1000000);
}

struct alarm {
	struct weir_timer timer;
	uint64_t fired; /* 0: not yet */
};

static unsigned int fire(struct weir_wheel *wheel, uint64_t now)
{
	struct weir_list due;
	unsigned int count = 0;

	weir_wheel_expire(wheel, now, &due);
	while (!weir_list_is_empty(&due)) {
		struct weir_timer *timer = weir_list_entry(due.next, struct weir_timer, link);

		weir_list_remove(&timer->link);
		weir_list_entry(timer, struct alarm, timer)->fired = now;
		count++;
	}
	return count;
}

/* Each timer once, never early, and at most a slot and a step late. */
static void test_wheel(void)
{
	enum { COUNT = 3000, SHIFT = 4, STEP = 7 };
	struct alarm *alarms = calloc(COUNT, sizeof(*alarms));
	struct weir_wheel *wheel = malloc(sizeof(*wheel));
	uint64_t start = 1ull << 60;
	unsigned int count = 0;

	CU_ASSERT_TRUE_FATAL(alarms != NULL && wheel != NULL);
	weir_wheel_init(wheel, SHIFT, start);
	for (unsigned int i = 0; i < COUNT; i++) {
		weir_timer_init(&alarms[i].timer);
		weir_wheel_set(wheel, &alarms[i].timer, start + i * 13);
	}
	CU_ASSERT_EQUAL(wheel->count, COUNT);
	for (uint64_t at = 0; at < COUNT * 13 + 100; at += STEP)
		count += fire(wheel, start + at);
	CU_ASSERT_EQUAL(count, COUNT);
	CU_ASSERT_EQUAL(wheel->count, 0);
	for (unsigned int i = 0; i < COUNT; i++) {
		int64_t late = (int64_t)(alarms[i].fired - (start + i * 13));

		CU_ASSERT_TRUE(late >= 0 && late <= (1 << SHIFT) + STEP);
	}
	free(wheel);
	free(alarms);
}

static void test_wheel_cancel(void)
{
	struct weir_wheel *wheel = malloc(sizeof(*wheel));
	struct alarm alarm = {.fired = 0};

	CU_ASSERT_PTR_NOT_NULL_FATAL(wheel);
	weir_timer_init(&alarm.timer);
	weir_wheel_init(wheel, 4, 1000);
	weir_wheel_set(wheel, &alarm.timer, 2000);
	weir_wheel_set(wheel, &alarm.timer, 3000);
	CU_ASSERT_EQUAL(wheel->count, 1);
	CU_ASSERT_EQUAL(fire(wheel, 2500), 0);
	weir_wheel_cancel(wheel, &alarm.timer);
	weir_wheel_cancel(wheel, &alarm.timer);
	CU_ASSERT_EQUAL(wheel->count, 0);
	CU_ASSERT_FALSE(weir_timer_is_set(&alarm.timer));
	CU_ASSERT_EQUAL(fire(wheel, 100000), 0);
	free(wheel);
}

/* A wheel that nobody looked at for many turns has lost nothing. */
static void test_wheel_idle(void)
{
	struct weir_wheel *wheel = malloc(sizeof(*wheel));
	struct alarm alarm = {.fired = 0};
	uint64_t late = 1000000000;

	CU_ASSERT_PTR_NOT_NULL_FATAL(wheel);
	weir_timer_init(&alarm.timer);
	weir_wheel_init(wheel, 4, 0);
	weir_wheel_set(wheel, &alarm.timer, late);
	CU_ASSERT_EQUAL(fire(wheel, late - 100), 0);
	CU_ASSERT_EQUAL(fire(wheel, late + 100), 1);
	weir_wheel_set(wheel, &alarm.timer, 50); /* long ago: at the next look */
	CU_ASSERT_EQUAL(fire(wheel, late + 200), 1);
	free(wheel);
}

int main(void)
{
	CU_TestInfo buckets[] = {
		{"a burst is granted at once and no more", test_bucket_burst},
		{"the wait that is told is the wait that is needed", test_bucket_wait},
		{"the rate is held to a thousandth", test_bucket_rate},
		{"time may wrap", test_bucket_wrap},
		{"more than a burst is granted and paid for", test_bucket_large_unit},
		{"what is returned can be taken again", test_bucket_return},
		{"a debt of the old rate is forgiven", test_bucket_forgive},
		{"without a rate nothing waits", test_bucket_unlimited},
		{"threads together hold the rate", test_bucket_threads},
		CU_TEST_INFO_NULL,
	};
	CU_TestInfo credits[] = {
		{"only a higher grant counts", test_credit_grants},
		{"threads together never pass the limit", test_credit_threads},
		CU_TEST_INFO_NULL,
	};
	CU_TestInfo wheels[] = {
		{"timers fire once, never early, hardly late", test_wheel},
		{"a cancelled timer is silent", test_wheel_cancel},
		{"a wheel that was not looked at loses nothing", test_wheel_idle},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{"bucket", NULL, NULL, NULL, NULL, buckets},
		{"credit", NULL, NULL, NULL, NULL, credits},
		{"wheel", NULL, NULL, NULL, NULL, wheels},
		CU_SUITE_INFO_NULL,
	};
	unsigned int failures;

	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 1;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures != 0;
}
