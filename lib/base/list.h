/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * Intrusive doubly linked list, circular around its head. Constant cost for every operation,
 * no allocation. Not thread safe: a list belongs to one thread.
 */
struct weir_list {
	struct weir_list *next;
	struct weir_list *prev;
};

#define weir_list_entry(node, type, member)                                                        \
	((type *)(void *)((char *)(node)-offsetof(type, member)))

#define weir_list_for_each(node, head)                                                             \
	for (struct weir_list *node = (head)->next; node != (head); node = node->next)

/* Heads must be initialised; a node that is in no list points at itself. */
static inline void weir_list_init(struct weir_list *list)
{
	list->next = list;
	list->prev = list;
}

static inline bool weir_list_is_empty(const struct weir_list *list)
{
	return list->next == list;
}

static inline void weir_list_add_tail(struct weir_list *head, struct weir_list *node)
{
	node->next = head;
	node->prev = head->prev;
	head->prev->next = node;
	head->prev = node;
}

static inline void weir_list_add_head(struct weir_list *head, struct weir_list *node)
{
	weir_list_add_tail(head->next, node);
}

/* Afterwards the node is in no list. */
static inline void weir_list_remove(struct weir_list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	weir_list_init(node);
}

/* Move every node of `from` to the tail of `to`. */
static inline void weir_list_splice_tail(struct weir_list *to, struct weir_list *from)
{
	if (weir_list_is_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	weir_list_init(from);
}
