/*
 * Threads, mutexes, conditions: libuv's, as they are, and what it lacks.
 */
#ifndef UVA__BASE_THREAD_H
#define UVA__BASE_THREAD_H

#include <stdint.h>

#include <uv.h>

/** The number that the system, and its tools, give the calling thread. For the
 * log: a program's own threads are found by it in top and gdb. */
uint64_t uva__thread_number(void);
/** Send a signal to a thread of this process by its number; 0 only asks whether
 * that can be done. A thread that has ended gets none, and one that has its
 * number since gets it instead. @retval UV_ENOTSUP The system has no numbers of
 * threads. @thread any */
int uva__thread_signal(uint64_t number, int signal_number);

/** Start a thread. @param stack_bytes 0: the system's default. */
int uva__thread_start(uv_thread_t *ret_thread,
                      size_t stack_bytes,
                      void (*entry)(void *data),
                      void *data);
/** Give the calling thread a name, as far as the system has room for it. */
void uva__thread_name(const char *name);
/** Let the calling thread stay on one of the processors of this process,
 * counted round from 0, where the system has such a thing. */
void uva__thread_pin(unsigned index);
/** Wait for a thread that is about to end; if it is the calling one, nobody
 * waits for it. Once for each thread. */
void uva__thread_end(const uv_thread_t *thread);
/** Let nobody wait for a thread. Once for each thread, instead of the above. */
void uva__thread_detach(const uv_thread_t *thread);

/** How many processors this process may use. */
unsigned uva__cpu_count(void);

#endif /* UVA__BASE_THREAD_H */
