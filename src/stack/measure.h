/*
 * How deep stacks are used: of one use, and a table of the deepest use of each
 * function.
 */
#ifndef UVA__STACK_MEASURE_H
#define UVA__STACK_MEASURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stack/slot.h"

/**
 * How deep the stack was used since it was last clean: bytes from the top to
 * the lowest byte that is not zero. Looks at resident pages only.
 */
size_t uva__stack_high_water(const uva__stack_t *stack);

/**
 * uva__stack_high_water, then make the stack clean for its next use. Call it
 * at the end of a use, before uva__stack_put. It may run on the stack itself:
 * it keeps the frames above its own, and above stack->context.sp if that is
 * set.
 */
size_t uva__stack_measure(uva__stack_t *stack);

/** Make a stack that was just handed out clean, so that this use is measured.
 * Keeps what uva__stack_measure keeps. */
void uva__stack_clean(uva__stack_t *stack);

/** What the uses of a stack are told apart by. */
typedef struct uva__usage_key_s {
    const char *function; /* Static. */
    uintptr_t body;       /* Tells functions of one name apart; or 0. */
} uva__usage_key_t;

/** One function in the table. */
typedef struct uva__usage_s {
    struct uva__usage_s *next;
    uva__usage_key_t key;
    size_t samples;
    size_t max_bytes;
} uva__usage_t;

/**
 * Measure a stack at the end of a use, and note it in the table. Without
 * memory the sample is lost.
 *
 * @param table         Owned by the caller; begins as NULL.
 * @param measures_all  Clean the stack for the next use, so that this one is
 *                      measured too. Else only uses of a clean stack count,
 *                      and the first few of each function.
 */
void uva__usage_note(uva__usage_t **table,
                     uva__usage_key_t key,
                     uva__stack_t *stack,
                     bool measures_all);

/** Free the table, which is empty (NULL) then. */
void uva__usage_free(uva__usage_t **table);

#endif /* UVA__STACK_MEASURE_H */
