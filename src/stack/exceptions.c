/*
 * Where the runtime of C++ keeps the exceptions of a thread.
 */
#include "stack/exceptions.h"

/* Stands in where the process has no runtime of C++. Nothing ever writes it, so
 * threads may share it. */
static uva__exceptions_t none;

#if defined(__ELF__) && defined(__GNUC__)

/* Of libstdc++ or libc++abi. Weak: a program in C links without them. */
extern uva__exceptions_t *__cxa_get_globals(void) __attribute__((weak));

uva__exceptions_t *uva__exceptions_here(void)
{
    return __cxa_get_globals != NULL ? __cxa_get_globals() : &none;
}

#else

uva__exceptions_t *uva__exceptions_here(void)
{
    return &none;
}

#endif
