/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/reason_text.h"
#include "control/gateway.h"
#include "dataplane/worker.h"
#include "telemetry/pcapng.h"

#define CAPTURE_NS_PER_S UINT64_C(1000000000)
#define LOOK_NS          2000000L /* between looks at the rings: workers make no system call */
#define FILE_BUFFER      262144
#define NAME_MAX_LENGTH  64

struct capture {
	struct weir_capture_report report; /* as it is shown; under the lock */
	bool is_told;                      /* to end; under the lock */
	/* The thread's, from when it runs: the disk may hold up nobody else. */
	struct weir_capture_report live;
	FILE *file;        /* closed when it has ended */
	uint32_t slot;     /* rule, while it is not over */
	uint64_t until_ns; /* CLOCK_MONOTONIC */
	uint64_t lost_before;
	uint64_t token;  /* of the quiescent state that its end waits for */
	bool is_drained; /* every worker has been quiescent: the next look is the last */
};

struct weir_captures {
	struct weir_gateway *gateway;
	pthread_t thread;
	bool has_thread;
	pthread_mutex_t lock;
	pthread_cond_t change;
	bool is_stopping;
	uint32_t running;
	uint32_t next_id;
	struct capture list[WEIR_CAPTURE_LIST];
	struct capture *by_slot[WEIR_CAPTURE_RULES]; /* set by control, cleared by the thread */
	struct capture *mine[WEIR_CAPTURE_RULES];    /* the thread's copy, of this round */
};

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * CAPTURE_NS_PER_S + (uint64_t)now.tv_nsec;
}

/* No more packets are taken. */
static void begin_end(struct weir_captures *captures, struct capture *capture, const char *by)
{
	if (capture->live.state != WEIR_CAPTURE_RUNNING)
		return;
	capture->live.state = WEIR_CAPTURE_ENDING;
	capture->live.ended_by = by;
	pthread_mutex_lock(&captures->lock);
	weir_capture_switch(captures->gateway->dataplane, capture->slot, false);
	pthread_mutex_unlock(&captures->lock);
	capture->token = rte_rcu_qsbr_start(captures->gateway->dataplane->qsbr);
}

static void describe(const struct weir_capture_record *record, char *text, size_t size)
{
	size_t used = 0;
	char partition[16] = "";

	if (record->partition != WEIR_CAPTURE_NO_PARTITION)
		snprintf(partition, sizeof(partition), "/%u", record->partition);
	if (record->point == WEIR_CAPTURE_DROP)
		used = (size_t)snprintf(text, size, "drop %s: %s",
			weir_reason_name((enum weir_reason)record->reason),
			weir_reason_text((enum weir_reason)record->reason));
	else
		used = (size_t)snprintf(
			text, size, "%s", record->point == WEIR_CAPTURE_RX ? "rx" : "tx");
	if (record->stream[0] != '\0' && used < size)
		used += (size_t)snprintf(
			text + used, size - used, "; stream %s%s", record->stream, partition);
	if (record->is_dropped_at_lane && used < size)
		used += (size_t)snprintf(text + used, size - used, "; sequence %llu",
			(unsigned long long)record->sequence);
	if (record->consumer[0] != '\0' && used < size)
		snprintf(text + used, size - used, "; consumer %s", record->consumer);
}

static void write_packet(struct weir_captures *captures, struct capture *capture,
	const struct weir_capture_record *record, const char *comment)
{
	struct weir_capture_report *report = &capture->live;
	uint32_t ports = captures->gateway->dataplane->port_count;
	struct weir_pcapng_packet packet = {
		.interface = RTE_MIN((uint32_t)record->port, ports),
		.time_ns = record->time_ns,
		.length = record->length,
		.captured = RTE_MIN(record->captured, report->rule.snap),
		.bytes = (const uint8_t *)(record + 1),
		.comment = comment,
		.direction = record->point == WEIR_CAPTURE_TX ? WEIR_PCAPNG_OUT : WEIR_PCAPNG_IN,
	};

	if (report->error != 0 || report->packets == report->bounds.packets)
		return;
	if (report->bytes + weir_pcapng_packet_size(&packet) + WEIR_PCAPNG_STATISTICS_SIZE >
		report->bounds.bytes) {
		begin_end(captures, capture, "bytes");
		return;
	}
	report->bytes += weir_pcapng_packet(capture->file, &packet);
	if (++report->packets == report->bounds.packets)
		begin_end(captures, capture, "packets");
	if (ferror(capture->file)) {
		report->error = -errno;
		begin_end(captures, capture, "error");
	}
}

static void write_record(struct weir_captures *captures, const struct weir_capture_record *record)
{
	char comment[320];

	describe(record, comment, sizeof(comment));
	for (uint32_t i = 0; i < WEIR_CAPTURE_RULES; i++)
		if ((record->rules >> i & 1) && captures->mine[i] != NULL)
			write_packet(captures, captures->mine[i], record, comment);
}

/* What is in the ring now: what comes meanwhile is the next round's. */
static void empty_ring(struct weir_captures *captures, struct weir_capture_ring *ring)
{
	uint64_t until = atomic_load_explicit(&ring->head, memory_order_acquire);
	const struct weir_capture_record *record;

	while (atomic_load_explicit(&ring->tail, memory_order_relaxed) < until &&
		(record = weir_capture_peek(ring)) != NULL) {
		write_record(captures, record);
		weir_capture_pass(ring, record);
	}
}

/* Written, or not, and closed. Its end is known to the file as what was lost. */
static void finish(struct weir_captures *captures, struct capture *capture)
{
	struct weir_capture_report *report = &capture->live;

	report->bytes +=
		weir_pcapng_statistics(capture->file, 0, clock_ns(CLOCK_REALTIME), report->lost);
	if (fclose(capture->file) != 0 && report->error == 0)
		report->error = -errno;
	report->state = WEIR_CAPTURE_ENDED;
	if (report->error != 0)
		weir_log_error("capture", "%s: %s", report->file, strerror(-report->error));
	weir_log_notice("capture", "%s: %llu packets, ended by %s; %llu lost", report->file,
		(unsigned long long)report->packets, report->ended_by,
		(unsigned long long)report->lost);
	pthread_mutex_lock(&captures->lock);
	memcpy(&capture->report, report, sizeof(*report));
	captures->by_slot[capture->slot] = NULL;
	captures->running--;
	pthread_mutex_unlock(&captures->lock);
}

/* Show how it stands. Returns why it is to end, or NULL. */
static const char *exchange(struct weir_captures *captures, struct capture *capture)
{
	const char *by = NULL;

	pthread_mutex_lock(&captures->lock);
	memcpy(&capture->report, &capture->live, sizeof(capture->report));
	if (captures->is_stopping)
		by = "shutdown";
	else if (capture->is_told)
		by = "stop";
	pthread_mutex_unlock(&captures->lock);
	return by;
}

/* The rings were emptied since the look before. */
static void look(struct weir_captures *captures, struct capture *capture)
{
	struct weir_dataplane *dataplane = captures->gateway->dataplane;
	const char *by;

	fflush(capture->file);
	capture->live.lost = weir_capture_lost(dataplane, capture->slot) - capture->lost_before;
	by = exchange(captures, capture);
	if (by == NULL && clock_ns(CLOCK_MONOTONIC) >= capture->until_ns)
		by = "seconds";
	if (by != NULL)
		begin_end(captures, capture, by);
	if (capture->live.state != WEIR_CAPTURE_ENDING)
		return;
	if (capture->is_drained)
		finish(captures, capture);
	else if (rte_rcu_qsbr_check(dataplane->qsbr, capture->token, false) == 1)
		capture->is_drained = true;
}

static void go_round(struct weir_captures *captures)
{
	struct weir_dataplane *dataplane = captures->gateway->dataplane;

	pthread_mutex_lock(&captures->lock);
	memcpy(captures->mine, captures->by_slot, sizeof(captures->mine));
	pthread_mutex_unlock(&captures->lock);
	for (uint32_t id = 0; id < dataplane->worker_count; id++)
		empty_ring(captures, &dataplane->workers[id].capture);
	for (uint32_t i = 0; i < WEIR_CAPTURE_RULES; i++)
		if (captures->mine[i] != NULL)
			look(captures, captures->mine[i]);
}

static void *run(void *context)
{
	struct weir_captures *captures = context;
	struct timespec pause = {0, LOOK_NS};

	pthread_mutex_lock(&captures->lock);
	while (!captures->is_stopping || captures->running != 0) {
		if (captures->running == 0) {
			pthread_cond_wait(&captures->change, &captures->lock);
			continue;
		}
		pthread_mutex_unlock(&captures->lock);
		go_round(captures);
		clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
		pthread_mutex_lock(&captures->lock);
	}
	pthread_mutex_unlock(&captures->lock);
	return NULL;
}

int weir_captures_create(struct weir_gateway *gateway, struct weir_captures **captures)
{
	*captures = calloc(1, sizeof(**captures));
	if (*captures == NULL)
		return -ENOMEM;
	(*captures)->gateway = gateway;
	pthread_mutex_init(&(*captures)->lock, NULL);
	pthread_cond_init(&(*captures)->change, NULL);
	return 0;
}

void weir_captures_destroy(struct weir_captures *captures)
{
	if (captures == NULL)
		return;
	pthread_mutex_lock(&captures->lock);
	captures->is_stopping = true;
	pthread_cond_signal(&captures->change);
	pthread_mutex_unlock(&captures->lock);
	if (captures->has_thread)
		pthread_join(captures->thread, NULL);
	pthread_cond_destroy(&captures->change);
	pthread_mutex_destroy(&captures->lock);
	free(captures);
}

/* With all signals blocked: they belong to the thread that has the loop. */
static int start_thread(struct weir_captures *captures)
{
	sigset_t before, all;
	int rc;

	if (captures->has_thread)
		return 0;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	rc = pthread_create(&captures->thread, NULL, run, captures);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	captures->has_thread = rc == 0;
	return -rc;
}

/* Letters, digits, "_", "-" and ".", not first: so it names a file of the directory and no other.
 */
static bool is_name(const char *file)
{
	size_t length =
		strspn(file, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.");

	return length != 0 && length <= NAME_MAX_LENGTH && file[length] == '\0' && file[0] != '.' &&
	       file[0] != '-';
}

static int make_name(const char *file, uint32_t id, char name[WEIR_CAPTURE_FILE_SIZE])
{
	static const char suffix[] = ".pcapng";
	size_t length = strlen(file);
	struct tm parts;
	time_t now = time(NULL);
	char text[32];

	if (length == 0) {
		gmtime_r(&now, &parts);
		strftime(text, sizeof(text), "%Y%m%dT%H%M%SZ", &parts);
		snprintf(name, WEIR_CAPTURE_FILE_SIZE, "capture-%s-%u%s", text, id, suffix);
		return 0;
	}
	if (!is_name(file))
		return -EINVAL;
	if (length > sizeof(suffix) - 1 &&
		strcmp(file + length - (sizeof(suffix) - 1), suffix) == 0)
		length -= sizeof(suffix) - 1;
	snprintf(name, WEIR_CAPTURE_FILE_SIZE, "%.*s%s", (int)length, file, suffix);
	return 0;
}

static int create_file(const char *directory, const char *name, FILE **file)
{
	int folder = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd, code = 0;

	if (folder < 0)
		return -errno;
	fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640);
	code = fd < 0 ? -errno : 0;
	close(folder);
	if (fd < 0)
		return code;
	*file = fdopen(fd, "w");
	if (*file == NULL) {
		code = -errno;
		close(fd);
		return code;
	}
	setvbuf(*file, NULL, _IOFBF, FILE_BUFFER);
	return 0;
}

static void write_head(const struct weir_dataplane *dataplane, struct capture *capture)
{
	struct weir_capture_report *report = &capture->live;
	uint32_t snap = report->rule.snap;

	report->bytes = weir_pcapng_section(capture->file, "weir " WEIR_VERSION, NULL);
	for (uint32_t i = 0; i < dataplane->port_count; i++)
		report->bytes +=
			weir_pcapng_interface(capture->file, dataplane->ports[i]->name, snap);
	/* Of what a producer sent, or came before captures were on. */
	report->bytes += weir_pcapng_interface(capture->file, "none", snap);
}

/* One that is free, or the oldest that has ended; with the lock. */
static struct capture *find_place(struct weir_captures *captures)
{
	struct capture *place = NULL;

	for (uint32_t i = 0; i < WEIR_CAPTURE_LIST; i++) {
		struct capture *capture = &captures->list[i];

		if (capture->report.state == WEIR_CAPTURE_FREE)
			return capture;
		if (capture->report.state == WEIR_CAPTURE_ENDED &&
			(place == NULL || capture->report.id < place->report.id))
			place = capture;
	}
	return place;
}

static int find_slot(struct weir_captures *captures, uint32_t *slot)
{
	int code = -EBUSY;

	pthread_mutex_lock(&captures->lock);
	for (*slot = 0; *slot < WEIR_CAPTURE_RULES; ++*slot)
		if (captures->by_slot[*slot] == NULL) {
			code = 0;
			break;
		}
	pthread_mutex_unlock(&captures->lock);
	return code;
}

/* The worker reads the rule only after `is_on`, which is stored last. */
static void switch_on(struct weir_captures *captures, const struct capture *begun)
{
	struct weir_dataplane *dataplane = captures->gateway->dataplane;
	struct weir_capture_rule *rule = &dataplane->captures[begun->slot];
	struct capture *capture;

	pthread_mutex_lock(&captures->lock);
	capture = find_place(captures);
	memcpy(capture, begun, sizeof(*capture));
	memcpy(&capture->report, &begun->live, sizeof(capture->report));
	captures->by_slot[begun->slot] = capture;
	captures->running++;
	rule->points = begun->live.rule.points;
	rule->reasons = begun->live.rule.reasons;
	rule->snap = begun->live.rule.snap;
	memcpy(rule->port, begun->live.rule.port, sizeof(rule->port));
	memcpy(rule->stream, begun->live.rule.stream, sizeof(rule->stream));
	memcpy(rule->consumer, begun->live.rule.consumer, sizeof(rule->consumer));
	weir_capture_switch(dataplane, begun->slot, true);
	pthread_cond_signal(&captures->change);
	pthread_mutex_unlock(&captures->lock);
}

int weir_capture_start(struct weir_captures *captures, const char *directory, const char *file,
	const struct weir_capture_rule *rule, const struct weir_capture_bounds *bounds,
	uint32_t *id, struct weir_error *error)
{
	struct weir_dataplane *dataplane = captures->gateway->dataplane;
	struct capture capture = {.live = {.id = captures->next_id + 1,
					  .state = WEIR_CAPTURE_RUNNING,
					  .bounds = *bounds}};
	int code;

	memcpy(&capture.live.rule, rule, sizeof(*rule));
	if (make_name(file, capture.live.id, capture.live.file) < 0)
		return weir_error_set(error, -EINVAL, "$.params.file",
			"at most 64 of A-Z a-z 0-9 _ - and ., not beginning with . or -: it names "
			"a file in capture.directory",
			"not the name of a file");
	if (find_slot(captures, &capture.slot) < 0)
		return weir_error_set(error, -EBUSY, "", "stop one: see capture_list",
			"%u captures run already", WEIR_CAPTURE_RULES);
	if (weir_capture_prepare(dataplane) < 0 || start_thread(captures) < 0)
		return weir_error_set(error, -ENOMEM, "", "", "not enough memory for a capture");
	code = create_file(directory, capture.live.file, &capture.file);
	if (code < 0)
		return weir_error_set(error, code, "$.params.file",
			"files are made in capture.directory, and never over one that is there",
			"%s/%s: %s", directory, capture.live.file, strerror(-code));
	captures->next_id++;
	capture.until_ns = clock_ns(CLOCK_MONOTONIC) + bounds->seconds * CAPTURE_NS_PER_S;
	capture.lost_before = weir_capture_lost(dataplane, capture.slot);
	write_head(dataplane, &capture);
	switch_on(captures, &capture);
	*id = capture.live.id;
	weir_log_notice("capture", "%s/%s was begun", directory, capture.live.file);
	return 0;
}

int weir_capture_stop(struct weir_captures *captures, uint32_t id)
{
	int code = -ENOENT;

	pthread_mutex_lock(&captures->lock);
	for (uint32_t i = 0; i < WEIR_CAPTURE_LIST; i++)
		if (captures->list[i].report.id == id &&
			captures->list[i].report.state == WEIR_CAPTURE_RUNNING) {
			captures->list[i].is_told = true;
			code = 0;
		}
	pthread_mutex_unlock(&captures->lock);
	return code;
}

static int by_id(const void *left, const void *right)
{
	const struct weir_capture_report *a = left, *b = right;

	return a->id < b->id ? -1 : a->id > b->id;
}

uint32_t weir_capture_reports(
	struct weir_captures *captures, struct weir_capture_report reports[WEIR_CAPTURE_LIST])
{
	uint32_t count = 0;

	pthread_mutex_lock(&captures->lock);
	for (uint32_t i = 0; i < WEIR_CAPTURE_LIST; i++)
		if (captures->list[i].report.state != WEIR_CAPTURE_FREE)
			memcpy(&reports[count++], &captures->list[i].report, sizeof(reports[0]));
	pthread_mutex_unlock(&captures->lock);
	qsort(reports, count, sizeof(reports[0]), by_id);
	return count;
}

bool weir_capture_report_of(
	struct weir_captures *captures, uint32_t id, struct weir_capture_report *report)
{
	struct weir_capture_report reports[WEIR_CAPTURE_LIST];
	uint32_t count = weir_capture_reports(captures, reports);

	for (uint32_t i = 0; i < count; i++)
		if (reports[i].id == id) {
			memcpy(report, &reports[i], sizeof(*report));
			return true;
		}
	return false;
}
