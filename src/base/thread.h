/*
 * Mutexes, conditions and thread identity: libuv's, as they are.
 */
#ifndef UVA__BASE_THREAD_H
#define UVA__BASE_THREAD_H

#include <uv.h>

#endif /* UVA__BASE_THREAD_H */
