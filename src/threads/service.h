/*
 * The threads floor as a service of a loop: the promises of the loop, and its
 * default executor.
 */
#ifndef UVA__THREADS_SERVICE_H
#define UVA__THREADS_SERVICE_H

#include "uva/types.h"

#include "core/loop.h"
#include "core/services.h"

/* Something that the end of the loop does not wait for. */
typedef struct uva__pending_s {
    uva_list_t link; /* Of uva__threads_t.pending. */
    /** No task is left that waits for it: leave the list. */
    void (*abandon)(struct uva__pending_s *pending);
} uva__pending_t;

typedef struct uva__threads_s {
    uva__service_t service;
    uva_loop_t *loop;
    uva_list_t pending;       /* Of uva__pending_t.link. */
    uva_executor_t *executor; /* Counted: the default one; NULL until needed. */
    uva_job_t *spare_jobs;    /* Owned: memory of jobs, by work.next. */
    unsigned spare_count;
    void (*forget_jobs)(struct uva__threads_s *threads); /* Set with them. */
    bool shut; /* The default executor takes no more jobs. */
    /** No task is left: let the default executor end. Set with it. */
    void (*end_executor)(struct uva__threads_s *threads);
    /** The loop is closed: drop the default executor. Set with it. */
    void (*drop_executor)(struct uva__threads_s *threads);
    uva__timer_t end_limit;   /* Of end_executor. */
    struct uva__ender_s *end; /* Owned: end_executor is under way. */
} uva__threads_t;

/** The part of a loop, made when it is first needed. @retval UV_ENOMEM
 * @retval UV_EPERM The loop is closing. */
int uva__threads_get(uva_loop_t *loop, uva__threads_t **ret_threads);

/** Another thread is going to do something that tasks of the loop wait for: the
 * loop counts an operation, and virtual time stands still. */
void uva__threads_wait_begin(uva_loop_t *loop);
void uva__threads_wait_end(uva_loop_t *loop);

#endif /* UVA__THREADS_SERVICE_H */
