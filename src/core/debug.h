/*
 * Debug mode, and the stack usage of tasks.
 */
#ifndef UVA__CORE_DEBUG_H
#define UVA__CORE_DEBUG_H

#include "core/loop.h"

/** Run a node of the ready queue, and log what it was if it took as long as
 * loop->debug.slow_ns. The loop calls this for every node in debug mode. The
 * node may be gone afterwards. */
void uva__debug_run(uva_loop_t *loop, uva__ready_t *ready);
/** Log that something took long. what: "callback f", "a step of task 'x'";
 * trace is appended, and begins with a line feed if it is not "". */
void uva__debug_tell_slow(const char *what,
                          uint64_t took_ns,
                          const char *trace);
/** Write "a step of task ...", for uva__debug_tell_slow. */
void uva__debug_describe_step(char *text,
                              size_t size,
                              const char *name,
                              const char *function);
/** Whether UVA_DEBUG is set to anything but "", "0". */
bool uva__debug_from_environment(void);

/** The function, or the body, by which the stack usage of a task is counted. */
uva__usage_key_t uva__task_usage_key(const uva_task_t *task);

#endif /* UVA__CORE_DEBUG_H */
