/*
 * Intrusive circular list. A head of zeros is an empty list too, so that
 * static initialisers need not name themselves. A link that is in no list has
 * next == NULL.
 */
#ifndef UVA__BASE_LIST_H
#define UVA__BASE_LIST_H

#include "uva/types.h"

#include "base/util.h"

/** Make a head an empty list. */
static inline void uva__list_init(uva_list_t *list)
{
    list->next = list;
    list->prev = list;
}

/** Whether a list has no link. Only for heads: a link that is in no list looks
 * empty as well. */
static inline bool uva__list_empty(const uva_list_t *list)
{
    return list->next == NULL || list->next == list;
}

/** Whether a link is in a list. */
static inline bool uva__list_linked(const uva_list_t *link)
{
    return link->next != NULL;
}

/** Insert a link, which is in no list, before another that is in one. Before
 * the head means at the end. */
static inline void uva__list_insert_before(uva_list_t *place, uva_list_t *link)
{
    uva_list_t *last = place->prev;

    /* In an order that keeps gcc from making a vector of link, which takes
     * more instructions. */
    link->next = place;
    last->next = link;
    link->prev = last;
    place->prev = link;
}

/** Put a link, which is in no list, at the end. */
static inline void uva__list_append(uva_list_t *list, uva_list_t *link)
{
    if (list->next == NULL) {
        uva__list_init(list);
    }
    uva__list_insert_before(list, link);
}

/** Take a link out of its list; nothing if it is in none. */
static inline void uva__list_remove(uva_list_t *link)
{
    if (link->next != NULL) {
        link->prev->next = link->next;
        link->next->prev = link->prev;
        link->next = NULL;
        link->prev = NULL;
    }
}

/** The first object of a list that is not empty. */
#define UVA__LIST_FIRST(list, type, member) \
    UVA__CONTAINER_OF((list)->next, type, member)

/** Visit each object. The body may remove the object it visits if it leaves
 * the loop then; use UVA__LIST_FOREACH_SAFE otherwise. */
#define UVA__LIST_FOREACH(item, list, type, member)                       \
    for (type *item = UVA__CONTAINER_OF(                                  \
             (list)->next == NULL ? (list) : (list)->next, type, member); \
         &item->member != (list);                                         \
         item = UVA__CONTAINER_OF(item->member.next, type, member))

/** The body may remove the object it visits, and only that. */
#define UVA__LIST_FOREACH_SAFE(item, list, type, member)                    \
    for (type *item = UVA__CONTAINER_OF(                                    \
             (list)->next == NULL ? (list) : (list)->next, type, member),   \
              *item##_next;                                                 \
         &item->member != (list) &&                                         \
         (item##_next = UVA__CONTAINER_OF(item->member.next, type, member), \
         1);                                                                \
         item = item##_next)

#endif /* UVA__BASE_LIST_H */
