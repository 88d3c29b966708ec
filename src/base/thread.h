/*
 * Mutexes, conditions and thread identity: libuv's, as they are.
 */
#ifndef UVA__BASE_THREAD_H
#define UVA__BASE_THREAD_H

#include <stdint.h>

#include <uv.h>

/** The number that the system, and its tools, give the calling thread. For the
 * log: a program's own threads are found by it in top and gdb. */
uint64_t uva__thread_number(void);

#endif /* UVA__BASE_THREAD_H */
