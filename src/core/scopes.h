/*
 * Scopes: the timeouts and groups that a task has entered. Their entries, and
 * what to do about a scope that was left without its exit.
 */
#ifndef UVA__CORE_SCOPES_H
#define UVA__CORE_SCOPES_H

#include "core/loop.h"

typedef struct uva__scope_s uva__scope_t;

/* What the scopes of one kind do in their own way. */
typedef struct uva__scope_ops_s {
    /** Let go of what the entry of a lost scope has. The memory of the scope
     * may be gone. */
    void (*abandon)(uva__scope_t *entry);
    const char *lost; /* How the exception handler is told of it. */
    /** Make a child; NULL in scopes that have none. */
    uva_task_t *(*spawn)(uva__scope_t *entry,
                         const uva__coro_t *coro,
                         const void *args,
                         const uva_task_options_t *options,
                         const char *here);
} uva__scope_ops_t;

/* The entry of a scope in its task; timeouts and groups have more behind it. */
struct uva__scope_s {
    struct uva__scope_s *outer; /* The one entered before it. */
    uva_task_t *task;           /* Borrowed: the task outlives its scopes; NULL
                                   once it has ended and left this one. */
    const void *scope;          /* An address: its memory may be gone. */
    const void *low;            /* No scope from here outwards lies below. */
    const void *high;           /* Nor above. */
    const uva__scope_ops_t *ops;
    uint32_t bytes; /* Of the entry. */
};

/** Report and forget scopes whose frame is gone: what can be told from the
 * stack pointer, or all when the task has ended (sp NULL). Tell of a timeout
 * that was left by return, if the task goes on. */
void uva__scope_check_slow(uva_task_t *task, const char *sp);

static inline void uva__scope_check(uva_task_t *task, const char *sp)
{
    if (UVA__UNLIKELY(task->extra != NULL && (task->extra->scopes != NULL ||
                                              task->extra->left_code != 0))) {
        uva__scope_check_slow(task, sp);
    }
}

/** Whether a scope at this address is entered. */
bool uva__scope_entered(const uva_task_t *task, const void *scope);
/** Make the entry of a scope that begins: size bytes that begin with a
 * uva__scope_t. @return NULL without memory. */
uva__scope_t *uva__scope_enter(uva_task_t *task,
                               const void *scope,
                               const uva__scope_ops_t *ops,
                               size_t size);
/** Take an entry out of the task's, and free it. */
void uva__scope_leave(uva__scope_t *entry);
/** Whether the task of a scope has ended without its exit. */
static inline bool uva__scope_lost(const uva__scope_t *entry)
{
    return UVA__UNLIKELY(entry != NULL && entry->task == NULL);
}
/** Free what is left, at the end of a loop, of scopes of which that is true. */
void uva__loop_free_scopes(uva_loop_t *loop);
/** Note that a timeout has cancelled the running task, and was left without
 * turning what was returned into code. */
void uva__scope_note_left(uva_task_t *task, int code);

#endif /* UVA__CORE_SCOPES_H */
