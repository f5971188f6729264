/* SPDX-License-Identifier: BSD-3-Clause */
#include <curses.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/loop.h"
#include "top.h"

/* The page on a terminal: keys, sizes, colours where there are any. */

#define CALL_TIMEOUT_S 2 /* a key must not wait longer for a gateway that says nothing */
#define HEAD_LINES     3 /* summary, views, names of the columns */
#define PAIR_HEAT      5 /* the first of the map's */

static const char help[] =
	"q quit  1-4 tab view  s sort by next  r reverse  arrows pages  space pause";

struct screen {
	struct weirctl_client *client;
	struct top_samples samples;
	struct top_page page;
	struct top_order orders[TOP_VIEW_COUNT];
	enum top_view view;
	size_t first; /* row at the top */
	bool is_paused;
	bool is_over;
	bool has_color;
	bool is_lost; /* the gateway did not answer the last time */
};

static volatile sig_atomic_t is_signalled;

static void on_signal(int number)
{
	(void)number;
	is_signalled = 1;
}

/* Signals come in ppoll only, so that none is missed before it. */
static void catch_signals(sigset_t *before)
{
	static const int ending[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction action = {.sa_handler = on_signal};
	sigset_t blocked;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGWINCH);
	for (size_t i = 0; i < sizeof(ending) / sizeof(ending[0]); i++) {
		sigaction(ending[i], &action, NULL);
		sigaddset(&blocked, ending[i]);
	}
	sigprocmask(SIG_BLOCK, &blocked, before);
}

static void start_colors(struct screen *screen)
{
	static const short tones[] = {COLOR_GREEN, COLOR_YELLOW, COLOR_RED};
	static const short heats[] = {COLOR_BLUE, COLOR_CYAN, COLOR_GREEN, COLOR_YELLOW, COLOR_RED};
	const char *refused = getenv("NO_COLOR");

	if (!has_colors() || (refused != NULL && refused[0] != '\0') || start_color() == ERR)
		return;
	use_default_colors();
	for (short i = 0; i < 3; i++)
		init_pair((short)(TOP_GOOD + i), tones[i], -1);
	for (short i = 0; i < 5; i++)
		init_pair((short)(PAIR_HEAT + i), heats[i], -1);
	screen->has_color = true;
}

static attr_t tone_attribute(const struct screen *screen, enum top_tone tone)
{
	if (screen->has_color)
		return tone == TOP_PLAIN ? A_NORMAL : (attr_t)COLOR_PAIR(tone);
	return tone == TOP_BAD ? A_BOLD : A_NORMAL;
}

static void put(int line, attr_t attribute, const char *text)
{
	attrset((int)attribute);
	mvaddnstr(line, 0, text, COLS);
	attrset(A_NORMAL);
}

static void put_map(const struct screen *screen, int line, size_t at, const char *map)
{
	for (size_t i = 0; map[i] != '\0' && at + i < (size_t)COLS; i++) {
		const char *level = strchr(top_heat, map[i]);

		if (level == NULL || !screen->has_color)
			continue;
		mvchgat(line, (int)(at + i), 1, A_NORMAL,
			(short)(PAIR_HEAT + (level - top_heat) * 4 / ((long)strlen(top_heat) - 1)),
			NULL);
	}
}

static void put_row(const struct screen *screen, int line, const struct top_row *row, size_t width)
{
	struct weirctl_text text = {0};
	size_t at;
	int map = top_page_map(&screen->page, width, &at);

	top_page_line(&text, &screen->page, row, width);
	if (text.bytes != NULL)
		put(line, row != NULL ? tone_attribute(screen, row->tone) : A_REVERSE, text.bytes);
	if (map >= 0 && row != NULL)
		put_map(screen, line, at, row->cells[map].text);
	free(text.bytes);
}

static void put_head(const struct screen *screen)
{
	struct weirctl_text text = {0};
	const char *column = screen->page.columns[screen->orders[screen->view].column].name;

	if (screen->samples.now.stats == NULL || screen->is_lost)
		weirctl_text_add_safe(&text, "no answer from the gateway at ");
	if (screen->samples.now.stats == NULL || screen->is_lost)
		weirctl_text_add_safe(&text, screen->client->options->socket_path);
	else
		top_summary(&text, &screen->samples);
	if (screen->is_paused)
		weirctl_text_add_safe(&text, "  paused");
	put(0, tone_attribute(screen, screen->is_lost ? TOP_BAD : TOP_PLAIN) | A_BOLD,
		text.bytes != NULL ? text.bytes : "");
	free(text.bytes);
	move(1, 0);
	for (int i = 0; i < TOP_VIEW_COUNT; i++) {
		attrset((int)screen->view == i ? A_REVERSE : A_NORMAL);
		printw("%d %s", i + 1, top_view_names[i]);
		attrset(A_NORMAL);
		addstr("  ");
	}
	printw("by %s%s", column, screen->orders[screen->view].is_ascending ? " up" : "");
}

/* Columns that a page takes when its names are as narrow as can be. */
static size_t least_width(const struct top_page *page)
{
	size_t sum = page->column_count - 1;

	for (uint32_t i = 0; i < page->column_count; i++)
		sum += page->columns[i].width;
	return sum;
}

static void draw(struct screen *screen)
{
	struct top_page *page = &screen->page;
	size_t room = LINES > HEAD_LINES + 1 ? (size_t)(LINES - HEAD_LINES - 1) : 0;
	size_t least, width;

	top_view_make(page, screen->view, &screen->samples);
	top_page_sort(page, screen->orders[screen->view]);
	least = least_width(page);
	width = top_page_name_width(page, (size_t)COLS > least ? (size_t)COLS - least : 0);
	if (screen->first + room > page->row_count)
		screen->first = page->row_count > room ? page->row_count - room : 0;
	erase();
	put_head(screen);
	put_row(screen, HEAD_LINES - 1, NULL, width);
	for (size_t i = 0; i < room && screen->first + i < page->row_count; i++)
		put_row(screen, HEAD_LINES + (int)i, &page->rows[screen->first + i], width);
	if (LINES > HEAD_LINES)
		put(LINES - 1, A_DIM, help);
	refresh();
}

static void take(struct screen *screen)
{
	screen->is_lost = top_sample_take(screen->client, screen->view == TOP_PARTITIONS,
				  &screen->samples) != WEIRCTL_OK;
}

/* True: it wants figures that the newest sample has not. */
static bool show_view(struct screen *screen, int view)
{
	screen->view = (enum top_view)(view % TOP_VIEW_COUNT);
	screen->first = 0;
	return screen->view == TOP_PARTITIONS && screen->samples.now.partitions == NULL;
}

static void scroll_by(struct screen *screen, int lines)
{
	if (lines < 0 && screen->first < (size_t)-lines)
		screen->first = 0;
	else
		screen->first += (size_t)lines;
}

static bool on_key(struct screen *screen, int key)
{
	struct top_order *order = &screen->orders[screen->view];

	if (key >= '1' && key < '1' + TOP_VIEW_COUNT)
		return show_view(screen, key - '1');
	if (key == '\t' || key == KEY_RIGHT)
		return show_view(screen, (int)screen->view + 1);
	if (key == KEY_LEFT)
		return show_view(screen, (int)screen->view + TOP_VIEW_COUNT - 1);
	if (key == 'q' || key == 'Q')
		screen->is_over = true;
	else if (key == KEY_RESIZE)
		clearok(curscr, TRUE); /* a terminal may have moved what was on it */
	else if (key == 's')
		order->column = (order->column + 1) % screen->page.column_count;
	else if (key == 'r')
		order->is_ascending = !order->is_ascending;
	else if (key == ' ' || key == 'p')
		screen->is_paused = !screen->is_paused;
	else if (key == KEY_DOWN || key == KEY_UP)
		scroll_by(screen, key == KEY_DOWN ? 1 : -1);
	else if (key == KEY_NPAGE || key == KEY_PPAGE)
		scroll_by(screen, (key == KEY_NPAGE ? 1 : -1) * (LINES - HEAD_LINES - 1));
	return false;
}

/* Until the time, a key, a new size or a signal. True: a sample is wanted. */
static bool wait_for_key(struct screen *screen, uint64_t until_ns, const sigset_t *unblocked)
{
	struct pollfd entry = {.fd = STDIN_FILENO, .events = POLLIN};
	uint64_t now_ns = weir_loop_clock_ns();
	uint64_t left_ns = until_ns > now_ns ? until_ns - now_ns : 0;
	struct timespec left = {
		.tv_sec = (time_t)(left_ns / WEIR_S_NS), .tv_nsec = (long)(left_ns % WEIR_S_NS)};
	int ready = ppoll(&entry, 1, &left, unblocked);
	bool is_wanted = false;
	int key, keys = 0;

	for (; (key = getch()) != ERR; keys++)
		is_wanted |= on_key(screen, key);
	/* Readable and nothing there: the terminal is gone. */
	if (ready > 0 && keys == 0)
		screen->is_over = true;
	if (is_signalled)
		screen->is_over = true;
	return is_wanted || weir_loop_clock_ns() >= until_ns;
}

static void run(struct screen *screen, const sigset_t *unblocked)
{
	const struct weirctl_options *options = screen->client->options;
	uint64_t until_ns = 0;
	bool is_wanted = true;
	int taken = 0;

	while (!screen->is_over) {
		if (is_wanted && !screen->is_paused) {
			take(screen);
			/* The first page has no rates. */
			if (options->count != 0 && taken++ == options->count)
				screen->is_over = true;
		}
		if (is_wanted)
			until_ns = weir_loop_clock_ns() + (uint64_t)(options->interval_s * 1e9);
		draw(screen);
		if (!screen->is_over)
			is_wanted = wait_for_key(screen, until_ns, unblocked);
	}
}

int top_screen_run(struct weirctl_client *client, enum top_view view)
{
	struct weirctl_options options = *client->options;
	struct weirctl_client quiet = {.options = &options, .fd = -1, .is_quiet = true};
	struct screen screen = {.client = &quiet, .view = view};
	sigset_t unblocked;
	SCREEN *terminal;

	if (options.timeout_s > CALL_TIMEOUT_S)
		options.timeout_s = CALL_TIMEOUT_S;
	for (int i = 0; i < TOP_VIEW_COUNT; i++)
		screen.orders[i] = top_view_order((enum top_view)i);
	catch_signals(&unblocked);
	terminal = newterm(NULL, stdout, stdin);
	if (terminal == NULL) {
		fprintf(stderr, "weirctl: top: this terminal cannot be used\n  hint: set TERM, or "
				"--once and --batch print plain text\n");
		return WEIRCTL_USAGE;
	}
	start_colors(&screen);
	cbreak();
	noecho();
	nodelay(stdscr, TRUE);
	keypad(stdscr, TRUE);
	curs_set(0);
	run(&screen, &unblocked);
	curs_set(1);
	endwin();
	delscreen(terminal);
	top_page_free(&screen.page);
	top_samples_free(&screen.samples);
	weirctl_disconnect(&quiet);
	return WEIRCTL_OK;
}
