/*
 * Stack overflow: from a fault in a guard to one line that names the task.
 *
 * Also the list of all slabs of the process, which the signal handler reads
 * without a lock.
 */
#ifndef UVA__STACK_OVERFLOW_H
#define UVA__STACK_OVERFLOW_H

#include <stddef.h>

#include "stack/slot.h"

/**
 * Name what runs on a stack. Called in a signal handler: it reads memory and
 * nothing else.
 *
 * @param stack             Its control block; owner says whose it is.
 * @param[out] ret_function The name of the coroutine function, or NULL.
 * @return The task's name, or NULL if it is not known.
 */
typedef const char *(*uva__overflow_describe_cb)(uva__stack_t *stack,
                                                 const char **ret_function);

/**
 * Catch SIGSEGV and SIGBUS; what is no overflow of ours goes to the handler
 * that was there before. Counted: further calls only set describe.
 *
 * @param describe  NULL: reports name nobody.
 * @return 0, or a negative code of sigaction.
 * @thread any
 */
int uva__overflow_install(uva__overflow_describe_cb describe);

/** Undo one install; the last one restores the earlier handlers, unless
 * somebody has put others in their place since. @thread any */
void uva__overflow_uninstall(void);

/**
 * Give the calling thread an alternate signal stack, unless it has one.
 * Counted; each needs its uva__overflow_thread_exit on the same thread.
 *
 * @retval UV_ENOMEM  Overflows on this thread die without a report.
 */
int uva__overflow_thread_init(void);
/** Undo one uva__overflow_thread_init of this thread; the last one takes away
 * the stack that it was given. */
void uva__overflow_thread_exit(void);

/** Report the overflow of a stack and die by SIGSEGV. Does not return. For
 * overflows that no fault told; on any stack, also the one that overflowed. */
void uva__overflow_die(uva__stack_t *stack);

/**
 * Enter a slab, bytes from base on, cut into slots, into the list of the
 * handler. The slab may be read by the handler until it is forgotten.
 *
 * @return A number for uva__overflow_forget, or UV_ENOMEM.
 * @thread any
 */
int uva__overflow_watch(char *base, size_t bytes, size_t slot_bytes);
/** Take a slab out of the list, before it is unmapped. @thread any */
void uva__overflow_forget(int number);

#endif /* UVA__STACK_OVERFLOW_H */
