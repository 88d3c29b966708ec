/*
 * Mutexes, conditions and thread identity: libuv's, as they are.
 */
#ifndef UVA__BASE_THREAD_H
#define UVA__BASE_THREAD_H

#include <stdint.h>

#include <uv.h>

/** The calling thread in words of the log: the system's number of it. */
uint64_t uva__thread_number(void);

#endif /* UVA__BASE_THREAD_H */
