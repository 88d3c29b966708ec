/*
 * Scopes: the timeouts and groups that a task has entered. Each has an entry in
 * its task; a scope that was left without its exit is found and reported by its
 * entry. The loop's thread only.
 */
#ifndef UVA__CORE_SCOPES_H
#define UVA__CORE_SCOPES_H

#include "core/loop.h"

typedef struct uva__scope_s uva__scope_t;

/* The functions of the scopes of one kind. */
typedef struct uva__scope_ops_s {
    /** Release what the entry of a lost scope holds: timers, children. The
     * scope itself must not be touched: its memory may be gone. */
    void (*abandon)(uva__scope_t *entry);
    const char *lost; /* The message of the report that it was lost. */
    /** Make a child; NULL in scopes that have none. */
    uva_task_t *(*spawn)(uva__scope_t *entry,
                         const uva__coro_t *coro,
                         const void *args,
                         const uva_task_options_t *options,
                         const char *here);
} uva__scope_ops_t;

/* The entry of a scope in its task, which owns it. Timeouts and groups have
 * their own members behind it. */
struct uva__scope_s {
    struct uva__scope_s *outer; /* The one entered before it. */
    uva_task_t *task;  /* Borrowed: the task outlives its scopes. NULL once the
                          task has ended without leaving this one. */
    const void *scope; /* An address to compare: its memory may be gone. */
    const void *low;  /* The lowest address of this scope and the outer ones. */
    const void *high; /* The highest of them. */
    const uva__scope_ops_t *ops;
    uint32_t bytes; /* Of the entry. */
};

/** Report and forget the scopes whose frame is gone. sp is the stack pointer of
 * the task that suspends: scopes in frames below it are lost. NULL: the task
 * has ended, and all that it has not left are. A task that goes on after a
 * timeout was left by return is warned about. */
void uva__scope_check_slow(uva_task_t *task, const char *sp);

/** The same, where most tasks have no scope. Called when a task with
 * UVA__CHECK_AT_SUSPEND suspends, and when it ends. */
static inline void uva__scope_check(uva_task_t *task, const char *sp)
{
    if (UVA__UNLIKELY(task->extra != NULL && (task->extra->scopes != NULL ||
                                              task->extra->left_code != 0))) {
        uva__scope_check_slow(task, sp);
    }
}

/** Whether the scope at this address is entered by the task. An entry that
 * another frame has left at this address is reported and dropped. */
bool uva__scope_entered(const uva_task_t *task, const void *scope);
/** Make the entry of a scope that the running task enters: size bytes, which
 * begin with a uva__scope_t; what follows is not set. @return NULL without
 * memory; owned by the task until uva__scope_leave. */
uva__scope_t *uva__scope_enter(uva_task_t *task,
                               const void *scope,
                               const uva__scope_ops_t *ops,
                               size_t size);
/** Take an entry out of its task, and free it. Its task has not ended. */
void uva__scope_leave(uva__scope_t *entry);
/** Whether the task of a scope has ended without leaving it. NULL is not lost.
 */
static inline bool uva__scope_lost(const uva__scope_t *entry)
{
    return UVA__UNLIKELY(entry != NULL && entry->task == NULL);
}
/** Free the entries of lost scopes that outlived their tasks, when their loop
 * has closed. */
void uva__loop_free_scopes(uva_loop_t *loop);
/** Note that a timeout has cancelled the running task and was left by return,
 * so that its code was not turned into code. If the task goes on after that,
 * the log says so, once for a loop. */
void uva__scope_note_left(uva_task_t *task, int code);

#endif /* UVA__CORE_SCOPES_H */
